"""Revokes by stamp hold for tasks that are sent later, wherever in a workflow they are; on a home in memory."""

from __future__ import annotations

import threading
import time

import pytest

from ignitetasks import chain, group, signals, stamps
from ignitetasks.contrib.testing.app import TestApp, setup_default_app
from ignitetasks.contrib.testing.worker import start_worker
from ignitetasks.errors import ChordError, TaskRevokedError

LIMIT = 20
RUNS: list[str] = []


@pytest.fixture(scope="module")
def app():
    app = TestApp()

    @app.task(name="run")
    def run(label, *_):
        RUNS.append(label)
        return label

    @app.task(name="total")
    def total(results, *_):
        return len(results)

    with setup_default_app(app), start_worker(app, pool="threads", concurrency=2):
        yield app


@pytest.fixture(autouse=True)
def clean(app):
    RUNS.clear()
    yield
    app.control.forget_revoked_stamps()


def stamped(app, label, **headers):
    sig = app.tasks["run"].si(label)
    sig.stamp(**headers)
    return sig


def test_a_task_that_is_sent_later_does_not_run(app):
    told = []

    def tell(sender=None, request=None, terminated=None, expired=None, **_):
        told.append((sender.name, request.id, request.stamps, terminated, expired))

    app.control.revoke_by_stamped_headers({"tenant": ["a", "b"]})
    signals.task_revoked.connect(tell)
    try:
        sent = stamped(app, "never", tenant="a").delay()
        with pytest.raises(TaskRevokedError):
            sent.get(timeout=LIMIT)
    finally:
        signals.task_revoked.disconnect(tell)
    assert sent.state == "REVOKED"
    assert told == [("run", sent.id, {"tenant": "a"}, False, False)]
    assert RUNS == []


@pytest.mark.parametrize("headers", [{"tenant": "c"}, {"job": "a"}, {"tenant": ["c", "d"]}, {}])
def test_other_stamps_run(app, headers):
    app.control.revoke_by_stamped_headers({"tenant": ["a", "b"]})
    assert stamped(app, "other", **headers).delay().get(timeout=LIMIT) == "other"


@pytest.mark.parametrize(("borne", "revoked"), [(["x", 7], 7), (4242, [1, 4242]), ("x", "x"), (("x",), ["x"])])
def test_one_value_of_several_is_enough(app, borne, revoked):
    app.control.revoke_by_stamped_headers({"job": revoked})
    with pytest.raises(TaskRevokedError):
        stamped(app, "never", job=borne).delay().get(timeout=LIMIT)


def test_a_task_that_waits_is_revoked_at_once(app):
    sent = stamped(app, "late", tenant="a").apply_async(countdown=60)
    app.control.revoke_by_stamped_headers({"tenant": "a"})
    assert sent.state == "REVOKED"


def test_what_follows_ends_too(app):
    app.control.revoke_by_stamped_headers({"tenant": "a"})
    sent = chain(app.tasks["run"].si("first"), stamped(app, "second", tenant="a"), app.tasks["run"].si("third"))()
    with pytest.raises(TaskRevokedError):
        sent.get(timeout=LIMIT)
    assert RUNS == ["first"]
    joined = (group(app.tasks["run"].si("one"), stamped(app, "two", tenant="a")) | app.tasks["total"].s())()
    with pytest.raises((TaskRevokedError, ChordError)):
        joined.get(timeout=LIMIT)
    assert "two" not in RUNS


def test_a_callback_with_the_stamp_does_not_run(app):
    app.control.revoke_by_stamped_headers({"tenant": "a"})
    sig = app.tasks["run"].si("parent")
    sig.link(stamped(app, "callback", tenant="a"))
    sig.link(app.tasks["run"].si("other callback"))
    assert sig.delay().get(timeout=LIMIT) == "parent"
    limit = time.monotonic() + LIMIT
    while "other callback" not in RUNS:
        assert time.monotonic() < limit
        threading.Event().wait(0.01)
    assert "callback" not in RUNS


def test_a_revoke_is_taken_back(app):
    app.control.revoke_by_stamped_headers({"tenant": ["a", "b"], "job": 1})
    app.control.forget_revoked_stamps({"tenant": "a"})
    assert stamped(app, "again", tenant="a").delay().get(timeout=LIMIT) == "again"
    assert stamps.revoked(app.client.transport) == {"tenant": ["b"], "job": [1]}
    app.control.forget_revoked_stamps()
    assert stamps.revoked(app.client.transport) == {}


def test_a_revoke_again_takes_no_more_room_and_the_oldest_are_forgotten(app, monkeypatch):
    monkeypatch.setattr(stamps, "MOST", 3)
    for number in (1, 2, 1, 3, 4):
        stamps.revoke(app.client.transport, {"job": number})
    assert stamps.revoked(app.client.transport) == {"job": [1, 3, 4]}


def test_a_revoke_does_not_hold_for_ever(app, monkeypatch):
    monkeypatch.setattr(stamps, "STAY_SECONDS", -1.0)
    stamps.revoke(app.client.transport, {"job": 1})
    assert stamps.revoked(app.client.transport) == {}
