"""What a `State` knows of one worker and of one task, as events have told it.

This file must not read events from anywhere.
"""

from __future__ import annotations

import bisect
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final

from ignitetasks import states

#: A worker that sends every ``freq`` seconds is taken for gone after so many per cent of that.
HEARTBEAT_EXPIRE_WINDOW: Final = 200
_HEARTBEATS_KEPT: Final = 4

#: States that the built-in types of task events stand for.
TASK_EVENT_TO_STATE: Final[Mapping[str, str]] = {
    "sent": states.PENDING,
    "received": states.RECEIVED,
    "started": states.STARTED,
    "failed": states.FAILURE,
    "retried": states.RETRY,
    "succeeded": states.SUCCESS,
    "revoked": states.REVOKED,
    "rejected": states.REJECTED,
}
# What happens later in a task's life has the larger number; a custom state lies between REVOKED and FAILURE.
_STAGES: Final[Mapping[str, int]] = {
    states.PENDING: 0,
    states.RETRY: 1,
    states.REJECTED: 2,
    states.RECEIVED: 3,
    states.STARTED: 4,
    states.REVOKED: 5,
    states.FAILURE: 7,
    states.SUCCESS: 8,
}
_CUSTOM_STAGE: Final = 6
# What only the reception of a task tells for sure, also when it is heard of late.
_KEPT_OF_RECEIVED: Final = frozenset(
    ("name", "args", "kwargs", "parent_id", "root_id", "retries", "eta", "expires"),
)
_INFO_FIELDS: Final = (
    "args", "kwargs", "retries", "result", "eta", "runtime", "expires", "exception", "exchange", "routing_key",
    "root_id", "parent_id",
)  # fmt: skip


def heartbeat_expires(timestamp: float, freq: float = 60, expire_window: float = HEARTBEAT_EXPIRE_WINDOW) -> float:
    """Returns until when a worker that was heard of counts as alive, in seconds since the epoch."""
    return float(timestamp) + float(freq) * expire_window / 100


class Worker:
    """One worker.

    Args:
        hostname: Its name.
        **fields: What is known already.

    Attributes:
        hostname: Its name.
        pid: Its process.
        freq: Seconds between its heartbeats.
        heartbeats: When it was heard of last.
        clock: Of its last event.
        active: Tasks it runs.
        processed: Tasks it has ended.
        loadavg: Load of its machine.
        sw_ident: Its software.
        sw_ver: Version of that.
        sw_sys: Its operating system.
    """

    expire_window = HEARTBEAT_EXPIRE_WINDOW
    _fields: Final = (
        "hostname", "pid", "freq", "heartbeats", "clock", "active", "processed", "loadavg", "sw_ident", "sw_ver",
        "sw_sys",
    )  # fmt: skip

    def __init__(self, hostname: str | None = None, **fields: Any) -> None:
        self.hostname = hostname
        self.pid: int | None = None
        self.freq: float = 60
        self.heartbeats: list[float] = []
        self.clock = 0
        self.active: int | None = None
        self.processed: int | None = None
        self.loadavg: Any = None
        self.sw_ident: str | None = None
        self.sw_ver: str | None = None
        self.sw_sys: str | None = None
        self.update(fields)

    def __repr__(self) -> str:
        return f"<Worker: {self.hostname} ({self.status_string})>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Worker) and self.hostname == other.hostname

    def __hash__(self) -> int:
        return hash(self.hostname)

    def update(self, f: Mapping[str, Any] | None = None, **fields: Any) -> None:
        """Takes over fields."""
        for name, value in {**(f or {}), **fields}.items():
            setattr(self, name, value)

    def event(
        self,
        type_: str | None,
        timestamp: float | None = None,
        local_received: float | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Takes note of an event of the worker's own, or (type None) of one of its tasks."""
        told = set(self._fields) - {"hostname", "heartbeats"}
        self.update({name: value for name, value in (fields or {}).items() if name in told})
        if type_ == "offline":
            self.heartbeats.clear()
        elif local_received and timestamp:
            bisect.insort(self.heartbeats, local_received)
            del self.heartbeats[:-_HEARTBEATS_KEPT]

    @property
    def alive(self) -> bool:
        """Whether it was heard of lately."""
        return bool(self.heartbeats) and time.time() < self.heartbeat_expires

    @property
    def heartbeat_expires(self) -> float:
        """Until when it counts as alive, in seconds since the epoch."""
        return heartbeat_expires(self.heartbeats[-1], self.freq, self.expire_window)

    @property
    def status_string(self) -> str:
        """``ONLINE`` or ``OFFLINE``."""
        return "ONLINE" if self.alive else "OFFLINE"

    @property
    def id(self) -> str:
        """Its name and process."""
        return f"{self.hostname}.{self.pid}"


class Task:
    """One task. Every field of its events is an attribute; what no event has told is None.

    Args:
        uuid: Its id.
        cluster_state: The state it belongs to.
        **fields: What is known already.
    """

    name: str | None = None
    state: str = states.PENDING
    sent = received = started = succeeded = failed = retried = revoked = rejected = None
    args = kwargs = eta = expires = retries = result = exception = timestamp = runtime = traceback = None
    exchange = routing_key = root_id = parent_id = client = hostname = None
    worker: Worker | None = None
    clock: int = 0
    _fields: Final = (
        "uuid", "name", "state", "received", "sent", "started", "rejected", "succeeded", "failed", "retried", "revoked",
        "args", "kwargs", "eta", "expires", "retries", "worker", "result", "exception", "timestamp", "runtime",
        "traceback", "exchange", "routing_key", "clock", "client", "root", "root_id", "parent", "parent_id", "children",
    )  # fmt: skip

    def __init__(self, uuid: str | None = None, cluster_state: Any = None, **fields: Any) -> None:
        self.uuid = uuid
        self.cluster_state = cluster_state
        self.__dict__.update(fields)

    def __repr__(self) -> str:
        return f"<Task: {self.name}({self.uuid}) {self.state}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Task) and self.uuid == other.uuid

    def __hash__(self) -> int:
        return hash(self.uuid)

    def event(
        self,
        type_: str,
        timestamp: float | None = None,
        local_received: float | None = None,
        fields: Mapping[str, Any] | None = None,
    ) -> None:
        """Takes note of an event.

        Args:
            type_: Its type without the group, such as ``started``.
            timestamp: When it happened.
            local_received: When it was received.
            fields: Everything it tells.
        """
        found = {name: value for name, value in (fields or {}).items() if name not in ("type", "uuid")}
        state = TASK_EVENT_TO_STATE.get(type_)
        if state is not None:
            setattr(self, type_, timestamp)
        else:
            state = type_.upper()
        late = _stage(state) < _stage(self.state) and states.RETRY not in (state, self.state)
        if late:
            # Heard of after what came later: only what nothing else tells is new.
            found = {name: value for name, value in found.items() if _is_news(self, name, state)}
        else:
            found.update(state=state, timestamp=timestamp)
        self.__dict__.update(found)

    def info(self, fields: Iterable[str] | None = None, extra: Iterable[str] | None = None) -> dict[str, Any]:
        """Returns what is known, by name, for display.

        Args:
            fields: Names; None means the usual ones.
            extra: Further names.
        """
        names = [*(_INFO_FIELDS if fields is None else fields), *(extra or ())]
        values = ((name, getattr(self, name, None)) for name in names)
        return {name: value for name, value in values if value is not None}

    def as_dict(self) -> dict[str, Any]:
        """Returns everything that is known, by name; of tasks related to it their ids."""
        known = {**{name: getattr(self, name) for name in self._fields}, **self.__getstate__()}
        related = {"root": self.root_id, "parent": self.parent_id, "children": [one.uuid for one in self.children]}
        return known | related

    def __getstate__(self) -> dict[str, Any]:
        # The state it belongs to is put in again by the one that is read with it.
        return {name: value for name, value in self.__dict__.items() if name != "cluster_state"}

    def __setstate__(self, kept: dict[str, Any]) -> None:
        self.__dict__.update(kept, cluster_state=None)

    @property
    def id(self) -> str | None:
        """Its id."""
        return self.uuid

    @property
    def origin(self) -> str | None:
        """Who was heard of it from: its worker, else the client that sent it."""
        return self.client if self.worker is None else self.worker.id

    @property
    def ready(self) -> bool:
        """Whether it has ended."""
        return self.state in states.READY_STATES

    @property
    def parent(self) -> Task | None:
        """The task that sent it, where that is known."""
        return self._other(self.parent_id)

    @property
    def root(self) -> Task | None:
        """The first task of its workflow, where that is known."""
        return self._other(self.root_id)

    @property
    def children(self) -> set[Task]:
        """The tasks it has sent, as far as they are known."""
        tasks = self.cluster_state.tasks if self.cluster_state is not None else {}
        return {task for task in tasks.values() if task.parent_id == self.uuid}

    def _other(self, uuid: str | None) -> Task | None:
        if uuid is None or self.cluster_state is None:
            return None
        found: Task | None = self.cluster_state.tasks.get(uuid)
        return found


def _stage(state: str) -> int:
    return _STAGES.get(state, _CUSTOM_STAGE)


def _is_news(task: Task, name: str, state: str) -> bool:
    return (state == states.RECEIVED and name in _KEPT_OF_RECEIVED) or getattr(task, name, None) is None
