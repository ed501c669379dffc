"""What an operator asks of a node: status, records, purge, dead letters. For SQL over the records see ``tasktable``.

Typed functions on top of a :class:`~ignitetasks.transport.base.Transport`; the command line is one of their users.
Must not print, and must not start a node unless :func:`connect` is told to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from ignitetasks import jvm, states
from ignitetasks.accepted import codecs_of
from ignitetasks.config import Settings
from ignitetasks.errors import NodeError, ResultExpired, UnknownResult
from ignitetasks.failure import Failure
from ignitetasks.message import BlobRef, decode_result
from ignitetasks.serializers import Data
from ignitetasks.transport.base import Transport
from ignitetasks.transport.gateway import GatewayTransport
from ignitetasks.transport.retrying import RetryingTransport


@dataclass(frozen=True)
class NodeStatus:
    """The node that answered.

    Attributes:
        name: Its name in the cluster.
        role: ``embedded``, ``data`` or ``client``.
        version: Version of its jar.
        uptime_ms: Milliseconds since its start.
        heap_used: Bytes.
        heap_max: Bytes.
        data_dir: Where its data lives.
        durability: ``power`` or ``process``.
        nodes: Data nodes of the cluster.
        active: False while the cluster takes no writes.
    """

    name: str = ""
    role: str = ""
    version: str = ""
    uptime_ms: int = 0
    heap_used: int = 0
    heap_max: int = 0
    data_dir: str = ""
    durability: str = ""
    nodes: int = 1
    active: bool = True


@dataclass(frozen=True)
class QueueStatus:
    """One queue.

    Attributes:
        name: Its name.
        pending: Tasks ready to run.
        delayed: Tasks whose time has not come.
        running: Tasks with a worker.
        oldest_ms: Age of the oldest ready task in milliseconds.
        workers: Workers that listen to it.
        free_slots: Tasks these could start now.
    """

    name: str = ""
    pending: int = 0
    delayed: int = 0
    running: int = 0
    oldest_ms: int = 0
    workers: int = 0
    free_slots: int = 0


@dataclass(frozen=True)
class WorkerStatus:
    """One worker.

    Attributes:
        name: Its name.
        host: Its machine.
        pid: Process id of its supervisor.
        epoch: Number of this life of the worker.
        queues: Queues it listens to.
        concurrency: Tasks it can run at a time.
        pool: ``prefork``, ``threads`` or ``solo``.
        free: Free slots.
        running: Tasks it runs.
        done: Tasks it ended well.
        failed: Tasks it ended with an error.
        lost: Deliveries that ended with a process.
        started_ms: Milliseconds since the epoch.
        tasks: Task names it has code for.
    """

    name: str = ""
    host: str = ""
    pid: int = 0
    epoch: int = 0
    queues: Sequence[str] = ()
    concurrency: int = 0
    pool: str = ""
    free: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0
    started_ms: int = 0
    tasks: int = 0


@dataclass(frozen=True)
class Status:
    """Everything ``ignitetasks status`` shows.

    Attributes:
        node: The node that answered.
        queues: All queues.
        workers: All workers.
        states: Number of tasks by state name, since the node's start for the terminal ones.
    """

    node: NodeStatus
    queues: Sequence[QueueStatus]
    workers: Sequence[WorkerStatus]
    states: Mapping[str, int]


@dataclass(frozen=True)
class TaskInfo:
    """One task's record.

    Attributes:
        id: Task id.
        task: Task name.
        queue: Queue.
        state: Name of its state.
        facts: Everything else the node told, by the wire's names; without the payloads.
        result: Encoded result or failure, or None.
        result_ref: True when ``result`` names a value that is kept beside the record.
    """

    id: str
    task: str
    queue: str
    state: str
    facts: Mapping[str, Any]
    result: bytes | None
    result_ref: bool


@dataclass(frozen=True)
class Outcome:
    """How a task ended.

    Attributes:
        value: Its result, decoded; None unless it succeeded.
        failure: Its failure; None when it succeeded or has not ended.
    """

    value: Any = None
    failure: Failure | None = None


def connect(settings: Settings, *, start: bool, kind: str = "cli") -> Transport:
    """Makes a transport to the node of these settings; the first call connects.

    Args:
        settings: Which instance.
        start: True starts its JVM where none runs; False makes the first call raise NodeError (NOT_RUNNING).
        kind: What this process is, for the node's status.
    """
    way = jvm.ensure_running if start else _find_running
    return RetryingTransport(GatewayTransport(settings, kind, way), settings.call_timeout_seconds)


def _find_running(settings: Settings) -> jvm.Connection:
    connection = jvm.find(settings)
    if connection is None:
        raise NodeError(
            f"no node is running for {settings.instance_dir}: "
            "start one with `ignitetasks node start`, or a worker with `ignitetasks worker -A MODULE`",
            "NOT_RUNNING",
        )
    return connection


def status(transport: Transport) -> Status:
    """Asks for everything at a glance.

    Args:
        transport: See :func:`connect`.
    """
    answer = transport.call("status")
    counts: Mapping[str, int] = answer.get("states", {})
    known = [name for name in states.NAMES if name in counts]
    return Status(
        node=NodeStatus(**_known(NodeStatus, answer.get("node", {}))),
        queues=tuple(QueueStatus(**_known(QueueStatus, one)) for one in answer.get("queues", ())),
        workers=tuple(WorkerStatus(**_known(WorkerStatus, one)) for one in answer.get("workers", ())),
        states={name: counts[name] for name in [*known, *sorted(set(counts) - set(known))]},
    )


def _known(cls: type[NodeStatus] | type[QueueStatus] | type[WorkerStatus], values: Mapping[str, Any]) -> dict[str, Any]:
    # A newer node may tell more than this client knows.
    names = {field.name for field in fields(cls)}
    return {name: value for name, value in values.items() if name in names and value is not None}


def purge(transport: Transport, queue: str | None = None) -> int:
    """Removes the tasks that wait; those that run go on.

    Args:
        transport: See :func:`connect`.
        queue: One queue, or None for all.

    Returns:
        How many were removed.
    """
    # The node takes a bounded number at a time, so that one call never runs for long.
    removed = 0
    while count := int(transport.call("purge", queue)):
        removed += count
    return removed


def info(transport: Transport, task_id: str) -> TaskInfo:
    """Reads one record.

    Args:
        transport: See :func:`connect`.
        task_id: Its id.

    Raises:
        UnknownResult: The cluster has never heard of it.
        ResultExpired: It ended and was kept for its time.
    """
    if not task_id:
        raise UnknownResult("no task has an empty id")
    answer = transport.call("info", [task_id])[0]
    if answer is None:
        raise UnknownResult(f"no task has the id {task_id}: it was never sent here, or was forgotten long ago")
    if not isinstance(answer, Mapping):
        raise ResultExpired(f"task {task_id} ended and its record has expired")
    return _info(answer)


def _info(record: Mapping[str, Any]) -> TaskInfo:
    payloads = ("result", "result_ref", "body", "options")
    return TaskInfo(
        id=record["id"],
        task=record["task"],
        queue=record["queue"],
        state=states.name_of(record["state"]),
        facts={name: value for name, value in record.items() if name not in payloads},
        result=record.get("result"),
        result_ref=bool(record.get("result_ref")),
    )


def outcome(transport: Transport, settings: Settings, record: TaskInfo) -> Outcome:
    """Decodes how a task ended.

    Args:
        transport: See :func:`connect`.
        settings: Which encodings are accepted, and the key of signed pickles.
        record: The task's record.

    Raises:
        SerializationError: The result's encoding is not accepted here.
    """
    payload: Data | None = record.result
    if payload is not None and record.result_ref:
        payload = transport.get_blob(BlobRef.unpack(payload))
    if record.state == states.SUCCESS:
        codecs = codecs_of(settings)
        return Outcome(value=decode_result(codecs, record.id, payload))
    return Outcome(failure=Failure.decode(payload) if payload is not None else None)


def dead_list(transport: Transport, limit: int = 100) -> list[TaskInfo]:
    """Lists dead letters: tasks whose processes died more often than allowed.

    Args:
        transport: See :func:`connect`.
        limit: Most records.
    """
    return [_info(record) for record in transport.call("dead_list", limit)]


def dead_retry(transport: Transport, ids: Sequence[str] | None) -> int:
    """Puts dead letters back into their queues, with their starts counted anew.

    Args:
        transport: See :func:`connect`.
        ids: Which, or None for all.

    Returns:
        How many.
    """
    return int(transport.call("dead_retry", _ids(ids)))


def dead_drop(transport: Transport, ids: Sequence[str] | None) -> int:
    """Removes dead letters for good.

    Args:
        transport: See :func:`connect`.
        ids: Which, or None for all.

    Returns:
        How many.
    """
    return int(transport.call("dead_drop", _ids(ids)))


def _ids(ids: Sequence[str] | None) -> list[str] | None:
    return None if ids is None else list(ids)
