"""Remote control commands in a worker that is a list of notes."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from worker_app import PlainApp, make_app

from ignitetasks.message import BODY_REF, EARLY_ACK, encode_body
from ignitetasks.serializers import Codecs
from ignitetasks.worker.control import Panel, control_command, inspect_command, make_panel
from ignitetasks.worker.execute import WorkerShutdown
from ignitetasks.worker.main import make_plan
from ignitetasks.worker.panel import Holdings, InHand, decode, encode

CODECS = Codecs(("msgpack",))


class NotedWorker:
    """The port `Worker`, noting what commands do with it."""

    def __init__(self, app: PlainApp, **plan: Any) -> None:
        self.app = app
        self.plan = make_plan(app, **{"concurrency": 2, "name": "w1@host", "queues": ["a", "b"], **plan})
        self.started = time.monotonic() - 12
        self.autoscale: tuple[int, int] | None = None
        self.events_enabled = False
        self.holdings = Holdings((), {})
        self.done: list[Any] = []
        self.waiting: list[Callable[[Holdings], None]] = []
        self.answers_late = False

    def pids(self) -> list[int]:
        return [11, 12]

    def held(self, then: Callable[[Holdings], None]) -> None:
        if self.answers_late:
            self.waiting.append(then)
        else:
            then(self.holdings)

    def resize(self, by: int) -> int:
        if self.plan.concurrency + by < 1:
            raise ValueError("the pool has at least one process")
        self.plan = replace(self.plan, concurrency=self.plan.concurrency + by)
        return self.plan.concurrency

    def set_autoscale(self, most: int | None, least: int | None) -> tuple[int, int]:
        old = self.autoscale or (2, 2)
        self.autoscale = (most or old[0], least or old[1])
        return self.autoscale

    def restart_pool(self) -> None:
        self.done.append("restart")

    def listen(self, queues: Any) -> None:
        self.plan = replace(self.plan, queues=tuple(queues))

    def limit(self, task: str, soft: float | None, hard: float | None) -> None:
        self.done.append((task, soft, hard))

    def send_events(self, enabled: bool) -> bool:
        changed, self.events_enabled = self.events_enabled != enabled, enabled
        return changed

    def heartbeat(self, seconds: float, now: bool) -> None:
        self.done.append(("heartbeat", seconds, now))

    def event(self, type: str, fields: Mapping[str, Any]) -> None:
        self.done.append((type, dict(fields)))

    def shut_down(self) -> None:
        self.done.append("shut down")


@pytest.fixture
def worker(tmp_path: Path) -> NotedWorker:
    return NotedWorker(make_app(tmp_path))


@pytest.fixture
def run(worker: NotedWorker) -> Callable[..., Any]:
    panel = make_panel(worker)

    def ask(command: str, **arguments: Any) -> Any:
        answers: list[bytes] = []
        panel.handle(command, encode([b"", arguments]), answers.append)
        assert len(answers) == 1
        return CODECS.decode(answers[0])

    return ask


@pytest.fixture
def registry() -> Iterator[None]:
    """Forgets the commands a test registers."""
    data, meta = dict(Panel.data), dict(Panel.meta)
    yield
    for table, before in ((Panel.data, data), (Panel.meta, meta)):
        table.clear()
        table.update(before)


def hand(active: bool, task_id: str = "t1", **facts: Any) -> InHand:
    record = {
        "id": task_id,
        "task": "add",
        "body": encode_body(CODECS, "add", (1,), {"y": 2}),
        "flags": 0,
        "queue": "a",
        "priority": 3,
        "deliveries": 0,
        **facts,
    }
    return InHand(active, 1_700_000_000.5, 11, record)


def test_ping_and_unknown_commands(run: Any) -> None:
    assert run("ping") == {"ok": "pong"}
    assert "no such command: 'nothing'" in run("nothing")["error"]


def test_registered_with_and_without_items(run: Any, worker: NotedWorker) -> None:
    worker.app.task(len, max_retries=7)
    names = run("registered")
    assert names == sorted(names)
    assert "add" in names
    assert "len [max_retries=7]" in run("dump_tasks", taskinfoitems=["max_retries", "_hidden"])


def test_active_and_reserved(run: Any, worker: NotedWorker) -> None:
    worker.holdings = Holdings((hand(True, "t1"), hand(False, "t2", flags=EARLY_ACK, deliveries=1)), {})
    (active,), (reserved,) = run("active"), run("reserved")
    assert active == {
        "id": "t1",
        "name": "add",
        "args": [1],
        "kwargs": {"y": 2},
        "type": "add",
        "hostname": "w1@host",
        "time_start": 1_700_000_000.5,
        "acknowledged": False,
        "delivery_info": {"exchange": "", "routing_key": "a", "priority": 3, "redelivered": False},
        "worker_pid": 11,
    }
    assert (reserved["id"], reserved["time_start"], reserved["acknowledged"]) == ("t2", None, True)
    assert reserved["delivery_info"]["redelivered"] is True
    assert set(run("query_task", ids=["t2", "t9"])) == {"t2"}
    assert run("query_task", ids="t1")["t1"][0] == "active"


def test_arguments_that_cannot_be_shown(run: Any, worker: NotedWorker) -> None:
    worker.holdings = Holdings((hand(True, flags=BODY_REF), hand(True, "t2", body=b"?nonsense")), {})
    large, broken = run("active")
    assert large["args"] == "<kept beside the record>"
    assert "unknown encoding" in broken["args"]


def test_an_answer_may_come_later(worker: NotedWorker) -> None:
    worker.answers_late = True
    answers: list[bytes] = []
    make_panel(worker).handle("active", b"", answers.append)
    assert answers == []
    worker.waiting.pop()(Holdings((), {}))
    assert CODECS.decode(answers[0]) == []


def test_stats(run: Any, worker: NotedWorker) -> None:
    worker.holdings = Holdings((), {"add": 5})
    worker.autoscale = (4, 1)
    found = run("stats")
    assert found["total"] == {"add": 5}
    assert found["pid"] == os.getpid()
    assert found["uptime"] == 12
    assert found["prefetch_count"] == 2
    assert found["broker"]["transport"] == "ignite"
    assert (found["pool"]["max-concurrency"], found["pool"]["processes"]) == (2, [11, 12])
    assert found["rusage"]["maxrss"] > 1000
    assert found["autoscaler"] == {"max": 4, "min": 1, "current": 2}


def test_conf_hides_secrets(run: Any, worker: NotedWorker) -> None:
    worker.app.configure(signing_key=b"0123456789abcdef", heap_mb=300)
    found = run("conf")
    assert found["heap_mb"] == 300
    assert found["signing_key"] == "********"
    assert "namespace" not in found
    assert run("dump_conf", with_defaults=True)["namespace"] == "default"
    assert "0123456789abcdef" not in str(run("report"))
    assert "heap_mb: 300" in run("report")["ok"]


def test_active_queues_add_and_cancel(run: Any, worker: NotedWorker) -> None:
    assert run("add_consumer", queue="c", exchange="x") == {"ok": "add consumer c"}
    run("add_consumer", queue="c")
    assert worker.plan.queues == ("a", "b", "c")
    assert run("cancel_consumer", queue="a") == {"ok": "no longer consuming from a"}
    assert [(one["name"], one["exchange"]["type"], one["routing_key"]) for one in run("active_queues")] == [
        ("b", "direct", "b"),
        ("c", "direct", "c"),
    ]
    assert "not 'not a queue'" in run("add_consumer", queue="not a queue")["error"]


def test_pool_commands(run: Any, worker: NotedWorker) -> None:
    assert run("pool_grow", n=2) == {"ok": "pool will grow"}
    assert run("pool_shrink") == {"ok": "pool will shrink"}
    assert worker.plan.concurrency == 3
    assert run("pool_shrink", n=9) == {"error": "the pool has at least one process"}
    assert run("pool_restart") == {"ok": "reload started"}
    assert run("pool_restart", modules=["no_such_module"])["error"].startswith("ModuleNotFoundError")
    assert worker.done == ["restart"]


def test_autoscale_takes_the_pool_over(run: Any, worker: NotedWorker) -> None:
    assert run("autoscale", max=5, min=2) == {"ok": "autoscale now max=5 min=2"}
    assert run("pool_grow") == {"error": "pool_grow is not supported with autoscale. Adjust autoscale range instead."}
    assert worker.plan.concurrency == 2


def test_time_limit(run: Any, worker: NotedWorker) -> None:
    assert run("time_limit", task_name="add", soft=1, hard=2) == {"ok": "time limits set successfully"}
    assert run("time_limit", task_name="nobody") == {"error": "unknown task"}
    assert "must not be longer" in run("time_limit", task_name="add", soft=3, hard=2)["error"]
    assert worker.done == [("add", 1, 2)]


def test_events_shutdown_clock_and_what_is_gone(run: Any, worker: NotedWorker) -> None:
    assert run("enable_events") == {"ok": "task events enabled"}
    assert run("enable_events") == {"ok": "task events already enabled"}
    assert run("heartbeat") == {"ok": "heartbeat sent"}
    assert run("disable_events") == {"ok": "task events disabled"}
    assert run("shutdown") == {"ok": "shutting down"}
    assert worker.done == [("heartbeat", 0.0, True), "shut down"]
    assert run("clock")["clock"] > 1_700_000_000_000
    assert run("memsample").endswith("MB")
    for name in ("memdump", "objgraph", "election"):
        assert "has no meaning here" in run(name)["error"]


@pytest.mark.usefixtures("registry")
def test_custom_commands_as_celery_documents_them(run: Any, worker: NotedWorker) -> None:
    @control_command(args=[("n", int)], signature="[N=1]")
    def increase_prefetch_count(state: Any, n: int = 1) -> Any:
        """Increase it.

        Much more text.
        """
        state.consumer.qos.increment_eventually(n)

    @inspect_command(alias="prefetch")
    def current_prefetch_count(state: Any) -> Any:
        return {"prefetch_count": state.consumer.qos.value, "host": state.hostname, "app": state.app.name}

    @Panel.register
    def plain(state: Any) -> Any:
        state.consumer.pool.grow(1)
        state.consumer.call_soon(state.consumer.add_task_queue, "late")
        state.consumer.event_dispatcher.send("custom-thing", value=1)
        return {"ok": {object, 3}}

    @Panel.register(name="ends")
    def ends_worker(state: Any) -> Any:
        raise WorkerShutdown

    assert run("prefetch") == {"prefetch_count": 2, "host": "w1@host", "app": "testing"}
    assert "grow the pool instead" in run("increase_prefetch_count", n=2)["error"]
    assert run("plain")["ok"]
    assert worker.plan.concurrency == 3
    assert worker.plan.queues[-1] == "late"
    assert run("ends") == {"ok": "shutting down"}
    assert worker.done == [("custom-thing", {"value": 1}), "shut down"]
    info = Panel.meta["increase_prefetch_count"]
    assert (info.type, info.help, info.signature) == ("control", "Increase it.", "[N=1]")
    assert Panel.meta["current_prefetch_count"].type == "inspect"


@pytest.mark.usefixtures("registry")
def test_a_failing_command_is_an_answer(run: Any) -> None:
    @control_command()
    def breaks(state: Any) -> Any:
        raise KeyError("inside")

    assert run("breaks") == {"error": "KeyError('inside')"}
    assert run("breaks", unknown=1)["error"].startswith("TypeError")


def test_arguments_and_answers_as_bytes() -> None:
    assert decode(b"") == (b"", {})
    assert decode(encode([b"n", {"a": 1}])) == (b"n", {"a": 1})
    assert "object" in CODECS.decode(encode({"x": [object()], 1: 1 << 70}))["x"][0]


def test_a_call_that_comes_again_is_run_once_and_answered_twice(worker: NotedWorker) -> None:
    panel, size = make_panel(worker), worker.plan.concurrency
    answers: list[bytes] = []
    for _ in range(2):
        panel.handle("pool_grow", encode([b"call 1", {"n": 2}]), answers.append)
    assert len(answers) == 2 and answers[0] == answers[1]
    assert worker.plan.concurrency == size + 2
    panel.handle("pool_grow", encode([b"call 2", {"n": 2}]), answers.append)
    assert worker.plan.concurrency == size + 4


def test_what_only_looks_is_looked_at_again(worker: NotedWorker) -> None:
    panel = make_panel(worker)
    answers: list[bytes] = []
    panel.handle("active_queues", encode([b"call", {}]), answers.append)
    worker.listen(["elsewhere"])
    panel.handle("active_queues", encode([b"call", {}]), answers.append)
    assert answers[0] != answers[1]


def test_arguments_that_are_none_are_answered(worker: NotedWorker) -> None:
    answers: list[bytes] = []
    make_panel(worker).handle("ping", encode({"no": "call"}), answers.append)
    assert "error" in CODECS.decode(answers[0])
