"""What handles and requests tell in the cases between success and failure, on a home in memory."""

from __future__ import annotations

import threading
import time

import pytest

from ignitetasks import chain, group, signals
from ignitetasks.contrib.testing.app import TestApp, setup_default_app
from ignitetasks.contrib.testing.worker import start_worker
from ignitetasks.errors import Reject, TaskRejectedError
from ignitetasks.result import GroupResult, result_from_tuple

LIMIT = 20


@pytest.fixture(scope="module")
def app():
    app = TestApp(config={"task_create_missing_queues": True})

    @app.task(name="later", bind=True)
    def later(self, text):
        raise self.retry(exc=KeyError(text), countdown=60)

    @app.task(name="refuse")
    def refuse():
        raise Reject("not this one", requeue=False)

    @app.task(name="remember")
    def remember(task_id):
        SEEN.append(task_id)

    @app.task(name="add")
    def add(a, b):
        return a + b

    @app.task(name="send_more")
    def send_more():
        return chain(add.s(1, 1), group(add.s(3), add.s(4)))()

    @app.task(name="properties", bind=True)
    def properties(self):
        return self.request.properties

    @app.task(name="silent", ignore_result=True)
    def silent():
        return "nobody hears"

    with setup_default_app(app), start_worker(app, pool="threads", concurrency=2):
        yield app


SEEN: list[str] = []


def until(condition):
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        threading.Event().wait(0.01)


def test_a_task_that_is_retried_tells_why(app):
    sent = app.tasks["later"].delay("no such key")
    until(lambda: sent.state == "RETRY")
    assert isinstance(sent.result, KeyError)
    assert sent.info.args == ("no such key",)
    assert "no such key" in sent.traceback
    assert not sent.ready()
    sent.revoke()
    assert sent.state == "REVOKED"


def test_a_task_that_waits_tells_nothing(app):
    sent = app.tasks["add"].apply_async((1, 2), countdown=60)
    assert (sent.state, sent.result, sent.traceback) == ("PENDING", None, None)
    sent.revoke()


def test_a_rejected_task_has_failed(app):
    told = []

    def tell(sender=None, task_id=None, exception=None, **_):
        told.append((sender.name, task_id, type(exception)))

    signals.task_failure.connect(tell)
    try:
        sent = app.tasks["refuse"].apply_async(link_error=app.tasks["remember"].s())
        with pytest.raises(TaskRejectedError, match="not this one"):
            sent.get(timeout=LIMIT)
    finally:
        signals.task_failure.disconnect(tell)
    assert (sent.state, sent.failed(), sent.successful()) == ("REJECTED", True, False)
    until(lambda: sent.id in SEEN)
    assert told == [("refuse", sent.id, Reject)]


def test_a_rejected_eager_task_has_failed(app):
    told = []

    def tell(sender=None, exception=None, **_):
        told.append((sender.name, type(exception)))

    signals.task_failure.connect(tell)
    try:
        assert app.tasks["refuse"].apply().failed()
    finally:
        signals.task_failure.disconnect(tell)
    assert told == [("refuse", Reject)]


def test_a_task_may_return_handles(app):
    ids = app.tasks["send_more"].delay().get(timeout=LIMIT)
    handle = result_from_tuple(ids, app)
    assert isinstance(handle, GroupResult)
    assert handle.get(timeout=LIMIT) == [5, 6]
    assert handle.parent.get(timeout=LIMIT) == 2


def test_properties_of_a_call_reach_the_task(app):
    found = app.tasks["properties"].apply_async(app_id="shop", user_id="me", priority=4).get(timeout=LIMIT)
    assert (found["app_id"], found["user_id"], found["priority"]) == ("shop", "me", 4)


def test_a_call_without_a_result_is_ignored_and_not_waited_for(app):
    assert app.tasks["silent"].apply_async(queue="nobody_listens").get() is None
    assert app.tasks["silent"].delay().ignored
    assert app.tasks["add"].apply_async((1, 2), ignore_result=True).ignored
    assert not app.tasks["add"].delay(1, 2).ignored


def test_receivers_of_task_received_know_the_task(app):
    told = []

    def tell(request=None, **_):
        told.append((request.name, request.task_name, request.task_id))

    signals.task_received.connect(tell)
    try:
        sent = app.tasks["add"].delay(1, 2)
        sent.get(timeout=LIMIT)
    finally:
        signals.task_received.disconnect(tell)
    assert ("add", "add", sent.id) in told
