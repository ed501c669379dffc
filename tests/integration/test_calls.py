"""Sending a call with every option, and what the task sees of it."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone

import pytest
import suite_tasks as suite
from support import until

from ignitetasks import AsyncResult, IdempotencyConflict, IgniteTasks

pytestmark = pytest.mark.usefixtures("worker")
PATIENCE = 60


def facts(**options):
    return suite.request_facts.apply_async(**options).get(timeout=PATIENCE)


def test_delay_returns_the_value():
    assert suite.add.delay(2, 3).get(timeout=PATIENCE) == 5
    assert suite.add.delay(x=2, y=4).get(timeout=PATIENCE) == 6


def test_a_task_stays_a_function():
    assert suite.add(2, 3) == 5
    assert suite.request_facts()["called_directly"] is True
    assert suite.request_facts()["id"] is None


def test_apply_async_takes_positional_and_keyword_arguments():
    assert suite.add.apply_async((2,), {"y": 3}).get(timeout=PATIENCE) == 5
    assert suite.renamed.apply_async(kwargs={"price": 9.5}).get(timeout=PATIENCE) == "9.50 EUR"


def test_send_task_needs_the_name_only(node):
    with IgniteTasks("caller", **node.overrides) as caller:
        result = caller.send_task("shop.renamed", kwargs={"price": 1, "currency": "USD"})
        assert result.get(timeout=PATIENCE) == "1.00 USD"
        assert result.task_name == "shop.renamed"


def test_a_coroutine_function_is_a_task():
    assert suite.coroutine.delay(1).get(timeout=PATIENCE) == 2


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**63),
        2**64 - 1,
        2**200,
        1.5,
        "text with \u00e4, \u20ac and \U0001f600",
        b"\x00\xff",
        [1, [2, [3]]],
        {"a": {"b": [1, None]}},
        {1: "one"},
        {1, 2, 3},
        datetime(2026, 11, 21, 12, 0, tzinfo=timezone.utc),
        timedelta(days=1, microseconds=7),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_come_back_as_they_were(value):
    assert suite.echo.delay(value).get(timeout=PATIENCE) == value


def test_the_request_of_a_plain_call(worker):
    seen = facts()
    assert seen["task"] == "suite_tasks.request_facts"
    assert seen["queue"] == "celery"
    assert (seen["priority"], seen["retries"], seen["deliveries"]) == (0, 0, 0)
    assert (seen["headers"], seen["eta"], seen["expires"], seen["parent_id"]) == ({}, None, None, None)
    assert seen["called_directly"] is False
    assert seen["pid"] in worker.children


def test_task_id_is_taken_as_given_and_again_is_the_same_task(log, label):
    first = suite.mark.apply_async((label, 1), task_id=f"id of {label}")
    assert first.get(timeout=PATIENCE) == 1
    again = suite.mark.apply_async((label, 1), task_id=f"id of {label}")
    assert (first.id, first.created, again.id, again.created) == (f"id of {label}", True, first.id, False)
    assert again.get(timeout=PATIENCE) == 1
    with pytest.raises(IdempotencyConflict, match=f"id of {label}.*already used"):
        suite.mark.apply_async((label, 2), task_id=f"id of {label}")
    assert log.count(label) == 1


def test_options_reach_the_task():
    seen = facts(priority=7, headers={"trace": "abc", "n": 1}, soft_time_limit=30, time_limit=60)
    assert seen["priority"] == 7
    assert seen["headers"] == {"trace": "abc", "n": 1}
    assert seen["timelimit"] == [60, 30]


def test_options_reach_the_record(node, queue):
    sent = suite.add.apply_async(
        (1, 1), queue=queue, priority=9, max_deliveries=5, result_expires=60, time_limit=20, expires=3600
    )
    record = node.record(sent.id)
    assert (record["queue"], record["priority"], record["max_deliveries"]) == (queue, 9, 5)
    assert record["result_ttl_ms"] == 60_000
    assert 0 < record["expires_ms"] - record["created_ms"] <= 3_600_000
    sent.forget()


@pytest.mark.parametrize("serializer", ["msgpack", "json"])
def test_serializer_is_chosen_per_call(serializer):
    value = {"when": datetime(2026, 1, 2, tzinfo=timezone.utc), "raw": b"\x00\x01"}
    assert suite.echo.apply_async((value,), serializer=serializer).get(timeout=PATIENCE) == value


def test_pickle_is_used_where_both_sides_accept_it(node, workers, queue):
    workers(queues=[queue], pool="solo", env={"IGNITETASKS_ACCEPT_CONTENT": "msgpack,json,pickle"})
    with IgniteTasks("pickler", accept_content=("msgpack", "json", "pickle"), **node.overrides) as pickler:
        value = {"z": complex(1, 2)}
        sent = pickler.send_task("suite_tasks.size", (value,), queue=queue, serializer="pickle")
        assert sent.get(timeout=PATIENCE) == 1


def test_headers_eta_and_expiry_are_what_was_asked():
    eta = datetime.now(timezone.utc) + timedelta(seconds=0.2)
    seen = facts(eta=eta, expires=600)
    assert abs(datetime.fromisoformat(seen["eta"]) - eta) < timedelta(milliseconds=2)
    assert datetime.fromisoformat(seen["expires"]) > eta


@pytest.mark.parametrize("form", ["aware", "naive", "text"])
def test_eta_is_not_run_before_its_time(form):
    eta = datetime.now(timezone.utc) + timedelta(seconds=0.5)
    # Without a zone it is in the app's, which is UTC.
    given = {"aware": eta, "naive": eta.replace(tzinfo=None), "text": eta.isoformat()}[form]
    assert suite.when_run.apply_async(eta=given).get(timeout=PATIENCE) >= eta.timestamp() - 0.002


@pytest.mark.parametrize("countdown", [0.3, timedelta(seconds=0.3)])
def test_countdown_is_not_run_before_its_time(countdown):
    before = time.time()
    sent = suite.when_run.apply_async(countdown=countdown)
    assert sent.get(timeout=PATIENCE) >= before + 0.3 - 0.002


def test_an_eta_in_the_past_and_a_countdown_of_zero_mean_now():
    past = datetime(2001, 1, 1, tzinfo=timezone.utc)
    assert suite.add.apply_async((1, 2), eta=past).get(timeout=PATIENCE) == 3
    assert suite.add.apply_async((1, 2), countdown=0).get(timeout=PATIENCE) == 3


def test_an_eta_in_year_9999_waits_and_can_be_revoked(node, queue):
    sent = suite.add.apply_async((1, 2), queue=queue, eta=datetime(9999, 12, 31, tzinfo=timezone.utc))
    assert sent.state == "PENDING"
    assert node.queue_status(queue)["delayed"] == 1
    sent.revoke()
    assert sent.state == "REVOKED"
    assert node.queue_status(queue)["delayed"] == 0


def test_ignore_result_runs_and_keeps_nothing(log, label, node):
    by_task = suite.silent.delay(label)
    by_call = suite.mark.apply_async((label, "value"), ignore_result=True)
    assert by_task.get() is None
    assert by_call.get() is None
    until(lambda: log.count(label) == 2, "both runs")
    until(lambda: by_call.state in ("PENDING", "SUCCESS"), "its end")
    assert node.record(by_call.id) is None or node.record(by_call.id)["result"] is None


def test_track_started_shows_the_running_task(log, label, door):
    shown = suite.gate.apply_async((label, str(door)), track_started=True)
    until(lambda: shown.state == "STARTED", "the state STARTED")
    door.touch()
    assert shown.get(timeout=PATIENCE) == label
    assert shown.state == "SUCCESS"


def test_a_single_try_is_enough_where_nothing_goes_wrong():
    assert suite.add.apply_async((1, 2), retry=False).get(timeout=PATIENCE) == 3


def test_tasks_send_tasks():
    parent = suite.send_others.delay([1, 2, 3])
    facts_id, *ids = parent.get(timeout=PATIENCE)
    assert [AsyncResult(one).get(timeout=PATIENCE) for one in ids] == [2, 4, 6]
    seen = AsyncResult(facts_id).get(timeout=PATIENCE)
    assert (seen["parent_id"], seen["root_id"]) == (parent.id, parent.id)


def test_signatures_are_sent_like_calls():
    assert suite.add.s(2, 3).delay().get(timeout=PATIENCE) == 5
    assert suite.add.s(3).delay(2).get(timeout=PATIENCE) == 5
    assert suite.add.si(2, 3).apply_async(priority=3).get(timeout=PATIENCE) == 5
    assert suite.request_facts.signature(priority=4).delay().get(timeout=PATIENCE)["priority"] == 4
