"""Blocks of Celery's user guide about routing, signals and monitoring, as a project that moves here has them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from ignitetasks import IgniteTasks, planning, registry, signals
from ignitetasks.app import default_app, logsetup
from ignitetasks.app.connections import Connection
from ignitetasks.app.queues import Exchange, Queue, binding
from ignitetasks.errors import ConfigurationError, NodeError, NotRegistered
from ignitetasks.utils import nodesplit
from ignitetasks.utils.time import adjust_timestamp, utcoffset
from ignitetasks.worker import lifecycle
from ignitetasks.worker.main import make_plan


@pytest.fixture
def app() -> Iterator[IgniteTasks]:
    made = IgniteTasks("guide", transport="memory")

    @made.task(name="guide.add")
    def add(x: int, y: int) -> int:
        return x + y

    yield made
    made.close()


@pytest.fixture
def connected() -> Iterator[Any]:
    """Connects receivers, and lets them go at the end."""
    links: list[tuple[Any, Any]] = []

    def connect(signal: Any, receiver: Any) -> None:
        links.append((signal, receiver))
        signal.connect(receiver, weak=False)

    yield connect
    for signal, receiver in links:
        signal.disconnect(receiver)


def test_a_monitor_gets_its_connection(app: IgniteTasks) -> None:
    with app.connection() as connection:
        receiver = app.events.Receiver(connection, handlers={})
        assert receiver.connection is connection
        assert connection.ensure_connection(max_retries=1).connected
        assert not connection.channel_errors
    assert not connection.connected
    with app.connection_for_read() as one, app.connection_or_acquire(one) as same:
        assert same is one
    assert isinstance(app.connection_for_write().clone(), Connection)
    with pytest.raises(AttributeError, match="there is no message broker, so no channel"):
        _ = connection.default_channel


def test_a_node_that_cannot_be_reached(tmp_path: Any) -> None:
    heard: list[Exception] = []
    with IgniteTasks("far", data_dir=tmp_path, java="/nothing/here") as far, far.connection() as connection:
        assert connection.as_uri() == f"ignite://{tmp_path}"
        with pytest.raises(NodeError) as caught:
            connection.ensure_connection(errback=lambda error, _pause: heard.append(error))
    assert heard == [caught.value]
    assert isinstance(caught.value, Connection.connection_errors)


def test_a_router_names_an_exchange_as_the_guide_does(app: IgniteTasks) -> None:
    def route_task(name: str, args: Any, kwargs: Any, options: Any, task: Any = None, **kw: Any) -> Any:
        return {"exchange": "video", "exchange_type": "topic", "routing_key": "video.compress"}

    app.conf.task_routes = (route_task,)
    assert app.send_task("guide.add", (1, 2)).queue == "celery"


def test_a_child_tells_whose_it_is(app: IgniteTasks) -> None:
    told: list[Any] = []

    def hear(sender: Any = None, **_: Any) -> None:
        told.append(sender)

    for signal in (signals.worker_process_init, signals.worker_process_shutdown):
        signal.connect(hear, sender="db@example.com", weak=False)
    try:
        for name in ("db@example.com", "other@example.com"):
            lifecycle.child_started(app, name)
            lifecycle.child_ended(name)
    finally:
        for signal in (signals.worker_process_init, signals.worker_process_shutdown):
            signal.disconnect(hear, sender="db@example.com")
    assert told == ["db@example.com"] * 2


def test_who_sets_up_logging_is_told_the_file(app: IgniteTasks, connected: Any, tmp_path: Path) -> None:
    told: list[Any] = []
    connected(signals.setup_logging, lambda loglevel=None, logfile=None, **_: told.append((loglevel, logfile)))
    with open(tmp_path / "w.log", "w") as stream:
        assert logsetup.set_up(app, "info", None, stream)
    assert told == [(20, str(tmp_path / "w.log"))]


def test_a_routing_key_finds_its_queue(app: IgniteTasks) -> None:
    media, kinds = Exchange("media"), Exchange("kinds", type="topic")
    app.conf.task_queues = (
        Queue("default", Exchange("default"), routing_key="default"),
        Queue("videos", media, routing_key="media.video"),
        Queue("both", [binding(media, routing_key="media.image"), binding(media, "media.sound")]),
        Queue("feed", routing_key="feed.#"),
        Queue("small", kinds, routing_key="*.small"),
        Queue("rest", kinds, routing_key="#.rest.*"),
    )
    app.conf.task_default_queue = "default"

    def queue(**options: Any) -> str | None:
        return app.send_task("guide.add", (1, 2), **options).queue

    assert queue(exchange="media", routing_key="media.video") == queue(routing_key="media.video") == "videos"
    assert queue(exchange=media, routing_key="media.sound") == "both"
    assert queue(routing_key="feed.import.now") == queue(routing_key="feed") == "feed"
    assert queue(exchange="kinds", routing_key="image.small") == "small"
    assert queue(exchange="kinds", routing_key="a.b.rest.c") == queue(routing_key="rest.x") == "rest"
    assert queue(exchange="kinds", routing_key="media.video") == queue(routing_key="a.b.small") == "default"
    assert queue(queue="feed", exchange="media", routing_key="media.video") == "feed"
    app.conf.task_routes = {"guide.*": {"exchange": "media", "exchange_type": "direct", "routing_key": "media.image"}}
    assert queue() == "both"


def test_an_exchange_beside_a_queue_is_not_worth_a_word(app: IgniteTasks, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "_explained", set())
    app.send_task("guide.add", (1, 2), queue="feed_tasks", exchange="feeds", routing_key="feed.import")
    assert planning._explained == set()
    app.send_task("guide.add", (1, 2), routing_key="feed.import")
    assert planning._explained == {"routing_key"}


def test_a_queue_for_all_workers_is_refused(app: IgniteTasks) -> None:
    class Broadcast(Queue):
        """Stands for that of kombu."""

    app.conf.task_queues = (Broadcast("tell_all"),)
    with pytest.raises(ConfigurationError, match="'tell_all' is a Broadcast, and a task is given to one worker"):
        _ = app.amqp.queues


def test_a_worker_gets_a_queue_of_its_own(app: IgniteTasks, connected: Any) -> None:
    connected(
        signals.celeryd_after_setup,
        lambda sender, instance, **_: instance.app.amqp.queues.select_add(f"{sender}.dq"),
    )
    plan = make_plan(app, name="w1@h", queues=["mail"])
    assert lifecycle.prepare(app, plan.name, asdict(plan)) == ("mail", "w1@h.dq")
    assert lifecycle.prepare(app, "w2@h", asdict(plan)) == ("mail", "w2@h.dq")


def test_a_task_that_no_worker_knows_is_told(app: IgniteTasks, connected: Any) -> None:
    heard: list[tuple[str, str, Any]] = []
    connected(signals.task_unknown, lambda name, id, exc, **_: heard.append((name, id, exc)))
    with app.local_worker(pool="threads"):
        sent = app.send_task("guide.nowhere")
        with pytest.raises(NotRegistered):
            sent.get(timeout=30)
        app.send_task("guide.add", (1, 2)).get(timeout=30)
        app.send_task("guide.add", (1, 2), priority=0).get(timeout=30)
    assert [(name, task_id) for name, task_id, _ in heard] == [("guide.nowhere", sent.id)]
    assert isinstance(heard[0][2], NotRegistered)


def test_a_task_of_events_knows_who_told_of_it(app: IgniteTasks) -> None:
    state = app.events.State()
    state.event({"type": "task-sent", "uuid": "u", "hostname": "gen1@h", "timestamp": 1.0, "name": "t"})
    assert state.tasks["u"].hostname == "gen1@h"
    state.event({"type": "task-started", "uuid": "u", "hostname": "w1@h", "timestamp": 2.0})
    assert (state.tasks["u"].hostname, state.tasks["u"].worker.hostname) == ("w1@h", "w1@h")


def test_small_helpers(app: IgniteTasks) -> None:
    app.set_default()
    app.set_current()
    assert registry.tasks["guide.add"].name == "guide.add"
    assert default_app.name == "guide"
    assert nodesplit("w1@host") == ("w1", "host")
    here = utcoffset()
    assert adjust_timestamp(7200.0, here) == 7200.0
    assert adjust_timestamp(7200.0, 2, lambda: 0) == 0.0
    assert adjust_timestamp(7200.0, -1, lambda: 0) == 10800.0
