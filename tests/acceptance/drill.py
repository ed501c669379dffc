"""One fault test: loads and workers that are started, killed and healed, and the judgement over what they wrote."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from history import Journal, Reader, Verdict, check, load
from support import Processes, Running, until
from support.processes import children_of, is_alive, kill_pid

from ignitetasks import IgniteTasks, states
from ignitetasks.config import Settings
from ignitetasks.results import ResultList

HERE = Path(__file__).resolve().parent
_READ_BATCH = 1_000

#: More seconds of faults than the usual short run, and the seed of their choice.
SOAK_SECONDS = float(os.environ.get("IGNITETASKS_SOAK_SECONDS", "0"))
SOAK_SEED = int(os.environ.get("IGNITETASKS_SOAK_SEED", "1"))


class Drill:
    """The processes of one test around one instance or cluster.

    Args:
        folder: Where they write.
        processes: Who ends them.
        settings: How the judge reaches the tasks.
        env: How the loads and workers reach them.
    """

    def __init__(self, folder: Path, processes: Processes, settings: Settings, env: Mapping[str, str]) -> None:
        self._instance = {"IGNITETASKS_INSTANCE": str(settings.instance_dir)}
        self.history = folder / "history"
        self.history.mkdir()
        self._processes = processes
        self._env = {**env, "CHAOS_HISTORY": str(self.history)}
        self.app = IgniteTasks("judge", settings=settings)
        self._journal = Journal(self.history, "drill")
        self._reader = Reader(self.history)
        self._acknowledged = 0
        self._starts: Counter[str] = Counter()
        self._loads = 0
        self._load: Running | None = None
        self.log: list[str] = []

    def start_load(self, pause_ms: float = 25) -> Running:
        """Starts a stream of submits with numbers of its own, through the judge's JVM."""
        self._loads += 1
        self._load = self._processes.python(
            HERE / "chaos_load.py",
            str(self.history),
            str(self._loads),
            str(self._loads * 10_000_000),
            str(pause_ms),
            name="load",
            env={**self._env, **self._instance},
            path=[HERE],
        )
        return self._load

    def start_worker(self, name: str, concurrency: int = 2, options: Iterable[str] = ()) -> Running:
        """Starts a worker and does not wait for it."""
        words = ["worker", "-A", "chaos_app", "-n", name, "-c", str(concurrency), *options]
        return self._processes.command(*words, name=f"worker-{name}", env=self._env, path=[HERE])

    def send_long(self, n: int, ms: int) -> str:
        """Sends one task that takes its time, before all that waits; returns its id."""
        self._journal.write("submit", "invoke", ns=[n])
        result = self.app.send_task("chaos_app.work", (n, ms), priority=200)
        self._journal.write("submit", "ok", made=[[n, result.id, result.created]])
        return result.id

    def starts(self, task_id: str) -> int:
        """Returns how often a task has been started so far, as it says itself."""
        self._look()
        return self._starts[task_id]

    def acknowledged(self) -> int:
        """Returns how many submits have been acknowledged so far."""
        self._look()
        return self._acknowledged

    def _look(self) -> None:
        for event in self._reader.more():
            if event["f"] == "start":
                self._starts[event["id"]] += 1
            elif event["f"] == "submit" and event["k"] == "ok":
                self._acknowledged += 1

    def wait_for_submits(self, more: int, timeout: float = 90.0) -> None:
        """Waits until so many more submits have been acknowledged, however long this machine takes for them."""
        goal = self.acknowledged() + more

        def enough() -> bool:
            # A load that was killed by the test is replaced by it; one that ends otherwise has met what it must not.
            assert self._load is None or self._load.process.poll() in (None, 0, -signal.SIGKILL), self._load.text()
            return self.acknowledged() >= goal

        until(enough, lambda: f"{more} submits after {self.log}: {self._said()}", timeout=timeout, step=0.1)

    def _said(self) -> str:
        return self._load.text()[-2_000:] if self._load else ""

    def stop_load(self, stream: Running) -> None:
        """Ends a load after the call under way."""
        code = stream.stop(signal.SIGTERM, timeout=60)
        assert code == 0, stream.text()

    def status(self) -> dict[str, Any]:
        """Returns the answer of ``status``."""
        answer: dict[str, Any] = self.app.transport.call("status")
        return answer

    def wait_for_workers(self, *names: str) -> None:
        """Waits until all of these take tasks."""

        def there() -> bool:
            known = {one["name"] for one in self.status()["workers"] if one["free"] + one["running"] > 0}
            return known.issuperset(names)

        until(there, f"workers {names}", timeout=60)

    def drain(self, timeout: float = 60.0) -> None:
        """Waits until nothing waits or runs any more."""

        def empty() -> bool:
            queues = self.status()["queues"]
            return all(not queue["pending"] + queue["delayed"] + queue["running"] for queue in queues)

        until(empty, lambda: f"the queues to drain: {self.status()}", timeout=timeout, step=0.1)

    def judge(self, budget: int) -> Verdict:
        """Reads all tasks anybody has heard of, and judges."""
        events = load(self.history)
        ids = {made[1] for event in events for made in event.get("made", ())}
        ids |= {event["id"] for event in events if event["f"] == "start"}
        return check([*events, *self._final_reads(sorted(ids))], budget)

    def _final_reads(self, ids: list[str]) -> list[dict[str, Any]]:
        reads: list[dict[str, Any]] = []
        for start in range(0, len(ids), _READ_BATCH):
            part = ids[start : start + _READ_BATCH]
            records = self.app.transport.call("info", part)
            ended = [task_id for task_id, record in zip(part, records, strict=True) if _is_success(record)]
            results = dict(zip(ended, ResultList(ended, self.app).get(timeout=60), strict=True))
            for task_id, record in zip(part, records, strict=True):
                state = states.name_of(record["state"]) if isinstance(record, Mapping) else repr(record)
                read = {"f": "read", "k": "ok", "id": task_id, "v": state, "final": True}
                reads.append({**read, "result": results[task_id]} if task_id in results else read)
        return reads

    def close(self) -> None:
        """Closes the judge's own connections."""
        self.app.close()


def _is_success(record: Any) -> bool:
    return isinstance(record, Mapping) and record["state"] == states.SUCCESS_CODE


def kill_all(pids: Iterable[int]) -> None:
    """Kills processes at once and then waits until all are gone."""
    pids = list(pids)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for pid in pids:
        kill_pid(pid)


def task_children(pid: int) -> list[int]:
    """Returns the pids of a supervisor's children that run tasks; the node it may have started is none of them."""
    return [child for child in children_of(pid) if b"org.ignitetasks" not in _command_line(child)]


def _command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def kill_worker(worker: Running) -> None:
    """Kills a supervisor; its children must not outlive it."""
    orphans = task_children(worker.pid)
    worker.kill()
    until(lambda: not any(is_alive(pid) for pid in orphans), "the end of a dead worker's children", timeout=5)
