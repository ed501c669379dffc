"""The handle of a task: waiting, asking, forgetting, awaiting."""

from __future__ import annotations

import asyncio
import pickle
import threading
import uuid
from datetime import datetime, timezone

import pytest
import suite_tasks as suite
from counting import CountingTransport
from support import until

from ignitetasks import AsyncResult, IgniteTasks, ResultExpired, ResultTimeout
from ignitetasks.errors import RequestError

pytestmark = pytest.mark.usefixtures("worker")
PATIENCE = 60


def test_a_finished_task(app):
    result = suite.add.delay(1, 2)
    assert result.get(timeout=PATIENCE) == 3
    assert (result.state, result.status) == ("SUCCESS", "SUCCESS")
    assert (result.ready(), result.successful(), result.failed()) == (True, True, False)
    assert result.result == 3
    assert result.traceback is None
    assert abs(result.date_done - datetime.now(timezone.utc)).total_seconds() < 3600
    assert result.exists()


def test_a_failed_task():
    result = suite.fail.delay("shop")
    with pytest.raises(suite.ShopError):
        result.get(timeout=PATIENCE)
    assert result.state == "FAILURE"
    assert (result.ready(), result.successful(), result.failed()) == (True, False, True)
    assert isinstance(result.result, suite.ShopError)
    assert "raise ShopError(7" in result.traceback
    assert isinstance(result.get(propagate=False), suite.ShopError)


def test_a_waiting_task(queue):
    result = suite.add.apply_async((1, 2), queue=queue)
    assert result.state == "PENDING"
    assert (result.ready(), result.successful(), result.failed()) == (False, False, False)
    assert (result.result, result.traceback, result.date_done) == (None, None, None)
    assert result.exists()
    result.revoke()


@pytest.mark.parametrize("fresh", [False, True], ids=["own", "by id"])
def test_ready_without_get(app, fresh):
    sent = suite.add.delay(20, 3)
    result = AsyncResult(sent.id, app=app) if fresh else sent
    until(result.ready, "the result")
    assert result.result == 23
    assert result.successful()


def test_a_handle_is_its_id(app):
    sent = suite.add.delay(1, 2)
    same = app.AsyncResult(sent.id)
    assert (same, hash(same), str(same)) == (sent, hash(sent), sent.id)
    assert pickle.loads(pickle.dumps(sent)) == sent
    assert same.get(timeout=PATIENCE) == 3
    assert suite.add.AsyncResult(sent.id).get(timeout=PATIENCE) == 3
    with pytest.raises(RequestError, match="a task id is a text"):
        AsyncResult("")


def test_handles_of_one_task_do_not_take_its_end_from_each_other(node, label):
    """Whoever is asked first, by whatever handle: the next one asks the node at most once, and never waits."""
    with IgniteTasks("several", **node.overrides) as app:
        transport = CountingTransport(app.settings)
        app.use_transport(transport)
        for turn, ask in enumerate((AsyncResult.get, lambda one: until(one.ready, "the result"), _await_now)):
            options = {"idempotency_key": f"{label}.{turn}"}
            first = app.send_task("suite_tasks.add", (turn, 1), **options)
            again = app.send_task("suite_tasks.add", (turn, 1), **options)
            ask(again)
            ask(AsyncResult(first.id, app=app))
            assert again.get(timeout=PATIENCE) == turn + 1
            transport.calls.clear()
            assert first.get(timeout=PATIENCE) == turn + 1
            assert transport.calls.total() <= 3, transport.calls


def _await_now(result):
    return asyncio.run(_get(result))


def test_several_may_wait_for_one_task(app, label, door):
    sent = suite.gate.delay(label, str(door))
    answers: list[object] = []
    threads = [
        threading.Thread(target=lambda: answers.append(AsyncResult(sent.id, app=app).get(timeout=PATIENCE)))
        for _ in range(8)
    ]
    for one in threads:
        one.start()
    door.touch()
    for one in threads:
        one.join(PATIENCE)
    assert answers == [label] * 8


def test_a_timeout_leaves_the_handle_usable(label, door, log):
    sent = suite.gate.delay(label, str(door))
    until(lambda: log.count(f"{label} start"), "the task to run")
    with pytest.raises(ResultTimeout, match=rf"no result of task {sent.id} within 0\.05 seconds: it is still running"):
        sent.get(timeout=0.05)
    with pytest.raises(TimeoutError):
        sent.get(timeout=0)
    door.touch()
    assert sent.get(timeout=PATIENCE) == label


def test_a_timeout_of_a_list_says_how_many_are_missing(queue):
    sent = suite.add.bulk([(1, 2)] * 5, queue=queue)
    with pytest.raises(ResultTimeout, match="5 of 5 results are missing"):
        sent.get(timeout=0.05)
    sent.revoke()


def test_forget_removes_the_record(node):
    sent = suite.add.delay(1, 2)
    assert sent.get(timeout=PATIENCE) == 3
    sent.forget()
    assert node.record(sent.id) is None
    assert not sent.exists()
    assert sent.state == "PENDING"
    with pytest.raises(ResultTimeout, match="never heard of this id"):
        sent.get(timeout=0.05)


def test_forget_of_a_list(node):
    sent = suite.add.bulk([(1, 2)] * 20)
    sent.get(timeout=PATIENCE)
    assert sent.forget() == 20
    # Records that were stored together leave markers, until all of them have gone.
    assert {node.record(one.id) for one in sent} <= {None, "expired"}
    assert sent[0].state == "PENDING"
    with pytest.raises((ResultExpired, ResultTimeout)):
        sent[0].get(timeout=0.05)


def test_an_unknown_id(app):
    nobody = AsyncResult("never-sent-by-anybody", app=app)
    assert not nobody.exists()
    assert nobody.state == "PENDING"
    assert not nobody.ready()
    with pytest.raises(ResultTimeout, match="has never heard of this id; was it sent to this instance"):
        nobody.get(timeout=0.05)
    nobody.revoke()
    assert nobody.state == "PENDING"


def test_many_coroutines_await_without_threads(label, door):
    before = {one.ident for one in threading.enumerate()}
    gate = suite.gate.delay(label, str(door))
    sent = suite.echo.bulk(range(300))

    async def everything():
        waiting = [asyncio.ensure_future(_get(one)) for one in [gate, *sent]]
        await asyncio.sleep(0)
        extra = [one.name for one in threading.enumerate() if one.ident not in before]
        door.touch()
        return extra, await asyncio.wait_for(asyncio.gather(*waiting), PATIENCE)

    extra, values = asyncio.run(everything())
    assert values == [label, *range(300)]
    # One thread of the library polls for all of them.
    assert len(extra) <= 1


async def _get(result):
    return await result


def test_awaiting_a_failure_and_a_foreign_handle(app):
    async def both():
        failing = suite.fail.delay("shop")
        foreign = AsyncResult(suite.echo.delay("far").id, app=app)
        with pytest.raises(suite.ShopError):
            await failing
        return await asyncio.wait_for(_get(foreign), PATIENCE)

    assert asyncio.run(both()) == "far"


def test_awaiting_a_large_result():
    async def large():
        return await asyncio.wait_for(_get(suite.blob.delay(500_000)), PATIENCE)

    assert asyncio.run(large()) == suite.pattern(500_000)


def test_awaiting_can_be_given_up(label, door):
    sent = suite.gate.delay(label, str(door))

    async def impatient():
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_get(sent), 0.05)
        door.touch()
        return await asyncio.wait_for(_get(sent), PATIENCE)

    assert asyncio.run(impatient()) == label


@pytest.mark.parametrize("size", [3, 200_000], ids=["in the record", "beside it"])
def test_arguments_stay_as_long_as_the_result_where_the_setting_says_so(app, monkeypatch, size):
    monkeypatch.setitem(app.conf.changes, "result_extended", True)
    app._forget()
    try:
        call = suite.size.s(b"x" * size)
        call.stamp(tenant="a")
        sent = call.delay()
        assert sent.get(timeout=PATIENCE) == size
        assert AsyncResult(sent.id, app=app).args == [b"x" * size]
        meta = app.backend.get_task_meta(sent.id)
        assert (meta["stamped_headers"], meta["tenant"]) == (["tenant"], ["a"])
    finally:
        monkeypatch.undo()
        app._forget()


def test_ends_and_words_stored_by_id(app):
    backend, name = app.backend, f"stored-{uuid.uuid4().hex}-0000"
    backend.mark_as_retry(name, KeyError("again"))
    assert backend.get_task_meta(name)["status"] == "RETRY"
    backend.mark_as_revoked(name, "no need")
    assert AsyncResult(name, app=app).state == "REVOKED"
