"""A class of tasks names its own `Request`, and is told of each run where it takes place."""

from __future__ import annotations

import itertools
import os
import time

import pytest

from ignitetasks import IgniteTasks, Task
from ignitetasks.errors import IgniteTasksError, SoftTimeLimitExceeded, TaskRevokedError
from ignitetasks.exceptions import Reject, WorkerLostError
from ignitetasks.failure import ExceptionInfo
from ignitetasks.worker.request import Request

PATIENCE = 20
told = []
_numbers = itertools.count(1)


class Told(Request):
    """Notes what it is told."""

    def on_accepted(self, pid, time_accepted):
        super().on_accepted(pid, time_accepted)
        told.append(("accepted", self.task.name, self.args, pid == os.getpid(), self.time_start <= time.time()))

    def on_timeout(self, soft, timeout):
        super().on_timeout(soft, timeout)
        told.append(("timeout", soft, timeout))

    def on_success(self, failed__retval__runtime, **kwargs):
        failed, value, runtime = failed__retval__runtime
        if not failed:
            told.append(("success", value, runtime >= 0))
        return super().on_success(failed__retval__runtime, **kwargs)

    def on_retry(self, exc_info):
        told.append(("retry", repr(exc_info.exception.exc)))
        return super().on_retry(exc_info)

    def on_failure(self, exc_info, send_failed_event=True, return_ok=False):
        super().on_failure(exc_info, send_failed_event=send_failed_event, return_ok=return_ok)
        told.append(("failure", type(exc_info.exception).__name__, return_ok, self.acknowledged))


class ToldTask(Task):
    Request = Told


class NamedTask(Task):
    Request = f"{__name__}:Told"


@pytest.fixture
def app():
    told.clear()
    made = IgniteTasks("request-classes", transport=f"memory://request-classes-{next(_numbers)}")

    @made.task(name="add", base=ToldTask)
    def add(x, y):
        return x + y

    @made.task(name="again", base=NamedTask, bind=True, default_retry_delay=0)
    def again(self):
        if not self.request.retries:
            raise self.retry(exc=KeyError("first"))
        return "second"

    @made.task(name="fail", base=ToldTask)
    def fail():
        raise ValueError("no")

    @made.task(name="slow", base=ToldTask)
    def slow(seconds):
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                time.sleep(0.001)
        except SoftTimeLimitExceeded:
            return "cut short"
        return "whole"

    @made.task(name="refuse", base=ToldTask)
    def refuse():
        raise Reject("no")

    yield made
    made.close()


@pytest.mark.parametrize("pool", ["solo", "threads", "asyncio"])
def test_a_run_is_told_of(app, pool):
    with app.local_worker(1, pool=pool):
        assert app.tasks["add"].delay(2, 3).get(timeout=PATIENCE) == 5
    assert told == [("accepted", "add", [2, 3], True, True), ("success", "5", True)]


def test_a_class_is_named_by_text_and_told_of_a_repeat(app):
    with app.local_worker(1, pool="solo"):
        assert app.tasks["again"].delay().get(timeout=PATIENCE) == "second"
    assert [line[0] for line in told] == ["accepted", "retry", "failure", "accepted", "success"]
    assert told[1] == ("retry", "KeyError('first')")


def test_a_failure_is_told_of(app):
    with app.local_worker(1, pool="solo"), pytest.raises(ValueError, match="no"):
        app.tasks["fail"].delay().get(timeout=PATIENCE)
    assert told[1:] == [("failure", "ValueError", True, True)]


def test_a_refusal_is_told_of(app):
    with app.local_worker(1, pool="solo"), pytest.raises(IgniteTasksError):
        app.tasks["refuse"].delay().get(timeout=PATIENCE)
    assert told[1:] == [("failure", "Reject", True, True)]


def test_a_soft_limit_is_told_of_also_where_the_task_goes_on(app):
    with app.local_worker(1, pool="threads"):
        call = app.tasks["slow"].apply_async((PATIENCE,), soft_time_limit=0.05)
        assert call.get(timeout=PATIENCE) == "cut short"
    assert told[1:] == [("timeout", True, 0.05), ("success", "'cut short'", True)]


def test_a_hard_limit_is_told_of(app):
    with app.local_worker(1, pool="threads"), pytest.raises(IgniteTasksError):
        app.tasks["slow"].apply_async((PATIENCE,), time_limit=0.05).get(timeout=PATIENCE)
    assert told[1:] == [("failure", "TimeLimitExceeded", True, True), ("timeout", False, 0.05)]


def test_a_run_whose_process_died_is_told_of(app):
    request = Told(app.tasks["add"].request, task=app.tasks["add"])
    request.lost(ExceptionInfo(WorkerLostError("killed")))
    assert told == [("failure", "WorkerLostError", False, True)]


def test_eager_runs_have_no_worker_to_tell(app):
    assert app.tasks["add"].apply((1, 2)).get() == 3
    assert told == []


def test_what_it_raises_before_a_run_is_the_tasks_own_error(app):
    class Closed(Request):
        def execute_using_pool(self, pool, **kwargs):
            raise TaskRevokedError("closed")

    app.tasks["add"].Request = Closed
    with app.local_worker(1, pool="solo"), pytest.raises(TaskRevokedError, match="closed"):
        app.tasks["add"].delay(1, 2).get(timeout=PATIENCE)


def test_a_run_says_what_it_is(app):
    task = app.tasks["add"]
    seen = task.request
    seen.update(id="an-id", args=[1, 2], hostname="w@h", eta="2030-01-01T00:00:00+00:00", timelimit=[5, 3])
    request = Request(seen, task=task)
    assert (request.id, request.task_id, request.name, request.type, request.hostname) == (
        "an-id", "an-id", "add", "add", "w@h",
    )  # fmt: skip
    assert (request.eta.year, request.expires, request.time_limits) == (2030, None, (5, 3))
    assert request.correlation_id == "an-id" and request.app is app and request.task is task
    assert request.info(safe=True)["args"] == "(1, 2)"
    assert request.request_dict["args"] == [1, 2]
    assert str(request) == "add[an-id]  ETA:[2030-01-01T00:00:00+00:00]"
    assert repr(request) == "<Request: add[an-id] (1, 2) {}>"
    with pytest.raises(IgniteTasksError, match="acks_late=False"):
        request.acknowledge()
    with pytest.raises(IgniteTasksError, match="raise Reject"):
        request.reject(requeue=True)
    with pytest.raises(AttributeError):
        request.nothing  # noqa: B018
    assert request.revoked() is False
