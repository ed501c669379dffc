"""An app whose home is in memory: tasks run in this very process, without a JVM."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator

import pytest

from ignitetasks import IgniteTasks
from ignitetasks.errors import (
    IdempotencyConflict,
    NotRegistered,
    TaskExpiredError,
    TaskRevokedError,
    WorkerLostError,
)
from ignitetasks.message import Group, Template
from ignitetasks.transport.memory import home_of

_numbers = itertools.count()


@pytest.fixture
def app() -> Iterator[IgniteTasks]:
    name = f"test-{os.getpid()}-{next(_numbers)}"
    app = IgniteTasks("memory", transport=f"memory://{name}")

    @app.task(name="add")
    def add(a: int, b: int) -> int:
        return a + b

    @app.task(name="echo")
    def echo(value: object) -> object:
        return value

    @app.task(name="fail", max_deliveries=2)
    def fail() -> None:
        raise ValueError("as asked")

    yield app
    app.close()
    home_of(name).close()


def call(app: IgniteTasks, name: str, *args: object, **options: object):
    return app.tasks[name].apply_async(args, **options)


@pytest.mark.parametrize("pool", ["solo", "threads", "prefork"])
def test_runs_tasks_and_rebuilds_their_errors(app, pool):
    with app.local_worker(pool=pool):
        assert call(app, "add", 2, 3).get(timeout=10) == 5
        assert app.tasks["add"].bulk([(n, n) for n in range(200)]).get(timeout=10) == [2 * n for n in range(200)]
        with pytest.raises(ValueError, match="as asked"):
            call(app, "fail").get(timeout=10)


def test_tasks_run_in_this_process(app):
    @app.task(name="where")
    def where() -> int:
        return os.getpid()

    with app.local_worker(pool="threads"):
        assert where.delay().get(timeout=10) == os.getpid()
    with app.local_worker(pool="prefork", concurrency=1):
        assert where.delay().get(timeout=10) != os.getpid()


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_a_task_that_sends_tasks(app, pool):
    @app.task(name="outer")
    def outer() -> list[int]:
        inner = [call(app, "add", n, 1) for n in range(3)]
        return [one.get(timeout=10, disable_sync_subtasks=False) for one in inner]

    with app.local_worker(pool=pool, concurrency=2):
        assert outer.delay().get(timeout=10) == [1, 2, 3]


def test_large_values_travel_beside_the_lane(app):
    data = b"x" * 3_000_000
    for pool in ("solo", "prefork"):
        with app.local_worker(pool=pool, concurrency=1):
            assert call(app, "echo", data).get(timeout=10) == data


def test_what_was_sent_before_a_worker_came_is_run_by_priority(app):
    seen: list[int] = []
    app.task(name="note")(seen.append)
    results = [call(app, "note", n, priority=n % 3) for n in range(9)]
    with app.local_worker(pool="solo"):
        for one in results:
            one.get(timeout=10)
    assert seen == [2, 5, 8, 1, 4, 7, 0, 3, 6]


def test_countdown_and_retry(app):
    @app.task(name="twice", bind=True, max_retries=3, default_retry_delay=0.02)
    def twice(self) -> int:
        if self.request.retries < 2:
            raise self.retry()
        return self.request.retries

    with app.local_worker(pool="threads"):
        start = time.monotonic()
        late = call(app, "add", 1, 1, countdown=0.15)
        assert twice.delay().get(timeout=10) == 2
        assert late.get(timeout=10) == 2
        assert time.monotonic() - start >= 0.15


def test_expired_revoked_and_purged_tasks_do_not_run(app):
    late = call(app, "add", 1, 1, expires=0.01)
    revoked = call(app, "add", 1, 1)
    revoked.revoke()
    assert revoked.state == "REVOKED"
    with pytest.raises(TaskExpiredError):
        late.get(timeout=10)
    with pytest.raises(TaskRevokedError):
        revoked.get(timeout=10)
    waiting = call(app, "add", 1, 1, countdown=60)
    assert app.transport.call("purge", None) == 1
    assert waiting.state == "REVOKED"


def test_one_key_is_one_task(app):
    first = call(app, "add", 1, 2, idempotency_key="k")
    second = call(app, "add", 1, 2, idempotency_key="k")
    assert (first.created, second.created) == (True, False)
    assert first.id == second.id
    with pytest.raises(IdempotencyConflict):
        call(app, "add", 5, 2, idempotency_key="k")
    with app.local_worker(pool="solo"):
        assert second.get(timeout=10) == 3


def test_a_repeated_submit_makes_no_second_record(app):
    group = Group(Template("add", "celery"), [("one", b"body", None)])
    transport = app.transport
    assert transport.submit([group])[:2] == (1, [])
    assert transport.submit([group], attempt=1)[:2] == (1, [])
    assert transport.call("status")["states"]["PENDING"] == 1


def test_a_task_nobody_knows_fails_and_one_registered_late_runs(app, monkeypatch):
    monkeypatch.setattr("ignitetasks.transport.memory.workers.UNKNOWN_GRACE_MS", 50)
    with app.local_worker(pool="solo"):
        with pytest.raises(NotRegistered):
            app.send_task("nowhere.to.be.found").get(timeout=10)

        @app.task(name="late")
        def late() -> str:
            return "found"

        assert late.delay().get(timeout=10) == "found"


def test_a_child_that_dies_costs_a_delivery(app):
    @app.task(name="die", max_deliveries=2)
    def die() -> None:
        os._exit(3)

    with app.local_worker(pool="prefork", concurrency=1):
        dead = die.delay()
        with pytest.raises(WorkerLostError):
            dead.get(timeout=20)
        assert call(app, "add", 1, 1).get(timeout=10) == 2
    letters = app.transport.call("dead_list", 10)
    assert [letter["id"] for letter in letters] == [dead.id]
    assert app.transport.call("dead_retry", None) == 1
    assert dead.info_map()["deliveries"] == 0


def test_a_running_task_is_terminated_by_revoke(app):
    @app.task(name="sleep", track_started=True)
    def sleep() -> None:
        time.sleep(60)

    with app.local_worker(pool="prefork", concurrency=1):
        result = sleep.delay()
        while result.state != "STARTED":
            time.sleep(0.01)
        result.revoke(terminate=True)
        assert result.state == "REVOKED"
        assert call(app, "add", 1, 1).get(timeout=20) == 2


def test_hard_and_soft_limits(app):
    @app.task(name="slow", time_limit=0.2)
    def slow() -> None:
        time.sleep(60)

    @app.task(name="polite", soft_time_limit=0.1)
    def polite() -> str:
        try:
            while True:
                time.sleep(0.01)
        except Exception as error:
            return type(error).__name__

    with app.local_worker(pool="prefork", concurrency=1), pytest.raises(Exception, match="hard time limit"):
        slow.delay().get(timeout=20)
    with app.local_worker(pool="solo"):
        assert polite.delay().get(timeout=20) == "SoftTimeLimitExceeded"


def test_apps_with_one_name_share_a_home_and_others_do_not(app):
    name = app.settings.transport
    other = IgniteTasks("other", transport=name)
    sent = other.send_task("add", (4, 5))
    with app.local_worker(pool="solo"):
        assert sent.get(timeout=10) == 9
    stranger = IgniteTasks("stranger", transport=f"{name}-x")
    assert not stranger.AsyncResult(sent.id).exists()
    stranger.AsyncResult(sent.id).revoke()
    assert stranger.AsyncResult(sent.id).state == "PENDING"
    assert stranger.send_task("add", (4, 5), task_id=sent.id).state == "REVOKED", "it was revoked before it was sent"


def test_no_thread_is_left_behind_by_workers(app):
    with app.local_worker(pool="solo"):
        call(app, "add", 1, 1).get(timeout=10)
    before = threading.active_count()
    for pool in ("solo", "threads", "prefork"):
        with app.local_worker(pool=pool):
            call(app, "add", 1, 1).get(timeout=10)
    deadline = time.monotonic() + 5
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_results_are_forgotten_after_their_time(app):
    result = call(app, "add", 1, 1, result_expires=1)
    with app.local_worker(pool="solo"):
        result.get(timeout=10)
    home = home_of(app.settings.memory).home
    home.records[result.id].finished_ms -= 10_000
    home._sweeps.add(0, lambda: home._sweep_one(home.records[result.id]))
    fresh = app.AsyncResult(result.id)
    assert fresh.exists()
    with pytest.raises(Exception, match="gone"):
        fresh.get(timeout=1)


@pytest.mark.parametrize("pool", ["threads", "prefork"])
def test_progress_of_a_running_task(app, pool, tmp_path):
    door = tmp_path / "open"

    @app.task(name="telling", bind=True)
    def telling(self) -> str:
        self.update_state(state="HALF", meta={"done": 50})
        while not door.exists():
            time.sleep(0.005)
        return "over"

    heard: list[dict[str, object]] = []
    with app.local_worker(pool=pool):
        sent = telling.delay()
        deadline = time.monotonic() + 20
        while (sent.state, sent.info) != ("HALF", {"done": 50}):
            assert time.monotonic() < deadline
        door.touch()
        assert sent.get(timeout=20, on_message=heard.append) == "over"
    assert heard[-1]["status"] == "SUCCESS"
    assert sent.state == "SUCCESS"


def test_a_rate_declared_and_one_set_at_run_time(app):
    ran: list[int] = []

    @app.task(name="limited", rate_limit="1/h")
    def limited(number: int) -> None:
        ran.append(number)

    with app.local_worker(pool="threads"):
        first, *rest = (limited.delay(number) for number in range(5))
        first.get(timeout=20)
        assert call(app, "add", 1, 2).get(timeout=20) == 3
        assert ran == [0]
        (answer,) = app.control.rate_limit("limited", 0, reply=True)
        assert all("ok" in said for said in answer.values())
        for one in rest:
            one.get(timeout=20)
    assert ran == [0, 1, 2, 3, 4]


def test_an_id_that_is_revoked_before_it_is_sent(app):
    app.control.revoke("11112222333344445555666677778888")
    with app.local_worker(pool="threads"):
        sent = call(app, "add", 1, 2, task_id="11112222333344445555666677778888")
        with pytest.raises(TaskRevokedError, match="before it was submitted"):
            sent.get(timeout=20)


def test_a_reader_of_events_goes_on_where_its_home_ends_and_the_next_begins(app):
    name = app.settings.transport.removeprefix("memory://")
    heard: list[str] = []
    begun = threading.Event()

    def listen() -> None:
        receiver = app.events.Receiver(handlers={"*": lambda event: heard.append(event["type"])})
        receiver.cursor = 0
        for _ in receiver.itercapture(limit=4, timeout=20, wakeup=False):
            begun.set()

    with app.events.Dispatcher() as sender:
        for number in range(3):
            sender.send(f"before-{number}")
    reader = threading.Thread(target=listen)
    reader.start()
    assert begun.wait(20)
    home_of(name).close()
    with app.events.Dispatcher() as sender:
        sender.send("after")
    reader.join(20)
    assert not reader.is_alive() and heard == ["before-0", "before-1", "before-2", "after"]


def test_a_home_that_has_ended_takes_no_events(app):
    old = home_of(app.settings.transport.removeprefix("memory://"))
    app.transport.call("events_append", [b"one"])
    (_, [[number, _]], _) = old.operations.call("events_read", (0, 10, 0))
    old.close()
    old.operations.call("events_append", ([b"late"],))
    assert old.operations.call("events_read", (number, 10, 10_000)) == [number, [], 0]
    app.transport.call("events_append", [b"two"])
    assert app.transport.call("events_read", number, 10, 0) == [number + 1, [[number + 1, b"two"]], 0]
