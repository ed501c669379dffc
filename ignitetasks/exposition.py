"""Metric families in Prometheus' text form. The only file that imports prometheus_client.

This file must not count anything or know where the numbers come from.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from ignitetasks.metrics import Buckets, Family

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Source = Callable[[], Iterable[Family]]


class Collector:
    """Shows families to a registry, read anew at each scrape.

    Args:
        source: Returns the families.
    """

    def __init__(self, source: Source) -> None:
        self._source = source

    def describe(self) -> list[Metric]:
        """Returns nothing, so that registering does not already ask the source."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yields the families in the library's own form."""
        yield from map(_metric, self._source())


def register(source: Source, registry: CollectorRegistry | None = None) -> None:
    """Adds a source to a registry.

    Args:
        source: Returns the families.
        registry: The registry; None means the default one.
    """
    (registry or REGISTRY).register(Collector(source))


def render(sources: Iterable[Source]) -> bytes:
    """Returns the text of some sources; of a family that several have, only the first one's.

    Args:
        sources: Return the families.
    """
    seen: set[str] = set()

    def unique() -> Iterator[Family]:
        for source in sources:
            for family in source():
                if family.name not in seen:
                    seen.add(family.name)
                    yield family

    registry = CollectorRegistry()
    registry.register(Collector(unique))
    return generate_latest(registry)


def _metric(family: Family) -> Metric:
    # Series of one family may differ in their labels; an empty one is the same as none.
    names = list(dict.fromkeys(name for labels, _ in family.rows for name in labels))
    if family.kind == "histogram":
        histogram = HistogramMetricFamily(family.name, family.help, labels=names)
        for labels, value in family.rows:
            if isinstance(value, Buckets):
                histogram.add_metric(_values(names, labels), _cumulated(value), sum_value=value.total)
        return histogram
    make = CounterMetricFamily if family.kind == "counter" else GaugeMetricFamily
    metric = make(family.name, family.help, labels=names)
    for labels, value in family.rows:
        if not isinstance(value, Buckets):
            metric.add_metric(_values(names, labels), value)
    return metric


def _values(names: list[str], labels: dict[str, str]) -> list[str]:
    return [labels.get(name, "") for name in names]


def _cumulated(value: Buckets) -> list[tuple[str, float]]:
    total = 0.0
    rows: list[tuple[str, float]] = []
    for bound, count in zip((*value.bounds, float("inf")), value.counts, strict=True):
        total += count
        rows.append(("+Inf" if bound == float("inf") else f"{bound:g}", total))
    return rows
