"""The driver of the workloads W1 to W6, for machines without the directory of the other systems' peers.

Offers what ``benchmarks/run.py`` uses of the peers' driver, under the same names, so that it need not care which of
the two it has. Must not know ignitetasks: peers register themselves in `PEERS`.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import servers
from common import Counter

HERE = os.path.dirname(os.path.abspath(__file__))
ALL = ["W1", "W2", "W3", "W4", "W5", "W6"]
PEERS: dict[str, tuple[str, dict[str, str], list[str]]] = {}
SIZE = {"W1": 10_000, "W2": 10_000, "W3": 500, "W4": 20, "W5": 10, "W6": 100_000}
SMALL = {"W1": 300, "W2": 300, "W3": 30, "W4": 2, "W5": 2, "W6": 1_000}
BETTER: dict[str, tuple[str, Callable[..., Any]]] = {
    "W1": ("tasks_s", max), "W2": ("tasks_s", max), "W3": ("p50_ms", min), "W4": ("MB_s", max), "W5": ("cpu_s", min),
    "W6": ("tasks_s", max),
}  # fmt: skip
_DRAIN_SECONDS = 400
_STALL_SECONDS = 30
_QUIET_SECONDS = 60

Row = dict[str, Any]
Record = Callable[["Peer", str, Row], None]


def log(*words: object) -> None:
    """Says what is going on."""
    print(time.strftime("%H:%M:%S"), *words, file=sys.stderr, flush=True)


class Load:
    """The share of the machine that other programs used while the block ran, as ``other``."""

    other = 0.0

    def __enter__(self) -> Load:
        self._before = self._look()
        return self

    def __exit__(self, *_: object) -> None:
        own, busy, seconds = (after - before for before, after in zip(self._before, self._look(), strict=True))
        self.other = round(max(0.0, busy - own) / max(seconds, 0.001) / (os.cpu_count() or 1), 3)

    @staticmethod
    def _look() -> tuple[float, float, float]:
        with open("/proc/stat") as file:
            user, nice, system, _idle, _wait, *rest = map(int, file.readline().split()[1:])
        busy = (user + nice + system + sum(rest[:3])) / os.sysconf("SC_CLK_TCK")
        return servers.cpu_seconds(servers.tree(os.getpid()), waited_for=True), busy, time.monotonic()


def quiet(limit: float) -> None:
    """Waits until other programs use less than this share of the machine, a minute at most; 1 does not wait."""
    end = time.monotonic() + _QUIET_SECONDS
    while limit < 1 and time.monotonic() < end:
        with Load() as load:
            time.sleep(1)
        if load.other < limit:
            return


class Peer:
    """One system under test: its worker processes, and clients as processes of their own."""

    def __init__(self, name: str, srv: servers.Servers) -> None:
        self.name, self.srv = name, srv
        self.module, extra, self.workloads = PEERS[name]
        counter = os.path.join(srv.tmp, "counter")
        self.env = {**os.environ, "BENCH_COUNTER": counter, "PYTHONPATH": HERE, "PYTHONDONTWRITEBYTECODE": "1", **extra}
        self.counter = Counter.create(counter)
        self.procs: list[subprocess.Popen[bytes]] = []
        info = self.client("info", 0)
        self.settings, self.argv, self.brokers = info["settings"], info["workers"], info["brokers"]

    def client(self, w: str, n: int, workload: str = "", timeout: float = 400, first: int = 0) -> Row:
        """Runs one client process; returns what it says."""
        command = [sys.executable, os.path.join(HERE, "common.py"), self.module, w, str(n), str(first)]
        environment = {**self.env, "BENCH_WORKLOAD": workload or w}
        done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, timeout=timeout)
        said = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
        if done.returncode or (not said and w != "reset"):
            raise RuntimeError(f"{self.name} {w}: rc {done.returncode}: {(done.stderr or done.stdout)[-1500:]}")
        answer: Row = json.loads(said[-1][7:]) if said else {}
        return answer

    def reset(self) -> None:
        """Empties queues and counter; only with the workers off."""
        self.client("reset", 0)
        self.counter = Counter.create(self.env["BENCH_COUNTER"])

    def start(self, workload: str) -> None:
        """Starts the workers."""
        with open(os.path.join(self.srv.tmp, f"worker-{self.name}.out"), "ab") as out:
            for argv in self.argv:
                process = subprocess.Popen(
                    argv,
                    cwd=HERE,
                    env={**self.env, "BENCH_WORKLOAD": workload},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=out,
                    start_new_session=True,
                )
                self.procs.append(process)

    def pids(self) -> list[int]:
        """Returns the processes of the workers."""
        return [pid for process in self.procs for pid in servers.tree(process.pid)]

    def stop(self) -> None:
        """Stops the workers."""
        pids = self.pids()
        for process in self.procs:
            process.terminate()
        for process in self.procs:
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for pid in pids:
            servers.kill(pid)
        self.procs = []

    def ready(self, workload: str = "") -> None:
        """Waits until a task has been run."""
        self.client("ready", 0, workload, timeout=60)

    def W1(self, n: int) -> Row:
        """One submit after the other, workers off."""
        self.reset()
        return {"tasks_s": round(n / self.client("W1", n)["seconds"], 1)}

    def W2(self, n: int) -> Row:
        """Many in the quickest way, until all values are read and compared."""
        seconds = self.client("W2", n)["seconds"]
        return {"tasks_s": round(n / seconds, 1), "seconds": round(seconds, 2)}

    def W3(self, n: int) -> Row:
        """Submit, wait, read, again and again."""
        q = statistics.quantiles(self.client("W3", n)["lat"], n=100)
        return {f"p{percent}_ms": round(q[percent - 1] * 1e3, 2) for percent in (50, 95, 99)}

    def W4(self, n: int) -> Row:
        """10 MB there and back; the payload counts once."""
        seconds = self.client("W4", n)["seconds"]
        return {"MB_s": round(10 * n / seconds, 1), "ms": round(seconds / n * 1e3, 1)}

    def W5(self, n: int) -> Row:
        """CPU and memory of a system that has nothing to do."""
        time.sleep(4)
        groups = {
            "worker": self.pids(),
            "broker": [pid for root in self.srv.pids(self.brokers) for pid in servers.tree(root)],
        }
        before = {name: servers.cpu_seconds(pids) for name, pids in groups.items()}
        time.sleep(n)
        row: Row = {"worker_procs": len(groups["worker"])}
        for name, pids in groups.items():
            row[f"{name}_cpu_s"] = round(servers.cpu_seconds(pids) - before[name], 2)
            rss, pss = servers.memory_mb(pids)
            row[f"{name}_rss_MB"], row[f"{name}_pss_MB"] = round(rss, 1), round(pss, 1)
        return {"cpu_s": round(row["worker_cpu_s"] + row["broker_cpu_s"], 2), **row}

    def W6(self, n: int) -> Row:
        """A queue filled with the workers off, then drained."""
        self.reset()
        half = n // 2
        with ThreadPoolExecutor(2) as pool:
            parts = [pool.submit(self.client, "W6", half), pool.submit(self.client, "W6", n - half, first=half)]
            filling = max(part.result()["seconds"] for part in parts)
        start = time.monotonic()
        self.start("W6")
        try:
            found = self._drain(n, start)
        finally:
            self.stop()
        tasks, total, first, last, processes = found
        if tasks != n or total != n * (n - 1) // 2:
            raise RuntimeError(f"incomplete: {tasks} of {n} tasks counted, sum {total}, {processes} processes")
        return {
            "tasks_s": round(n / max(last - first, 1e-9), 1), "drained": tasks, "boot_s": round(first - start, 2),
            "wall_s": round(last - start, 2), "submit_2proc_tasks_s": round(n / filling, 1), "processes": processes,
        }  # fmt: skip

    def _drain(self, n: int, start: float) -> tuple[int, int, float, float, int]:
        while True:
            time.sleep(0.05)
            tasks, _, _, last, _ = self.counter.read()
            now = time.monotonic()
            if tasks >= n or now - start > _DRAIN_SECONDS or now - max(last, start) > _STALL_SECONDS:
                time.sleep(0.3)  # a task that runs twice would be counted now
                return self.counter.read()


def one_round(peer: Peer, want: list[str], size: Mapping[str, int], record: Record, limit: float) -> None:
    """Runs the wanted workloads of one peer once."""
    _measure(peer, [w for w in ("W1",) if w in want], size, record, limit)
    for group in ("W5", "W3", "W2"), ("W4",):
        wanted = [w for w in group if w in want]
        if not wanted:
            continue
        try:
            peer.reset()
            peer.start(wanted[0])
            peer.ready(wanted[0])
            _measure(peer, wanted, size, record, limit)
        except Exception as error:
            for w in wanted:
                record(peer, w, {"error": f"{type(error).__name__}: {error}"[-600:]})
        finally:
            peer.stop()
    _measure(peer, [w for w in ("W6",) if w in want], size, record, limit)


def _measure(peer: Peer, want: list[str], size: Mapping[str, int], record: Record, limit: float) -> None:
    for w in want:
        try:
            quiet(limit)
            with Load() as load:
                row = getattr(peer, w)(size[w])
            record(peer, w, {**row, "other_cpu": load.other})
        except Exception as error:
            record(peer, w, {"error": f"{type(error).__name__}: {error}"[-600:]})


def best(w: str, runs: list[Row]) -> Row:
    """Returns the best of some runs, with what all of them gave."""
    good = [row for row in runs if "error" not in row]
    if not good:
        return {"error": runs[-1]["error"] if runs else "not run"}
    key, pick = BETTER[w]
    return {**pick(good, key=lambda row: row[key]), "all": [row.get(key) for row in runs], "runs": len(good)}


_COLUMNS: tuple[tuple[str, str, Callable[[Row], str]], ...] = (
    ("W1", "W1 submit/s", lambda r: f"{r['tasks_s']:,.0f}"),
    ("W2", "W2 end to end/s", lambda r: f"{r['tasks_s']:,.0f}"),
    ("W3", "W3 p50 / p95 / p99 ms", lambda r: f"{r['p50_ms']:.2f} / {r['p95_ms']:.2f} / {r['p99_ms']:.2f}"),
    ("W4", "W4 MB/s", lambda r: f"{r['MB_s']:.1f}"),
    ("W5", "W5 CPU s in 10 s (worker+broker)", lambda r: f"{r['worker_cpu_s']:.2f} + {r['broker_cpu_s']:.2f}"),
    (
        "W5",
        "W5 RSS (PSS) MB worker + broker",
        lambda r: (
            f"{r['worker_rss_MB']:.0f} ({r['worker_pss_MB']:.0f}) + {r['broker_rss_MB']:.0f} ({r['broker_pss_MB']:.0f})"
        ),
    ),
    ("W6", "W6 drain/s", lambda r: f"{r['tasks_s']:,.0f}"),
)


def table(results: Mapping[str, Mapping[str, Row]]) -> str:
    """Returns the best runs as a Markdown table."""
    lines = ["| " + " | ".join(["peer", *(head for _, head, _ in _COLUMNS)]) + " |", "|---" * (len(_COLUMNS) + 1) + "|"]
    for name in PEERS:
        if name in results:
            rows = results[name]
            cells = [
                "" if w not in rows else "failed" if "error" in rows[w] else show(rows[w]) for w, _, show in _COLUMNS
            ]
            lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def facts() -> Row:
    """Returns what is to be known of the machine."""
    with open("/proc/cpuinfo") as file:
        cpu = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "?")
    with open("/proc/meminfo") as file:
        memory = int(file.readline().split()[1]) / 1e6
    return {
        "cpu": cpu, "cores": os.cpu_count(), "ram_GB": round(memory, 1), "python": platform.python_version(),
        "kernel": platform.release(), "packages": {},
    }  # fmt: skip
