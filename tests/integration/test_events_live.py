"""Events through a real node: a worker that sends them, readers that come late, and the switch."""

from __future__ import annotations

import json
import threading

import pytest
import suite_tasks as suite
from support import until

from ignitetasks import group
from ignitetasks.events import OLDEST
from ignitetasks.events.event import unpack

PATIENCE = 60


@pytest.fixture(scope="module")
def telling(workers):
    """A worker that sends events from its start."""
    return workers("telling", queues=["telling"], options=["-E"])


@pytest.fixture
def now(app):
    """The cursor behind the newest event."""
    return app.client.transport.call("events_read", -1, 1, 0)[0]


def read(app, since, last, limit=50):
    """Returns the events up to one of a type."""
    receiver = app.events.Receiver(since=since)
    found = []
    for event in receiver.itercapture(limit=limit, timeout=PATIENCE, wakeup=False):
        found.append(event)
        if event["type"] == last:
            return found
    raise AssertionError(f"no {last} among {[event['type'] for event in found]}")


def of_tasks(events):
    return [(event["type"], event["uuid"]) for event in events if event["type"].startswith("task-")]


def test_a_tasks_life_is_told_in_order(app, telling, now):
    first = suite.add.apply_async((1, 2), queue="telling")
    first.get(timeout=PATIENCE)
    events = read(app, now, "task-succeeded")
    names = ["task-received", "task-started", "task-succeeded"]
    assert of_tasks(events) == [(name, first.id) for name in names]
    received, started, succeeded = [event for event in events if event["type"].startswith("task-")]
    assert (received["name"], received["args"]) == (suite.add.name, "(1, 2)")
    assert started["hostname"] == telling.name
    assert succeeded["result"] == "3"


def test_the_caller_says_how_arguments_are_shown(app, telling, now):
    options = {"queue": "telling", "argsrepr": "(***)", "kwargsrepr": "{none}"}
    suite.add.apply_async((1, 2), **options).get(timeout=PATIENCE)
    received = next(event for event in read(app, now, "task-succeeded") if event["type"] == "task-received")
    assert (received["args"], received["kwargs"]) == ("(***)", "{none}")


def test_failures_retries_and_what_a_task_says(app, telling, now, label):
    handle = suite.flaky.apply_async((label, 1), queue="telling")
    handle.get(timeout=PATIENCE)
    events = read(app, now, "task-succeeded")
    assert [name for name, _ in of_tasks(events)] == [
        "task-received",
        "task-started",
        "task-retried",
        "task-received",
        "task-started",
        "task-succeeded",
    ]
    retried = next(event for event in events if event["type"] == "task-retried")
    assert "ShopError" in retried["exception"]


def test_a_revoked_task_is_told(app, telling, now, door, log, label):
    handle = suite.gate.apply_async((label, str(door)), queue="telling")
    until(lambda: log.count(label) >= 1, "the task to run")
    handle.revoke(terminate=True, signal="SIGKILL")
    revoked = read(app, now, "task-revoked")[-1]
    assert (revoked["uuid"], revoked["terminated"], revoked["signum"]) == (handle.id, True, 9)


def test_live_with_state_as_celery_documents_it(app, telling):
    state = app.events.State()
    failures = []

    def announce(event):
        state.event(event)
        task = state.tasks.get(event["uuid"])
        failures.append((task.name, task.uuid, task.info()["exception"]))
        receiver.should_stop = True

    receiver = app.events.Receiver(None, handlers={"task-failed": announce, "*": state.event})
    reader = threading.Thread(target=receiver.capture, kwargs={"limit": None, "timeout": PATIENCE, "wakeup": True})
    reader.start()
    until(lambda: telling.name in state.workers, "the worker's heartbeat")
    handle = suite.fail.apply_async(("shop",), queue="telling")
    reader.join(PATIENCE)
    assert failures == [(suite.fail.name, handle.id, "ShopError(\"(7, 'sold out')\")")]
    assert state.workers[telling.name].alive


def test_a_reader_goes_on_where_it_was(app, telling, now):
    for number in range(3):
        suite.add.apply_async((number, 0), queue="telling").get(timeout=PATIENCE)
    receiver = app.events.Receiver(since=now, routing_key="task.succeeded")
    receiver.capture(limit=2, timeout=PATIENCE, wakeup=False)
    rest = app.events.Receiver(since=receiver.cursor, routing_key="task.succeeded")
    results = []
    rest.handlers = {"*": lambda event: results.append(event["result"])}
    rest.capture(limit=1, timeout=PATIENCE, wakeup=False)
    assert results == ["2"]
    oldest = app.events.Receiver(since=OLDEST)
    oldest.capture(limit=1, timeout=PATIENCE, wakeup=False)
    assert oldest.cursor <= now or now == 0


def test_the_switch_holds_for_workers_that_start_later(app, workers, telling, queue):
    answer = app.control.enable_events(reply=True, timeout=10)
    assert {"ok": "task events already enabled"} in [one.get(telling.name) for one in answer]
    try:
        late = workers("late", queues=[queue])
        receiver = app.events.Receiver(routing_key="worker.#")
        state = app.events.State()
        receiver.handlers = {"*": state.event}
        it = receiver.itercapture(limit=200, timeout=PATIENCE)
        while late.name not in state.workers:
            next(it)
        late.stop()
    finally:
        app.control.disable_events(reply=True, timeout=10)
        app.control.enable_events(destination=[telling.name], reply=True, timeout=10)


def test_custom_events_and_task_sent(app, now):
    app.conf.task_send_sent_event = True
    try:
        with app.events.default_dispatcher(hostname="me") as sender:
            sender.send("order-paid", order=7)
        handle = suite.add.apply_async((1, 2), queue="nobody-listens", countdown=60)
    finally:
        app.conf.task_send_sent_event = False
    events = read(app, now, "task-sent")
    paid = next(event for event in events if event["type"] == "order-paid")
    assert (paid["order"], paid["hostname"]) == (7, "me")
    assert (events[-1]["uuid"], events[-1]["name"], events[-1]["queue"]) == (
        handle.id,
        suite.add.name,
        "nobody-listens",
    )
    handle.revoke()


def test_the_calls_of_a_group_are_told_as_sent(app, now):
    app.conf.task_send_sent_event = True
    try:
        calls = [suite.add.s(number, 1).set(queue="nobody-listens", countdown=60) for number in range(2)]
        sent = group(calls).apply_async()
    finally:
        app.conf.task_send_sent_event = False
    receiver = app.events.Receiver(since=now)
    told = []
    for event in receiver.itercapture(limit=50, timeout=PATIENCE, wakeup=False):
        told += [event["uuid"]] if event["type"] == "task-sent" else []
        if len(told) == 2:
            break
    assert told == [one.id for one in sent]
    sent.revoke()


def test_task_sent_of_many_calls(app, now):
    app.conf.task_send_sent_event = True
    try:
        bulk = suite.add.bulk([(1, 2), (3, 4)], queue="nobody-listens", countdown=60)
        members = group(suite.add.s(5, 6), suite.add.s(7, 8)).apply_async(queue="nobody-listens", countdown=60)
    finally:
        app.conf.task_send_sent_event = False
    page = app.client.transport.call("events_read", now, 100, 0)[1]
    told = {event["uuid"]: event for event in map(unpack, (bytes(data) for _, data in page)) if "uuid" in event}
    sent = [*bulk.ids, *(one.id for one in members)]
    assert [told[one]["args"].strip("()[]") for one in sent] == ["1, 2", "3, 4", "5, 6", "7, 8"]
    assert {told[one]["type"] for one in told} == {"task-sent"}
    bulk.revoke()
    members.revoke()


def test_the_command(command, telling, now):
    suite.add.apply_async((20, 22), queue="telling").get(timeout=PATIENCE)
    words = ("events", "--since", str(now), "--type", "task.#", "-n", "3", "--timeout", "30")
    ended = command(*words, "--json")
    assert ended.returncode == 0, ended.stderr
    lines = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [line["type"] for line in lines] == ["task-received", "task-started", "task-succeeded"]
    text = command(*words).stdout
    assert "task-succeeded" in text
    assert "result=42" in text
