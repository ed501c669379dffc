"""Ends that the node decides (a lost process, a hard limit, a revoke, an expiry): who hears of them, and what."""

from __future__ import annotations

import os
import signal
from datetime import datetime, timedelta, timezone
from pathlib import Path

import ends_app
import pytest
from support import until

from ignitetasks.errors import TaskExpiredError, TaskRevokedError, TimeLimitExceeded, WorkerLostError
from ignitetasks.events.event import unpack

PATIENCE = 60


@pytest.fixture(scope="module")
def heard(suite_folder):
    path = suite_folder / "ends.log"
    os.environ["ENDS_LOG"] = str(path)

    def of(task_id, wanted):
        """Returns what was heard of a task, sorted, once there are so many lines."""

        def enough():
            lines = path.read_text("utf-8").splitlines() if path.exists() else []
            mine = [line.replace(task_id, "ID") for line in lines if task_id in line]
            return sorted(mine) if len(mine) >= wanted else None

        return until(enough, f"{wanted} lines about the task")

    yield of
    del os.environ["ENDS_LOG"]


@pytest.fixture(scope="module")
def ends(node):
    ends_app.app.configure(**node.overrides)
    yield ends_app.app
    ends_app.app.close()


@pytest.fixture(scope="module")
def ends_worker(ends, heard, workers):
    return workers("ends", module="ends_app", concurrency=2, options=["-E"])


@pytest.fixture
def events(node, ends, ends_worker):
    """Returns what the feed tells of a task, once there is an event of a type."""
    start = node.call("events_read", -1, 1, 0)[0]

    def of(task_id, last):
        found = []
        receiver = ends.events.Receiver(since=start)
        for event in receiver.itercapture(timeout=PATIENCE):
            if event.get("uuid") == task_id:
                found.append(event)
                if event["type"] == last:
                    return found
        raise AssertionError(f"no {last} of {task_id}")

    return of


def types(found):
    return [event["type"] for event in found]


def test_a_process_that_dies_with_its_task(ends, ends_worker, heard, events):
    result = ends_app.die.delay(3, why="bad")
    with pytest.raises(WorkerLostError):
        result.get(timeout=PATIENCE)
    assert heard(result.id, 5) == [
        "after_return ID FAILURE",
        "on_failure ID WorkerLostError [3] {'why': 'bad'} True",
        "request.on_failure ID WorkerLostError False",
        "task_failure ID ends_app.die WorkerLostError WorkerLostError",
        "task_prerun ID ends_app.die",
    ]
    assert types(events(result.id, "task-failed")) == ["task-received", "task-started", "task-failed"]


def test_a_hard_limit(ends, ends_worker, heard, events):
    result = ends_app.hang.delay(60)
    with pytest.raises(TimeLimitExceeded):
        result.get(timeout=PATIENCE)
    assert heard(result.id, 6) == [
        "after_return ID FAILURE",
        "on_failure ID TimeLimitExceeded [60] {} True",
        "request.on_failure ID TimeLimitExceeded False",
        "request.on_timeout ID False 0.5",
        "task_failure ID ends_app.hang TimeLimitExceeded TimeLimitExceeded",
        "task_prerun ID ends_app.hang",
    ]
    assert types(events(result.id, "task-failed")).count("task-failed") == 1


def test_a_revoke_of_what_waits(ends, ends_worker, heard, events, door):
    result = ends_app.wait.apply_async((str(door),), countdown=3600)
    result.revoke(terminate=True)
    with pytest.raises(TaskRevokedError):
        result.get(timeout=PATIENCE)
    assert heard(result.id, 1) == [f"task_revoked ID ends_app.wait ['{door}'] False None False"]
    (event,) = events(result.id, "task-revoked")
    assert (event["terminated"], event["signum"], event["expired"], event["name"]) == (
        False, None, False, "ends_app.wait",
    )  # fmt: skip


def test_an_expiry(ends, ends_worker, heard, events, door):
    late = datetime.now(timezone.utc) - timedelta(seconds=5)
    result = ends_app.wait.apply_async((str(door),), expires=late)
    with pytest.raises(TaskExpiredError):
        result.get(timeout=PATIENCE)
    assert heard(result.id, 1) == [f"task_revoked ID ends_app.wait ['{door}'] False None True"]
    assert events(result.id, "task-revoked")[-1]["expired"] is True


def test_a_revoke_that_ends_the_process(ends, ends_worker, heard, events, door):
    result = ends_app.wait.delay(str(door))
    until(lambda: Path(f"{door}.running").exists(), "the task runs")
    result.revoke(terminate=True, signal="SIGKILL")
    with pytest.raises(TaskRevokedError) as error:
        result.get(timeout=PATIENCE)
    assert error.value.signal == "SIGKILL"
    assert heard(result.id, 3) == [
        "request.on_failure ID Terminated False",
        "task_prerun ID ends_app.wait",
        f"task_revoked ID ends_app.wait ['{door}'] True {int(signal.SIGKILL)} False",
    ]
    told = [event for event in events(result.id, "task-revoked") if event["type"] == "task-revoked"]
    assert [event["signum"] for event in told] == [int(signal.SIGKILL)]


def test_nobody_hears_of_the_task_that_tells(ends, ends_worker, heard, events, node, door):
    result = ends_app.wait.apply_async((str(door),), countdown=3600)
    result.revoke()
    heard(result.id, 1)
    events(result.id, "task-revoked")
    lines = Path(os.environ["ENDS_LOG"]).read_text("utf-8")
    assert "ignitetasks.settle" not in lines
    told = [unpack(bytes(data)) for _, data in node.call("events_read", 0, 10_000, 0)[1]]
    assert "ignitetasks.settle" not in {event.get("name") for event in told}
