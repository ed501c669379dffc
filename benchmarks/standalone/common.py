"""The client's side of the workloads, for machines without the directory of the other systems' peers.

Offers the names a peer file uses (`Client`, `count`, `cpu`, `VARIANT`) and runs as a program:
``python common.py MODULE WORKLOAD N [FIRST]`` prints one line ``RESULT {json}``. Must not know ignitetasks.
"""

from __future__ import annotations

import fcntl
import importlib
import json
import mmap
import os
import struct
import sys
import time
from pathlib import Path
from typing import Any

VARIANT = os.environ.get("BENCH_VARIANT", "")
_PROCESSES = 64
_ECHO_BYTES = 10_000_000
_WARM_UP_CALLS = 20


class Counter:
    """Counts executions of several processes in a file all of them map: about a microsecond per task.

    Each process has a row of its own: tasks, sum of their arguments, first and last time (CLOCK_MONOTONIC seconds).
    """

    _ROW = struct.Struct("qqdd")
    _FIRST_ROW = 64
    _SIZE = _FIRST_ROW + _PROCESSES * _ROW.size

    def __init__(self, path: str) -> None:
        self._file = open(path, "r+b")  # noqa: SIM115  # lives as long as the process
        self._memory = mmap.mmap(self._file.fileno(), self._SIZE)
        self._owner = 0
        self._row = (0, 0, 0.0, 0.0)
        self._place = 0

    @classmethod
    def create(cls, path: str) -> Counter:
        """Makes a counter that has counted nothing."""
        Path(path).write_bytes(bytes(cls._SIZE))
        return cls(path)

    def bump(self, value: int) -> None:
        """Counts one task."""
        if self._owner != os.getpid():
            self._take_row()
        now = time.monotonic()
        tasks, total, first, _ = self._row
        self._row = (tasks + 1, total + value, first or now, now)
        self._ROW.pack_into(self._memory, self._place, *self._row)

    def _take_row(self) -> None:
        # Handed out under a lock and by a number of its own: a row that is being written may look free.
        with open(self._file.name, "r+b") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (taken,) = struct.unpack_from("q", self._memory, 0)
            if taken >= _PROCESSES:
                raise RuntimeError(f"more than {_PROCESSES} processes count")
            struct.pack_into("q", self._memory, 0, taken + 1)
        self._owner, self._row = os.getpid(), (0, 0, 0.0, 0.0)
        self._place = self._FIRST_ROW + taken * self._ROW.size

    def read(self) -> tuple[int, int, float, float, int]:
        """Returns tasks, sum of their arguments, first and last time, processes."""
        places = range(self._FIRST_ROW, self._SIZE, self._ROW.size)
        rows = [row for row in (self._ROW.unpack_from(self._memory, place) for place in places) if row[0]]
        if not rows:
            return 0, 0, 0.0, 0.0, 0
        tasks, totals, firsts, lasts = zip(*rows, strict=True)
        return sum(tasks), sum(totals), min(firsts), max(lasts), len(rows)


_counters: list[Counter] = []


def count(i: int) -> None:
    """The body of a counted task."""
    if not _counters:
        _counters.append(Counter(os.environ["BENCH_COUNTER"]))
    _counters[0].bump(i)


def cpu(ms: float) -> int:
    """Keeps a core busy for so many milliseconds; returns how far it counted."""
    end, turns = time.perf_counter() + ms / 1000, 0
    while time.perf_counter() < end:
        turns += 1
    return turns


class Client:
    """What a peer's client offers; the names are those of the peers' driver."""

    settings: dict[str, Any] = {}  # noqa: RUF012  # the peers' way

    def open(self) -> None:
        """Connects."""

    def close(self) -> None:
        """Disconnects."""


def _require(good: bool, what: str) -> None:
    if not good:
        raise RuntimeError(what)


def _submit_each(client: Any, n: int, _first: int) -> dict[str, Any]:
    client.submit(0)
    start = time.perf_counter()
    for i in range(n):
        client.submit(i)
    return {"seconds": time.perf_counter() - start}


def _batch(client: Any, n: int, _first: int) -> dict[str, Any]:
    client.call(1)
    start = time.perf_counter()
    values = client.batch(n)
    seconds = time.perf_counter() - start
    _require(list(values) == list(range(n)), "wrong values")
    return {"seconds": seconds}


def _latency(client: Any, n: int, _first: int) -> dict[str, Any]:
    seconds = []
    for i in range(_WARM_UP_CALLS + n):
        start = time.perf_counter()
        value = client.call(i)
        seconds.append(time.perf_counter() - start)
        _require(value == i, "wrong value")
    return {"lat": seconds[_WARM_UP_CALLS:]}


def _echo(client: Any, n: int, _first: int) -> dict[str, Any]:
    data, seconds = os.urandom(_ECHO_BYTES), 0.0
    for turn in range(n + 1):
        start = time.perf_counter()
        back = client.call_echo(data)
        # The first one warms up.
        seconds += (time.perf_counter() - start) if turn else 0.0
        _require(back == data, "wrong bytes")
    return {"seconds": seconds}


def _deep(client: Any, n: int, first: int) -> dict[str, Any]:
    start = time.perf_counter()
    client.deep(first, first + n)
    return {"seconds": time.perf_counter() - start}


def _ready(client: Any, _n: int, _first: int) -> dict[str, Any]:
    _require(client.call(7) == 7, "wrong value")
    return {}


_WORKLOADS = {"ready": _ready, "W1": _submit_each, "W2": _batch, "W3": _latency, "W4": _echo, "W6": _deep}


def main(arguments: list[str]) -> None:
    """Runs one workload of one peer and prints its numbers."""
    # Peers import this file by its name, and must meet this very module.
    sys.modules["common"] = sys.modules["__main__"]
    module, workload, n = importlib.import_module(arguments[0]), arguments[1], int(arguments[2])
    if workload == "reset":
        module.reset()
        return
    facts: dict[str, Any]
    if workload == "info":
        facts = {"workers": module.workers(), "brokers": module.BROKERS, "settings": module.BenchClient.settings}
    else:
        client = module.BenchClient()
        client.open()
        facts = _WORKLOADS[workload](client, n, int(arguments[3]) if len(arguments) > 3 else 0)
        client.close()
    print("RESULT " + json.dumps(facts), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
