"""Thousands of calls in a few submits, and tens of thousands of results in a few polls."""

from __future__ import annotations

import asyncio

import pytest
import suite_tasks as suite
from counting import CountingTransport
from support import until

from ignitetasks import ArgumentError, IgniteTasks, InvalidOption, SerializationError
from ignitetasks.results import ResultList

pytestmark = pytest.mark.usefixtures("worker")
PATIENCE = 90


@pytest.fixture
def counted(node):
    """An app without the tasks' code whose gateway calls are counted, and its counter."""
    with IgniteTasks("counted", **node.overrides) as app:
        transport = CountingTransport(app.settings)
        app.use_transport(transport)
        yield app, transport.calls


def test_bulk_gives_results_in_order():
    results = suite.add.bulk((one, 1) for one in range(1000))
    assert len(results) == 1000
    assert results.get(timeout=PATIENCE) == list(range(1, 1001))


def test_a_call_of_a_bulk_is_a_tuple_a_map_a_signature_or_a_value():
    calls = [(1, 2), [3, 4], {"x": 5, "y": 6}, suite.add.s(7, 8)]
    assert suite.add.bulk(calls).get(timeout=PATIENCE) == [3, 7, 11, 15]
    assert suite.echo.bulk([1, "two", None]).get(timeout=PATIENCE) == [1, "two", None]


def test_an_empty_bulk_is_no_call_at_all(counted):
    app, calls = counted
    assert list(app.bulk([])) == []
    assert suite.add.bulk([]).get(timeout=1) == []
    assert not calls


def test_ten_thousand_calls_are_a_few_submits(counted, queue):
    app, calls = counted
    sent = app.bulk(app.signature("suite_tasks.add", (one, one)) for one in range(10_000))
    assert calls["submit"] <= 10
    assert sum(calls.values()) == calls["submit"]
    values = sent.get(timeout=PATIENCE)
    assert values == [2 * one for one in range(10_000)]
    assert sent.forget() == 10_000


def test_fifty_thousand_results_are_a_few_calls(counted, node):
    app, calls = counted
    count = 50_000
    sent = app.bulk(app.signature("suite_tasks.echo", (one,)) for one in range(count))
    until(lambda: node.queue_status("celery")["pending"] + node.queue_status("celery")["running"] == 0, "the end")
    calls.clear()
    assert sent.get(timeout=PATIENCE) == list(range(count))
    # All have ended, so each call brings as much as fits; 100 is far above what that takes, and far below 50,000.
    assert sum(calls.values()) <= 100, calls
    assert sent.forget() == count


def test_results_of_another_session_are_a_few_calls(counted):
    app, calls = counted
    sent = suite.add.bulk((one, 0) for one in range(10_000))
    elsewhere = ResultList(sent.ids, app)
    assert elsewhere.get(timeout=PATIENCE) == list(range(10_000))
    assert calls["watch"] <= 4
    assert calls["poll"] <= 2_000, calls  # as they end; each brings at least one, and under load hundreds
    sent.forget()


def test_mixed_signatures_keep_their_order_and_options(app, queue, node):
    sent = app.bulk(
        [
            suite.add.s(1, 2),
            suite.echo.signature(("three",), priority=3),
            suite.add.s(4, 5),
            suite.echo.signature((6,), queue=queue, countdown=3600),
        ]
    )
    assert sent[:3].get(timeout=PATIENCE) == [3, "three", 9]
    assert node.queue_status(queue)["delayed"] == 1
    sent[3].revoke()
    assert sent[3].state == "REVOKED"


def test_bulk_options_hold_for_all(queue, node):
    sent = suite.add.bulk([(1, 1), (2, 2)], queue=queue, priority=5, expires=600)
    records = [node.record(one.id) for one in sent]
    assert [(one["queue"], one["priority"]) for one in records] == [(queue, 5)] * 2
    sent.revoke()
    assert [one.state for one in sent] == ["REVOKED"] * 2


def test_the_bar_is_shown_when_asked(capfd):
    suite.add.bulk([(1, 1)] * 10, progress=True).get(timeout=PATIENCE, progress=True)
    shown = capfd.readouterr()
    assert "submitting" in shown.err and "10/10" in shown.err
    assert shown.out == ""


def test_keys_of_a_bulk_name_one_task_each(log, label):
    def key(order, amount=1):
        return f"{label}-{order}"

    numbers = [int(label[5:]) * 1000 + one for one in (1, 2, 1)]
    sent = suite.charge.bulk([(one,) for one in numbers], idempotency_key=key)
    assert sent.get(timeout=PATIENCE) == [1, 1, 1]
    assert sent[0].id == sent[2].id
    assert [one.created for one in sent] == [True, True, False]
    again = suite.charge.bulk([(one,) for one in numbers], idempotency_key=key)
    assert [one.created for one in again] == [False] * 3
    assert [log.count(f"charge {one}") for one in numbers] == [1, 1, 1]


def test_a_wrong_call_names_its_index_and_gives_the_handles_before_it():
    with pytest.raises(ArgumentError, match=r"call 2 of the bulk: suite_tasks\.add"):
        suite.add.bulk([(1, 2), (3, 4), (5,)])
    with pytest.raises(SerializationError, match=r"call 1 of the bulk.*args\[0\]"):
        suite.echo.bulk([1, suite.Odd()])


def test_one_key_cannot_stand_for_many_calls():
    with pytest.raises(InvalidOption, match="one id or key cannot stand for many calls"):
        suite.add.bulk([(1, 2)], idempotency_key="k")


def test_iter_completed_yields_each_once(label):
    sent = suite.echo.bulk(range(100))
    assert sorted(one.get() for one in sent.iter_completed(timeout=PATIENCE)) == list(range(100))


def test_a_completion_that_came_once_is_there_for_everybody(counted):
    """Handles, parts and the list itself share what arrives: nobody waits for what another one has been given."""
    app, calls = counted
    for first in ("handle", "part", "list", "state", "await", "iteration"):
        sent = app.bulk(app.signature("suite_tasks.echo", (number,)) for number in range(10))
        old, part = list(sent), sent[2:8][1:4]
        if first == "handle":
            assert sent[4].get(timeout=PATIENCE) == 4
        elif first == "part":
            assert part.get(timeout=PATIENCE) == [3, 4, 5]
        elif first == "state":
            until(lambda: sent[4].state == "SUCCESS", "the result")  # noqa: B023  # called at once
        elif first == "await":
            assert asyncio.run(_await(sent[4])) == 4
        elif first == "iteration":
            assert [one.get(timeout=PATIENCE) for one in sent] == list(range(10))
        assert sent.get(timeout=PATIENCE) == list(range(10))
        calls.clear()
        assert part.get(timeout=PATIENCE) == [3, 4, 5]
        assert [one.get(timeout=PATIENCE) for one in sent] == list(range(10))
        assert [one.get(timeout=PATIENCE) for one in old] == list(range(10))
        assert [one.state for one in sent[3:]] == ["SUCCESS"] * 7
        assert asyncio.run(_await(old[9])) == 9
        assert not calls, (first, calls)


async def _await(result):
    return await result


def test_errors_of_a_bulk_are_raised_or_listed():
    sent = suite.fail.bulk(["shop", "odd"])
    with pytest.raises(suite.ShopError):
        sent.get(timeout=PATIENCE)
    values = sent.get(timeout=PATIENCE, propagate=False)
    assert [type(one) for one in values] == [suite.ShopError, suite.OddConstructor]


def test_large_and_small_calls_travel_in_one_bulk():
    values = [b"x", suite.pattern(200_000), b"", suite.pattern(70_000, 3)]
    assert suite.echo.bulk(values).get(timeout=PATIENCE) == values
