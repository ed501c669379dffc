"""A call to the gateway that is cut at any point ends well, by a typed error, or by "unknown"; never by two records."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from support import EmbeddedNode, Processes, start_worker
from tcp_proxy import Cut, Proxy

from ignitetasks import IgniteTasks
from ignitetasks.errors import NotConnected, OutcomeUnknown
from ignitetasks.jvm import find
from ignitetasks.transport.gateway import GatewayTransport
from ignitetasks.transport.retrying import RetryingTransport

pytestmark = pytest.mark.timeout(120)

_STEP = 4
_CALL_SECONDS = 10.0


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with EmbeddedNode(tmp_path_factory.mktemp("cuts") / "data", heap_mb=256) as one:
        yield one


@pytest.fixture
def proxy(node):
    connection = find(node.settings)
    one = Proxy(connection.host, connection.port)
    yield one
    one.close()


def _app(node, proxy, call_seconds=_CALL_SECONDS):
    settings = replace(node.settings, call_timeout_seconds=call_seconds)

    def through_proxy(_settings):
        return replace(find(node.settings), port=proxy.port)

    app = IgniteTasks("cuts", settings=settings)
    transport = RetryingTransport(GatewayTransport(settings, connect=through_proxy), call_seconds)
    app.use_transport(transport)
    return app


def _records(node):
    """Returns how many records each queue has, as the ledger has them."""
    queues: Counter[str] = Counter()
    cursor = ""
    while cursor is not None:
        cursor, rows = node.call("scan", cursor or None, 1_000)
        queues.update(row[2] for row in rows)
    return queues


def _cuts(proxy, app):
    """Returns every point at which a submit is cut: between any two bytes of the answer, every few of the request."""
    proxy.arm("submit", None)
    app.send_task("cuts.measure", queue="measure")
    requests = sorted({*range(0, proxy.request_size, _STEP), proxy.request_size - 1, proxy.request_size})
    return [Cut("request", after) for after in requests] + [Cut("answer", at) for at in range(proxy.answer_size)]


def test_a_cut_call_is_repeated_and_makes_one_record(node, proxy):
    app = _app(node, proxy)
    cuts = _cuts(proxy, app)
    assert len(cuts) > 50
    results = []
    for index, cut in enumerate(cuts):
        proxy.arm("submit", cut)
        results.append(app.send_task("cuts.none", (index,), queue=f"repeated-{index}"))
    records = _records(node)
    assert {name: count for name, count in records.items() if name.startswith("repeated-")} == {
        f"repeated-{index}": 1 for index in range(len(cuts))
    }
    assert all(record is not None for record in node.call("info", [result.id for result in results]))
    app.close()


def test_a_cut_call_that_is_not_repeated_says_what_is_known(node, proxy):
    app = _app(node, proxy)
    outcomes = []
    for index, cut in enumerate(_cuts(proxy, app)):
        proxy.arm("submit", cut)
        try:
            app.send_task("cuts.none", (index,), queue=f"once-{index}", idempotency_key=f"once-{index}", retry=False)
            outcomes.append("ok")
        except NotConnected:
            outcomes.append("surely not")
        except OutcomeUnknown:
            outcomes.append("unknown")
    records = _records(node)
    for index, outcome in enumerate(outcomes):
        allowed = {"ok": {1}, "surely not": {0}, "unknown": {0, 1}}[outcome]
        assert records[f"once-{index}"] in allowed, (index, outcome)
    assert "unknown" in outcomes
    # The same key settles every one of them.
    for index in range(len(outcomes)):
        app.send_task("cuts.none", (index,), queue=f"once-{index}", idempotency_key=f"once-{index}")
    records = _records(node)
    assert all(records[f"once-{index}"] == 1 for index in range(len(outcomes)))
    app.close()


def test_a_bulk_of_calls_that_all_differ_in_their_options(node):
    """Each is a group of its own on the wire, and a call carries only so many."""
    app = IgniteTasks("cuts", settings=node.settings)
    calls = [app.signature("cuts.none", (n,), queue="options", priority=n % 200) for n in range(2_500)]
    assert len(set(app.bulk(calls).ids)) == len(calls)
    assert _records(node)["options"] == len(calls)
    app.close()


@pytest.mark.parametrize("cut", [Cut("answer", pieces=1), Cut("request", pieces=7)], ids=["answer", "request"])
def test_a_call_in_small_pieces_is_whole(node, proxy, cut):
    app = _app(node, proxy)
    proxy.arm("submit", cut)
    queue = f"pieces-{cut.side}"
    assert app.send_task("cuts.none", queue=queue).created
    assert _records(node)[queue] == 1
    app.close()


def test_an_answer_that_comes_too_late_is_unknown_and_one_record(node, proxy):
    app = _app(node, proxy, call_seconds=0.5)
    app.send_task("cuts.none", queue="late-before")
    proxy.arm("submit", Cut("answer", delay=2.0))
    with pytest.raises(OutcomeUnknown, match="same task id or idempotency key"):
        app.send_task("cuts.none", queue="late", idempotency_key="late", retry=False)
    other = _app(node, proxy)
    assert not other.send_task("cuts.none", queue="late", idempotency_key="late").created
    other.close()
    assert _records(node)["late"] == 1
    app.close()


def _points(proxy, op, call):
    """Returns some points at which a call can be cut, those around its ends among them."""
    proxy.arm(op, None)
    call()
    request, answer = proxy.request_size, proxy.answer_size
    return [
        *(Cut("request", after) for after in (0, 9, request // 2, request - 1, request)),
        *(Cut("answer", at) for at in (0, 1, answer // 2, answer - 1)),
    ]


def test_an_event_whose_call_is_cut_is_told_once(node, proxy):
    app = _app(node, proxy)
    with app.events.default_dispatcher() as sender:
        cuts = _points(proxy, "events_append", lambda: sender.send("cut-measure"))
        receiver = app.events.Receiver(since=node.call("events_read", -1, 1, 0)[0])
        for index, cut in enumerate(cuts):
            proxy.arm("events_append", cut)
            sender.send("cut-here", index=index)
    seen = [event["index"] for event in receiver.itercapture(limit=len(cuts), timeout=10)]
    assert seen == list(range(len(cuts)))
    assert node.call("events_read", receiver.cursor, 10, 0)[1] == []
    app.close()


def test_a_command_whose_call_is_cut_is_run_once(node, proxy, place):
    processes = Processes(place, node.env)
    try:
        start_worker(processes, node.status, "chaos_app", name="cut", path=[Path(__file__).parent], concurrency=1)
        app = _app(node, proxy)

        def grow():
            return app.control.pool_grow(1, reply=True, timeout=20)

        cuts = _points(proxy, "control", grow)
        for cut in cuts:
            proxy.arm("control", cut)
            assert list(grow()[0]["cut"]) == ["ok"]
        assert app.control.inspect(timeout=20).stats()["cut"]["pool"]["max-concurrency"] == 2 + len(cuts)
        app.close()
    finally:
        processes.stop_all()
