"""What the worker needs from outside, as ports, and its own fixed values.

The application object is known here only by what the worker uses of it, so that `app` can offer a local worker
without an import cycle. This file must not contain behaviour.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ignitetasks.config import Settings
from ignitetasks.message import BlobRef, Spawn, TaskOptions
from ignitetasks.serializers import Data
from ignitetasks.transport.base import Transport

# Positions in a delivery.
SEQ, ID, FENCE, TASK, BODY, FLAGS, OPTIONS, ATTEMPT, DELIVERIES, SOFT_MS, HARD_MS = range(11)
QUEUE, PRIORITY, ETA_MS, EXPIRES_MS, ROOT_ID, PARENT_ID, GROUP_ID, CREATED_MS = range(11, 19)

#: One task to run, as the node sends it.
Delivery = list[Any]
#: Kind, payload, flags, extra and spawn: an outcome without its sequence number and run time.
Ending = tuple[int, Data | None, int, Any, Spawn | None]

PREFORK: Final = "prefork"
THREADS: Final = "threads"
SOLO: Final = "solo"
ASYNCIO: Final = "asyncio"
POOLS: Final = (PREFORK, THREADS, SOLO, ASYNCIO)


class RunnableTask(Protocol):
    """What the worker needs of a registered task."""

    @property
    def name(self) -> str:
        """Name under which deliveries ask for it."""

    @property
    def fn(self) -> Callable[..., Any]:
        """The user's function."""

    @property
    def target(self) -> Callable[..., Any]:
        """What is called with the arguments alone."""

    @property
    def options(self) -> TaskOptions:
        """What its decorator fixed."""


class WorkerApp(Protocol):
    """What the worker needs of an application."""

    @property
    def name(self) -> str:
        """The application's name."""

    @property
    def settings(self) -> Settings:
        """Its settings."""

    @property
    def tasks(self) -> Mapping[str, RunnableTask]:
        """Its registered tasks by name."""

    @property
    def transport(self) -> Transport:
        """Its way to the node; connects at the first call, and again in each process."""

    def configure(self, **changes: Any) -> None:
        """Change single settings."""


class Blobs(Protocol):
    """Large values beside the lane."""

    def get(self, ref: BlobRef) -> Data:
        """Fetch a value; raises `NotConnected` when the node is gone, another `IgniteTasksError` otherwise."""

    def put(self, blob_id: str, data: Data, ttl_ms: int) -> BlobRef:
        """Store a value; raises as `get`."""

    def close(self) -> None:
        """Close the connection; a later use opens a new one."""


class NodeAddress(Protocol):
    """How to reach the node; `jvm.Connection` is one."""

    @property
    def token(self) -> str:
        """Secret of the gateway and the lane."""

    @property
    def lane(self) -> str:
        """Path of the lane's socket."""

    @property
    def data_dir(self) -> str:
        """Where the node keeps its data."""


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """What does not change while a child lives.

    Attributes:
        hostname: The worker's name, as tasks see it.
        inline_limit: Longer results go to the blob store, in bytes.
        max_payload_bytes: Longer results are refused, in bytes.
        result_serializer: Encoding of results where the task names none.
        result_compression: How large results are compressed; None for not at all.
        task_serializer: Encoding of a retry's new arguments where the task names none.
        result_ttl_ms: How long a large result is kept where the task says nothing, in milliseconds.
        soft_ms: Soft limit where neither call nor task has one, in milliseconds; 0 for none.
        hard_ms: The same for the hard limit.
    """

    hostname: str
    inline_limit: int = 65536
    max_payload_bytes: int = 1 << 30
    result_serializer: str = "msgpack"
    result_compression: str | None = None
    task_serializer: str = "msgpack"
    result_ttl_ms: int = 86_400_000
    soft_ms: int = 0
    hard_ms: int = 0


@dataclass(frozen=True, slots=True)
class WorkerPlan:
    """What one worker is to be.

    Attributes:
        name: The worker's name; unique among the workers of a cluster.
        queues: Queues it takes tasks from.
        concurrency: Tasks it runs at the same time.
        pool: `PREFORK`, `THREADS`, `SOLO` or `ASYNCIO`.
        max_tasks_per_child: Executions after which a child is replaced; 0 for no limit.
        max_memory_per_child_kib: Resident size after which a child is replaced, in KiB; 0 for no limit.
        soft_time_limit_seconds: Soft limit of tasks that have none; 0 for none.
        time_limit_seconds: Hard limit of tasks that have none; 0 for none.
        metrics_port: Port of the metrics endpoint; None for no endpoint, 0 for any free port.
        metrics_host: Address it listens on.
        prefetch: Most deliveries for each slot, the running one included; 0 for as many as run in no time.
        autoscale: Largest and smallest size of the pool, which then follows its work; None for one size.
        events: Send events from the start, whatever the cluster's switch says.
        heartbeats: Tell of the worker itself from the start, also without the events of tasks.
    """

    name: str
    queues: tuple[str, ...]
    concurrency: int
    pool: str = PREFORK
    max_tasks_per_child: int = 0
    max_memory_per_child_kib: int = 0
    soft_time_limit_seconds: float = 0.0
    time_limit_seconds: float = 0.0
    metrics_port: int | None = None
    metrics_host: str = "127.0.0.1"
    prefetch: int = 0
    autoscale: tuple[int, int] | None = None
    events: bool = False
    heartbeats: bool = False

    @property
    def processes(self) -> int:
        """How many children there are."""
        return self.concurrency if self.pool == PREFORK else 1

    @property
    def slots_per_child(self) -> int:
        """How many tasks one child runs at a time."""
        return self.concurrency if self.pool in (THREADS, ASYNCIO) else 1
