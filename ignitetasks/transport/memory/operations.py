"""What is done to tasks of a home in memory from outside their normal course: look, forget, revoke, purge, revive.

Each public method is one operation of the gateway, under its name and with its positional arguments. This file
must not know connections.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

from ignitetasks import frames, states
from ignitetasks.errors import BadRequest
from ignitetasks.owntasks import is_own
from ignitetasks.transport.memory import outcomes, records
from ignitetasks.transport.memory.records import DELAYED, JOINING, LEASED, READY, Record, Worker, now_ms
from ignitetasks.transport.memory.shared import Events, Questions, Settings
from ignitetasks.transport.memory.workers import Workers

_DEAD = frozenset({states.DEAD_CODE, states.REJECTED_CODE})
_OPERATIONS = frozenset(
    {
        "ping", "stop", "info", "forget", "revoke", "purge", "end", "dead_list", "dead_retry", "dead_drop", "listening",
        "scan", "metrics", "status", "kv_get", "kv_put", "kv_list", "events_append", "events_read", "control",
        "rates_changed",
    }
)  # fmt: skip
#: The bucket of settings that rates are set in.
RATES = "rate"
_ALL = 1 << 31
_WAITING = frozenset({READY, DELAYED, JOINING})


class Operations:
    """The operations that need no session.

    Args:
        workers: The home's workers, and with them the home.
        stop: Ends the home.
        last_event: Number of the last event before the home's.
    """

    def __init__(self, workers: Workers, stop: Callable[[], None], last_event: int = 0) -> None:
        self.questions = Questions(workers.ask)
        self.events = Events(last_event)
        self._settings = Settings()
        self._others = (self._settings, self.events, self.questions)
        self._workers = workers
        self._home = workers.home
        self._stop = stop
        self._started_ms = now_ms()

    def call(self, op: str, args: Sequence[Any]) -> Any:
        """Performs one operation.

        Raises:
            BadRequest: There is none of this name.
        """
        if op not in _OPERATIONS:
            raise BadRequest(f"the home in memory has no operation {op!r}")
        owner = next(one for one in (self, *self._others) if hasattr(one, op))
        return getattr(owner, op)(*args)

    def ping(self) -> list[Any]:
        """Answers."""
        return []

    def stop(self) -> list[Any]:
        """Ends the home: its workers leave, and its tasks are forgotten."""
        self._stop()
        return []

    def info(self, ids: Sequence[str]) -> list[Any]:
        """Returns what is known of each id: a map, None, or ``expired``."""
        with self._home.lock:
            self._home.sweep()
            return [self._info(task_id) for task_id in ids]

    def _info(self, task_id: str) -> Any:
        record = self._home.records.get(task_id)
        if record is None:
            return "expired" if task_id in self._home.expired else None
        return record.info()

    def forget(self, ids: Sequence[str]) -> int:
        """Deletes records that have ended; returns how many there were."""
        return self._delete(ids, lambda record: record.terminal)

    def _delete(self, ids: Sequence[str], wanted: Callable[[Record], bool]) -> int:
        gone = 0
        with self._home.changing():
            for task_id in ids:
                record = self._home.records.get(task_id)
                if record is not None and wanted(record):
                    del self._home.records[task_id]
                    gone += 1
        return gone

    def revoke(self, ids: Sequence[str], terminate: bool, signal: str) -> list[int]:
        """Keeps tasks from running; returns the state of each afterwards, -1 where there is none."""
        with self._home.changing():
            return [self._revoke(task_id, terminate, signal) for task_id in ids]

    def _revoke(self, task_id: str, terminate: bool, signal: str) -> int:
        record = self._home.records.get(task_id)
        if record is None:
            self._home.revoke_ahead(task_id)
            return -1
        if record.terminal:
            return record.state
        if record.where == LEASED and not terminate:
            record.revoke_asked = True
            return record.state
        if record.where == LEASED:
            self._kill(record, signal)
            self._home.fail(record, states.REVOKED_CODE, records.REVOKED, "revoked while it ran", signal=signal)
        else:
            self._home.fail(record, states.REVOKED_CODE, records.REVOKED, "revoked")
        return record.state

    def _kill(self, record: Record, signal: str) -> None:
        child = record.holder
        if child is None:
            return
        for seq, (held, fence) in child.held.items():
            if held is record and fence == record.fence:
                self._home.post(child.worker.peer, frames.KILL, [child.index, child.pid, seq, signal])

    def rates_changed(self) -> list[Any]:
        """Reads anew the rates that were set at run time."""
        limits = {key: bytes(value).decode() for key, _, value in self._settings.kv_list(RATES, "", None, _ALL)}
        with self._home.changing():
            self._workers.rates.override(limits)
        return []

    def purge(self, queue: str | None) -> int:
        """Revokes everything that waits; returns how many there were."""
        where = "with all queues" if queue is None else f"from queue {queue}"
        count = 0
        with self._home.changing():
            for record in list(self._home.records.values()):
                if record.where in _WAITING and not record.terminal and queue in (None, record.queue):
                    self._home.fail(record, states.REVOKED_CODE, records.REVOKED, f"purged {where}", heard=False)
                    count += 1
        return count

    def end(self, spawn: dict[str, Any]) -> list[Any]:
        """Makes records of tasks that are born finished; an id that is known is left as it is."""
        with self._home.changing():
            self._home.spawn({"end": [one for one in spawn["end"] if one[0] not in self._home.records]})
        return []

    def _dead(self, ids: Sequence[str] | None) -> list[Record]:
        all_records = self._home.records
        if ids is None:
            found = sorted((one for one in all_records.values()), key=lambda one: one.finished_ms)
        else:
            found = [all_records[task_id] for task_id in ids if task_id in all_records]
        return [one for one in found if one.state in _DEAD]

    def dead_list(self, limit: int) -> list[Any]:
        """Returns the dead letters, oldest first."""
        with self._home.lock:
            return [record.info() for record in self._dead(None)[:limit]]

    def dead_retry(self, ids: Sequence[str] | None) -> int:
        """Runs dead letters again; returns how many."""
        with self._home.changing():
            found = self._dead(ids)
            for record in found:
                outcomes.revive(record)
                self._home.place(record)
            return len(found)

    def dead_drop(self, ids: Sequence[str] | None) -> int:
        """Deletes dead letters; returns how many."""
        with self._home.lock:
            named = [record.id for record in self._dead(ids)]
        return self._delete(named, lambda record: record.state in _DEAD)

    def listening(self, queues: Sequence[str]) -> dict[str, int]:
        """Returns how many workers listen to each queue."""
        with self._home.lock:
            workers = list(self._workers.all.values())
            return {queue: sum(queue in worker.queues for worker in workers) for queue in queues}

    def scan(self, cursor: str | None, limit: int) -> list[Any]:
        """Returns the next page of all records: the next cursor or None, and rows."""
        with self._home.lock:
            start = int(cursor or 0)
            rows = [one.row() for one in list(self._home.records.values())[start : start + limit]]
            more = start + limit < len(self._home.records)
        return [str(start + limit) if more else None, rows]

    def metrics(self) -> dict[str, Any]:
        """Returns no numbers: what a home in memory counts is in `status`."""
        return {"counters": {}, "histograms": {}}

    def status(self) -> dict[str, Any]:
        """Returns what the home and its workers are doing."""
        with self._home.lock:
            self._home.sweep()
            queues: dict[str, dict[str, Any]] = {}
            now = now_ms()
            for record in self._home.records.values():
                if not record.terminal:
                    self._count(queues, record, now)
            workers = list(self._workers.all.values())
            for worker in workers:
                for name in worker.queues:
                    _queue(queues, name)
            for name, queue in queues.items():
                queue["workers"] = sum(name in worker.queues for worker in workers)
                queue["free_slots"] = sum(worker.free() for worker in workers if name in worker.queues)
            counts = {"PENDING": "pending", "DELAYED": "delayed", "RUNNING": "running"}
            totals = {state: sum(one[field] for one in queues.values()) for state, field in counts.items()}
            ended = {name: self._home.ended.get(code, 0) for name, code in states.CODES.items() if code >= 3}
            return {
                "node": self._node(),
                "queues": list(queues.values()),
                "workers": [_worker(worker) for worker in workers],
                "states": {**totals, **ended},
            }

    def _node(self) -> dict[str, Any]:
        return {
            "name": f"memory@{socket.gethostname()}.{os.getpid()}",
            "role": "memory",
            "version": "",
            "uptime_ms": now_ms() - self._started_ms,
            "heap_used": 0,
            "heap_max": 0,
            "data_dir": "",
            "durability": "none",
            "nodes": 1,
            "active": True,
        }

    @staticmethod
    def _count(queues: dict[str, dict[str, Any]], record: Record, now: int) -> None:
        queue = _queue(queues, record.queue)
        if record.where == LEASED:
            queue["running"] += 1
        elif record.where == DELAYED:
            queue["delayed"] += 1
        elif record.where == READY:
            queue["pending"] += 1
            queue["oldest_ms"] = max(queue["oldest_ms"], now - record.created_ms)


def _queue(queues: dict[str, dict[str, Any]], name: str) -> dict[str, Any]:
    return queues.setdefault(name, {"name": name, "pending": 0, "delayed": 0, "running": 0, "oldest_ms": 0})


def _worker(worker: Worker) -> dict[str, Any]:
    info = worker.info
    return {
        "name": worker.name,
        "host": info.get("host"),
        "pid": info.get("pid"),
        "epoch": worker.epoch,
        "queues": sorted(worker.queues),
        "concurrency": info.get("concurrency"),
        "pool": info.get("pool"),
        "free": worker.free(),
        "running": worker.running(),
        "done": worker.done,
        "failed": worker.failed,
        "lost": worker.lost,
        "started_ms": worker.started_ms,
        "tasks": sum(not is_own(name) for name in worker.tasks),
    }
