"""Remote control and events of an application whose home is in memory: the same words, the same shapes."""

from __future__ import annotations

import pytest

from ignitetasks import IgniteTasks
from ignitetasks.events import OLDEST


@pytest.fixture
def app():
    made = IgniteTasks("memory-control", transport="memory")

    @made.task(name="add")
    def add(x, y):
        return x + y

    yield made
    made.close()


def test_a_worker_in_memory_is_asked_told_and_heard(app):
    add = app.tasks["add"]
    with app.local_worker(2, pool="threads"):
        assert add.delay(1, 2).get(timeout=20) == 3
        ask = app.control.inspect(timeout=20)
        ((name, pong),) = ask.ping().items()
        assert pong == {"ok": "pong"}
        assert ask.stats()[name]["total"] == {"add": 1}
        assert ask.active() == ask.reserved() == ask.scheduled() == {name: []}
        assert app.control.enable_events(reply=True, timeout=20) == [{name: {"ok": "task events enabled"}}]
        add.delay(3, 4).get(timeout=20)
        types = []
        receiver = app.events.Receiver(since=OLDEST, routing_key="task.#")
        receiver.handlers = {"*": lambda event: types.append(event["type"])}
        receiver.capture(limit=3, timeout=20, wakeup=False)
        assert types == ["task-received", "task-started", "task-succeeded"]


def test_a_worker_may_take_no_remote_control(app):
    app.conf.worker_enable_remote_control = False
    with app.local_worker(1, pool="threads"):
        assert app.tasks["add"].delay(1, 2).get(timeout=20) == 3
        assert app.control.inspect(timeout=20).ping() is None
        assert app.control.pool_grow(1, reply=True, timeout=20) == []
