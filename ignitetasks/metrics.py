"""Every counter and histogram of this package, and the node's numbers in Prometheus form.

The only file that imports prometheus_client. Names start with ``ignitetasks_``; labels are few and bounded (never
an id). This file must not open ports (`serve` is called by programs) or call the node by itself: a collector is
given the function that does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST

CONTENT_TYPE = CONTENT_TYPE_LATEST
_LATENCY_BUCKETS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)

submitted = Counter("ignitetasks_client_submitted", "Tasks whose submission was acknowledged.")
duplicates = Counter("ignitetasks_client_duplicates", "Submissions that met a record with the same id or key.")
call_seconds = Histogram(
    "ignitetasks_client_call_seconds", "Duration of gateway calls.", ["op"], buckets=_LATENCY_BUCKETS
)
call_retries = Counter("ignitetasks_client_call_retries", "Gateway calls that were repeated.", ["op"])
call_failures = Counter("ignitetasks_client_call_failures", "Gateway calls given up.", ["op", "error"])
results = Counter("ignitetasks_client_results", "Completions received, by final state.", ["state"])
blob_bytes = Counter("ignitetasks_client_blob_bytes", "Bytes moved beside the gateway.", ["direction"])

_NAME = re.compile(r"[^a-zA-Z0-9_]")
_LABEL = re.compile(r"([a-zA-Z_][a-zA-Z0-9_]*)=(?:\"([^\"]*)\"|([^,]*))")


def render(registry: CollectorRegistry = REGISTRY) -> bytes:
    """Returns all metrics of this process in Prometheus' text form."""
    return generate_latest(registry)


class NodeCollector:
    """Turns the node's ``metrics`` and ``status`` answers into metric families at each scrape.

    Args:
        fetch: Calls one operation of the gateway by name and returns its answer.
        registry: Where to register, or None for nowhere.
    """

    def __init__(self, fetch: Callable[[str], Mapping[str, Any]], registry: CollectorRegistry | None = REGISTRY):
        self._fetch = fetch
        if registry is not None:
            registry.register(self)

    def describe(self) -> list[Metric]:
        """Returns nothing, so that registering does not already call the node."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yields the node's families; a node that cannot be reached reads ``ignitetasks_node_up 0``."""
        up = GaugeMetricFamily("ignitetasks_node_up", "1 when the node answered this scrape.")
        try:
            answers = self._fetch("metrics"), self._fetch("status")
        except Exception:
            # A scrape must still deliver the process's own numbers when the node is away.
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        yield from _counters(answers[0].get("counters") or {})
        yield from _histograms(answers[0].get("histograms") or {})
        yield from _status(answers[1])


def _full_name(name: str) -> str:
    clean = _NAME.sub("_", name)
    return clean if clean.startswith("ignitetasks_") else f"ignitetasks_{clean}"


def _labels(text: str) -> dict[str, str]:
    return {found[1]: found[2] if found[2] is not None else found[3] for found in _LABEL.finditer(text)}


def _by_labels(series: Mapping[str, Any]) -> dict[tuple[str, ...], list[tuple[list[str], Any]]]:
    """Groups series by their label names, since one family has one set of them."""
    groups: dict[tuple[str, ...], list[tuple[list[str], Any]]] = {}
    for text, value in series.items():
        labels = _labels(text)
        if text and not labels:
            labels = {"label": text}
        groups.setdefault(tuple(labels), []).append((list(labels.values()), value))
    return groups


def _counters(counters: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    for name, series in counters.items():
        full = _full_name(name)
        for labels, rows in _by_labels(series).items():
            family = CounterMetricFamily(full.removesuffix("_total"), f"Node counter {name}.", labels=list(labels))
            for values, number in rows:
                family.add_metric(values, float(number))
            yield family


def _histograms(histograms: Mapping[str, Mapping[str, Any]]) -> Iterator[Metric]:
    for name, series in histograms.items():
        full = _full_name(name)
        full = full.removesuffix("_ms") + ("" if full.endswith("_seconds") else "_seconds")
        for labels, rows in _by_labels(series).items():
            family = HistogramMetricFamily(full, f"Node histogram {name}.", labels=list(labels))
            for values, data in rows:
                family.add_metric(values, _buckets(data), sum_value=float(data.get("sum_ms", 0)) / 1000.0)
            yield family


def _buckets(data: Mapping[str, Any]) -> list[tuple[str, float]]:
    """Adds up per-bucket counts: the wire has one count per bound, and one above the last where it is given."""
    total = 0.0
    rows: list[tuple[str, float]] = []
    counts = list(data.get("counts") or [])
    for bound, count in zip(data.get("bounds_ms") or [], counts, strict=False):
        total += float(count)
        rows.append((f"{float(bound) / 1000.0:g}", total))
    rows.append(("+Inf", max(float(data.get("count", 0)), total, float(sum(counts)))))
    return rows


_QUEUE_GAUGES = ("pending", "delayed", "running", "workers", "free_slots")
_WORKER_GAUGES = ("concurrency", "free", "running")
_WORKER_COUNTERS = ("done", "failed", "lost")
_NODE_GAUGES = ("uptime_ms", "heap_used", "heap_max", "nodes", "active")


def _status(status: Mapping[str, Any]) -> Iterator[Metric]:
    node = status.get("node") or {}
    for key in _NODE_GAUGES:
        if key in node:
            gauge = GaugeMetricFamily(f"ignitetasks_node_{key}", f"Node {key}.")
            gauge.add_metric([], float(node[key]))
            yield gauge
    queues = status.get("queues") or []
    for key in (*_QUEUE_GAUGES, "oldest_ms"):
        gauge = GaugeMetricFamily(f"ignitetasks_queue_{key}", f"Queue {key}.", labels=["queue"])
        for row in queues:
            gauge.add_metric([str(row.get("name"))], float(row.get(key) or 0))
        yield gauge
    workers = status.get("workers") or []
    for key in _WORKER_GAUGES:
        gauge = GaugeMetricFamily(f"ignitetasks_worker_{key}", f"Worker {key}.", labels=["worker"])
        for row in workers:
            gauge.add_metric([str(row.get("name"))], float(row.get(key) or 0))
        yield gauge
    for key in _WORKER_COUNTERS:
        counter = CounterMetricFamily(f"ignitetasks_worker_tasks_{key}", f"Tasks {key}.", labels=["worker"])
        for row in workers:
            counter.add_metric([str(row.get("name"))], float(row.get(key) or 0))
        yield counter
    states = GaugeMetricFamily("ignitetasks_tasks", "Tasks by state, as status shows them.", labels=["state"])
    for state, number in (status.get("states") or {}).items():
        states.add_metric([str(state)], float(number))
    yield states
