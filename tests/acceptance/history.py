"""What happened, as the processes wrote it down, and whether it may have happened.

Each process writes a file of its own, one line an event, one write a line: what was written before a kill -9 is
there after it. CLOCK_MONOTONIC is shared by all processes of a machine, so times compare. The checker knows nothing
of the system under test; each of its rules is tried by `test_history` on a history that breaks it.

Events: ``f`` is submit, start, end, cancel or read; ``k`` is invoke, ok, fail (surely not done) or info (unknown).
``n`` numbers what was asked for; the same n again is a repeat under the same idempotency key.
"""

from __future__ import annotations

import json
import os
import time
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

TERMINAL = frozenset({"SUCCESS", "FAILURE", "REVOKED", "DEAD", "REJECTED", "IGNORED"})
Event = Mapping[str, Any]


def answer(n: int) -> int:
    """What task n returns: a function of its argument alone, so that crossed wires are seen."""
    return zlib.crc32(str(n).encode())


class Journal:
    """The file of one process; also of its forked children, which get one each."""

    def __init__(self, folder: str | os.PathLike[str], name: str) -> None:
        self._folder, self._name = Path(folder), name
        self._pid, self._file = 0, -1

    def write(self, f: str, k: str, **more: Any) -> None:
        """Appends one event."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            path = self._folder / f"{self._name}-{self._pid}-{time.monotonic_ns()}.jsonl"
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        event = {"t": time.monotonic_ns(), "p": self._pid, "f": f, "k": k, **more}
        os.write(self._file, json.dumps(event).encode() + b"\n")


class Reader:
    """Reads each event once: who waits for something to be written looks often.

    Args:
        folder: Where all processes write.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[Path, int] = {}

    def more(self) -> list[dict[str, Any]]:
        """Returns what has been written since the last time, in the order of time; a line cut by a kill is none."""
        events = []
        for path in self._folder.glob("*.jsonl"):
            with path.open("rb") as file:
                file.seek(self._read.get(path, 0))
                *lines, rest = file.read().split(b"\n")
                self._read[path] = file.tell() - len(rest)
            events += map(json.loads, lines)
        return sorted(events, key=lambda event: event["t"])


def load(folder: Path) -> list[dict[str, Any]]:
    """Returns the events of all processes in the order of time."""
    return Reader(folder).more()


@dataclass
class Verdict:
    """What the checker found.

    Attributes:
        broken: One line for each violation, with the invariant's number.
        figures: Counts for the report.
    """

    broken: list[str] = field(default_factory=list)
    figures: dict[str, int] = field(default_factory=dict)


class _Task:
    """Everything known of one id."""

    def __init__(self) -> None:
        self.acked = False
        self.numbers: set[int] = set()
        self.starts: list[Event] = []
        self.ends: dict[int, int] = {}
        self.states: set[str] = set()
        self.cancelled = False
        self.final: Event | None = None


class _Book:
    """A history by task and by number."""

    def __init__(self, events: Iterable[Event]) -> None:
        self.tasks: dict[str, _Task] = defaultdict(_Task)
        self.asked: dict[int, set[str]] = defaultdict(set)  # what the calls for n came to
        self.ids: dict[int, set[str]] = defaultdict(set)
        self.created: dict[int, int] = defaultdict(int)
        for event in events:
            if event["f"] == "submit":
                self._submit(event)
            else:
                self._task(self.tasks[event["id"]], event)

    def _submit(self, event: Event) -> None:
        for n in event.get("ns", ()):
            self.asked[n].add(event["k"])
        for n, task_id, new in event.get("made", ()):
            self.asked[n].add("ok")
            self.ids[n].add(task_id)
            self.created[n] += new
            self.tasks[task_id].acked = True
            self.tasks[task_id].numbers.add(n)

    def _task(self, task: _Task, event: Event) -> None:
        if event["f"] == "start":
            task.starts.append(event)
            task.numbers.add(event["n"])
            self.ids[event["n"]].add(event["id"])
        elif event["f"] == "end":
            task.ends[event["fence"]] = event["t"]
        elif event["f"] == "cancel":
            task.cancelled |= event["v"] == "REVOKED"
        elif event["f"] == "read":
            task.states.add(event["v"])
            task.final = event if event.get("final") else task.final


def check(events: Iterable[Event], budget: int) -> Verdict:
    """Judges a history that ends with a final read of every acknowledged and every started id.

    Args:
        events: In the order of time.
        budget: Most starts a task may have had under the faults that were made.
    """
    book = _Book(events)
    broken = [f"I3 {n} became {len(ids)} tasks: {sorted(ids)}" for n, ids in book.ids.items() if len(ids) > 1]
    broken += [f"I3 {n} was new {times} times" for n, times in book.created.items() if times > 1]
    for task_id, task in book.tasks.items():
        found = [*_ends(task), *_ghost(task, book.asked), *_leases(task, budget), *_result(task)]
        broken += [f"{what} ({task_id}, n={sorted(task.numbers)})" for what in found]
    tasks = list(book.tasks.values())
    unsure = [n for n, outcomes in book.asked.items() if "ok" not in outcomes]
    figures = {
        "acked": sum(task.acked for task in tasks),
        "unknown": sum("info" in book.asked[n] for n in unsure),
        "recovered": sum(bool(book.ids[n]) for n in unsure),
        "repeats": sum(max(0, len(task.starts) - 1) for task in tasks),
        "overlaps": sum(_overlaps(task) for task in tasks),
        **{state: sum(1 for task in tasks if task.final and task.final["v"] == state) for state in sorted(TERMINAL)},
    }
    return Verdict(broken, figures)


def _ends(task: _Task) -> Iterable[str]:
    last = task.final["v"] if task.final else "never read"
    if last not in TERMINAL:
        yield f"I1 lost: its last state is {last}"
    ends = task.states & TERMINAL
    if len(ends) > 1:
        yield f"I4/I8 more than one end was seen: {sorted(ends)}"
    if task.cancelled and last != "REVOKED":
        yield f"I12 its revocation was acknowledged and it ended as {last}"


def _ghost(task: _Task, asked: Mapping[int, set[str]]) -> Iterable[str]:
    for n in task.numbers:
        outcomes = asked.get(n, set())
        if not outcomes:
            yield "I2 ghost: nobody asked for it"
        elif task.starts and outcomes == {"invoke", "fail"}:
            yield "I2 ghost: the caller was told that it was not done"


def _leases(task: _Task, budget: int) -> Iterable[str]:
    fences = [start["fence"] for start in task.starts]
    if len(set(fences)) < len(fences):
        yield f"I5 one fence was run twice: {fences}"
    if len(fences) > budget:
        yield f"I6 {len(fences)} starts, allowed are {budget}"


def _result(task: _Task) -> Iterable[str]:
    if not task.final or task.final["v"] != "SUCCESS":
        return
    n, crc, fence = task.final["result"]
    if task.numbers != {n} or crc != answer(n):
        yield f"I9 its result is that of {n}"
    if fence not in task.ends:
        yield f"I2 its result came from a delivery that did not run to its end: {fence}"
    # Once a result is taken nothing is given out any more, so the fence of the result is the last one.
    if any(start["fence"] > fence for start in task.starts):
        yield f"I5 the result of fence {fence} was taken although a later one had been given out"


def _overlaps(task: _Task) -> int:
    # An execution that was killed has no end on record; when it stopped to exist is not known, so it counts not.
    spans = sorted((one["t"], task.ends[one["fence"]]) for one in task.starts if one["fence"] in task.ends)
    return sum(1 for before, after in pairwise(spans) if after[0] < before[1])


def longest_call(events: Iterable[Event], process: int | None = None) -> float:
    """Returns the longest submit in seconds, from its invoke to whatever it came to."""
    open_since: dict[int, int] = {}
    longest = 0
    for event in events:
        if event["f"] == "submit" and process in (None, event["p"]):
            if event["k"] == "invoke":
                open_since[event["p"]] = event["t"]
            elif event["p"] in open_since:
                longest = max(longest, event["t"] - open_since.pop(event["p"]))
    return longest / 1e9
