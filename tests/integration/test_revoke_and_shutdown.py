"""Revoking what waits and what runs; ways a worker stops, and what becomes of its tasks."""

from __future__ import annotations

import signal

import pytest
import suite_tasks as suite
from support import until

from ignitetasks import TaskRevokedError, WorkerLostError

PATIENCE = 60


@pytest.fixture
def blocked(workers, queue, log, label, door):
    """A worker with one child that is inside a gate; and the gate."""
    worker = workers(queues=[queue], concurrency=1)
    gate = suite.gate.apply_async((f"{label}.gate", str(door)), queue=queue)
    until(lambda: log.count(f"{label}.gate start"), "the gate to run")
    yield worker, gate
    door.touch()


def test_a_revoked_task_that_waits_never_runs(blocked, queue, log, label, door, node):
    waiting = suite.mark.bulk([(label,)] * 5, queue=queue)
    waiting[2].revoke()
    assert waiting[2].state == "REVOKED"
    assert waiting[2].state == "REVOKED"
    with pytest.raises(TaskRevokedError):
        waiting[2].get(timeout=PATIENCE)
    door.touch()
    values = waiting.get(timeout=PATIENCE, propagate=False)
    assert [type(one) for one in values] == [type(None)] * 2 + [TaskRevokedError] + [type(None)] * 2
    assert log.count(label) == 4


def test_a_delayed_task_is_revoked(queue, node):
    sent = suite.add.apply_async((1, 2), queue=queue, countdown=3600)
    sent.revoke()
    assert sent.state == "REVOKED"
    assert node.queue_status(queue)["delayed"] == 0
    with pytest.raises(TaskRevokedError, match="revoked"):
        sent.get(timeout=PATIENCE)


def test_a_finished_task_stays_what_it_is(worker):
    sent = suite.add.delay(1, 2)
    sent.get(timeout=PATIENCE)
    sent.revoke()
    assert sent.state == "SUCCESS"
    sent.revoke(terminate=True)
    assert sent.state == "SUCCESS"
    assert sent.get() == 3


def test_a_running_task_is_left_alone_without_terminate(blocked, log, label, door):
    worker, gate = blocked
    children = worker.children
    gate.revoke()
    door.touch()
    until(gate.ready, "the end of the task")
    assert log.count(f"{label}.gate end") == 1
    assert worker.children == children


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "KILL"])
def test_a_running_task_is_ended_with_terminate(blocked, queue, log, label, door, name):
    worker, gate = blocked
    child = worker.children[0]
    gate.revoke(terminate=True, signal=name)
    with pytest.raises(TaskRevokedError):
        gate.get(timeout=PATIENCE)
    assert gate.state == "REVOKED"
    until(lambda: worker.children and child not in worker.children, "the child to be replaced")
    assert suite.mark.apply_async((label, "next"), queue=queue).get(timeout=PATIENCE) == "next"
    assert log.count(f"{label}.gate start") == 1
    assert log.count(f"{label}.gate end") == 0


def test_a_worker_that_stops_warmly_ends_what_runs_and_gives_back_the_rest(
    blocked, workers, queue, log, label, door, node
):
    worker, gate = blocked
    rest = suite.mark.bulk([(f"{label} {number}",) for number in range(50)], queue=queue)
    worker.running.send_signal(signal.SIGTERM)
    until(lambda: "warm shutdown" in worker.text(), "the shutdown to start")
    until(lambda: node.queue_status(queue)["pending"] == 50, "the tasks to be given back")
    workers(queues=[queue], concurrency=1)
    rest.get(timeout=PATIENCE)  # while the first one still runs its task
    assert worker.running.alive
    door.touch()
    assert gate.get(timeout=PATIENCE) == f"{label}.gate"
    assert worker.running.wait() == 0
    assert log.counts(label) == {f"{label} {number}": 1 for number in range(50)}
    assert log.count(f"{label}.gate start") == log.count(f"{label}.gate end") == 1
    assert node.worker_status(worker.name) is None


def test_a_worker_that_stops_cold_gives_back_what_runs(blocked, workers, queue, log, label, door, node):
    worker, gate = blocked
    assert worker.stop_cold() == 0
    until(lambda: node.queue_status(queue)["pending"] == 1, "the task to be given back")
    door.touch()
    workers(queues=[queue], concurrency=1)
    assert gate.get(timeout=PATIENCE) == f"{label}.gate"
    assert log.count(f"{label}.gate start") == 2
    assert node.record(gate.id)["deliveries"] == 0


def test_a_second_signal_makes_a_warm_shutdown_cold(blocked, queue, node):
    worker, _ = blocked
    worker.running.send_signal(signal.SIGINT)
    until(lambda: "warm shutdown" in worker.text(), "the shutdown to start")
    worker.running.send_signal(signal.SIGINT)
    assert worker.running.wait() == 0
    until(lambda: node.queue_status(queue)["pending"] == 1, "the task to be given back")


def test_an_idle_worker_stops_at_once(workers, queue, node):
    worker = workers(queues=[queue], concurrency=2)
    assert worker.stop() == 0
    assert node.worker_status(worker.name) is None
    assert node.queue_status(queue)["workers"] == 0


def test_hangup_replaces_the_children_and_loses_nothing(workers, queue, log, label):
    worker = workers(queues=[queue], concurrency=2)
    before = set(worker.children)
    sent = suite.mark.bulk([(f"{label} {number}",) for number in range(500)], queue=queue)
    worker.running.send_signal(signal.SIGHUP)
    sent.get(timeout=PATIENCE)
    until(lambda: len(worker.children) == 2 and not before & set(worker.children), "new children")
    assert set(log.counts(label).values()) == {1}
    assert log.count(label) == 500


def test_reload_runs_new_code(workers, queue, tmp_path):
    module = tmp_path / "reloaded.py"
    text = "from ignitetasks import IgniteTasks\napp = IgniteTasks('reloaded')\n@app.task\ndef f():\n    return {}\n"
    module.write_text(text.format(1))
    worker = workers(module="reloaded", queues=[queue], path=[tmp_path], options=["--reload"], wait=False)
    send = suite.app.send_task
    assert send("reloaded.f", queue=queue).get(timeout=PATIENCE) == 1
    module.write_text(text.format("'new code'"))
    until(lambda: send("reloaded.f", queue=queue).get(timeout=PATIENCE) == "new code", "the new code")
    assert worker.stop() == 0


@pytest.mark.usefixtures("worker")
class TestAcknowledgement:
    def test_a_task_whose_child_dies_runs_again(self, log, label):
        sent = suite.dies_once.delay(label)
        assert sent.get(timeout=PATIENCE) == 1
        assert log.count(label) == 2

    def test_an_early_acknowledged_task_runs_at_most_once(self, log, label):
        sent = suite.early.delay(label)
        with pytest.raises(WorkerLostError):
            sent.get(timeout=PATIENCE)
        assert log.count(label) == 1
        assert sent.ready() and not sent.successful()

    def test_early_acknowledgement_is_an_option_of_a_call(self, log, label):
        sent = suite.dies_once.apply_async((label,), acks_late=False)
        with pytest.raises(WorkerLostError):
            sent.get(timeout=PATIENCE)
        assert log.count(label) == 1
