"""Arguments of the documented calls come in Celery's order, for callers that do not name them."""

from __future__ import annotations

import inspect
import itertools
import threading
import time

import pytest

from ignitetasks import IgniteTasks, beat, result, schedules, signals
from ignitetasks.app.control import Control, Inspect
from ignitetasks.app.task import Task
from ignitetasks.canvas import Signature
from ignitetasks.events.dispatcher import EventDispatcher
from ignitetasks.events.receiver import EventReceiver

PATIENCE = 20
_numbers = itertools.count(1)
ORDERS = [
    (IgniteTasks.send_task, "name args kwargs countdown eta task_id"),
    (IgniteTasks.add_periodic_task, "schedule sig args kwargs name"),
    (IgniteTasks.config_from_object, "obj silent force namespace"),
    (IgniteTasks.autodiscover_tasks, "packages related_name force"),
    (Task.apply_async, "args kwargs task_id producer link link_error shadow"),
    (Task.apply, "args kwargs link link_error task_id retries throw"),
    (Task.retry, "args kwargs exc throw eta countdown max_retries"),
    (Task.update_state, "task_id state meta"),
    (Task.send_event, "type_ retry retry_policy"),
    (Task.replace, "sig"),
    (Task.add_to_chord, "sig lazy"),
    (Task.signature_from_request, "request args kwargs"),
    (Task.on_failure, "exc task_id args kwargs einfo"),
    (Task.after_return, "status retval task_id args kwargs einfo"),
    (Signature.apply_async, "args kwargs"),
    (Signature.apply, "args kwargs"),
    (Signature.clone, "args kwargs"),
    (Signature.link, "callback"),
    (result.AsyncResult, "id backend task_name app parent"),
    (result.AsyncResult.get, "timeout propagate interval no_ack follow_parents callback on_message on_interval"),
    (result.AsyncResult.revoke, "connection terminate signal wait timeout"),
    (result.AsyncResult.revoke_by_stamped_headers, "headers connection terminate"),
    (result.AsyncResult.iterdeps, "intermediate"),
    (result.ResultSet.join, "timeout propagate interval callback no_ack on_message disable_sync_subtasks on_interval"),
    (result.ResultSet.iter_native, "timeout interval no_ack on_message on_interval"),
    (result.ResultSet.iterate, "timeout propagate interval"),
    (result.GroupResult, "id results parent"),
    (result.result_from_tuple, "r app"),
    (schedules.crontab, "minute hour day_of_week day_of_month month_of_year"),
    (schedules.schedule, "run_every relative nowfun app"),
    (schedules.solar, "event lat lon nowfun app"),
    (Control.revoke, "task_id destination terminate signal"),
    (Control.broadcast, "command arguments destination connection reply timeout limit callback"),
    (Control.rate_limit, "task_name rate_limit destination"),
    (Control.time_limit, "task_name soft hard destination"),
    (Inspect, "destination timeout callback connection app limit pattern matcher"),
    (EventReceiver, "channel handlers routing_key node_id app"),
    (EventReceiver.capture, "limit timeout wakeup"),
    (EventDispatcher.send, "type blind"),
    (beat.ScheduleEntry, "name task last_run_at total_run_count schedule args kwargs options relative app"),
    (beat.Scheduler, "app schedule max_interval Producer lazy sync_every_tasks"),
    (beat.Service, "app max_interval schedule_filename scheduler_cls"),
    (beat.EmbeddedService, "app max_interval"),
    (signals.task_prerun.send, "sender"),
]


@pytest.mark.parametrize(("call", "wanted"), ORDERS, ids=lambda one: getattr(one, "__qualname__", None))
def test_positional_arguments(call, wanted):
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.POSITIONAL_ONLY)
    taken = [
        one.name for one in inspect.signature(call).parameters.values() if one.kind in kinds and one.name != "self"
    ]
    names = wanted.split()
    assert taken[: len(names)] == names


@pytest.fixture
def app():
    made = IgniteTasks("signatures", transport=f"memory://signatures-{next(_numbers)}")

    @made.task(name="add")
    def add(x, y):
        return x + y

    yield made
    made.close()


def test_a_call_by_name_takes_its_time_and_id_without_names(app):
    sent = app.send_task("add", (1, 2), None, 3600, None, "an-id")
    assert sent.id == "an-id" and app.AsyncResult(sent.id).exists()
    sent.revoke()


def test_ends_are_told_as_they_come(app):
    told = []
    with app.local_worker(1, pool="solo"):
        calls = result.ResultSet([app.tasks["add"].delay(1, 2)])
        ((task_id, found),) = calls.iter_native(PATIENCE, 0.5, True, told.append)
    assert told == [found] and found["result"] == 3 and found["task_id"] == task_id


def test_tasks_of_a_type(app):
    app.tasks["add"].type = "own"
    assert app.tasks.filter_types("own") == {"add": app.tasks["add"]}


@pytest.mark.parametrize("way", ["stop", "terminate"])
def test_a_worker_is_stopped_from_another_thread(app, way, monkeypatch):
    monkeypatch.setattr("ignitetasks.app.logsetup.set_up", lambda *_: False)  # the log of this process is pytest's
    app.conf.worker_redirect_stdouts = False
    worker = app.Worker(pool="solo", quiet=True, ready_callback=lambda one: seen.append(one.pool.num_processes))
    seen = []
    assert worker.pool is worker.timer is worker.consumer is None
    thread = threading.Thread(target=worker.start)
    thread.start()
    end = time.monotonic() + PATIENCE
    while not seen and time.monotonic() < end:
        time.sleep(0.01)
    getattr(worker, way)()
    thread.join(PATIENCE)
    assert not thread.is_alive() and seen == [1] and worker.exitcode == 0
    worker.stop(exitcode=3)
