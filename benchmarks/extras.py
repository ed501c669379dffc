"""Workloads beyond W1 to W6: the sizes and situations the project has promised numbers for.

W2L runs for every peer; START, W7 and TRAIN are about ignitetasks only. Every count is verified: a lost or doubled
task is an error, never a rate. Must not start servers.
"""

from __future__ import annotations

import itertools
import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import ModuleType
from typing import Any

import ours

from ignitetasks import control, jvm

FOR_ALL = ("W2L",)
FOR_OURS = ("START", "W7", "TRAIN")
SIZE = {"W2L": 50_000, "START": 3, "W7": 1_000_000, "TRAIN": 25}
SMALL = {"W2L": 2_000, "START": 1, "W7": 20_000, "TRAIN": 3}
BETTER = {
    "W2L": ("tasks_s", max),
    "START": ("node_down_s", min),
    "W7": ("drain_all_s", max),
    "TRAIN": ("worst_ms", min),
}
#: W7: what the large queue is compared with, and how often each of them is measured.
_FEW = 10_000
_TIMES = 9
_STALL_SECONDS = 60.0
_DEMO = Path(__file__).resolve().parent.parent / "examples" / "tenant_models" / "main.py"

Row = dict[str, Any]


def one_round(
    driver: ModuleType, peer: Any, want: list[str], size: Mapping[str, int], record: Callable[..., None], limit: float
) -> None:
    """Runs the wanted extra workloads of one peer once."""
    for w in want:
        if w in FOR_ALL or (w in FOR_OURS and peer.name.startswith(ours.PREFIX)):
            try:
                driver.quiet(limit)
                with driver.Load() as load:
                    row = _WORKLOADS[w](peer, size[w])
                record(peer, w, {**row, "other_cpu": load.other})
            except Exception as error:
                record(peer, w, {"error": f"{type(error).__name__}: {error}"[-600:]})


def _large_batch(peer: Any, n: int) -> Row:
    """W2L: like W2, with more tasks."""
    peer.reset()
    peer.start("W2")
    try:
        peer.ready("W2")
        seconds = peer.client("W2", n)["seconds"]
    finally:
        peer.stop()
    return {"tasks_s": round(n / seconds, 1), "seconds": round(seconds, 2), "tasks": n}


def _start(peer: Any, n: int) -> Row:
    """START: from the start of the worker command to the end of a task that has been waiting."""
    peer.reset()
    # Once before: the class-data archive is made when the very first node of this version ends.
    seconds: dict[str, list[float]] = {"up": [], "down": []}
    for turn in range(n + 1):
        for node, found in seconds.items():
            peer.reset()
            peer.client("W6", 1, first=1)
            if node == "down":
                jvm.stop(peer.node)
            took = _drain(peer, 1, 1)["boot_s"]
            if turn:
                found.append(took)
    return {f"node_{node}_s": round(statistics.median(found), 2) for node, found in seconds.items()}


def _drain(peer: Any, n: int, total: int, mark: int = 0) -> Row:
    """Starts the workers, waits until n tasks are counted, and stops them.

    Args:
        peer: Whose workers.
        n: Tasks that wait.
        total: Sum of their arguments.
        mark: Also look at the first tasks in portions of this size.

    Returns:
        ``tasks_s`` from first task to last, ``boot_s`` to the first task, ``mark_tasks_s`` the median of the first
        portions.
    """
    start = time.monotonic()
    peer.start("W6")
    marks: list[tuple[int, float]] = []
    try:
        while True:
            time.sleep(0.005 if mark and len(marks) < _TIMES else 0.05)
            done, _, first, last, _ = peer.counter.read()
            if mark and len(marks) < _TIMES and done >= (marks[-1][0] if marks else 0) + mark:
                marks.append((done, last))
            if done >= n or time.monotonic() - max(last, start) > _STALL_SECONDS:
                break
        time.sleep(0.3)  # a task that runs twice would be counted now
        done, found, first, last, _ = peer.counter.read()
    finally:
        peer.stop()
    if (done, found) != (n, total):
        raise RuntimeError(f"incomplete: {done} of {n} tasks counted, their sum is {found} instead of {total}")
    row = {"tasks_s": round(n / max(last - first, 1e-9), 1), "boot_s": first - start}
    if marks:
        portions = itertools.pairwise([(0, first), *marks])
        rates = [(b[0] - a[0]) / max(b[1] - a[1], 1e-9) for a, b in portions]
        row["mark_tasks_s"] = round(statistics.median(rates), 1)
    return row


def _fill(peer: Any, lo: int, hi: int, clients: int) -> float:
    """Submits counted tasks from so many client processes; returns tasks per second."""
    edges = [lo + (hi - lo) * part // clients for part in range(clients + 1)]
    with ThreadPoolExecutor(clients) as pool:
        parts = [
            pool.submit(peer.client, "W6", after - before, first=before) for before, after in itertools.pairwise(edges)
        ]
        return round((hi - lo) / max(part.result()["seconds"] for part in parts), 1)


class _Heap:
    """Watches the node's heap while a block runs; ``most_mb`` is the largest use seen."""

    def __init__(self, peer: Any) -> None:
        self.most_mb = 0.0
        self._peer = peer
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> _Heap:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        with closing(control.connect(self._peer.node, start=False)) as transport:
            while not self._over.wait(0.25):
                self.most_mb = max(self.most_mb, control.status(transport).node.heap_used / 2**20)


def _pending(peer: Any, n: int) -> Row:
    """W7: a queue of a million, and whether anything is slower for it than with ten thousand."""
    few = min(_FEW, n // 2)
    peer.fresh()
    rates: dict[str, list[float]] = {"submit_few_s": [], "drain_few_s": []}
    for _ in range(1 + _TIMES):
        peer.reset()
        rates["submit_few_s"].append(_fill(peer, 0, few, 1))
        rates["drain_few_s"].append(_drain(peer, few, few * (few - 1) // 2)["tasks_s"])
    # The first turn warms up the node's compiler.
    row: Row = {name: statistics.median(found[1:]) for name, found in rates.items()}
    peer.reset()
    with _Heap(peer) as heap:
        row["submit_all_s"] = _fill(peer, 0, n, 2)
        more = [_fill(peer, n + turn * few, n + (turn + 1) * few, 1) for turn in range(_TIMES)]
        row["submit_few_more_s"] = statistics.median(more)
        n += _TIMES * few
        start = time.perf_counter()
        peer.command("status", "--json")
        row["status_command_s"] = round(time.perf_counter() - start, 2)
        with closing(control.connect(peer.node, start=False)) as transport:
            start = time.perf_counter()
            waiting = sum(queue.pending for queue in control.status(transport).queues)
            row["status_call_ms"] = round((time.perf_counter() - start) * 1000, 1)
        if waiting != n:
            raise RuntimeError(f"status shows {waiting} waiting tasks instead of {n}")
        drained = _drain(peer, n, n * (n - 1) // 2, mark=few)
    row["drain_all_s"], row["drain_first_few_s"] = drained["tasks_s"], drained["mark_tasks_s"]
    row |= {"heap_most_MB": round(heap.most_mb), "few": few, "tasks": n - _TIMES * few}
    peer.fresh()
    return row


def _training(peer: Any, n: int) -> Row:
    """TRAIN: what a training costs more as a task than as a call, on SYNTHETIC data; see examples/tenant_models."""
    command = [sys.executable, str(_DEMO), "--compare", "--json", "--pairs", str(n)]
    environment = {**peer.env, "IGNITETASKS_DURABILITY": peer.variant}
    environment.pop("IGNITETASKS_DATA_DIR")  # a node and a worker of its own
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    said = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not said:
        raise RuntimeError(f"rc {done.returncode}: {(done.stderr or done.stdout)[-1500:]}")
    rows = json.loads(said[-1][7:])
    return {"worst_ms": round(max(one["extra"] for one in rows), 2), "pairs": n, "models": rows}


_WORKLOADS: dict[str, Callable[[Any, int], Row]] = {
    "W2L": _large_batch, "START": _start, "W7": _pending, "TRAIN": _training,
}  # fmt: skip


def tables(results: Mapping[str, Mapping[str, Row]]) -> str:
    """Returns the best runs of the extra workloads as Markdown."""
    parts = [_simple_table(results), *(_w7_table(name, rows["W7"]) for name, rows in results.items() if "W7" in rows)]
    return "\n\n".join(part for part in parts if part)


def _simple_table(results: Mapping[str, Mapping[str, Row]]) -> str:
    head = (
        "peer", "W2L end to end/s", "first task done after worker start: node up / down, s",
        "training as a task, extra ms (worst model)", "idle: RSS (PSS) MB in all, % of a core",
    )  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, rows in results.items():
        cells = (
            _cell(rows, "W2L", lambda r: f"{r['tasks_s']:,.0f}"),
            _cell(rows, "START", lambda r: f"{r['node_up_s']:.2f} / {r['node_down_s']:.2f}"),
            _cell(rows, "TRAIN", lambda r: f"{r['worst_ms']:+.2f}"),
            _cell(rows, "W5", _idle),
        )
        lines.append("| " + " | ".join((name, *cells)) + " |")
    return "\n".join(lines)


def _idle(row: Row) -> str:
    rss, pss = row["worker_rss_MB"] + row["broker_rss_MB"], row["worker_pss_MB"] + row["broker_pss_MB"]
    percent = f", {row['cpu_percent_of_a_core']:.1f} %" if "cpu_percent_of_a_core" in row else ""
    return f"{rss:.0f} ({pss:.0f}){percent}"


def _cell(rows: Mapping[str, Row], w: str, show: Callable[[Row], str]) -> str:
    return "" if w not in rows else "failed" if "error" in rows[w] else show(rows[w])


def _w7_table(name: str, row: Row) -> str:
    if "error" in row:
        return f"W7 {name}: failed"
    few, many = f"{row['few']:,}", f"{row['tasks']:,}"
    lines = [
        f"| W7 {name} | with {few} | with {many} | ratio |",
        "|---|---|---|---|",
        _compared(f"submit {few} more, tasks/s", row["submit_few_s"], row["submit_few_more_s"]),
        _compared(f"submit all {many}, tasks/s (2 clients)", row["submit_few_s"], row["submit_all_s"]),
        _compared(f"drain the first {few}, tasks/s", row["drain_few_s"], row["drain_first_few_s"]),
        _compared("drain all, tasks/s", row["drain_few_s"], row["drain_all_s"]),
        f"| largest heap seen, MB | | {row['heap_most_MB']:,} | |",
        f"| `ignitetasks status`, s (its call alone, ms) | | {row['status_command_s']} ({row['status_call_ms']}) | |",
    ]
    return "\n".join(lines)


def _compared(what: str, few: float, many: float) -> str:
    return f"| {what} | {few:,.0f} | {many:,.0f} | {many / few:.2f} |"
