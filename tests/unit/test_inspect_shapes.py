"""The answers of ``app.control.inspect()``, field by field: programs written for Celery read them by these names."""

from __future__ import annotations

import threading
from datetime import datetime

import pytest

from ignitetasks import IgniteTasks
from ignitetasks.contrib.testing.worker import start_worker

LIMIT = 30.0
TASK = {
    "id", "name", "args", "kwargs", "type", "hostname", "time_start", "acknowledged", "delivery_info", "worker_pid",
}  # fmt: skip
DELIVERY = {"exchange", "routing_key", "priority", "redelivered"}
STATS = {"total", "pid", "clock", "uptime", "prefetch_count", "broker", "pool", "rusage"}
BROKER = {"transport", "hostname", "virtual_host", "uri_prefix", "transport_options", "connect_timeout"}
POOL = {
    "implementation", "max-concurrency", "processes", "max-tasks-per-child", "put-guarded-by-semaphore", "timeouts",
    "writes",
}  # fmt: skip
RUSAGE = {
    "utime", "stime", "maxrss", "ixrss", "idrss", "isrss", "minflt", "majflt", "nswap", "inblock", "oublock", "msgsnd",
    "msgrcv", "nsignals", "nvcsw", "nivcsw",
}  # fmt: skip
QUEUE = {
    "name", "exchange", "routing_key", "durable", "exclusive", "auto_delete", "no_ack", "alias", "bindings",
    "queue_arguments", "binding_arguments", "consumer_arguments", "expires", "message_ttl", "max_length",
    "max_length_bytes", "max_priority",
}  # fmt: skip
ENTERED, GO = threading.Event(), threading.Event()


@pytest.fixture(scope="module")
def app():
    app = IgniteTasks("shapes", transport="memory", set_as_current=False)
    app.conf.task_annotations = {"hold": {"rate_limit": None}}

    @app.task(name="hold")
    def hold(*args, **kwargs):
        ENTERED.set()
        GO.wait(LIMIT)

    @app.task(name="add", rate_limit="1000/s", max_retries=7)
    def add(x, y):
        return x + y

    yield app
    app.close()


@pytest.fixture(scope="module")
def worker(app):
    with start_worker(app, pool="threads", concurrency=1, hostname="w@shapes") as worker:
        yield worker


@pytest.fixture(scope="module")
def ask(app, worker):
    def ask(command, *args, **kwargs):
        ((name, answer),) = getattr(app.control.inspect(timeout=LIMIT), command)(*args, **kwargs).items()
        assert name == worker.hostname
        return answer

    return ask


def check_task(task, task_id, args, kwargs):
    assert set(task) == TASK and set(task["delivery_info"]) == DELIVERY
    assert (task["id"], task["args"], task["kwargs"]) == (task_id, args, kwargs)
    assert isinstance(task["acknowledged"], bool)


def test_a_task_that_runs(app, ask, worker):
    sent = app.tasks["hold"].apply_async((1, "two"), {"three": [3]}, priority=4)
    try:
        assert ENTERED.wait(LIMIT)
        (task,) = ask("active")
        check_task(task, sent.id, [1, "two"], {"three": [3]})
        assert (task["name"], task["type"], task["hostname"]) == ("hold", "hold", worker.hostname)
        assert isinstance(task["time_start"], float) and isinstance(task["worker_pid"], int)
        assert task["delivery_info"] == {"exchange": "", "routing_key": "celery", "priority": 4, "redelivered": False}
        assert ask("reserved") == []
        ((task_id, (state, found)),) = ask("query_task", sent.id).items()
        # When it started is worked out of its age, anew at each question.
        assert (task_id, state, {**found, "time_start": None}) == (sent.id, "active", {**task, "time_start": None})
        assert ask("query_task", ["of-nobody"]) == {}
    finally:
        GO.set()
        sent.get(timeout=LIMIT)
    assert ask("active") == []


def test_a_task_whose_time_has_not_come_and_one_that_is_revoked(app, ask):
    sent = app.tasks["add"].apply_async((1, 2), countdown=3600, priority=6)
    (entry,) = ask("scheduled")
    assert set(entry) == {"eta", "priority", "request"} and entry["priority"] == 6
    assert datetime.fromisoformat(entry["eta"]).tzinfo is not None
    check_task(entry["request"], sent.id, [1, 2], {})
    assert entry["request"]["time_start"] is entry["request"]["worker_pid"] is None
    (name,) = app.control.inspect().ping()
    assert entry["request"]["hostname"] == ask("query_task", sent.id)[sent.id][1]["hostname"] == name
    app.control.revoke(sent.id)
    assert ask("revoked") == [sent.id]
    assert ask("scheduled") == []


def test_what_a_worker_is(ask, worker):
    assert ask("ping") == {"ok": "pong"}
    found = ask("stats")
    assert set(found) == STATS and set(found["broker"]) == BROKER
    assert set(found["pool"]) == POOL and set(found["rusage"]) == RUSAGE
    assert (found["pool"]["max-concurrency"], found["pool"]["timeouts"]) == (1, [0, 0])
    assert all(isinstance(one, int) for one in (found["pid"], found["uptime"], *found["pool"]["processes"]))
    assert isinstance(found["clock"], str) and isinstance(found["total"], dict)
    (queue,) = ask("active_queues")
    assert set(queue) == QUEUE and (queue["name"], queue["routing_key"]) == ("celery", "celery")
    assert (queue["exchange"]["name"], queue["exchange"]["type"]) == ("celery", "direct")


def test_what_a_worker_knows(app, ask):
    assert ask("registered") == ["add [rate_limit=1000/s]", "hold"]
    assert "add [max_retries=7]" in ask("registered", "max_retries")
    assert ask("registered_tasks") == ask("registered")
    settings = ask("conf")
    assert settings["task_annotations"] == {"hold": {"rate_limit": None}} and "task_acks_late" not in settings
    assert "task_acks_late" in ask("conf", with_defaults=True)
    report = ask("report")
    assert list(report) == ["ok"] and "software" in report["ok"]
    assert list(ask("clock")) == ["clock"] and isinstance(ask("clock")["clock"], int)
    hello = ask("hello", "other@host")
    assert set(hello) == {"revoked", "clock"} and hello["revoked"] == {}
    assert ask("memsample").endswith("MB")
    assert list(ask("memdump")) == list(ask("objgraph")) == ["error"]


def test_nobody_answers(app, worker):
    inspect = app.control.inspect(destination=["nobody@here"], timeout=0.2)
    assert inspect.ping() is inspect.active() is inspect.stats() is inspect.query_task("x") is None
    alone = app.control.inspect(destination=worker.hostname, timeout=LIMIT)
    assert alone.ping() == {"ok": "pong"}
