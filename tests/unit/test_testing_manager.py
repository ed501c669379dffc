"""The helpers of integration tests: what `Manager` waits for, and the stand-ins of `mocks`."""

from __future__ import annotations

import io
import json
import threading

import pytest

from ignitetasks import group
from ignitetasks.contrib.testing.app import TestApp, setup_default_app
from ignitetasks.contrib.testing.manager import Manager, ManagerMixin, Sentinel
from ignitetasks.contrib.testing.mocks import ContextMock, TaskMessage, task_message_from_sig
from ignitetasks.contrib.testing.worker import start_worker


@pytest.fixture(scope="module")
def app():
    app = TestApp()

    @app.task(name="add")
    def add(a, b):
        return a + b

    with setup_default_app(app):
        yield app


@pytest.fixture(scope="module")
def worker(app):
    with start_worker(app, pool="threads", concurrency=2) as worker:
        yield worker


@pytest.fixture
def manager(app):
    return Manager(app, stdout=io.StringIO())


class Late:
    """Succeeds at one of its calls, and fails before."""

    def __init__(self, at):
        self.left = at

    def __call__(self):
        self.left -= 1
        if self.left:
            raise KeyError("not yet")
        return "there"


def test_wait_for_calls_until_nothing_is_raised(manager):
    told = []

    def note(error, pause, tries):
        told.append((type(error), pause, tries))

    pauses = {"interval_start": 0.001, "interval_step": 0.001, "interval_max": 0.002}
    assert manager.wait_for(Late(4), KeyError, desc="it", errback=note, emit_warning=True, **pauses) == "there"
    assert told == [(KeyError, 0.001, 0), (KeyError, 0.002, 1), (KeyError, 0.002, 2)]
    assert manager.stdout.getvalue().count("it; looked in vain") == 3


def test_wait_for_gives_up_with_the_last_error(manager):
    late = Late(50)
    with pytest.raises(KeyError):
        manager.wait_for(late, (KeyError,), max_retries=3, interval_start=0.0, interval_step=0.0)
    assert late.left == 46


def test_an_error_that_does_not_mean_not_yet_is_raised_at_once(manager):
    with pytest.raises(KeyError):
        manager.wait_for(Late(2), ValueError)


def test_ensure_not_for_a_while(manager):
    pauses = {"interval_start": 0.0, "interval_step": 0.0}
    manager.ensure_not_for_a_while(Late(9), KeyError, max_retries=3, **pauses)
    with pytest.raises(AssertionError, match="a second run"):
        manager.ensure_not_for_a_while(Late(2), KeyError, desc="a second run", max_retries=3, **pauses)


def test_true_or_raise(manager):
    assert manager.true_or_raise(lambda: 3) == 3
    with pytest.raises(Sentinel):
        manager.true_or_raise(lambda: [])


def test_join_waits_for_one_and_for_several(app, worker, manager):
    add = app.tasks["add"]
    assert manager.join(add.delay(1, 2), timeout=10) == [3]
    assert manager.join(group(add.s(1, 1), add.s(2, 2))(), timeout=10) == [2, 4]
    assert Manager(app, no_join=True).join(add.delay(1, 2)) is None


def test_join_says_what_is_missing(app, manager):
    nobody = app.send_task("add", (1, 2), queue="nobody_listens")
    with pytest.raises(AssertionError, match="missing"):
        manager.join(nobody, timeout=0.01, max_retries=2)
    assert manager.stdout.getvalue().count(f"Missing 1 of 1 results: {nobody.id}") == 2
    nobody.revoke()


def test_what_workers_say_of_tasks_is_waited_for(app, manager):
    entered, leave = threading.Event(), threading.Event()

    @app.task(name="stay")
    def stay():
        entered.set()
        leave.wait(30)

    with start_worker(app, pool="threads", queues="stay"):
        sent = stay.apply_async(queue="stay")
        assert entered.wait(10)
        manager.assert_accepted([sent.id])
        manager.assert_received([sent.id])
        assert not manager.is_accepted([sent.id, "unknown"])
        leave.set()
        manager.assert_result_tasks_in_progress_or_completed([sent])
        sent.get(timeout=10)


def test_wait_until_idle_removes_what_waits(app, worker, manager):
    waiting = app.send_task("add", (1, 2), queue="nobody_listens")
    manager.wait_until_idle()
    assert waiting.state == "REVOKED"


def test_a_class_of_one_s_own_takes_the_abilities(app):
    class Mine(ManagerMixin):
        def __init__(self, app):
            self.app = app
            self._init_manager(block_timeout=1.0)

    assert Mine(app).wait_for(Late(1), KeyError) == "there"


def test_a_task_message():
    message = TaskMessage("add", id="1", args=(2,), kwargs={"b": 3}, callbacks=[{"task": "x"}], group="g")
    assert message.headers == {"id": "1", "task": "add", "shadow": None, "group": "g"}
    assert message.payload == ((2,), {"b": 3}, {"callbacks": [{"task": "x"}], "errbacks": None, "chain": None})
    assert json.loads(message.body)[:2] == [[2], {"b": 3}]
    assert message.content_type == "application/json"


def test_a_task_message_of_a_signature(app):
    add = app.tasks["add"]
    sig = add.s(1, 2).set(countdown=10, expires=20, priority=3)
    sig.link(add.s(4))
    message = task_message_from_sig(app, sig)
    assert message.headers["id"] == sig.id
    assert message.headers["eta"] < message.headers["expires"]
    assert message.headers["priority"] == 3
    assert message.payload[2]["callbacks"][0]["task"] == "add"


def test_a_context_mock_stands_for_itself_and_lets_exceptions_through():
    mock = ContextMock()
    with mock as inside:
        assert inside is mock
    assert not mock.__exit__(KeyError, KeyError(), None)
