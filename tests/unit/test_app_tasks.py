"""Apps, tasks and results together, against the node in memory."""

from __future__ import annotations

import asyncio
import importlib.util
import logging
import pickle
import sys
import types
from datetime import datetime, timedelta, timezone
from uuid import UUID

import pytest
from fakes import FakeTransport

from ignitetasks import IgniteTasks, context, message, origin, waiting
from ignitetasks import results as results_module
from ignitetasks.bulk import CHUNK_ITEMS
from ignitetasks.config import Settings
from ignitetasks.errors import (
    ArgumentError,
    ConfigurationError,
    DuplicateTask,
    IdempotencyConflict,
    InvalidOption,
    MaxRetriesExceededError,
    PayloadTooLarge,
    RequestError,
    ResultExpired,
    ResultTimeout,
    Retry,
    SerializationError,
    TaskRejectedError,
    TaskRevokedError,
    WorkerLostError,
)
from ignitetasks.failure import Failure
from ignitetasks.result import AsyncResult, ResultSet
from ignitetasks.serializers import Codecs

CODECS = Codecs(("msgpack", "json"))


class Shop:
    def __init__(self):
        self.transport = FakeTransport()
        self.node = self.transport.node
        self.node.workers["celery"] = 1
        self.app = IgniteTasks("shop", settings=Settings(max_payload_bytes=1 << 20))
        self.app.use_transport(self.transport)

        @self.app.task
        def add(x: int, y: int = 1) -> int:
            return x + y

        self.add = add

    @property
    def last(self):
        return self.node.templates[-1]

    def body(self, task_id):
        record = self.node.records[task_id]
        return message.decode_body(CODECS, record["template"].task, record["body"])


@pytest.fixture
def shop():
    return Shop()


def test_a_task_stays_a_function(shop):
    assert shop.add(2, 3) == 5
    assert shop.add.__name__ == "add"
    assert repr(shop.add) == f"<Task {__name__}.add>"
    assert shop.app.tasks[shop.add.name] is shop.add


def test_delay_and_get(shop):
    result = shop.add.delay(2, y=3)
    assert shop.body(result.id) == ([2], {"y": 3})
    assert (shop.last.queue, shop.last.priority, shop.last.flags) == ("celery", 0, 0)
    shop.node.complete(result.id, 5)
    assert result.get(timeout=1) == 5
    assert result.get() == 5
    assert result.created and result.successful() and result.ready() and result.state == "SUCCESS"
    assert shop.node.count("watch") == 0 and shop.node.count("info") == 0


@pytest.mark.parametrize("args", [(), (1, 2, 3)])
def test_wrong_argument_count_is_not_sent(shop, args):
    with pytest.raises(ArgumentError, match=r"add\(x: .*int.*cannot be called") as caught:
        shop.add.delay(*args)
    assert isinstance(caught.value, TypeError)
    with pytest.raises(ArgumentError):
        shop.add.delay(1, z=2)
    assert shop.node.calls == []


def test_typing_can_be_off(shop):
    loose = shop.app.task(name="loose", typing=False)(lambda x: x)
    loose.delay()
    keyword = shop.app.task(name="keyword")(lambda *, key: key)
    with pytest.raises(ArgumentError):
        keyword.delay()
    keyword.delay(key=1)


def test_options_reach_the_wire(shop):
    eta = datetime(2050, 1, 1, tzinfo=timezone.utc)
    shop.add.apply_async(
        (1,), {"y": 2}, queue="mail", priority=9, eta=eta, expires=eta + timedelta(hours=1), ignore_result=True,
        soft_time_limit=1.5, time_limit=3, max_deliveries=7, acks_late=False, result_expires=60,
        headers={"trace": "x"}, track_started=True, serializer="json",
    )  # fmt: skip
    last = shop.last
    assert (last.queue, last.priority, last.max_deliveries, last.result_ttl_ms) == ("mail", 9, 7, 60_000)
    assert last.eta_ms == int(eta.timestamp() * 1000)
    assert last.expires_ms == last.eta_ms + 3_600_000
    assert (last.soft_ms, last.hard_ms) == (1500, 3000)
    assert last.flags == message.IGNORE_RESULT | message.EARLY_ACK | message.TRACK_STARTED
    assert message.decode_call_options(last.options)[0] == {"trace": "x"}


def test_naive_eta_is_utc(shop):
    shop.add.apply_async((1,), eta=datetime(2050, 1, 1))
    assert shop.last.eta_ms == int(datetime(2050, 1, 1, tzinfo=timezone.utc).timestamp() * 1000)


def test_a_moment_that_has_passed_may_be_given_in_seconds(shop):
    now = datetime.now(timezone.utc).timestamp() * 1000
    shop.add.apply_async((1,), countdown=-5)
    assert shop.last.eta_ms == 0
    shop.add.apply_async((1,), expires=-5)
    assert now - 5001 <= shop.last.expires_ms <= datetime.now(timezone.utc).timestamp() * 1000 - 5000


@pytest.mark.parametrize(
    "options",
    [
        {"countdown": -1e10}, {"countdown": float("nan")}, {"countdown": float("inf")}, {"countdown": 1e18},
        {"countdown": "5"}, {"countdown": True}, {"eta": "tomorrow"}, {"eta": datetime.max},
        {"eta": datetime.max.replace(tzinfo=timezone(-timedelta(hours=1)))}, {"eta": datetime(1960, 1, 1)},
        {"eta": datetime(2050, 1, 1), "countdown": 1}, {"expires": -1e10}, {"expires": float("nan")},
        {"priority": -1}, {"priority": 256}, {"priority": 1.5}, {"priority": True}, {"queue": ""}, {"queue": "a b"},
        {"queue": "x" * 129}, {"queue": 5}, {"idempotency_key": ""}, {"idempotency_key": 1.5},
        {"idempotency_key": True}, {"task_id": ""}, {"task_id": 5}, {"task_id": "a\nb"}, {"task_id": "x" * 256},
        {"task_id": "x", "idempotency_key": "y"}, {"headers": [1]}, {"headers": {1: 2}}, {"ignore_result": "yes"},
        {"soft_time_limit": 0}, {"time_limit": -1}, {"soft_time_limit": 5, "time_limit": 2}, {"max_deliveries": 0},
        {"serializer": "xml"}, {"result_expires": 0}, {"retry": "no"},
    ],
    ids=str,
)  # fmt: skip
def test_bad_options_name_themselves_and_send_nothing(shop, options):
    with pytest.raises(InvalidOption) as caught:
        shop.add.apply_async((1,), **options)
    assert any(name in str(caught.value) for name in options)
    assert shop.node.calls == []


def test_unknown_option_gets_a_hint(shop):
    with pytest.raises(InvalidOption, match="did you mean 'countdown'"):
        shop.add.apply_async((1,), countdwn=3)
    with pytest.raises(InvalidOption, match="has no option 'max_retrys'"):
        shop.app.task(max_retrys=3)(lambda: 1)


def test_an_id_may_be_a_uuid(shop):
    chosen = UUID("8d9c2a52-7b1e-4f7e-9a50-6a0c1c0a7a11")
    assert shop.add.apply_async((1,), task_id=chosen).id == str(chosen)


def test_an_option_that_is_nobody_s_is_handed_to_the_task(shop):
    shop.add.apply_async((1,), once={"graceful": True}, headers={"trace": "7"}, shadow="sum", stale_time_limit=9)
    headers, extra = message.decode_call_options(shop.last.options)
    assert headers == {"trace": "7"}
    handed = {"once": {"graceful": True}, "stale_time_limit": 9}
    assert extra == {"origin": origin.name(), "shadow": "sum", "properties": handed}


@pytest.mark.parametrize("value", [{"max_retries": -1}, {"autoretry_for": 5}, {"bind": "x"}, {"idempotency_key": "k"}])
def test_bad_task_options(shop, value):
    with pytest.raises((InvalidOption, TypeError)):
        shop.app.task(name="bad", **value)(lambda self: 1)


def test_bad_arguments(shop):
    with pytest.raises(ArgumentError, match="args must be"):
        shop.add.apply_async("ab")
    with pytest.raises(ArgumentError, match="kwargs must be"):
        shop.add.apply_async((1,), {1: 2})
    with pytest.raises(SerializationError, match=r"args\[0\]"):
        shop.add.delay(object())
    with pytest.raises(ConfigurationError, match="accept_content"):
        shop.add.apply_async((1,), serializer="pickle")
    assert shop.node.calls == []


def test_countdown(shop):
    now = datetime.now(timezone.utc).timestamp() * 1000
    shop.add.apply_async((1,), countdown=60)
    assert 59_000 < shop.last.eta_ms - now < 62_000
    shop.add.apply_async((1,), countdown=0)
    assert shop.last.eta_ms == 0
    shop.add.apply_async((1,), countdown=timedelta(minutes=1))
    assert shop.last.eta_ms > now


def test_idempotency(shop):
    first = shop.add.apply_async((1, 2), idempotency_key="order-1")
    again = shop.add.apply_async((1, 2), idempotency_key="order-1")
    assert (first.created, again.created) == (True, False)
    assert first == again and len({first, again}) == 1
    assert shop.last.flags & message.CHECK_EXISTS
    with pytest.raises(IdempotencyConflict, match="'order-1'"):
        shop.add.apply_async((1, 3), idempotency_key="order-1")
    shop.node.complete(first.id, 3)
    assert again.get(timeout=1) == 3 and first.get(timeout=1) == 3


def test_idempotency_by_function(shop):
    pay = shop.app.task(name="pay", idempotency_key=lambda order, amount: order)(lambda order, amount: None)
    assert pay.delay("o1", 5).created
    assert not pay.delay("o1", 5).created
    with pytest.raises(IdempotencyConflict):
        pay.delay("o1", 6)


def test_task_id(shop):
    assert shop.add.apply_async((1,), task_id="mine").id == "mine"
    assert not shop.add.apply_async((1,), task_id="mine").created
    with pytest.raises(IdempotencyConflict, match="id 'mine'"):
        shop.add.apply_async((2,), task_id="mine")


def test_large_arguments_travel_beside(shop):
    text = "x" * 100_000
    result = shop.app.send_task("big", (text,))
    assert shop.last.flags == message.BODY_REF
    ref = message.BlobRef.unpack(shop.node.records[result.id]["body"])
    assert ref.id == result.id + "/a"
    assert message.decode_body(CODECS, "big", shop.node.blobs[ref.id]) == ([text], {})
    with pytest.raises(PayloadTooLarge, match="max_payload_bytes"):
        shop.app.send_task("big", ("x" * (2 << 20),))


def test_conflicting_large_arguments_do_not_replace_the_first(shop):
    shop.app.send_task("big", ("x" * 100_000,), idempotency_key="k")
    before = dict(shop.node.blobs)
    with pytest.raises(IdempotencyConflict):
        shop.app.send_task("big", ("y" * 100_000,), idempotency_key="k")
    assert all(shop.node.blobs[name] == data for name, data in before.items())
    assert not shop.app.send_task("big", ("x" * 100_000,), idempotency_key="k").created


def test_failure_is_raised_with_its_traceback(shop):
    result = shop.add.delay(1)
    try:
        {}["missing"]
    except KeyError as error:
        shop.node.complete(result.id, state=4, payload=Failure.capture(error))
    with pytest.raises(KeyError, match="missing") as caught:
        result.get(timeout=1)
    assert "test_app_tasks" in str(caught.value.__cause__)
    assert result.failed() and isinstance(result.get(propagate=False), KeyError)
    assert "test_app_tasks" in result.traceback and isinstance(result.result, KeyError)


@pytest.mark.parametrize(("state", "cls"), [(5, TaskRevokedError), (6, WorkerLostError), (7, TaskRejectedError)])
def test_other_ends(shop, state, cls):
    result = shop.add.delay(1)
    shop.node.complete(result.id, state=state)
    with pytest.raises(cls):
        result.get(timeout=1)
    lost = shop.add.delay(1)
    payload = Failure(cls.__name__, "ignitetasks.errors", "told by the node", None, "").encode()
    shop.node.complete(lost.id, state=state, payload=payload)
    with pytest.raises(cls, match="told by the node"):
        lost.get(timeout=1)


def test_expired_unknown_and_pending_are_told_apart(shop):
    shop.node.expired.add("old")
    old, never, waits = shop.app.AsyncResult("old"), shop.app.AsyncResult("never"), shop.add.delay(1)
    assert (old.exists(), never.exists(), waits.exists()) == (True, False, True)
    assert (old.state, never.state, waits.state) == ("PENDING",) * 3
    with pytest.raises(ResultExpired):
        old.get(timeout=1)
    with pytest.raises(ResultTimeout, match="never heard of this id"):
        never.get(timeout=0.05)
    with pytest.raises(ResultTimeout, match="workers are busy"):
        waits.get(timeout=0.05)
    assert not never.ready() and never.result is None and never.traceback is None
    never.revoke()
    assert never.state == "PENDING"
    waits.revoke()


@pytest.mark.parametrize("timeout", ["5", float("nan"), [1]])
def test_a_timeout_is_a_number(shop, timeout):
    result, several = shop.add.delay(1), shop.add.bulk([(1,), (2,)])
    for wait in (result.get, several.get, ResultSet([result]).get, ResultSet([result]).join):
        with pytest.raises(InvalidOption, match="timeout must be a number of seconds, or None"):
            wait(timeout=timeout)
    with pytest.raises(InvalidOption, match="timeout must be"):
        next(several.iter_completed(timeout=timeout))


def test_timeout_says_who_runs_it_or_that_nobody_listens(shop):
    result = shop.add.delay(1)
    shop.node.records[result.id].update(worker="w1", started_ms=1)
    with pytest.raises(ResultTimeout, match="still running on worker w1"):
        result.get(timeout=0.05)
    shop.node.records[result.id].update(worker=None)
    shop.node.workers.clear()
    with pytest.raises(ResultTimeout, match=r"no worker listens to queue 'celery'.*ignitetasks worker -A"):
        result.get(timeout=0.05)
    later = shop.add.apply_async((1,), countdown=100)
    with pytest.raises(ResultTimeout, match="due in"):
        later.get(timeout=0.05)
    shop.node.records[later.id].update(worker="w1")  # failed there, and is to be run again
    with pytest.raises(ResultTimeout, match="due in"):
        later.get(timeout=0.05)


def test_nobody_listens_is_said_once(shop, monkeypatch, caplog):
    monkeypatch.setattr("ignitetasks.result.handle._WARN_AFTER_SECONDS", 0.05)
    monkeypatch.setattr(waiting, "_warned", set())
    caplog.set_level(logging.WARNING, "ignitetasks")
    monkeypatch.setattr(logging.getLogger("ignitetasks"), "propagate", True)
    shop.node.workers.clear()
    for _ in range(2):
        with pytest.raises(ResultTimeout):
            shop.add.apply_async((1,), queue="mail").get(timeout=0.15)
    said = [one.getMessage() for one in caplog.records if "no worker listens" in one.getMessage()]
    assert len(said) == 1
    assert "'mail'" in said[0] and "-Q mail" in said[0] and f"-A {__name__}" in said[0]


@pytest.mark.parametrize("bulk", [False, True])
def test_that_nobody_listens_is_not_said_while_lost_workers_may_come_back(shop, monkeypatch, caplog, bulk):
    monkeypatch.setattr("ignitetasks.result.handle._WARN_AFTER_SECONDS", 0.01)
    monkeypatch.setattr("ignitetasks.results._WARN_AFTER_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "_RETURN_SECONDS", 0.01)
    monkeypatch.setattr(waiting, "_warned", set())
    caplog.set_level(logging.WARNING, "ignitetasks")
    monkeypatch.setattr(logging.getLogger("ignitetasks"), "propagate", True)
    shop.node.workers["mail"] = None
    asked = []

    def listening(names):
        asked.append(list(names))
        if len(asked) == 3:
            shop.node.workers["mail"] = 0
        return {name: shop.node.workers[name] for name in names}

    monkeypatch.setattr(shop.node, "op_listening", listening)
    sent = shop.add.bulk([(1,), (2,)], queue="mail") if bulk else shop.add.apply_async((1,), queue="mail")
    with pytest.raises(ResultTimeout):
        sent.get(timeout=0.5)
    assert len(asked) >= 3, "asked again until the answer was sure"
    assert sum("no worker listens" in one.getMessage() for one in caplog.records) == 1


def test_timeout_says_that_workers_may_come_back(shop):
    result = shop.add.delay(1)
    shop.node.records[result.id].update(worker=None)
    shop.node.workers["celery"] = None
    with pytest.raises(ResultTimeout, match="yet, and a node was lost or has started a moment ago; wait"):
        result.get(timeout=0.05)


def test_forget_pickle_and_identity(shop):
    result = shop.add.delay(1)
    assert pickle.loads(pickle.dumps(result)) == result
    assert str(result) == result.id and result.task_id == result.id and "AsyncResult" in repr(result)
    assert result != "x"
    result.forget()
    assert not result.exists()
    for bad in ("", None, 5):
        with pytest.raises(RequestError):
            AsyncResult(bad)


def test_state_by_info_only_asks_until_the_end(shop):
    result = shop.add.delay(1)
    shop.node.records[result.id]["state"] = 1
    assert result.state == "STARTED" and not result.ready()
    shop.node.complete(result.id, 7)
    assert result.result == 7 and result.date_done is not None
    asked = shop.node.count("info")
    assert result.successful() and result.status == "SUCCESS"
    assert shop.node.count("info") == asked


def test_await(shop):
    async def main():
        handles = [shop.add.delay(n) for n in range(50)]
        foreign = shop.app.AsyncResult(handles[0].id)

        async def finish():
            await asyncio.sleep(0.02)
            for n, one in enumerate(handles):
                shop.node.complete(one.id, n)

        job = asyncio.ensure_future(finish())
        values = await asyncio.gather(*handles, foreign)
        await job
        return values

    assert asyncio.run(asyncio.wait_for(main(), 5)) == [*range(50), 0]


def test_await_can_be_cancelled_and_raises(shop):
    async def main():
        waits, fails = shop.add.delay(1), shop.add.delay(2)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(_await(waits), 0.05)
        shop.node.complete(fails.id, state=4, payload=Failure.capture(ValueError("bad")))
        with pytest.raises(ValueError, match="bad"):
            await fails
        shop.node.complete(waits.id, 1)
        return await waits

    async def _await(one):
        return await one

    assert asyncio.run(asyncio.wait_for(main(), 5)) == 1
    assert not shop.app.client.hub._interest


def test_bulk(shop):
    handles = shop.add.bulk([(n, 1) for n in range(2500)])
    assert len(handles) == 2500
    assert shop.node.count("submit") == -(-2500 // CHUNK_ITEMS)
    assert list(handles.ids) == shop.node.order
    assert shop.body(handles[7].id) == ([7, 1], {})
    assert handles.completed_count() == 0
    for n, task_id in enumerate(shop.node.order):
        shop.node.complete(task_id, n)
    assert handles.get(timeout=5) == list(range(2500))
    assert handles.ready() and handles[-1].get() == 2499 and [one.get() for one in handles[3:5]] == [3, 4]
    assert shop.node.count("watch") == 0 and shop.node.count("poll") < 5
    with pytest.raises(IndexError):
        handles[2500]


def test_bulk_shapes(shop):
    handles = shop.add.bulk(iter([(1,), [2, 3], {"x": 4}, 5, shop.add.s(6)]), priority=3)
    assert [shop.body(one.id) for one in handles] == [
        ([1], {}), ([2, 3], {}), ([], {"x": 4}), ([5], {}), ([6], {})
    ]  # fmt: skip
    assert shop.last.priority == 3
    assert len(shop.add.bulk([])) == 0 and shop.add.bulk([]).get() == []


def test_bulk_says_which_call_is_wrong_and_what_was_sent(shop):
    with pytest.raises(ArgumentError, match="call 1200 of the bulk") as caught:
        shop.add.bulk([(n,) for n in range(1200)] + [()])
    assert len(caught.value.results) == CHUNK_ITEMS
    with pytest.raises(SerializationError, match="call 1 of the bulk"):
        shop.add.bulk([(1,), (object(),)])
    with pytest.raises(InvalidOption, match="bulk takes no task_id"):
        shop.add.bulk([(1,)], task_id="x")
    with pytest.raises(InvalidOption, match="only as a function"):
        shop.add.bulk([(1,)], idempotency_key="x")


def test_bulk_idempotency(shop):
    def key(x, y=1):
        return f"k{x}"

    first = shop.add.bulk([(1,), (2,)], idempotency_key=key)
    again = shop.add.bulk([(2,), (3,), (2,)], idempotency_key=key)
    assert again.existing == {0, 2} and [one.created for one in again] == [False, True, False]
    assert again[0] == first[1]
    for one in {*first.ids, *again.ids}:
        shop.node.complete(one, one[-1])
    assert len(again.get(timeout=1)) == 3
    with pytest.raises(IdempotencyConflict, match="1 of 3 calls were refused, first at index 1") as caught:
        shop.add.bulk([(7,), (1, 99), (8,)], idempotency_key=key)
    assert caught.value.conflicts == (1,) and len(caught.value.results) == 3


def test_bulk_with_large_and_small_keeps_order(shop):
    handles = shop.app.bulk([shop.app.signature("t", ("x" * size,)) for size in (1, 100_000, 2, 3)])
    assert list(handles.ids) == shop.node.order
    assert [one.flags for one in shop.node.templates] == [0, message.BODY_REF, 0]


def test_bulk_chunks_by_bytes(shop):
    shop.app.bulk([shop.app.signature("t", ("x" * 60_000,)) for _ in range(100)])
    assert shop.node.count("submit") == 3


def test_mixed_bulk(shop):
    mail = shop.app.task(name="mail", queue="mail")(lambda to: None)
    handles = shop.app.bulk([shop.add.s(1), mail.s("a"), shop.add.signature((2,), priority=5), mail.s("b")])
    assert [one.task for one in shop.node.templates] == [shop.add.name, "mail", shop.add.name, "mail"]
    assert [one.queue for one in shop.node.templates] == ["celery", "mail", "celery", "mail"]
    assert len(handles) == 4
    with pytest.raises(ArgumentError, match="call 1 of the bulk"):
        shop.app.bulk([mail.s("a"), mail.s()])
    with pytest.raises(RequestError, match="no signature"):
        shop.app.bulk([(1,)])


def test_bulk_errors_in_order_and_iteration(shop):
    handles = shop.add.bulk([(n,) for n in range(3)])
    ids = list(handles.ids)
    shop.node.complete(ids[2], 2)
    assert [one.id for one in _some(handles.iter_completed(timeout=1), 1)] == [ids[2]]
    shop.node.complete(ids[0], state=4, payload=Failure.capture(ValueError("first")))
    with pytest.raises(ResultTimeout, match="1 of 3"):
        handles.get(timeout=0.05)
    shop.node.complete(ids[1], 1)
    assert {one.id for one in handles.iter_completed(timeout=1)} == set(ids)
    with pytest.raises(ValueError, match="first"):
        handles.get(timeout=1)
    values = handles.get(propagate=False)
    assert isinstance(values[0], ValueError) and values[1:] == [1, 2]
    assert handles.forget() == 3
    handles.revoke()


def _some(iterator, n):
    return [next(iterator) for _ in range(n)]


def test_iter_completed_times_out(shop):
    handles = shop.add.bulk([(1,)])
    with pytest.raises(ResultTimeout):
        list(handles.iter_completed(timeout=0.05))


def test_progress_bars(shop, capsys):
    handles = shop.add.bulk([(1,), (2,)], progress=True)
    for task_id in handles.ids:
        shop.node.complete(task_id, 1)
    assert handles.get(timeout=1, progress=True) == [1, 1]
    assert "2/2" in capsys.readouterr().err


def test_a_dropped_list_lets_go_of_the_hub(shop):
    handles = shop.add.bulk([(1,), (2,)])
    handles.completed_count()
    assert len(shop.app.client.hub._interest) == 2
    del handles
    assert not shop.app.client.hub._interest


def test_id_list():
    ids = results_module.IdList(["a" * 36, "b" * 36])
    assert ids[1] == "b" * 36 and ids[-2] == "a" * 36 and list(ids[0:1]) == ["a" * 36]
    assert ids._texts is None
    ids.extend(["short", "é" * 36])
    assert list(ids) == ["a" * 36, "b" * 36, "short", "é" * 36] and len(ids) == 4
    with pytest.raises(IndexError):
        ids[4]


def test_signatures(shop):
    call = shop.add.s(2).set(priority=4)
    assert call.clone((1,), queue="q").args == (1, 2) and call.options == {"priority": 4}
    assert call == shop.add.s(2).set(priority=4) and call != shop.add.si(2)
    assert shop.add.si(2).clone((9,)).args == (2,)
    result = call.delay(1)
    assert shop.body(result.id) == ([1, 2], {}) and shop.last.priority == 4
    # A signature of no app is sent by the current one.
    type(call)("x").delay()
    assert shop.last.task == "x"


def enter(**fields):
    return context.enter(context.Request(**{"id": "p1", "called_directly": False, **fields}))


def test_calls_from_a_task_know_their_parent(shop):
    token = enter(root_id="r1")
    try:
        shop.add.delay(1)
        shop.add.bulk([(1,)])
    finally:
        context.leave(token)
    assert [(one.root_id, one.parent_id) for one in shop.node.templates] == [("r1", "p1")] * 2
    shop.add.delay(1)
    assert shop.last.parent_id is None


def test_bound_task_and_request(shop):
    bound = shop.app.task(bind=True, name="bound")(lambda self, x: (self, self.request.id, x))
    assert bound(5) == (bound, None, 5)
    assert bound.request.called_directly
    with pytest.raises(ArgumentError):
        bound.delay()
    bound.delay(1)
    with pytest.raises(InvalidOption, match="first parameter"):
        shop.app.task(bind=True, name="none")(lambda: 1)


def test_retry(shop):
    task = shop.app.task(bind=True, name="r", max_retries=2, default_retry_delay=30)(lambda self, x=1: x)
    error = ValueError("cause")
    with pytest.raises(ValueError, match="cause"):
        task.retry(exc=error)  # called directly
    with pytest.raises(Retry, match="called directly"):
        task.retry()
    token = enter(retries=1, args=[1], kwargs={"k": 2})
    try:
        now = datetime.now(timezone.utc).timestamp() * 1000
        with pytest.raises(Retry) as caught:
            task.retry(exc=error)
        assert 28_000 < caught.value.eta_ms - now < 32_000
        assert caught.value.exc is error and caught.value.call is None and caught.value.__cause__ is error
        wish = task.retry(args=(3,), kwargs={}, countdown=0, queue="q2", priority=7, expires=60, throw=False)
        assert (wish.call, wish.queue, wish.priority, wish.eta_ms) == (((3,), {}), "q2", 7, 0)
        assert wish.expires_ms > now
        with pytest.raises(ArgumentError):
            task.retry(args=(1, 2, 3))
        with pytest.raises(InvalidOption, match="countdown"):
            task.retry(countdown="-5")
        with pytest.raises(InvalidOption, match="queue"):
            task.retry(queue="a b")
        with pytest.raises(ValueError, match="cause"):
            task.retry(exc=error, max_retries=1)
    finally:
        context.leave(token)
    token = enter(retries=2)
    try:
        with pytest.raises(MaxRetriesExceededError, match="2 retries"):
            task.retry()
        assert isinstance(task.retry(max_retries=9, throw=False), Retry)
    finally:
        context.leave(token)


def test_retry_with_backoff(shop):
    task = shop.app.task(bind=True, name="b", retry_backoff=10, retry_jitter=False)(lambda self: 1)
    token = enter(retries=2)
    try:
        now = datetime.now(timezone.utc).timestamp() * 1000
        assert 39_000 < task.retry(throw=False).eta_ms - now < 42_000
    finally:
        context.leave(token)


def test_names_and_duplicates(shop, monkeypatch):
    with pytest.raises(DuplicateTask, match="already taken in this app"):
        shop.app.task(name=shop.add.name)(lambda: 1)
    assert shop.app.task(shop.add.fn).name == shop.add.name  # the same function again

    def tool():
        return 1

    tool.__module__ = "__main__"
    shop.app.main = "script"
    assert shop.app.task_name(tool) == "script.tool"
    for bad in (5, int, shop.add):
        with pytest.raises(ArgumentError):
            shop.app.task(bad)


@pytest.mark.parametrize(("file", "name"), [("<stdin>", "guide"), ("/srv/jobs.py", "jobs"), (None, "guide")])
def test_what_runs_from_no_file_is_named_after_its_app(monkeypatch, file, name):
    monkeypatch.setitem(sys.modules, "__main__", types.SimpleNamespace(__file__=file))
    app = IgniteTasks("guide", transport="memory")
    assert (app.main, app.gen_task_name("add", "__main__")) == ("guide", f"{name}.add")


def test_one_file_loaded_under_two_names_is_one_task(shop, tmp_path):
    file = tmp_path / "plugin.py"
    file.write_text("def work():\n    return 1\n\n\ndef other():\n    return 2\n")
    loaded = []
    for name in ("plugin_a", "plugin_b"):
        spec = importlib.util.spec_from_file_location(name, file)
        loaded.append(importlib.util.module_from_spec(spec))
        spec.loader.exec_module(loaded[-1])
    shop.app.task(name="work")(loaded[0].work)
    assert shop.app.task(name="work")(loaded[1].work).fn is loaded[1].work
    with pytest.raises(DuplicateTask):
        shop.app.task(name="work")(loaded[1].other)


def module_level():
    return 1


def other_module_level():
    return 2


def test_two_apps_with_one_name():
    one, two = IgniteTasks("twins"), IgniteTasks("twins")
    one.task(name="x")(module_level)
    two.task(name="x")(module_level)
    two.task(name="y")(other_module_level)
    with pytest.raises(DuplicateTask, match="another app that is also called 'twins'"):
        one.task(name="y")(module_level)
    IgniteTasks("single").task(name="y")(module_level)


def test_apps_without_a_name_do_not_meet():
    one, two = IgniteTasks(), IgniteTasks()
    one.task(name="y")(module_level)
    two.task(name="y")(other_module_level)
    assert (one.tasks["y"](), two.tasks["y"]()) == (1, 2)
    with pytest.raises(DuplicateTask, match="already taken in this app"):
        one.task(name="y")(other_module_level)


def test_send_task_by_name(shop):
    result = shop.app.send_task("elsewhere.work", [1], {"k": 2}, priority=1)
    assert shop.last.task == "elsewhere.work" and shop.body(result.id) == ([1], {"k": 2})
    with pytest.raises(ArgumentError):
        shop.app.send_task(shop.add.name, ())
    for bad in ("", None):
        with pytest.raises(RequestError):
            shop.app.send_task(bad)


def test_settings_of_an_app(shop, tmp_path):
    app = IgniteTasks("x", data_dir=tmp_path)
    assert app.settings.data_dir == tmp_path
    assert app.client is IgniteTasks("y", data_dir=tmp_path).client
    task = app.task(name="t")(lambda: 1)
    app.use_transport(FakeTransport())
    task.delay()
    app.configure(default_queue="later", heap_mb=None)
    app.use_transport(transport := FakeTransport())
    assert task.delay().queue == "later"
    assert app.transport is transport
    with pytest.raises(ConfigurationError, match="unknown setting"):
        app.configure(colour=1)
    with pytest.raises(ConfigurationError, match="either"):
        IgniteTasks("x", settings=Settings(), heap_mb=100)
    with pytest.raises(ConfigurationError):
        IgniteTasks("")
    with app:
        pass
    assert pickle.loads(pickle.dumps(shop.app.AsyncResult("x"))).id == "x"


def test_handles_without_an_app_use_the_last_one(shop):
    result = shop.add.delay(1)
    shop.node.complete(result.id, 9)
    assert AsyncResult(result.id).get(timeout=1) == 9


def test_a_uuid_may_be_a_name():
    app = IgniteTasks("named", transport="memory")
    name = UUID(int=7)
    task = app.task(lambda: 1, name=name)
    assert task.name == str(name) and app.tasks[str(name)] is task
