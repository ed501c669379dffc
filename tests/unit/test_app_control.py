"""`app.control` and `Inspect` against a transport that answers like a node with two workers."""

from __future__ import annotations

import signal
import time
import warnings
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from ignitetasks import IgniteTasks, exceptions
from ignitetasks.app.control import Control, DuplicateNodenameWarning, Inspect, flatten_reply
from ignitetasks.envelope import attach
from ignitetasks.errors import IgniteTasksError, RequestError
from ignitetasks.message import encode_body, encode_call_options
from ignitetasks.serializers import Codecs

CODECS = Codecs(("msgpack",))
WORKERS = {"w1@a": ["celery", "mail"], "w2@b": ["celery"]}


class Node:
    """Answers `call` and notes what was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[Any, ...]] = []
        self.sent: list[tuple[str, dict[str, Any], Any, int, int]] = []
        self.answers: dict[str, Any] = {}
        self.rows: list[list[Any]] = []
        self.records: dict[str, dict[str, Any]] = {}
        self.purges = [2, 1, 0]

    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        self.asked.append((op, *args))
        return getattr(self, f"_{op}")(*args)

    def _control(self, command: str, body: bytes, names: Any, timeout_ms: int, limit: int) -> Any:
        self.sent.append((command, CODECS.decode(body)[1], names, timeout_ms, limit))
        if not timeout_ms:
            return []
        chosen = WORKERS if names is None else [name for name in WORKERS if name in names]
        answer = self.answers.get(command, {"ok": "pong"})
        return [[name, CODECS.encode(answer)] for name in chosen]

    def _status(self) -> Any:
        return {"workers": [{"name": name, "queues": queues} for name, queues in WORKERS.items()]}

    def _revoke(self, ids: list[str], terminate: bool, signal: str) -> list[int]:
        return [-1 if one.startswith("unknown") else 5 for one in ids]

    def _purge(self, queue: str | None) -> int:
        return self.purges.pop(0)

    def _scan(self, cursor: str | None, limit: int) -> Any:
        half = len(self.rows) // 2
        return ("next", self.rows[:half]) if cursor is None else (None, self.rows[half:])

    def _info(self, ids: list[str]) -> Any:
        return [self.records.get(one) for one in ids]

    def _kv_get(self, *_: Any) -> Any:
        return None

    def _kv_put(self, *_: Any) -> Any:
        return [True, 1]

    def _rates_changed(self) -> None:
        return

    def close(self) -> None:
        return


@pytest.fixture
def node() -> Node:
    return Node()


@pytest.fixture
def app(node: Node) -> IgniteTasks:
    made = IgniteTasks("control-tests")
    made.use_transport(node)  # type: ignore[arg-type]
    return made


def row(task_id: str, state: int = 0, queue: str = "celery", eta_ms: int = 0) -> list[Any]:
    return [task_id, "shop.add", queue, state, 0, 0, eta_ms, 0, 0, 0, 0, None, None, 0, None, None, None]


def record(task_id: str, **changes: Any) -> dict[str, Any]:
    body = encode_body(CODECS, "shop.add", (1, 2), {})
    return {"id": task_id, "task": "shop.add", "queue": "celery", "state": 0, "body": body, "flags": 0, **changes}


def test_ping_has_both_of_celerys_shapes(app: IgniteTasks, node: Node) -> None:
    assert app.control.ping() == [{"w1@a": {"ok": "pong"}}, {"w2@b": {"ok": "pong"}}]
    assert app.control.ping(destination=["w2@b"], timeout=0.5) == [{"w2@b": {"ok": "pong"}}]
    assert app.control.inspect().ping() == {"w1@a": {"ok": "pong"}, "w2@b": {"ok": "pong"}}
    assert app.control.inspect().ping(destination=["w1@a"]) == {"w1@a": {"ok": "pong"}}
    assert app.control.inspect(destination="w1@a").ping() == {"ok": "pong"}
    assert [one[2:4] for one in node.sent[:2]] == [(None, 1000), (["w2@b"], 500)]


def test_nobody_answered_is_none(app: IgniteTasks) -> None:
    assert app.control.inspect(destination=["nobody"]).ping() is None
    assert app.control.inspect(pattern="x*").ping() is None
    assert app.control.broadcast("ping", reply=True, pattern="nobody*") == []


def test_broadcast_without_reply_returns_at_once(app: IgniteTasks, node: Node) -> None:
    assert app.control.broadcast("custom", {"a": 1}, b=2) is None
    assert node.sent == [("custom", {"a": 1, "b": 2}, None, 0, 10_000)]


def test_limit_and_callback(app: IgniteTasks, node: Node) -> None:
    seen: list[Any] = []
    assert app.control.broadcast("ping", reply=True, limit=1, callback=seen.append) == [{"w1@a": {"ok": "pong"}}]
    assert seen == [{"w1@a": {"ok": "pong"}}]
    assert node.sent[0][4] == 1


@pytest.mark.parametrize(
    ("pattern", "matcher", "expected"),
    [("w1*", None, ["w1@a"]), ("*@b", "glob", ["w2@b"]), ("w[12]@", "pcre", ["w1@a", "w2@b"])],
)
def test_pattern_chooses_before_anything_is_sent(
    app: IgniteTasks, node: Node, pattern: str, matcher: str | None, expected: list[str]
) -> None:
    app.control.pool_grow(2, pattern=pattern, matcher=matcher)
    assert node.sent == [("pool_grow", {"n": 2}, expected, 0, 10_000)]


def test_wrong_destination_matcher_and_signal(app: IgniteTasks) -> None:
    with pytest.raises(RequestError, match="matcher must be"):
        app.control.broadcast("ping", pattern="x", matcher="soundex")
    with pytest.raises(RequestError, match="destination must be a list"):
        app.control.broadcast("ping", destination=7)  # type: ignore[arg-type]
    with pytest.raises(RequestError, match="no signal 'SIGNOTHING'"):
        app.control.revoke("a", signal="SIGNOTHING")
    with pytest.raises(IgniteTasksError, match="idempotency_key"):
        app.control.election("id", "topic")
    with pytest.raises(RequestError, match="needs an application"):
        Inspect()


@pytest.mark.parametrize(
    ("call", "command", "arguments"),
    [
        (lambda c: c.pool_shrink(3), "pool_shrink", {"n": 3}),
        (lambda c: c.autoscale(8, 2), "autoscale", {"max": 8, "min": 2}),
        (lambda c: c.shutdown(), "shutdown", {}),
        (lambda c: c.heartbeat(), "heartbeat", {}),
        (
            lambda c: c.pool_restart(["m"], reload=True),
            "pool_restart",
            {"modules": ["m"], "reload": True, "reloader": None},
        ),
        (lambda c: c.time_limit("t", soft=1, hard=2), "time_limit", {"task_name": "t", "soft": 1, "hard": 2}),
        (
            lambda c: c.add_consumer("q", exchange="e"),
            "add_consumer",
            {"queue": "q", "exchange": "e", "exchange_type": "direct", "routing_key": None},
        ),
        (lambda c: c.cancel_consumer("q"), "cancel_consumer", {"queue": "q"}),
    ],
)
def test_commands_to_workers(app: IgniteTasks, node: Node, call: Any, command: str, arguments: dict[str, Any]) -> None:
    assert call(app.control) is None
    assert node.sent == [(command, arguments, None, 0, 10_000)]


@pytest.mark.parametrize(
    ("call", "command"),
    [
        (lambda i: i.active(safe=True), "active"),
        (lambda i: i.reserved(), "reserved"),
        (lambda i: i.registered("serializer"), "registered"),
        (lambda i: i.registered_tasks(), "registered"),
        (lambda i: i.stats(), "stats"),
        (lambda i: i.report(), "report"),
        (lambda i: i.active_queues(), "active_queues"),
        (lambda i: i.conf(with_defaults=True), "conf"),
        (lambda i: i.clock(), "clock"),
        (lambda i: i.memsample(), "memsample"),
        (lambda i: i.memdump(), "memdump"),
        (lambda i: i.objgraph(), "objgraph"),
    ],
)
def test_questions_to_workers(app: IgniteTasks, node: Node, call: Any, command: str) -> None:
    node.answers[command] = ["an answer"]
    assert call(app.control.inspect()) == {"w1@a": ["an answer"], "w2@b": ["an answer"]}
    assert node.sent[0][0] == command


def test_revoke_is_the_clusters(app: IgniteTasks, node: Node) -> None:
    assert app.control.revoke("a") is None
    assert app.control.revoke(UUID(int=7)) is None
    assert app.control.revoke(["a", "b"], reply=True)[0] == {"w1@a": {"ok": "tasks a, b flagged as revoked"}}
    answer = app.control.terminate(["a", "unknown1"], signal=signal.SIGKILL, reply=True, destination=["w2@b"])
    assert answer == [{"w2@b": {"ok": "terminate: a"}}]
    assert [one for one in node.asked if one[0] == "revoke"] == [
        ("revoke", ["a"], False, "SIGTERM"),
        ("revoke", [str(UUID(int=7))], False, "SIGTERM"),
        ("revoke", ["a", "b"], False, "SIGTERM"),
        ("revoke", ["a", "unknown1"], True, "SIGKILL"),
    ]
    assert node.sent == []


def test_purge_goes_on_until_nothing_is_left(app: IgniteTasks) -> None:
    assert app.control.purge() == 3


def test_a_revoke_of_nothing_is_no_error(app: IgniteTasks, node: Node) -> None:
    for nothing in ("", [], [""]):
        assert app.control.revoke(nothing) is None


def test_revoked_lists_the_records_that_are_revoked(app: IgniteTasks, node: Node) -> None:
    node.rows = [row("a"), row("b", 5), row("c", 3), row("d", 5)]
    assert app.control.inspect().revoked() == {"w1@a": ["b", "d"], "w2@b": ["b", "d"]}


def test_scheduled_lists_the_soonest_by_queue(app: IgniteTasks, node: Node) -> None:
    soon = int(time.time() * 1000) + 60_000
    node.rows = [
        row("late", eta_ms=soon + 1),
        row("now"),
        row("soon", eta_ms=soon),
        row("over", 3, eta_ms=soon),
        row("mail", 0, "mail", soon + 2),
        row("past", 0, "celery", 1),
    ]
    etas = {"late": (soon + 1, "celery"), "soon": (soon, "celery"), "mail": (soon + 2, "mail")}
    node.records = {one: record(one, eta_ms=eta, queue=queue, priority=7) for one, (eta, queue) in etas.items()}
    answer = app.control.inspect().scheduled()
    ids = {name: [one["request"]["id"] for one in found] for name, found in answer.items()}
    assert ids == {"w1@a": ["soon", "late", "mail"], "w2@b": ["soon", "late"]}
    first = answer["w2@b"][0]
    assert first["priority"] == 7
    assert first["eta"].endswith("+00:00")
    assert (first["request"]["args"], first["request"]["kwargs"]) == ([1, 2], {})
    assert first["request"]["delivery_info"]["routing_key"] == "celery"


def test_query_task_asks_workers_first_and_the_ledger_for_the_rest(app: IgniteTasks, node: Node) -> None:
    node.answers["query_task"] = {"held": ["active", {"id": "held"}]}
    node.records = {
        "eta": record("eta", eta_ms=int(time.time() * 1000) + 9000, queue="mail"),
        "over": record("over", state=3),
    }
    answer = app.control.inspect().query_task("held", "eta", "over", "unknown")
    assert answer["w2@b"] == {"held": ["active", {"id": "held"}]}
    assert answer["w1@a"]["eta"][0] == "scheduled"
    assert set(answer["w1@a"]) == {"held", "eta"}
    assert app.control.inspect().query_task(["held"])["w2@b"] == {"held": ["active", {"id": "held"}]}


def test_revoke_by_stamped_headers(app: IgniteTasks, node: Node) -> None:
    def stamped(task_id: str, **stamps: Any) -> dict[str, Any]:
        return record(task_id, options=attach(CODECS, encode_call_options({"a": "header"}), {"S": stamps}))

    node.rows = [row("a"), row("b"), row("c"), row("d", 3)]
    node.records = {"a": stamped("a", job=["x", "y"]), "b": stamped("b", job="z"), "c": record("c")}
    app.control.revoke_by_stamped_headers({"job": "x"}, terminate=True)
    app.control.broadcast("revoke_by_stamped_headers", {"headers": ["job=z"]})
    assert [one for one in node.asked if one[0] == "revoke"] == [
        ("revoke", ["a"], True, "SIGTERM"),
        ("revoke", ["b"], False, "SIGTERM"),
    ]


def test_a_revoke_by_stamp_is_answered_as_celery_does(app: IgniteTasks, node: Node) -> None:
    def answer(**options: Any) -> Any:
        return app.control.revoke_by_stamped_headers({"job": ["x"]}, reply=True, **options)[0]["w1@a"]["ok"]

    assert answer() == "headers {'job': ['x']} flagged as revoked, but not terminated"
    assert answer(terminate=True) == "headers {'job': ['x']} were not terminated"
    node.rows = [row("a")]
    node.records = {"a": record("a", options=attach(CODECS, None, {"S": {"job": "x"}}))}
    assert answer(terminate=True) == "headers {'job': ['x']} revoked"


def test_rate_limits_are_the_clusters(app: IgniteTasks, node: Node) -> None:
    answer = app.control.rate_limit("shop.add", "10/m", reply=True)
    assert answer == [{name: {"ok": "new rate limit set successfully"}} for name in WORKERS]
    answer = app.control.rate_limit("shop.add", 0, reply=True, destination=["w1@a"])
    assert answer == [{"w1@a": {"ok": "rate limit disabled successfully"}}]
    assert "Invalid rate limit" in app.control.rate_limit("shop.add", "often", reply=True)[0]["w1@a"]["error"]
    puts = [one[1:4] for one in node.asked if one[0] == "kv_put"]
    assert puts == [("rate", "shop.add", b"10/m"), ("rate", "shop.add", b"")]
    assert [one[0] for one in node.asked].count("rates_changed") == 2
    with pytest.raises(RequestError, match="needs the name of a task"):
        app.control.broadcast("rate_limit", {"rate_limit": "1/s"})
    with pytest.raises(RequestError, match="'often' is not such as"):
        app.control.rate_limit("shop.add", "often", destination=["nobody"])  # who would say it otherwise?


def test_flatten_reply_warns_of_names_that_are_used_twice() -> None:
    with pytest.warns(DuplicateNodenameWarning, match="w1"):
        assert flatten_reply([{"w1": 1}, {"w1": 2}, {"w2": 3}]) == {"w1": 2, "w2": 3}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert flatten_reply([]) == {}


def test_control_is_made_for_its_app(app: IgniteTasks) -> None:
    assert isinstance(app.control, Control)
    assert app.control.app is app


def test_every_control_call_is_a_broadcast_that_a_mock_can_look_at(app: IgniteTasks) -> None:
    app.control.broadcast = Mock(return_value=[])  # type: ignore[method-assign]
    told = app.control.broadcast
    app.control.add_consumer("mail", destination=["w1@a"], limit=3)
    consumer = {"queue": "mail", "exchange": None, "exchange_type": "direct", "routing_key": None}
    told.assert_called_with("add_consumer", arguments=consumer, destination=["w1@a"], limit=3)
    app.control.revoke("one", terminate=True, signal="KILL")
    told.assert_called_with(
        "revoke", arguments={"task_id": "one", "terminate": True, "signal": "KILL"}, destination=None
    )
    app.control.revoke(one for one in ("a", "b"))
    assert told.call_args.kwargs["arguments"]["task_id"] == ["a", "b"]
    app.control.pool_restart()
    told.assert_called_with(
        "pool_restart", arguments={"modules": None, "reload": False, "reloader": None}, destination=None
    )
    app.control.ping(destination=["w1@a"])
    told.assert_called_with("ping", arguments={}, destination=["w1@a"], timeout=1.0, reply=True)
    app.control.inspect(timeout=2).active(safe=True)
    assert told.call_args.args == ("active",)
    assert told.call_args.kwargs["arguments"] == {"safe": True} and told.call_args.kwargs["timeout"] == 2


def test_the_warning_of_a_name_used_twice_is_one_class_wherever_it_is_imported_from() -> None:
    assert exceptions.DuplicateNodenameWarning is DuplicateNodenameWarning
