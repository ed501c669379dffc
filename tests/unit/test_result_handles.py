"""Handles are made, changed and copied in the ways programs do it: Celery's arguments, attributes of one's own."""

from __future__ import annotations

import copy
import pickle
import threading
import weakref
from types import SimpleNamespace
from unittest.mock import Mock, PropertyMock, patch

import pytest
from support.canvas_tasks import memory_app

from ignitetasks import IgniteTasks
from ignitetasks.contrib.abortable import AbortableAsyncResult
from ignitetasks.errors import InvalidOption, ResultTimeout
from ignitetasks.result import AsyncResult, EagerResult, GroupResult, ResultSet

LIMIT = 20


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks, tasks.app.local_worker(concurrency=1, pool="threads"):
        yield tasks


@pytest.fixture
def handles(t):
    """One handle of each kind."""
    one = AsyncResult("one", app=t.app)
    return [one, EagerResult("e", 3, "SUCCESS"), GroupResult("g", [one], app=t.app), ResultSet([one], t.app)]


def test_methods_of_a_handle_can_be_replaced(handles):
    for handle in handles:
        handle.get = Mock(return_value=17)
        assert handle.get(timeout=1) == 17
        with patch.object(handle, "ready", return_value="mine"):
            assert handle.ready() == "mine"
        handle.note = {"of": "mine"}
        assert handle.note == {"of": "mine"}


def test_who_waits_can_be_called_meanwhile(t):
    slow = t.app.AsyncResult("never-sent")
    calls = []

    def called():
        calls.append(len(calls))
        if len(calls) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        slow.get(on_interval=called, interval=0.01)
    assert calls == [0, 1, 2]
    with pytest.raises(ResultTimeout):
        slow.get(timeout=0.05, on_interval=lambda: calls.append("again"), interval=0.02)
    assert "again" in calls
    assert t.add.delay(1, 2).get(timeout=LIMIT, on_interval=called, interval=LIMIT) == 3


def test_a_revoke_returns_nothing_and_the_state_tells(t):
    waiting = t.add.apply_async((1, 2), countdown=3600)
    assert waiting.revoke() is None and waiting.state == "REVOKED"


def test_what_there_is_of_a_task_that_has_not_ended(t):
    begun = threading.Event()

    @t.app.task(bind=True, name="tells")
    def tells(self):
        if not self.request.retries:
            self.update_state(state="PROGRESS", meta={"done": 3})
            begun.wait(LIMIT)
            raise self.retry(exc=KeyError("not yet"), countdown=3600)

    assert t.app.AsyncResult("never-sent").maybe_throw() is None
    sent = tells.delay()
    while sent.state != "PROGRESS":
        threading.Event().wait(0.01)
    assert sent.maybe_throw() == {"done": 3}
    begun.set()
    while sent.state != "RETRY":
        threading.Event().wait(0.01)
    assert repr(sent.maybe_throw()) == repr(sent.info) == "KeyError('not yet')"
    sent.revoke()


def test_a_number_is_no_id(t):
    for wrong in (123, None, 1.5, "", b"x"):
        with pytest.raises(ValueError, match="a task id is a text"):
            AsyncResult(wrong, app=t.app)


def test_a_handle_takes_the_arguments_of_celerys(t):
    app = t.app
    parent = AsyncResult("before", app=app)
    by_place = AsyncResult("i", app.backend, t.add.name, app, parent)
    by_name = AsyncResult("i", backend=app.backend, task_name=t.add.name, app=app, parent=parent)
    for handle in (by_place, by_name, app.AsyncResult("i", parent=parent), t.add.AsyncResult("i", parent=parent)):
        assert (handle.id, handle.app, handle.backend, handle.parent) == ("i", app, app.backend, parent)
    assert by_place.name == by_name.name == t.add.name
    assert AsyncResult("i", backend=app.backend).app is app
    several = ResultSet([by_place], app=app, ready_barrier=None)
    assert (several.app, several.results) == (app, [by_place])
    family = GroupResult("g", results=[by_place], parent=parent, app=app)
    assert (family.id, family.parent, family.app) == ("g", parent, app)


def test_a_backend_of_ones_own_is_shown_and_an_app_in_its_place_is_refused(t):
    own = SimpleNamespace(name="mine")
    handle = AsyncResult("i", backend=own, app=t.app)
    assert handle.backend is own and handle.app is t.app
    handle.backend = other = SimpleNamespace()
    assert handle.backend is other
    handle.app = own
    assert handle.app is own
    with pytest.raises(InvalidOption, match=r"is no result backend of an app; give the app as app="):
        AsyncResult("i", t.app)


def test_a_copy_asks_the_same_app(t, handles):
    sent = t.add.delay(1, 2)
    twin = copy.copy(sent)
    assert twin is not sent and twin == sent and twin.app is t.app and twin.get(timeout=LIMIT) == 3
    eager = copy.copy(handles[1])
    assert (eager.get(), eager.id) == (3, "e")


def test_handles_are_referred_to_weakly_and_pickled(t, handles):
    for handle in handles[:3]:
        assert weakref.ref(handle)() is handle
        handle.get = Mock()
        assert pickle.loads(pickle.dumps(handle)).id == handle.id


def test_a_handle_that_can_be_stopped_takes_them_too(t):
    handle = AbortableAsyncResult("i", app=t.app, parent=AsyncResult("before", app=t.app))
    assert handle.parent.id == "before" and not handle.is_aborted()
    handle.abort()
    assert handle.is_aborted()


def test_a_state_that_a_test_has_put_in_is_believed(monkeypatch):
    app = IgniteTasks("believed", transport="memory", set_as_current=False)
    one = app.AsyncResult("x")
    with patch.object(AsyncResult, "state", "SUCCESS"):
        assert one.ready() and one.successful() and not one.failed()
    with patch.object(AsyncResult, "state", new_callable=PropertyMock, return_value="FAILURE"):
        assert one.ready() and one.failed() and not one.successful()
    monkeypatch.setattr(AsyncResult, "state", property(lambda self: "STARTED"))
    assert not one.ready()
    monkeypatch.undo()
    assert not one.ready() and not AbortableAsyncResult("x", app=app).ready()
    app.close()
