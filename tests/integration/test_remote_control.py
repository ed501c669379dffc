"""Remote control through a real node: one worker of two children, and small ones for what ends or changes them."""

from __future__ import annotations

import contextlib
import os

import pytest
import suite_tasks as suite
from support import until
from support.processes import is_alive

PATIENCE = 60


@pytest.fixture(scope="module")
def controlled(workers):
    """The worker that these tests ask and change."""
    return workers("controlled@suite", queues=["controlled"], concurrency=2)


@pytest.fixture
def inspect(controlled, app):
    return app.control.inspect(destination=[controlled.name], timeout=10)


@pytest.fixture
def control(controlled, app):
    """Sends a command to that worker alone and returns its answer."""

    def tell(method, *args, **options):
        ((name, answer),) = (
            getattr(app.control, method)(*args, destination=[controlled.name], reply=True, timeout=10, **options)[0]
        ).items()
        assert name == controlled.name
        return answer

    return tell


@contextlib.contextmanager
def running(door, log, label, queue="controlled"):
    """A task that runs until the block ends."""
    handle = suite.gate.apply_async((label, str(door)), queue=queue)
    until(lambda: log.count(label) >= 1, "the task to run")
    try:
        yield handle
    finally:
        door.touch()
        handle.get(timeout=PATIENCE)


def test_a_task_sees_what_its_worker_has_in_hand(controlled, app):
    suite.echo.apply_async((1,), queue="controlled").get(timeout=PATIENCE)
    found = suite.seen_by_worker.apply_async(queue="controlled").get(timeout=PATIENCE)
    assert found[:2] == ["suite_tasks.seen_by_worker", True] and found[2] >= 1


def test_ping_reaches_every_worker(app, worker, controlled):
    answers = app.control.inspect(timeout=10).ping()
    assert answers[worker.name] == answers[controlled.name] == {"ok": "pong"}
    assert {controlled.name: {"ok": "pong"}} in app.control.ping(timeout=10)
    assert app.control.inspect(pattern="controlled*", timeout=10).ping() == {controlled.name: {"ok": "pong"}}
    assert app.control.inspect(destination=["nobody"]).ping() is None


def test_active_query_and_stats(inspect, controlled, door, log, label):
    with running(door, log, label) as handle:
        (task,) = inspect.active()[controlled.name]
        assert (task["id"], task["name"]) == (handle.id, suite.gate.name)
        assert (task["args"], task["kwargs"]) == ([label, str(door)], {})
        assert task["worker_pid"] in controlled.children
        assert task["hostname"] == controlled.name
        assert task["delivery_info"]["routing_key"] == "controlled"
        assert inspect.reserved() == {controlled.name: []}
        assert inspect.query_task(handle.id)[controlled.name][handle.id][0] == "active"
        stats = inspect.stats()[controlled.name]
        assert set(stats["pool"]["processes"]) == set(controlled.children)
    assert stats["pid"] == controlled.pid
    assert stats["pool"]["max-concurrency"] == 2
    until(lambda: inspect.stats()[controlled.name]["total"].get(suite.gate.name, 0) >= 1, "the execution to be counted")
    assert inspect.active() == {controlled.name: []}


def test_what_a_worker_is(inspect, controlled):
    assert f"{suite.add.name}" in " ".join(inspect.registered()[controlled.name])
    assert [queue["name"] for queue in inspect.active_queues()[controlled.name]] == ["controlled"]
    assert "ignitetasks" in inspect.report()[controlled.name]["ok"]
    assert isinstance(inspect.conf()[controlled.name], dict)
    first, second = (inspect.clock()[controlled.name]["clock"] for _ in range(2))
    assert second >= first > 0
    assert "has no meaning here" in inspect.memdump()[controlled.name]["error"]


def test_scheduled_and_revoked_are_the_clusters(inspect, app, controlled):
    handle = suite.add.apply_async((1, 2), queue="controlled", countdown=3600)
    (found,) = [one for one in inspect.scheduled()[controlled.name] if one["request"]["id"] == handle.id]
    assert found["request"]["args"] == [1, 2]
    assert inspect.query_task(handle.id)[controlled.name][handle.id][0] == "scheduled"
    app.control.revoke(handle.id)
    assert handle.id in inspect.revoked()[controlled.name]
    assert handle.state == "REVOKED"


def test_terminate_ends_the_process(app, controlled, door, log, label):
    handle = suite.gate.apply_async((label, str(door)), queue="controlled")
    until(lambda: log.count(label) >= 1, "the task to run")
    (task,) = app.control.inspect(destination=[controlled.name], timeout=10).active()[controlled.name]
    app.control.terminate(handle.id, signal="SIGKILL")
    until(lambda: not is_alive(task["worker_pid"]), "the end of the process")
    until(lambda: handle.state == "REVOKED", "the task to be revoked")


def test_the_pool_changes_its_size(control, inspect, controlled):
    assert control("pool_grow", 1) == {"ok": "pool will grow"}
    until(lambda: len(controlled.children) == 3, "a third child")
    assert inspect.stats()[controlled.name]["pool"]["max-concurrency"] == 3
    assert control("pool_shrink", 1) == {"ok": "pool will shrink"}
    until(lambda: len(controlled.children) == 2, "a child to leave")
    before = set(controlled.children)
    assert control("pool_restart") == {"ok": "reload started"}
    until(lambda: len(controlled.children) == 2 and not before & set(controlled.children), "new children")


def test_a_grown_pool_runs_more_at_a_time(control, controlled, tmp_path, log, label):
    control("pool_grow", 1)
    doors = [tmp_path / str(number) for number in range(3)]
    with contextlib.ExitStack() as stack:
        for number, door in enumerate(doors):
            stack.enter_context(running(door, log, f"{label}.{number}"))
    control("pool_shrink", 1)


def test_queues_are_added_and_left(control, inspect, controlled, queue):
    handle = suite.add.apply_async((1, 2), queue=queue)
    assert control("add_consumer", queue) == {"ok": f"add consumer {queue}"}
    assert handle.get(timeout=PATIENCE) == 3
    assert [one["name"] for one in inspect.active_queues()[controlled.name]] == ["controlled", queue]
    assert control("cancel_consumer", queue) == {"ok": f"no longer consuming from {queue}"}
    waiting = suite.add.apply_async((1, 2), queue=queue)
    assert suite.add.apply_async((2, 2), queue="controlled").get(timeout=PATIENCE) == 4
    assert waiting.state == "PENDING"
    waiting.revoke()


def test_time_limits(control, label):
    assert control("time_limit", suite.sleeps.name, soft=0.2) == {"ok": "time limits set successfully"}
    handle = suite.sleeps.apply_async((label, 60), queue="controlled")
    with pytest.raises(suite.SoftTimeLimitExceeded):
        handle.get(timeout=PATIENCE)
    assert control("time_limit", suite.sleeps.name) == {"ok": "time limits set successfully"}
    assert control("time_limit", "no.such.task") == {"error": "unknown task"}


def test_purge(app, queue):
    suite.add.bulk([(1, 1)] * 3, queue=queue)
    assert app.control.purge() >= 3


def test_autoscale_grows_by_need(workers, app, queue, tmp_path, log, label):
    one = workers("scaled", queues=[queue], concurrency=1, options=["--autoscale", "3,1"])
    with contextlib.ExitStack() as stack:
        for number in range(3):
            stack.enter_context(running(tmp_path / str(number), log, f"{label}.{number}", queue))
        assert len(one.children) == 3
        found = app.control.inspect(destination=[one.name], timeout=10).stats()[one.name]["autoscaler"]
        assert found == {"max": 3, "min": 1, "current": 3}
        answer = app.control.autoscale(2, 1, destination=[one.name], reply=True, timeout=10)
        assert answer == [{one.name: {"ok": "autoscale now max=2 min=1"}}]
    until(lambda: len(one.children) == 2, "the pool to shrink to its new bound")
    one.stop()


def test_shutdown_lets_the_running_task_end(workers, app, queue, door, log, label):
    one = workers("ending", queues=[queue])
    with running(door, log, label, queue):
        answer = app.control.shutdown(destination=[one.name], reply=True, timeout=10)
        assert answer == [{one.name: {"ok": "shutting down"}}]
        assert one.running.alive
    assert one.running.wait() == 0


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_other_pools_answer_too(workers, app, queue, pool, door, log, label):
    one = workers(f"pool-{pool}", queues=[queue], pool=pool)
    ask = app.control.inspect(destination=[one.name], timeout=10)
    with running(door, log, label, queue) as handle:
        assert [task["id"] for task in ask.active()[one.name]] == [handle.id]
        assert ask.stats()[one.name]["pool"]["implementation"] == f"ignitetasks:{pool}"
    answer = app.control.pool_grow(1, destination=[one.name], reply=True, timeout=10)[0][one.name]
    assert answer == ({"ok": "pool will grow"} if pool == "threads" else {"error": "a solo pool has one size"})
    assert os.path.exists(door)
    one.stop()
