from __future__ import annotations

import asyncio
import re
import threading
import time
import zlib
from typing import Any

import pytest
from lane_server import CODECS, delivery
from worker_app import PlainApp, make_app

from ignitetasks import errors, frames
from ignitetasks.context import current_request
from ignitetasks.failure import Failure
from ignitetasks.log import FIELD
from ignitetasks.logformat import Formatter
from ignitetasks.message import (
    BODY_REF,
    IGNORE_RESULT,
    BlobRef,
    decode_body,
    decode_result,
    encode_body,
    encode_call_options,
)
from ignitetasks.worker.execute import Executor, WorkerShutdown
from ignitetasks.worker.limits import SignalLimit, ThreadLimit
from ignitetasks.worker.model import ExecutorSettings

NOW = 1_700_000_000.0


class MemoryBlobs:
    def __init__(self):
        self.kept: dict[str, bytes] = {}
        self.error: BaseException | None = None

    def get(self, ref: BlobRef) -> bytes:
        if self.error:
            raise self.error
        return self.kept[ref.id]

    def put(self, blob_id: str, data: bytes, ttl_ms: int) -> BlobRef:
        if self.error:
            raise self.error
        self.kept[blob_id] = data
        return BlobRef(blob_id, len(data), zlib.crc32(data))


def execute(delivery, executor):
    runner = executor.runner(delivery)
    return None if runner is None else runner.run(delivery)


class Bench:
    """An app and an executor to run single deliveries."""

    def __init__(self, app: PlainApp, **settings: Any):
        self.app = app
        self.blobs = MemoryBlobs()
        self.limit = SignalLimit(raise_hard=True)
        chosen = ExecutorSettings("worker-1", **settings)
        self.executor = Executor(app.tasks, CODECS, self.blobs, chosen, self.limit, clock=lambda: NOW)

    def run(self, name: str, *args: Any, **fields: Any):
        return execute(delivery(7, name, args, **fields), self.executor)

    def define(self, fn, **options):
        self.app.task(fn, **options)
        return lambda *args, **fields: self.run(fn.__name__, *args, **fields)


@pytest.fixture
def bench(tmp_path):
    return Bench(make_app(tmp_path))


def failure_of(ending) -> Failure:
    assert ending[0] in (frames.FAILURE, frames.RETRY, frames.REJECT)
    return Failure.decode(ending[1])


def test_a_result_comes_back_encoded(bench):
    kind, payload, flags, extra, spawn = bench.run("add", 2, 3)
    assert (kind, flags, extra, spawn) == (frames.SUCCESS, 0, None, None)
    assert decode_result(CODECS, "task-7", payload) == 5


def test_none_is_a_result_too(bench):
    kind, payload, _, _, _ = bench.run("noop")
    assert kind == frames.SUCCESS
    assert payload is not None
    assert decode_result(CODECS, "task-7", payload) is None


def test_ignored_results_are_not_even_encoded(bench):
    assert bench.run("unserialisable", flags=IGNORE_RESULT) == (frames.SUCCESS, None, 0, None, None)


def test_unknown_names_are_not_run(bench):
    assert bench.run("nobody") is None


def test_a_task_registered_again_is_the_one_that_runs(bench):
    def changing():
        return "old"

    run = bench.define(changing)
    assert decode_result(CODECS, "", run()[1]) == "old"

    def changing():
        return "new"

    bench.define(changing)
    assert decode_result(CODECS, "", run()[1]) == "new"


@pytest.mark.parametrize(
    ("task", "name"), [("fail", "ValueError"), ("leave", "SystemExit"), ("interrupt", "KeyboardInterrupt")]
)
def test_whatever_a_task_raises_is_its_failure(bench, task, name):
    ending = bench.run(task)
    assert (ending[0], ending[3]) == (frames.FAILURE, name)
    assert failure_of(ending).type_name == name
    assert task in failure_of(ending).traceback


def test_an_exception_that_cannot_be_shown_is_still_a_failure(bench):
    class Ugly(BaseException):
        def __str__(self):
            raise SystemExit

        __repr__ = __str__

        def __reduce__(self):
            raise RuntimeError

    def ugly():
        raise Ugly(object())

    ending = bench.define(ugly)()
    assert ending[0] == frames.FAILURE
    assert failure_of(ending).type_name.endswith("Ugly")


def test_an_unserialisable_result_is_named_by_path(bench):
    ending = bench.run("unserialisable")
    assert ending[3] == "SerializationError"
    assert 'result["rows"][1]' in failure_of(ending).message


def test_damaged_arguments_are_a_failure_and_nothing_runs(bench):
    assert bench.run("add", body=b"m\xc1")[3] == "SerializationError"
    assert bench.run("add", body=b"")[3] == "SerializationError"


def test_wrong_arguments_are_a_failure(bench):
    assert bench.run("add", 1)[3] == "TypeError"


def test_bind_passes_the_task(bench):
    def bound(self, x):
        return [self.name, x]

    assert decode_result(CODECS, "", bench.define(bound, bind=True)(4)[1]) == ["bound", 4]


def test_coroutine_functions_run_to_their_end(bench):
    async def later(x):
        await asyncio.sleep(0)
        return x + 1

    assert decode_result(CODECS, "", bench.define(later)(1)[1]) == 2


def test_the_request_is_there_during_the_call_only(bench):
    options = encode_call_options({"tenant": "a"})
    seen = []

    def look():
        seen.append(current_request())
        assert current_request() is seen[0]

    bench.define(look)(options=options, attempt=2, deliveries=1, soft_ms=1500, hard_ms=60_000, priority=9, fence=4)
    request = seen[0]
    assert (request.id, request.task, request.retries, request.deliveries, request.fence) == ("task-7", "look", 2, 1, 4)
    assert (request.headers, request.timelimit, request.redelivered) == ({"tenant": "a"}, [60.0, 1.5], True)
    assert (request.hostname, request.root_id, request.called_directly) == ("worker-1", "task-7", False)
    assert request.delivery_info["priority"] == 9
    assert request.created.year == 2023
    assert current_request() is None


def test_large_results_go_beside_the_lane(bench):
    kind, payload, flags, _, _ = bench.run("big", 70_000, fence=3)
    assert (kind, flags) == (frames.SUCCESS, frames.OUTCOME_REF)
    ref = BlobRef.unpack(payload)
    assert ref.id == "task-7/r3"
    assert decode_result(CODECS, "", bench.blobs.kept[ref.id]) == b"x" * 70_000


def test_a_result_over_the_limit_is_a_failure(tmp_path):
    bench = Bench(make_app(tmp_path), max_payload_bytes=100_000)
    assert bench.run("big", 200_000)[3] == "PayloadTooLarge"


def test_large_arguments_are_fetched(bench):
    body = encode_body(CODECS, "size_of", (b"y" * 100_000,), {})
    ref = bench.blobs.put("task-7/a", body, 0)
    assert decode_result(CODECS, "", bench.run("size_of", body=ref.pack(), flags=BODY_REF)[1]) == 100_000


def test_a_refused_blob_is_a_failure_but_a_lost_node_is_not(bench):
    bench.blobs.error = errors.GatewayError("disk full", "STORAGE_FULL")
    assert bench.run("big", 70_000)[3] == "GatewayError"
    bench.blobs.error = errors.NotConnected("gone")
    with pytest.raises(errors.NotConnected):
        bench.run("big", 70_000)
    with pytest.raises(errors.NotConnected):
        bench.run("size_of", body=BlobRef("task-7/a", 1, 1).pack(), flags=BODY_REF)


def test_a_tasks_own_connection_error_is_its_failure(bench):
    def cut():
        raise errors.NotConnected("my database")

    assert bench.define(cut)()[3] == "NotConnected"


def test_retry_carries_what_changes(bench):
    def again():
        raise errors.Retry(
            "later",
            ValueError("why"),
            eta_ms=1_800_000_000_000,
            call=((9,), {"k": 1}),
            queue="slow",
            priority=3,
            expires_ms=5,
        )

    ending = bench.define(again)()
    eta_ms, body, queue, priority, error_type, expires_ms, body_flags = ending[3]
    assert (ending[0], eta_ms, queue, priority) == (frames.RETRY, 1_800_000_000_000, "slow", 3)
    assert (error_type, expires_ms, body_flags) == ("ValueError", 5, 0)
    assert decode_body(CODECS, "again", body) == ([9], {"k": 1})
    assert failure_of(ending).message == "why"


def test_a_plain_retry_changes_nothing(bench):
    def again():
        raise errors.Retry

    assert bench.define(again)()[3] == [int(NOW * 1000), None, None, -1, "Retry", -1, 0]


def test_large_new_arguments_of_a_retry_go_beside_the_lane(bench):
    def again():
        raise errors.Retry("", None, 0, call=((b"z" * 70_000,), {}))

    extra = bench.define(again)(attempt=1)[3]
    assert extra[6] == BODY_REF
    assert BlobRef.unpack(extra[1]).id == "task-7/b2"


def test_new_arguments_that_cannot_be_encoded_are_a_failure(bench):
    def again():
        raise errors.Retry("", None, 0, call=((object(),), {}))

    assert bench.define(again)()[3] == "SerializationError"


def test_autoretry_repeats_until_there_is_no_repeat_left(bench):
    def flaky():
        raise KeyError("k")

    run = bench.define(
        flaky, autoretry_for=(LookupError,), retry_backoff=2, retry_jitter=False, max_retries=2, retry_backoff_max=3
    )
    assert run(attempt=0)[3][0] == int(NOW * 1000) + 2000
    assert run(attempt=1)[3][0] == int(NOW * 1000) + 3000
    assert run(attempt=2)[0] == frames.FAILURE


def test_autoretry_leaves_other_errors_alone(bench):
    def flaky(kind):
        raise {"key": KeyError, "index": IndexError, "value": ValueError}[kind]

    run = bench.define(flaky, autoretry_for=(LookupError,), dont_autoretry_for=(IndexError,))
    assert [run(kind)[0] for kind in ("key", "index", "value")] == [frames.RETRY, frames.FAILURE, frames.FAILURE]


def test_a_call_may_override_the_retry_rules(bench):
    def flaky():
        raise ValueError

    run = bench.define(flaky, autoretry_for=(ValueError,), max_retries=5)
    options = encode_call_options(None, {"max_retries": 0, "unheard_of": 1})
    assert run(options=options)[0] == frames.FAILURE


def test_reject_and_ignore(bench):
    def refuse(requeue):
        raise errors.Reject("no", requeue)

    def ignore():
        raise errors.Ignore

    run = bench.define(refuse)
    assert [run(flag)[3] for flag in (True, False)] == [True, False]
    assert run(False)[0] == frames.REJECT
    assert bench.define(ignore)() == (frames.IGNORE, None, 0, None, None)


def test_only_the_workers_own_shutdown_gets_through(bench):
    def stop():
        raise WorkerShutdown

    with pytest.raises(WorkerShutdown):
        bench.define(stop)()
    assert current_request() is None


def test_the_soft_limit_is_raised_inside_the_task(bench, tmp_path):
    path = tmp_path / "cleaned"
    ending = bench.run("soft", str(path), soft_ms=30)
    assert decode_result(CODECS, "", ending[1]) == "cleaned up"
    assert path.exists()
    ending = bench.run("sleep", 60, soft_ms=30)
    assert ending[3] == "SoftTimeLimitExceeded"
    assert "0.03 s" in failure_of(ending).message


def test_limits_come_from_the_call_then_the_task_then_the_worker(tmp_path):
    bench = Bench(make_app(tmp_path), soft_ms=11, hard_ms=12)

    def own():
        return list(current_request().timelimit)

    def none():
        return list(current_request().timelimit)

    own_limits = bench.define(own, soft_time_limit=2, time_limit=3.5)
    no_limits = bench.define(none)
    assert decode_result(CODECS, "", own_limits(soft_ms=1000, hard_ms=5000)[1]) == [5.0, 1.0]
    assert decode_result(CODECS, "", own_limits()[1]) == [3.5, 2.0]
    assert decode_result(CODECS, "", no_limits()[1]) == [0.012, 0.011]


def test_a_soft_limit_inside_a_soft_limit_restores_the_outer_one(bench):
    def outer():
        try:
            token = bench.limit.enter(40, 0)
            time.sleep(60)
        except errors.SoftTimeLimitExceeded:
            bench.limit.leave(token)
        time.sleep(60)

    started = time.monotonic()
    assert bench.define(outer)(soft_ms=400)[3] == "SoftTimeLimitExceeded"
    assert 0.39 < time.monotonic() - started < 30


def test_where_nobody_can_kill_the_hard_limit_is_raised(bench):
    def stubborn_once():
        try:
            time.sleep(60)
        except errors.SoftTimeLimitExceeded:
            time.sleep(60)

    assert bench.define(stubborn_once)(soft_ms=20, hard_ms=60)[3] == "TimeLimitExceeded"


def test_thread_limits_interrupt_python_code_and_nothing_after_it():
    limit = ThreadLimit()
    caught = []

    def work():
        for _ in range(20):
            token = None
            try:
                try:
                    token = limit.enter(5, 0)
                    while True:
                        pass
                finally:
                    limit.leave(token)
            except errors.SoftTimeLimitExceeded:
                limit.leave(token)
                caught.append(1)
        for _ in range(2000):  # limits that strike at the very end must not leak into what follows
            token = None
            try:
                try:
                    token = limit.enter(1, 0)
                    time.sleep(0.0009)
                finally:
                    limit.leave(token)
            except errors.SoftTimeLimitExceeded:
                limit.leave(token)
            sum(range(100))
        caught.append("end")

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(60)
    assert caught == [1] * 20 + ["end"]


def test_the_log_tells_the_way_to_an_error_and_no_values(bench, caplog):
    def inner(secret):
        raise ValueError(f"not {secret}")

    def outer(secret):
        inner(secret)

    run = bench.define(outer)
    caplog.set_level("ERROR", "ignitetasks")
    run("s3cret")
    (record,) = caplog.records
    line = Formatter(FIELD, as_json=False, colors=False, values=False).format(record)
    way = r"via='test_worker_execute\.py:\d+ outer > test_worker_execute\.py:\d+ inner'"
    assert re.search(way, line) and "error=ValueError" in line and "s3cret" not in line


def test_the_request_shows_its_arguments_as_text(bench):
    def show():
        request = current_request()
        return [request.argsrepr, request.kwargsrepr, len(request.argsrepr)]

    assert decode_result(CODECS, "task-7", bench.define(show)()[1]) == ["()", "{}", 2]
