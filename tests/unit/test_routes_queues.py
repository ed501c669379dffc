"""Where calls go: routes of every kind, queues as objects, what calls inherit, what has no meaning here."""

from __future__ import annotations

import logging
import re
from datetime import datetime, timezone

import pytest
from fakes import FakeTransport

from ignitetasks import IgniteTasks, context, planning
from ignitetasks.app.queues import Exchange, Queue
from ignitetasks.errors import ConfigurationError, InvalidOption, QueueNotFound

calls = []


def by_argument(name, args, kwargs, options, task=None, **kw):
    calls.append((name, args, kwargs, task))
    return {"queue": f"shard-{args[0] % 2}"} if args else None


class OldRouter:
    def route_for_task(self, task, args=None, kwargs=None):
        return "old" if task.startswith("old.") else None


class KombuQueue:
    def __init__(self, name, routing_key=""):
        self.name = name
        self.routing_key = routing_key


@pytest.fixture
def transport():
    return FakeTransport()


@pytest.fixture
def app(transport):
    app = IgniteTasks("routes")

    def send(name, *args, **options):
        app.use_transport(transport)
        app.send_task(name, args, **options)
        return transport.node.templates[-1]

    app.send = send
    return app


@pytest.mark.parametrize(
    ("routes", "name", "queue"),
    [
        ({"shop.pay": {"queue": "pay"}}, "shop.pay", "pay"),
        ({"shop.pay": "pay"}, "shop.pay", "pay"),
        ({"shop.*": "shop", "*": "rest"}, "shop.pay", "shop"),
        ({"shop.*": "shop", "*": "rest"}, "mail", "rest"),
        ([("shop.*", "shop"), (re.compile(r"(video|image)\..*"), {"queue": "media"})], "image.cut", "media"),
        ([{"a": "x"}, {"b": "y"}], "b", "y"),
        (by_argument, "any", "shard-1"),
        (f"{__name__}.by_argument", "any", "shard-1"),
        ([f"{__name__}.OldRouter", {"*": "rest"}], "old.one", "old"),
        ([OldRouter(), {"*": "rest"}], "new.one", "rest"),
        ({"a": KombuQueue("object")}, "a", "object"),
        ({"a": {"queue": Queue("own")}}, "a", "own"),
        ({"other": "x"}, "unrouted", "celery"),
        (None, "unrouted", "celery"),
    ],
)
def test_routes(app, routes, name, queue):
    app.conf.task_routes = routes
    assert app.send(name, 3).queue == queue


def test_a_function_sees_the_call(app):
    app.conf.task_routes = (by_argument,)
    task = app.task(name="seen")(lambda x, y=0: x)
    app.use_transport(FakeTransport())
    assert task.delay(2, y=5).queue == "shard-0"
    assert task.delay(3).queue == "shard-1"
    assert calls[-2][1:] == ((2,), {"y": 5}, task)


def test_the_call_wins_over_the_task_and_that_over_the_route(app, transport):
    app.conf.task_routes = {"*": {"queue": "route", "priority": 4, "time_limit": 9}}
    app.use_transport(transport)
    task = app.task(name="t", queue="task")(lambda: 1)
    task.delay()
    task.apply_async(queue="call", priority=7)
    first, second = transport.node.templates
    assert (first.queue, first.priority, first.hard_ms) == ("task", 4, 9000)
    assert (second.queue, second.priority, second.hard_ms) == ("call", 7, 9000)
    app.conf.task_routes = None
    app.use_transport(transport)
    task.delay()
    assert transport.node.templates[-1].priority == 0


@pytest.mark.parametrize("routes", [{5: "x"}, "no.such.thing", 5])
def test_bad_routes_are_named(app, routes):
    app.conf.task_routes = routes
    with pytest.raises(ConfigurationError, match=r"task_routes|names nothing"):
        app.send("x")
    app.conf.task_routes = lambda *_, **__: 5
    with pytest.raises(ConfigurationError, match="must be a queue or a map"):
        app.send("x")


def test_queues_that_exist(app):
    app.conf.update(
        task_queues=[Queue("celery"), KombuQueue("mail", "mail.#"), Queue("x", Exchange("e"), routing_key="key")],
        task_create_missing_queues=False,
    )
    assert sorted(app.amqp.queues) == ["celery", "mail", "x"]
    assert app.send("a", queue="mail").queue == "mail"
    assert app.send("a", routing_key="key").queue == "x"
    with pytest.raises(QueueNotFound, match="'other' is missing from task_queues"):
        app.send("a", queue="other")
    app.conf.task_default_queue = "nowhere"
    with pytest.raises(QueueNotFound):
        app.send("b")


def test_the_view_of_queues(app):
    app.conf.task_queues = {"a": {"exchange": "a", "routing_key": "a.key"}, "b": None}
    queues = app.amqp.queues
    assert queues["a"].routing_key == "a.key" and queues["made"].name == "made"
    queues.select(["a", "new"])
    assert list(queues.consume_from) == ["a", "new"]
    queues.deselect("a")
    assert list(queues.consume_from) == ["new"]
    assert str(Queue("q")) == "q" and Queue("q") == KombuQueue("q") and len({Queue("q"), Queue("q")}) == 1
    app.conf.task_queues = ["a b"]
    with pytest.raises(ConfigurationError, match="task_queues"):
        _ = app.amqp
    assert IgniteTasks("plain").amqp.default_queue.name == "celery"


def test_priority_of_the_parent(app):
    app.conf.task_inherit_parent_priority = True
    token = context.enter(context.Request(id="p", priority=6, called_directly=False))
    try:
        assert app.send("child").priority == 6
        assert app.send("child", priority=2).priority == 2
    finally:
        context.leave(token)
    assert app.send("child").priority == 0


def test_root_and_parent_can_be_given(app):
    last = app.send("x", root_id="r", parent_id="p", group_id="g")
    assert (last.root_id, last.parent_id, last.group_id) == ("r", "p", "g")


def test_options_of_brokers_are_named_once(app, caplog, monkeypatch):
    monkeypatch.setattr(logging.getLogger("ignitetasks"), "propagate", True)
    monkeypatch.setattr(planning, "_explained", set())
    for _ in range(2):
        app.send("x", exchange="e", delivery_mode=1, add_to_parent=True, retry_policy={"max_retries": 5})
    lines = [one.getMessage() for one in caplog.records if "no effect" in one.getMessage()]
    assert len(lines) == 2 and any("no exchanges" in line for line in lines)
    with pytest.raises(InvalidOption, match="did you mean 'exchange'"):
        app.send("x", exchang="e")


def test_naive_times_are_of_the_apps_zone(app):
    app.conf.timezone = "Asia/Tokyo"
    due = app.send("x", eta=datetime(2050, 1, 1, 9)).eta_ms
    assert due == int(datetime(2050, 1, 1, tzinfo=timezone.utc).timestamp() * 1000)


def test_expiry_of_a_task(app, transport):
    app.use_transport(transport)
    app.task(name="t", expires=60)(lambda: 1).delay()
    assert transport.node.templates[-1].expires_ms > datetime.now(timezone.utc).timestamp() * 1000


def test_compressed_arguments(app, transport):
    app.use_transport(transport)
    handle = app.task(name="t", compression="gzip")(lambda text: 1).delay("x" * 20_000)
    body = transport.node.records[handle.id]["body"]
    assert len(body) < 500 and app.client.codecs.decode(body, "body:t") == [["x" * 20_000], {}]
    app.conf.task_compression = "lzma"
    app.use_transport(transport)
    handle = app.task(name="u")(lambda text: 1).delay("y" * 20_000)
    assert len(transport.node.records[handle.id]["body"]) < 500


def test_the_router_says_how_a_call_is_sent(app):
    app.conf.update(
        task_routes={"feed.*": "feeds", "web.*": {"queue": "web", "priority": 4}}, task_queues=["feeds", "web"]
    )
    route = app.amqp.router.route
    assert route({}, "feed.one")["queue"] is app.amqp.queues["feeds"]
    assert route({"priority": 9, "expires": None}, "web.one")["priority"] == 9
    assert route({"queue": "feeds"}, "web.one")["queue"].name == "feeds"
    assert route({}, "other")["queue"].name == app.conf.task_default_queue
    app.conf.task_queues = [Queue("feeds", routing_key="feed.#"), Queue("web")]
    assert app.amqp.router.route({"routing_key": "feed.x"}, "other")["queue"].name == "feeds"
    few = app.amqp.Router(app.amqp.Queues(["web"], create_missing=False))
    with pytest.raises(QueueNotFound):
        few.route({}, "feed.one")
    assert few.expand_destination("web")["queue"].name == "web"


def test_a_route_is_told_the_options_of_the_call(app):
    seen = []
    app.conf.task_routes = [lambda name, args, kwargs, options, task=None, **_: seen.append(dict(options))]
    app.send("t", priority=3, headers={"a": 1})
    assert seen == [{"priority": 3, "headers": {"a": 1}}]
