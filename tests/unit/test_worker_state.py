"""What a worker has in hand, as ``worker.state`` shows it to whoever is in its process."""

from __future__ import annotations

import itertools
import threading

import pytest

from ignitetasks import IgniteTasks, bootsteps
from ignitetasks.errors import IgniteTasksError
from ignitetasks.worker import lifecycle, state
from ignitetasks.worker.request import Request

PATIENCE = 20
_numbers = itertools.count(1)


@pytest.fixture
def app():
    made = IgniteTasks("worker-state", transport=f"memory://worker-state-{next(_numbers)}")

    @made.task(name="look", bind=True)
    def look(self, word):
        (mine,) = state.active_requests
        assert isinstance(mine, Request)
        assert mine in state.active_requests and self.request.id in state.reserved_requests
        assert list(state.requests) == [self.request.id]
        return [mine.id, mine.name, mine.args, mine.hostname, state.requests[mine.id].type, len(state.active_requests)]

    @made.task(name="totals")
    def totals():
        return dict(state.total_count)

    @made.task(name="revoke")
    def revoke(task_id):
        before = task_id in state.revoked
        state.revoked.add(task_id)
        return [before, task_id in state.revoked, list(state.revoked), len(state.revoked)]

    yield made
    made.close()


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_a_task_sees_what_its_worker_has(app, pool):
    with app.local_worker(1, pool=pool):
        sent = app.tasks["look"].delay("a")
        found = sent.get(timeout=PATIENCE)
        assert found[:3] == [sent.id, "look", ["a"]] and found[4:] == ["look", 1] and "@" in found[3]
        assert app.tasks["totals"].delay().get(timeout=PATIENCE) == {"look": 1}


def test_revokes_are_those_of_the_cluster(app):
    with app.local_worker(1, pool="solo"):
        later = app.tasks["totals"].apply_async(countdown=3600)
        found = app.tasks["revoke"].delay(later.id).get(timeout=PATIENCE)
        assert found == [False, True, [later.id], 1]
        assert later.state == "REVOKED"


def test_outside_of_a_worker_there_is_nothing():
    state.worker_ended()
    assert not state.active_requests and not state.requests and not state.total_count and not state.revoked
    assert "an-id" not in state.revoked
    assert state.SOFTWARE_INFO["sw_ident"] == "ignitetasks"


def test_the_thread_that_answers_cannot_ask(app):
    class Busy:
        serves_itself = True
        hostname = "w@h"

    Busy.app = app
    lifecycle.started(Busy())
    try:
        with pytest.raises(IgniteTasksError, match="own thread"):
            len(state.active_requests)
        assert not state.should_stop and not state.should_terminate
        lifecycle.stopping("w@h", "SIGTERM", "Warm")
        assert state.should_stop and not state.should_terminate
        lifecycle.stopping("w@h", "SIGQUIT", "Cold")
        assert state.should_terminate
    finally:
        state.worker_started(Busy())
        state.worker_ended()


def test_a_step_may_look_in_a_thread(app):
    seen = []

    class Probe(bootsteps.StartStopStep):
        def start(self, worker):
            thread = threading.Thread(target=lambda: seen.append(list(state.active_requests)))
            thread.start()
            thread.join(PATIENCE)

    app.steps["worker"].add(Probe)
    with app.local_worker(1, pool="solo"):
        app.tasks["totals"].delay().get(timeout=PATIENCE)
    assert seen == [[]]
