"""What the client library counts in this process, without a library for it: a number costs well under a microsecond.

All numbers lie in one row of cells, so that a worker can give each child a row of shared memory (`use`) and serve
the sum. Label values are listed here, once and for all: a family cannot grow. This file must not know Prometheus
(exposition.py does, loaded when somebody reads), open ports or call the node.
"""

from __future__ import annotations

import os
import threading
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal

from ignitetasks import deferred, errors, states
from ignitetasks.errors import OperationalError

#: Stands for every label value that is not listed, or comes after as many as are kept apart.
OTHER = "other"

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0)
_OPS = (
    "hello", "submit", "poll", "watch", "info", "forget", "revoke", "purge", "dead_list", "dead_retry", "dead_drop",
    "status", "listening", "metrics", "scan", "stop", "ping", "put_blob", "get_blob", OTHER,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Buckets:
    """A histogram's numbers.

    Attributes:
        bounds: Upper ends of the buckets, in the family's unit.
        counts: Per bucket, not added up; one more than bounds.
        total: Sum of all that was observed.
    """

    bounds: Sequence[float]
    counts: Sequence[float]
    total: float


@dataclass(frozen=True, slots=True)
class Family:
    """Everything of one name, for whoever shows it.

    Attributes:
        name: Prometheus name; a counter's without ``_total``.
        kind: What the numbers mean.
        help: One sentence.
        rows: Labels and value of each series.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    rows: list[tuple[dict[str, str], float | Buckets]] = field(default_factory=list)


_lock = threading.Lock()
_private: array[float] = array("d")
_cells: array[float] | memoryview[float] = _private
_meters: list[_Meter] = []


class _Series:
    """One combination of label values: some cells of the row."""

    __slots__ = ("_at", "_bounds")

    def __init__(self, at: int, bounds: Sequence[float]) -> None:
        self._at = at
        self._bounds = bounds

    def inc(self, n: float = 1) -> None:
        """Adds to a counter."""
        with _lock:
            _cells[self._at] += n

    def observe(self, value: float) -> None:
        """Adds one value to a histogram."""
        at = self._at
        bucket = at + 1 + bisect_left(self._bounds, value)
        with _lock:
            _cells[at] += value
            _cells[bucket] += 1


class _Meter:
    """One family: a counter, or with bounds a histogram (its sum, then its buckets)."""

    def __init__(self, name: str, text: str, bounds: Sequence[float] = (), **labels: Iterable[str]) -> None:
        self._name = name
        self._text = text
        self._bounds = bounds
        self._labels = tuple(labels)
        self._width = len(bounds) + 2 if bounds else 1
        self._series: dict[tuple[str, ...], _Series] = {}
        self._first = len(_cells)
        for values in product(*labels.values()):
            self._series[values] = _Series(len(_cells), bounds)
            _private.extend([0.0] * self._width)
        self._allowed = [frozenset(values) for values in labels.values()]
        _meters.append(self)

    def labels(self, *values: str) -> _Series:
        """Returns the series of these label values; what is not listed counts as "other"."""
        found = self._series.get(values)
        if found is None:
            known = (one if one in allowed else OTHER for one, allowed in zip(values, self._allowed, strict=True))
            found = self._series[tuple(known)]
        return found

    def inc(self, n: float = 1) -> None:
        """Adds to a counter without labels."""
        self._series[()].inc(n)

    def read(self, cells: Sequence[float]) -> Family:
        """Returns what a row of cells says; series that nothing has happened to are left out."""
        family = Family(self._name, "histogram" if self._bounds else "counter", self._text)
        at = self._first
        for values in self._series:
            numbers = cells[at : at + self._width]
            at += self._width
            if not values or any(numbers):
                value = Buckets(self._bounds, numbers[1:], numbers[0]) if self._bounds else numbers[0]
                family.rows.append((dict(zip(self._labels, values, strict=True)), value))
        return family


_ERRORS = [name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, OperationalError)]

submitted = _Meter("ignitetasks_client_submitted", "Tasks whose submission was acknowledged.")
duplicates = _Meter("ignitetasks_client_duplicates", "Submissions that met a record with the same id or key.")
call_seconds = _Meter("ignitetasks_client_call_seconds", "Duration of gateway calls.", _SECONDS, op=_OPS)
call_retries = _Meter("ignitetasks_client_call_retries", "Gateway calls that were repeated.", op=_OPS)
call_failures = _Meter("ignitetasks_client_call_failures", "Gateway calls given up.", op=_OPS, error=[*_ERRORS, OTHER])
results = _Meter("ignitetasks_client_results", "Completions received, by final state.", state=[*states.NAMES, OTHER])
blob_bytes = _Meter("ignitetasks_client_blob_bytes", "Bytes moved beside the gateway.", direction=["put", "get", OTHER])

#: Numbers in a row.
CELLS = len(_cells)


def use(cells: array[float] | memoryview[float]) -> None:
    """Counts in the given row from now on, on top of what it holds; what was counted before is not carried over.

    Args:
        cells: `CELLS` numbers, written by this process only.
    """
    global _cells
    _cells = cells


def families(rows: Iterable[Sequence[float]] | None = None) -> Iterator[Family]:
    """Yields the client library's families.

    Args:
        rows: Rows to add up; None means this process's own.
    """
    whole = list(_cells) if rows is None else [sum(column) for column in zip(*rows, strict=True)]
    for meter in _meters:
        yield meter.read(whole)


def render() -> bytes:
    """Returns the client library's metrics of this process in Prometheus' text form."""
    text: bytes = deferred.load("exposition").render([families])
    return text


def register(registry: Any = None) -> None:
    """Adds the client library's metrics of this process to a registry of prometheus_client.

    Args:
        registry: The registry; None means prometheus_client's default one.
    """
    deferred.load("exposition").register(families, registry)


def _start_anew() -> None:
    # The parent goes on counting its own; a lock may have been held by a thread that is not here.
    global _lock, _cells
    _lock = threading.Lock()
    _cells = array("d", bytes(8 * CELLS))


os.register_at_fork(after_in_child=_start_anew)
