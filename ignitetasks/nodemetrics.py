"""The node's answers to ``metrics`` and ``status`` as metric families.

The names of counters and histograms are the node's own (HomeMetrics, GatewayMetrics and LaneMetrics in ``jvm/``);
those of gauges made from ``status`` are here. This file must not call the node by itself: it is given the function
that does. Labels that users fill (queues, tasks, workers) are cut off at `MAX_VALUES`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from ignitetasks.metrics import OTHER, Buckets, Family

#: So many values of one label are kept apart in a family; the rest is added up as "other".
MAX_VALUES = 200

_CAPPED = ("queue", "task", "worker")
_NAME = re.compile(r"ignitetasks_[a-z0-9_]+")
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
_ESCAPED = re.compile(r"\\(.)")

_HELP = {
    "ignitetasks_submitted": "Tasks created.",
    "ignitetasks_finished": "Tasks that ended, by final state.",
    "ignitetasks_retries": "Tries that ended with another one.",
    "ignitetasks_dead_letters": "Tasks that became DEAD or REJECTED.",
    "ignitetasks_deliveries": "Deliveries sent to workers.",
    "ignitetasks_stale_outcomes": "Outcomes of deliveries that were no longer theirs.",
    "ignitetasks_expired_records": "Records deleted at the end of their time.",
    "ignitetasks_timer_errors": "Turns of the node's timers that failed and were repeated.",
    "ignitetasks_wait_seconds": "From a task's creation, or its eta, to its last start.",
    "ignitetasks_run_seconds": "Duration of a task's last run.",
    "ignitetasks_commit_seconds": "Duration of a durable write.",
    "ignitetasks_lane_runs": "Runs on this node's workers, by outcome.",
    "ignitetasks_lane_child_deaths": "Children that ended, by reason.",
    "ignitetasks_lane_given_back": "Deliveries that went back without having run, by reason.",
    "ignitetasks_lane_free_slots": "Tasks this node's workers could take.",
    "ignitetasks_lane_deliveries": "Deliveries this node's workers hold.",
    "ignitetasks_lane_children": "Children connected to this node.",
    "ignitetasks_gateway_calls": "Calls of clients.",
    "ignitetasks_gateway_errors": "Calls answered with an error, by its code.",
    "ignitetasks_gateway_call_seconds": "Duration of calls; that of poll includes its wait.",
    "ignitetasks_gateway_received_bytes": "Bytes received from clients.",
    "ignitetasks_gateway_sent_bytes": "Bytes sent to clients.",
    "ignitetasks_gateway_connections": "Connections accepted.",
    "ignitetasks_gateway_connections_refused": "Connections refused because there were too many.",
    "ignitetasks_gateway_connections_evicted": "Connections closed to make room before they had authenticated.",
    "ignitetasks_gateway_auth_failures": "Connections closed because of a wrong token.",
    "ignitetasks_gateway_auth_timeouts": "Connections closed because no token came in time.",
    "ignitetasks_gateway_refused_commands": "Commands refused that no client of ours sends.",
}
#: Field of ``status``, unit it is divided by, name, help.
_NODE = (
    ("uptime_ms", 1000, "uptime_seconds", "Time since the node's start."),
    ("heap_used", 1, "heap_used_bytes", "Java heap in use."),
    ("heap_max", 1, "heap_max_bytes", "Largest Java heap."),
    ("nodes", 1, "cluster_nodes", "Data nodes in the cluster."),
    ("active", 1, "cluster_active", "1 while the cluster accepts writes."),
    ("sessions", 1, "sessions", "Sessions of clients."),
    ("mailbox_bytes", 1, "mailbox_bytes", "Results waiting to be fetched."),
)
_QUEUE = (
    ("pending", 1, "pending", "Tasks that could start."),
    ("delayed", 1, "delayed", "Tasks whose time has not come."),
    ("running", 1, "running", "Tasks with a worker."),
    ("oldest_ms", 1000, "oldest_seconds", "Age of the task that is next to start."),
    ("workers", 1, "workers", "Workers that listen."),
    ("free_slots", 1, "free_slots", "Tasks the listening workers could take."),
)
_WORKER = (
    ("concurrency", 1, "concurrency", "Tasks a worker runs at a time."),
    ("free", 1, "free_slots", "Tasks a worker could take."),
    ("running", 1, "running", "Tasks a worker has."),
)
_WORKER_COUNTERS = (
    ("done", "Tasks a worker has ended."),
    ("failed", "Of these, failed."),
    ("lost", "Tasks whose process died."),
)


def node_families(fetch: Callable[[str], Mapping[str, Any]]) -> Iterator[Family]:
    """Yields the node's families; of a node that cannot be reached, only ``ignitetasks_node_up`` with 0.

    Args:
        fetch: Calls one operation of the gateway by name and returns its answer.
    """
    up = Family("ignitetasks_node_up", "gauge", "1 when the node answered this scrape.")
    try:
        answer, status = fetch("metrics"), fetch("status")
    except Exception:
        # A scrape must still deliver the process's own numbers when the node is away.
        up.rows.append(({}, 0.0))
        yield up
        return
    up.rows.append(({}, 1.0))
    yield up
    yield from _from_status(status)
    for name, series in _named(answer.get("counters")):
        yield _family(name.removesuffix("_total"), "counter", series)
    for name, series in _named(answer.get("gauges")):
        yield _family(name, "gauge", series)
    for name, series in _named(answer.get("histograms")):
        yield _histogram(name, series)


def _named(kind: Mapping[str, Mapping[str, Any]] | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, series in sorted((kind or {}).items()):
        # A name that Prometheus cannot read would cost the whole scrape.
        if _NAME.fullmatch(name):
            yield name, series


def _labels(text: str) -> dict[str, str]:
    return {
        found[1]: _ESCAPED.sub(lambda mark: "\n" if mark[1] == "n" else mark[1], found[2])
        for found in _LABEL.finditer(text)
    }


def _grouped(rows: Iterable[tuple[dict[str, str], Any]]) -> list[tuple[dict[str, str], list[Any]]]:
    """Cuts off labels with too many values and puts together what then has the same labels."""
    kept: dict[str, set[str]] = {name: set() for name in _CAPPED}
    groups: dict[tuple[tuple[str, str], ...], list[Any]] = {}
    for labels, value in rows:
        for name in _CAPPED:
            if name in labels:
                if len(kept[name]) < MAX_VALUES:
                    kept[name].add(labels[name])
                elif labels[name] not in kept[name]:
                    labels[name] = OTHER
        groups.setdefault(tuple(labels.items()), []).append(value)
    return [(dict(labels), values) for labels, values in groups.items()]


def _family(name: str, kind: Any, series: Mapping[str, Any]) -> Family:
    rows = ((_labels(text), float(value)) for text, value in sorted(series.items()))
    return Family(name, kind, _HELP.get(name, "See the node."), [(one, sum(values)) for one, values in _grouped(rows)])


def _histogram(name: str, series: Mapping[str, Any]) -> Family:
    family = Family(name, "histogram", _HELP.get(name, "See the node."))
    for labels, parts in _grouped((_labels(text), data) for text, data in sorted(series.items())):
        bounds = [float(bound) / 1000.0 for bound in parts[0]["bounds_ms"]]
        counts = [float(sum(column)) for column in zip(*(part["counts"] for part in parts), strict=True)]
        total = sum(float(part["sum_ms"]) for part in parts) / 1000.0
        family.rows.append((labels, Buckets(bounds, counts, total)))
    return family


def _from_status(status: Mapping[str, Any]) -> Iterator[Family]:
    node = status.get("node") or {}
    for key, unit, name, text in _NODE:
        if key in node:
            yield Family(f"ignitetasks_node_{name}", "gauge", text, [({}, float(node[key]) / unit)])
    queues = sorted(status.get("queues") or [], key=lambda row: str(row.get("name")))
    for key, unit, name, text in _QUEUE:
        add = max if key in ("oldest_ms", "workers", "free_slots") else sum
        yield Family(f"ignitetasks_queue_{name}", "gauge", text, _rows("queue", queues, key, unit, add))
    workers = sorted(status.get("workers") or [], key=lambda row: str(row.get("name")))
    for key, unit, name, text in _WORKER:
        yield Family(f"ignitetasks_node_worker_{name}", "gauge", text, _rows("worker", workers, key, unit, sum))
    for key, text in _WORKER_COUNTERS:
        yield Family(f"ignitetasks_node_worker_{key}", "counter", text, _rows("worker", workers, key, 1, sum))
    states = sorted((status.get("states") or {}).items())
    rows: list[tuple[dict[str, str], float | Buckets]] = [({"state": str(name)}, float(n)) for name, n in states]
    yield Family("ignitetasks_tasks", "gauge", "Tasks by state, as status shows them.", rows)


def _rows(
    label: str, items: list[Any], key: str, unit: int, add: Callable[[Iterable[float]], float]
) -> list[tuple[dict[str, str], float | Buckets]]:
    rows = (({label: str(item.get("name"))}, float(item.get(key) or 0) / unit) for item in items)
    return [(labels, add(values)) for labels, values in _grouped(rows)]
