"""The steps of the demonstration, each taking and returning plain values: train, choose, send, kill, send again.

Must not print or judge: `report` shows what happened, `checks` says whether it was right.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import data
import executions
import models
import tasks
from crew import Crew

_CHUNK = 200
_WAIT_SECONDS = 120.0


@dataclass(frozen=True)
class Model:
    """One trained model of one tenant.

    Attributes:
        tenant: The tenant's number.
        kind: One of `models.KINDS`.
        id: Id of the task whose result it is.
        accuracy: As its task reported it.
        fit_ms: Time inside scikit-learn in milliseconds.
    """

    tenant: int
    kind: str
    id: str
    accuracy: float
    fit_ms: float

    @property
    def key(self) -> str:
        """What its executions are called in the file."""
        return f"train {self.tenant} {self.kind}"


@dataclass(frozen=True)
class Transaction:
    """One transaction of the stream: its arguments for `tasks.score`, and what it really was."""

    call: tuple[Any, ...]
    label: int

    @property
    def tenant(self) -> int:
        """The tenant's number."""
        return int(self.call[1])

    @property
    def key(self) -> str:
        """What its executions are called in the file."""
        return f"score {self.call[1]} {self.call[2]}"


@dataclass(frozen=True)
class Sent:
    """What became of sending a stream.

    Attributes:
        ids: Task ids in order.
        existing: Places that had been sent before.
        scores: Results in order.
        seconds: From the first send to the last result.
    """

    ids: list[str]
    existing: set[int]
    scores: list[float]
    seconds: float


@dataclass(frozen=True)
class Killed:
    """A process killed in the middle.

    Attributes:
        pid: The process.
        during: How many executions had been started then.
        seconds: Until something answered again; 0 where nothing had to come back.
    """

    pid: int
    during: int
    seconds: float = 0.0


@dataclass(frozen=True)
class Story:
    """What a run has made.

    Attributes:
        source: Where the rows come from.
        trained: All models.
        best: The best model of each tenant.
        stream: The transactions.
        first: What became of them at the first sending.
        second: And at the second.
    """

    source: str
    trained: Sequence[Model]
    best: Mapping[int, Model]
    stream: Sequence[Transaction]
    first: Sent
    second: Sent

    @property
    def keys(self) -> list[str]:
        """What the executions of all tasks are called in the file."""
        return [one.key for one in (*self.trained, *self.stream)]


def train_all(crew: Crew, tenants: int, source: str, log: Path) -> tuple[list[Model], Killed, float]:
    """Trains three models for each tenant and kills one child while they are being trained.

    Returns:
        The models, what was killed, and the seconds it all took.
    """
    start = time.perf_counter()
    calls = [(tenant, kind, source) for tenant in range(tenants) for kind in models.KINDS]
    handles = tasks.train.bulk(calls)
    killed = _kill_child(crew, log, len(calls) // 3)
    results = handles.get(timeout=_WAIT_SECONDS)
    trained = [
        Model(tenant, kind, handle.id, result["accuracy"], result["fit_ms"])
        for (tenant, kind, _), handle, result in zip(calls, handles, results, strict=True)
    ]
    return trained, killed, time.perf_counter() - start


def _kill_child(crew: Crew, log: Path, after: int) -> Killed:
    """Waits for so many executions and kills the child that started the last one."""
    started = _wait_for_executions(crew, log, "train", after)
    living = set(crew.children())
    pid = next((one.pid for one in reversed(started) if one.pid in living), None)
    if pid is None:
        raise RuntimeError(f"no living child has started a task; the worker's log:\n{crew.tail()}")
    crew.kill_child(pid)
    return Killed(pid, len(started))


def _wait_for_executions(crew: Crew, log: Path, what: str, enough: int) -> list[executions.Execution]:
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        crew.check()
        started = [one for one in executions.read(log) if one.key.startswith(what)]
        if len(started) >= enough:
            return started
        time.sleep(0.005)
    raise RuntimeError(f"{enough} executions of {what} were not started in {_WAIT_SECONDS:g} s\n{crew.tail()}")


def best_models(trained: Sequence[Model]) -> dict[int, Model]:
    """Returns each tenant's best model by accuracy; the first in the order of `models.KINDS` where several are."""
    best: dict[int, Model] = {}
    for model in trained:
        if model.tenant not in best or model.accuracy > best[model.tenant].accuracy:
            best[model.tenant] = model
    return best


def make_stream(run: str, best: Mapping[int, Model], source: str, each: int) -> list[Transaction]:
    """Makes the stream: so many transactions of each tenant, mixed, from rows no model has been trained on."""
    stream = []
    for number in range(each):
        for tenant, model in best.items():
            split = data.split(tenant, source)
            row = number % len(split.stream_x)
            call = (run, tenant, number, model.id, split.stream_x[row].tolist())
            stream.append(Transaction(call, int(split.stream_y[row])))
    return stream


def send(stream: Sequence[Transaction]) -> Sent:
    """Sends a stream in chunks and waits for all scores."""
    start = time.perf_counter()
    return _collect([_send_chunk(stream, place) for place in range(0, len(stream), _CHUNK)], start)


def send_and_kill_node(crew: Crew, stream: Sequence[Transaction], log: Path) -> tuple[Sent, Killed]:
    """Sends a stream and kills the worker's JVM when half of it is sent and a part of that is scored.

    The other half is sent without waiting for anything: the client's own repeats meet the dead node.
    """
    start = time.perf_counter()
    half = len(stream) // 2 // _CHUNK * _CHUNK or len(stream) // 2
    chunks = [_send_chunk(stream[:half], place) for place in range(0, half, _CHUNK)]
    started = _wait_for_executions(crew, log, "score", half // 2)
    killed_at = time.perf_counter()
    old = crew.kill_node()
    chunks += [_send_chunk(stream[half:], place) for place in range(0, len(stream) - half, _CHUNK)]
    down = time.perf_counter() - killed_at
    crew.wait_for_new_node(old)
    return _collect(chunks, start), Killed(old, len(started), down)


def _send_chunk(stream: Sequence[Transaction], place: int) -> Any:
    return tasks.score.bulk([one.call for one in stream[place : place + _CHUNK]])


def _collect(chunks: Sequence[Any], start: float) -> Sent:
    ids: list[str] = []
    existing: set[int] = set()
    scores: list[float] = []
    for chunk in chunks:
        existing.update(len(ids) + place for place in chunk.existing)
        ids.extend(chunk.ids)
        scores.extend(chunk.get(timeout=_WAIT_SECONDS))
    return Sent(ids, existing, scores, time.perf_counter() - start)


def read_models(trained: Sequence[Model]) -> dict[str, Any]:
    """Reads every model back by nothing but its task id; returns estimators by id."""
    return {one.id: tasks.train.AsyncResult(one.id).get(timeout=_WAIT_SECONDS)["estimator"] for one in trained}
