"""Where the microseconds of a task go: each hop on its own, on an embedded node of its own, as one table.

    python benchmarks/hops.py [--durability power] [--small]

Hops inside one process are timed in a loop; those over a socket call by call, with p50 and p99; those inside the node
are read from its own histograms; the way of one task end to end is cut by the clock inside the task, which is the
same in all processes (CLOCK_MONOTONIC). Must not print rates: those are run.py's business.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from ignitetasks import IgniteTasks, Settings, control, frames, jvm, wire
from ignitetasks.ids import fingerprint, id_from_key, new_id, new_ids
from ignitetasks.message import Group, Template, decode_body, encode_body, encode_result
from ignitetasks.serializers import Codecs
from ignitetasks.transport.gateway import GatewayTransport
from ignitetasks.worker.execute import Executor
from ignitetasks.worker.model import ExecutorSettings

_WIDTH = 110
_WARM_UP = 0.2
_BATCH = 64


@dataclass(frozen=True)
class Hop:
    """One line of the table; times in microseconds.

    Attributes:
        where: Which process or socket.
        what: The hop.
        mean: For each task.
        p50: For each call, where it was timed call by call.
        p99: The same.
    """

    where: str
    what: str
    mean: float
    p50: float | None = None
    p99: float | None = None


def _loop(where: str, what: str, work: Callable[[], Any], turns: int, tasks: int = 1) -> Hop:
    """Times something too short to be timed alone: the median of five loops."""
    work()
    means = []
    for _ in range(5):
        start = time.perf_counter()
        for _ in range(turns):
            work()
        means.append((time.perf_counter() - start) / turns / tasks * 1e6)
    return Hop(where, what, statistics.median(means))


def _each(where: str, what: str, work: Callable[[], Any], turns: int, tasks: int = 1) -> Hop:
    """Times something call by call, after warming up."""
    for _ in range(int(turns * _WARM_UP) + 1):
        work()
    taken = []
    for _ in range(turns):
        start = time.perf_counter()
        work()
        taken.append((time.perf_counter() - start) * 1e6)
    return _spread(where, what, taken, tasks)


def _spread(where: str, what: str, taken: list[float], tasks: int = 1) -> Hop:
    q = statistics.quantiles(taken, n=100, method="inclusive")
    return Hop(where, what, statistics.fmean(taken) / tasks, q[49], q[98])


def _python_hops(turns: int) -> list[Hop]:
    """The client's own work, without any socket."""
    codecs = Codecs()
    template = Template("hops.noop", "hops")
    body = encode_body(codecs, "hops.noop", (7,), {})

    def line(n: int) -> bytes:
        items = [(task_id, body, None) for task_id in new_ids(n, "hops")]
        return wire.encode_frame(wire.pack((1, 0, [Group(template, items)])))

    return [
        _loop("client", "serialise the arguments", lambda: encode_body(codecs, "hops.noop", (7,), {}), turns),
        _loop("client", "make an id", lambda: new_id("hops"), turns),
        _loop("client", "make 500 ids", lambda: new_ids(500, "hops"), turns // 500 + 1, 500),
        _loop("client", "id and fingerprint of an idempotency key", lambda: _keyed(body), turns),
        _loop("client", "pack and frame a submit of 1", lambda: line(1), turns),
        _loop("client", "pack and frame a submit of 500, ids included", lambda: line(500), turns // 500 + 1, 500),
    ]


def _keyed(body: bytes) -> None:
    id_from_key("default", "hops.noop", ("order", 7))
    fingerprint("hops.noop", body)


def _child_hops(app: IgniteTasks, turns: int) -> list[Hop]:
    """A child's work on a frame of 64 deliveries, without any socket."""
    codecs = Codecs()
    executor = Executor(app.tasks, codecs, _NoBlobs(), ExecutorSettings("hops"))
    body = encode_body(codecs, "hops.noop", (7,), {})
    now = int(time.time() * 1000)
    run = [
        [seq, new_id("hops"), 1, "hops.noop", body, 0, None, 0, 0, 0, 0, "hops", 0, 0, 0, None, None, None, now]
        for seq in range(_BATCH)
    ]
    frame = frames.pack(run)
    result = encode_result(codecs, "", 7)
    done = [(seq, frames.SUCCESS, result, 0, 3, None) for seq in range(_BATCH)]
    delivery = run[0]
    runner = executor.runner(delivery)
    if runner is None:
        raise RuntimeError("the task hops.noop is not registered")
    batches = turns // _BATCH + 1
    return [
        _loop("child", f"decode a RUN frame of {_BATCH}", lambda: frames.unpack(frame), batches, _BATCH),
        _loop("child", "decode the arguments", lambda: decode_body(codecs, "hops.noop", body), turns),
        _loop("child", "run a noop: arguments, context, call, result", lambda: runner.run(delivery), turns),
        _loop("child", f"encode a DONE frame of {_BATCH}", lambda: frames.pack(done), batches, _BATCH),
    ]


class _NoBlobs:
    """Large values do not occur here."""

    def get(self, ref: Any) -> bytes:
        """Is not called."""
        raise NotImplementedError

    def put(self, blob_id: str, data: bytes, ttl_ms: int) -> Any:
        """Is not called."""
        raise NotImplementedError


def _gateway_hops(settings: Settings, turns: int) -> list[Hop]:
    """Calls of the node, nobody listening to the queue."""
    body = encode_body(Codecs(), "hops.noop", (7,), {})
    template = Template("hops.noop", "hops-parked", result_ttl_ms=60_000)

    def submit(n: int) -> None:
        transport.submit([Group(template, [(task_id, body, None) for task_id in new_ids(n, "hops-parked")])])

    with closing(GatewayTransport(settings, "bench")) as transport:
        hops = [_each("gateway", "ping: there and back, nothing done", lambda: transport.call("ping"), turns)]
        before = _histograms(transport)
        hops.append(_each("gateway", "submit of 1, durable at return", lambda: submit(1), turns))
        hops += _node_hops(before, _histograms(transport), "commit", "insert of 1 into the ledger", 1)
        for n in (500, 1000):
            # The time of a call divided among its tasks; p50 and p99 are those of the call.
            few = max(turns // n, 10) * 2
            before = _histograms(transport)
            hops.append(_each("gateway", f"submit of {n:,}, durable at return", lambda n=n: submit(n), few, n))
            hops += _node_hops(before, _histograms(transport), "commit", f"insert of {n:,} into the ledger", n)
        transport.call("purge", "hops-parked")
    return hops


def _histograms(transport: Any) -> dict[str, tuple[float, int]]:
    """Returns milliseconds and count of each of the node's histograms, all labels together."""
    found = transport.call("metrics").get("histograms", {})
    return {
        name: (sum(one["sum_ms"] for one in labels.values()), sum(one["count"] for one in labels.values()))
        for name, labels in found.items()
    }


def _node_hops(
    before: dict[str, tuple[float, int]], after: dict[str, tuple[float, int]], name: str, what: str, tasks: int
) -> Iterable[Hop]:
    """Returns what one of the node's histograms has grown by; nothing where the node has no such histogram."""
    ms, count = (new - old for new, old in zip(after.get(name, (0, 0)), before.get(name, (0, 0)), strict=True))
    if count > 0:
        yield Hop("node", what, ms / count * 1000 / tasks)


def _end_to_end_hops(app: IgniteTasks, turns: int, many: int) -> list[Hop]:
    """The way of single tasks on an idle system, and of many at once."""
    noop, when = app.tasks["hops.noop"], app.tasks["hops.when"]
    for _ in range(int(turns * _WARM_UP) + 20):
        when.delay().get(timeout=60)
    cuts: list[list[float]] = [[], [], [], []]
    for _ in range(turns):
        start = time.monotonic()
        handle = when.delay()
        acknowledged = time.monotonic()
        ran = handle.get(timeout=60)
        end = time.monotonic()
        for cut, seconds in zip(cuts, (acknowledged - start, ran - start, end - ran, end - start), strict=True):
            cut.append(seconds * 1e6)
    names = (
        ("end to end", "delay(): until it is acknowledged"),
        ("end to end", "submit, insert, push: until the task runs"),
        ("end to end", "complete, notify: from the task to its reader"),
        ("end to end", "one task: delay().get()"),
    )
    hops = [_spread(where, what, cut) for (where, what), cut in zip(names, cuts, strict=True)]
    with closing(GatewayTransport(app.settings, "bench")) as transport:
        before = _histograms(transport)
        start = time.perf_counter()
        values = noop.bulk([(number,) for number in range(many)]).get(timeout=300)
        seconds = time.perf_counter() - start
        if values != list(range(many)):
            raise RuntimeError("wrong values came back")
        after = _histograms(transport)
    hops.append(Hop("end to end", f"{many:,} tasks in bulk, all values read", seconds / many * 1e6))
    label = {"wait": "in the queue, mean", "run": "run, as the child measured it, mean"}
    for name, what in label.items():
        hops += _node_hops(before, after, name, f"the same {many:,}: {what}", 1)
    return hops


def _make_app(folder: str, durability: str) -> IgniteTasks:
    app = IgniteTasks("hops", data_dir=folder, durability=durability, default_queue="hops")

    @app.task(name="hops.noop")
    def noop(number: int) -> int:
        return number

    @app.task(name="hops.when")
    def when() -> float:
        return time.monotonic()

    return app


def _show(hops: list[Hop], durability: str) -> None:
    table = Table(title=f"Hops, us (durability {durability}; load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores)")
    table.add_column("where")
    table.add_column("hop")
    for name in ("us per task", "p50 of a call", "p99 of a call"):
        table.add_column(name, justify="right")
    where = None
    for hop in hops:
        if where is not None and hop.where.split()[0] != where and "node" not in (hop.where, where):
            table.add_section()
        where = hop.where.split()[0]
        table.add_row(
            hop.where, hop.what, *("" if one is None else f"{one:,.1f}" for one in (hop.mean, hop.p50, hop.p99))
        )
    console = Console()
    (console if console.is_terminal else Console(width=_WIDTH)).print(table)


def main() -> None:
    """Measures all hops and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--durability", choices=("power", "process"), default="power")
    parser.add_argument("--small", action="store_true", help="fewer turns, to see that everything works")
    options = parser.parse_args()
    loops, calls, many = (2_000, 200, 2_000) if options.small else (50_000, 3_000, 50_000)
    with tempfile.TemporaryDirectory(prefix="ignitetasks-hops-") as folder:
        app = _make_app(folder, options.durability)
        try:
            hops = [*_python_hops(loops), *_child_hops(app, loops)]
            with app.local_worker(concurrency=2):
                # The worker first: it is a fork of this process, which should then have no connections yet.
                hops += _gateway_hops(app.settings, calls)
                hops += _end_to_end_hops(app, calls, many)
                with closing(control.connect(app.settings, start=False)) as transport:
                    status = control.status(transport).node
        finally:
            app.close()
            jvm.stop(app.settings)
    _show(hops, status.durability)


if __name__ == "__main__":
    main()
