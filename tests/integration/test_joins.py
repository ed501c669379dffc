"""Tasks that wait for others, and tasks that are promised before there is a call: on a real node, with real workers."""

from __future__ import annotations

import uuid

import pytest
import suite_tasks as tasks

from ignitetasks import AsyncResult
from ignitetasks.message import PROMISED, Group, Template, encode_body


@pytest.fixture
def send(app, worker):
    """Sends calls of ``mark`` by id, with fields of the template."""

    def send(ids, label, **fields):
        template = Template(tasks.mark.name, "celery", **fields)
        items = [(task_id, encode_body(app.client.codecs, template.task, (label,), {}), None) for task_id in ids]
        return app.client.transport.submit([Group(template, items)]).created

    return send


def new_ids(count):
    """Ids that live together: their last four digits are the same."""
    return [f"{str(uuid.uuid4())[:32]}0a0b" for _ in range(count)]


def test_a_task_that_waits_for_others_runs_after_the_last_of_them(app, node, send, label, log, door):
    body, *members = new_ids(40)
    assert send([body], label + "-body", join_size=40) == 1
    assert send(members, label, join_id=body) == 39
    for member in members:
        AsyncResult(member, app=app).get(timeout=30)
    assert node.record(body)["state"] == 0
    template = Template(tasks.gate.name, "celery", join_id=body)
    (last,) = new_ids(1)
    call = encode_body(app.client.codecs, template.task, (label, str(door)), {})
    app.client.transport.submit([Group(template, [(last, call, None)])])
    assert node.record(body)["state"] == 0
    door.touch()
    AsyncResult(body, app=app).get(timeout=30)
    assert node.record(last)["state"] == 3
    assert log.count(label + "-body") == 1


def test_a_promised_task_runs_when_its_call_comes(app, node, send, label, log):
    (task_id,) = new_ids(1)
    waiting = AsyncResult(task_id, app=app)
    assert send([task_id], label, join_size=PROMISED) == 1
    assert not waiting.ready()
    assert send([task_id], label + "-call") == 1
    waiting.get(timeout=30)
    assert (log.count(label), log.count(label + "-call")) == (0, 1)
