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


def load(folder: Path) -> list[dict[str, Any]]:
    """Returns the events of all processes in the order of time; a line cut by a kill is none."""
    events = []
    for path in folder.glob("*.jsonl"):
        for line in path.read_bytes().split(b"\n")[:-1]:
            events.append(json.loads(line))
    return sorted(events, key=lambda event: event["t"])


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


def check(events: Iterable[Event], budget: int) -> Verdict:
    """Judges a history that ends with a final read of every acknowledged and every started id.

    Args:
        events: In the order of time.
        budget: Most starts a task may have had under the faults that were made.
    """
    tasks: dict[str, _Task] = defaultdict(_Task)
    asked: dict[int, set[str]] = defaultdict(set)  # what the calls for n came to
    ids: dict[int, set[str]] = defaultdict(set)
    created: dict[int, int] = defaultdict(int)
    for event in events:
        if event["f"] == "submit":
            if event["k"] != "ok":
                for n in event["ns"]:
                    asked[n].add(event["k"])
            for n, task_id, new in event.get("made", ()):
                asked[n].add("ok")
                ids[n].add(task_id)
                created[n] += new
                tasks[task_id].acked = True
                tasks[task_id].numbers.add(n)
            continue
        task = tasks[event["id"]]
        if event["f"] == "start":
            task.starts.append(event)
            task.numbers.add(event["n"])
            ids[event["n"]].add(event["id"])
        elif event["f"] == "end":
            task.ends[event["fence"]] = event["t"]
        elif event["f"] == "cancel":
            task.cancelled |= event["v"] == "REVOKED"
        elif event["f"] == "read":
            task.states.add(event["v"])
            if event.get("final"):
                task.final = event
    verdict = Verdict()
    for n, own in ids.items():
        if len(own) > 1:
            verdict.broken.append(f"I3 {n} became {len(own)} tasks: {sorted(own)}")
        if created[n] > 1:
            verdict.broken.append(f"I3 {n} was new {created[n]} times")
    for task_id, task in tasks.items():
        verdict.broken += [f"{what} ({task_id}, n={sorted(task.numbers)})" for what in _judge(task, asked, budget)]
    verdict.figures = {
        "acked": sum(task.acked for task in tasks.values()),
        "unknown": sum(1 for outcomes in asked.values() if "info" in outcomes and "ok" not in outcomes),
        "recovered": sum(1 for n, outcomes in asked.items() if "ok" not in outcomes and ids[n]),
        "repeats": sum(max(0, len(task.starts) - 1) for task in tasks.values()),
        "overlaps": sum(_overlaps(task) for task in tasks.values()),
        **{state: sum(1 for task in tasks.values() if task.final and task.final["v"] == state) for state in TERMINAL},
    }
    return verdict


def _judge(task: _Task, asked: Mapping[int, set[str]], budget: int) -> Iterable[str]:
    final = task.final or {"v": "never read"}
    fences = [start["fence"] for start in task.starts]
    if final["v"] not in TERMINAL and (task.acked or task.starts):
        yield f"I1 lost: its last state is {final['v']}"
    for n in task.numbers:
        if "invoke" not in asked.get(n, ()):
            yield "I2 ghost: nobody asked for it"
        elif not asked[n] & {"ok", "info"} and fences and len(asked[n]) > 1:
            yield "I2 ghost: the caller was told that it was not done"
    ends = task.states & TERMINAL
    if len(ends) > 1 or (task.final and ends - {final["v"]}):
        yield f"I4/I8 more than one end was seen: {sorted(ends)}"
    if len(set(fences)) < len(fences):
        yield f"I5 one fence was run twice: {fences}"
    if len(fences) > budget:
        yield f"I6 {len(fences)} starts, allowed are {budget}"
    if task.cancelled and final["v"] != "REVOKED":
        yield f"I12 its revocation was acknowledged and it ended as {final['v']}"
    if final["v"] == "SUCCESS":
        n, crc, fence = final["result"]
        if task.numbers != {n} or crc != answer(n):
            yield f"I9 its result is that of {n}"
        if fence not in task.ends:
            yield f"I2 its result came from a delivery that did not run to its end: {fence}"
        if fences and fence != max(fences):
            yield f"I5 the result of fence {fence} was taken although {max(fences)} had been given out"


def _overlaps(task: _Task) -> int:
    # An execution that was killed has no end on record; when it stopped to exist is not known, so it counts not.
    spans = sorted((one["t"], task.ends[one["fence"]]) for one in task.starts if one["fence"] in task.ends)
    return sum(1 for before, after in zip(spans, spans[1:]) if after[0] < before[1])


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
