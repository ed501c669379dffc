"""Ends that the home decides and not a child: hooks, signals and events tell of them, in a home in memory."""

from __future__ import annotations

import itertools
import time
from datetime import datetime, timedelta, timezone

import pytest

from ignitetasks import IgniteTasks, Task, signals
from ignitetasks.app.telling import wants_to_hear
from ignitetasks.errors import TaskExpiredError, TaskRevokedError
from ignitetasks.events import NOW

PATIENCE = 20
_numbers = itertools.count(1)


@pytest.fixture
def heard():
    lines = []

    def revoked(sender, request, terminated, signum, expired, **_):
        lines.append((sender.name, request.id, list(request.args), terminated, signum, expired))

    signals.task_revoked.connect(revoked)
    yield lines
    signals.task_revoked.disconnect(revoked)


@pytest.fixture
def app():
    # A home of its own: it remembers in which queues somebody wanted to hear, and whether events are on.
    made = IgniteTasks("told-ends", transport=f"memory://told-ends-{next(_numbers)}")

    @made.task(name="nap")
    def nap(seconds):
        time.sleep(seconds)

    yield made
    made.close()


def wait_for(lines, count=1):
    end = time.monotonic() + PATIENCE
    while len(lines) < count and time.monotonic() < end:
        time.sleep(0.01)
    return lines


def test_a_revoke_of_what_waits_is_told(app, heard):
    with app.local_worker(1, pool="solo"):
        result = app.tasks["nap"].apply_async((1,), countdown=3600)
        result.revoke()
        with pytest.raises(TaskRevokedError):
            result.get(timeout=PATIENCE)
        assert wait_for(heard) == [("nap", result.id, [1], False, None, False)]


def test_an_expiry_is_told_to_the_signal(app, heard):
    with app.local_worker(1, pool="solo"):
        late = datetime.now(timezone.utc) - timedelta(seconds=5)
        result = app.tasks["nap"].apply_async((1,), expires=late)
        with pytest.raises(TaskExpiredError):
            result.get(timeout=PATIENCE)
        assert wait_for(heard) == [("nap", result.id, [1], False, None, True)]


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_events_that_are_switched_on_tell_of_them(app, pool):
    since = app.client.transport.call("events_read", NOW, 1, 0)[0]
    with app.local_worker(1, pool=pool):
        app.control.enable_events(reply=True, timeout=PATIENCE)
        result = app.tasks["nap"].apply_async((1,), countdown=3600)
        result.revoke()
        receiver = app.events.Receiver(since=since, routing_key="task.#")
        (event,) = receiver.itercapture(limit=1, timeout=PATIENCE)
        assert (event["type"], event["uuid"], event["name"]) == ("task-revoked", result.id, "nap")
        assert (event["expired"], event["terminated"], event["signum"]) == (False, False, None)


def test_a_purge_is_not_told(app, heard):
    with app.local_worker(1, pool="solo"):
        app.tasks["nap"].apply_async((1,), countdown=3600)
        assert app.control.purge() >= 1
        result = app.tasks["nap"].apply_async((2,), countdown=3600)
        result.revoke()
        assert [line[2] for line in wait_for(heard)] == [[2]]


def test_who_wants_to_hear(app, monkeypatch):
    # Modules of other tests may have connected theirs.
    for signal in (signals.task_failure, signals.task_revoked):
        monkeypatch.setattr(signal, "receivers", [])
    assert not wants_to_hear(app.tasks)

    class Noted(Task):
        def after_return(self, *_):
            """Looks at every end."""

    @app.task(base=Noted)
    def noted():
        """Does nothing."""

    assert wants_to_hear(app.tasks)


def test_a_signal_makes_a_worker_want_to_hear(app, heard):
    assert wants_to_hear(app.tasks)
