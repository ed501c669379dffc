"""Log events and metrics."""

from __future__ import annotations

import io
import json
import logging

import pytest
from prometheus_client import CollectorRegistry

from ignitetasks import log, metrics


@pytest.fixture
def stream():
    root = logging.getLogger(log.ROOT)
    before = (list(root.handlers), root.level, root.propagate)
    yield io.StringIO()
    root.handlers[:], root.level, root.propagate = before
    root.setLevel(before[1])


def test_json_events_have_fixed_keys(stream):
    log.configure(json=True, level="info", stream=stream)
    tokens = log.bind(worker="w1")
    log.get_logger("part").info("task finished", task_id="x", queue="q", odd=object)
    log.get_logger("part").debug("not shown")
    log.unbind(tokens)
    log.get_logger("part").warning("later")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert (first["event"], first["task_id"], first["queue"], first["worker"]) == ("task finished", "x", "q", "w1")
    assert (first["level"], first["logger"]) == ("info", "ignitetasks.part")
    assert "timestamp" in first and "pid" in first
    assert second["event"] == "later" and "worker" not in second


def test_text_with_traceback_and_foreign_lines(stream):
    log.configure(json=False, stream=stream)
    try:
        raise ValueError("boom 100%")
    except ValueError:
        log.get_logger("part").error("task failed 50%", task_id="a%sb", exc_info=True)
    logging.getLogger("ignitetasks.other").info("plain %s", "line")
    text = stream.getvalue()
    assert "task failed 50%" in text and "a%sb" in text and "boom 100%" in text and "plain line" in text


def test_configure_replaces_its_own_handler_only(stream):
    mine = logging.NullHandler()
    logging.getLogger(log.ROOT).addHandler(mine)
    log.configure(json=True, stream=stream)
    log.configure(json=True, stream=stream)
    handlers = logging.getLogger(log.ROOT).handlers
    assert mine in handlers and len([one for one in handlers if isinstance(one, logging.StreamHandler)]) == 1


def test_unconfigured_events_reach_the_application_s_handlers(caplog, stream):
    logging.getLogger(log.ROOT).propagate = True
    with caplog.at_level(logging.INFO, "ignitetasks"):
        log.get_logger("quiet").info("session replaced", waiting=3)
    assert "session replaced waiting=3" in caplog.text


STATUS = {
    "node": {"name": "n", "uptime_ms": 5, "heap_used": 10, "active": True},
    "queues": [
        {"name": "default", "pending": 3, "delayed": 1, "running": 2, "oldest_ms": 7, "workers": 1, "free_slots": 4}
    ],
    "workers": [{"name": "w", "concurrency": 2, "free": 1, "running": 1, "done": 9, "failed": 1, "lost": 0}],
    "states": {"SUCCESS": 9},
}
METRICS = {
    "counters": {"submitted_total": {"queue=default": 5, 'queue="a,b"': 1}, "plain": {"": 2}},
    "histograms": {
        "wait_ms": {"": {"bounds_ms": [1, 10], "counts": [2, 3, 1], "sum_ms": 40, "count": 6}},
        "run_ms": {"queue=q": {"bounds_ms": [1], "counts": [1], "sum_ms": 1, "count": 1}},
    },
}


def test_node_collector():
    registry = CollectorRegistry()
    calls = []
    metrics.NodeCollector(lambda op: calls.append(op) or (METRICS if op == "metrics" else STATUS), registry)
    assert calls == []
    value = registry.get_sample_value
    assert value("ignitetasks_submitted_total", {"queue": "default"}) == 5
    assert value("ignitetasks_submitted_total", {"queue": "a,b"}) == 1
    assert value("ignitetasks_plain_total") == 2
    assert value("ignitetasks_wait_seconds_bucket", {"le": "0.001"}) == 2
    assert value("ignitetasks_wait_seconds_bucket", {"le": "0.01"}) == 5
    assert value("ignitetasks_wait_seconds_bucket", {"le": "+Inf"}) == 6
    assert value("ignitetasks_wait_seconds_sum") == 0.04
    assert value("ignitetasks_queue_pending", {"queue": "default"}) == 3
    assert value("ignitetasks_worker_tasks_done_total", {"worker": "w"}) == 9
    assert value("ignitetasks_tasks", {"state": "SUCCESS"}) == 9
    assert value("ignitetasks_node_up") == 1
    assert b"ignitetasks_queue_pending" in metrics.render(registry)


def test_node_that_is_away():
    registry = CollectorRegistry()

    def fetch(_op):
        raise ConnectionError

    metrics.NodeCollector(fetch, registry)
    assert registry.get_sample_value("ignitetasks_node_up") == 0


def test_own_metrics_are_rendered():
    assert b"ignitetasks_client_submitted_total" in metrics.render()
