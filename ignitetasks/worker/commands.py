"""The built-in remote control commands, in the shapes Celery documents.

Each is a short function over the port `Worker`. This file must not reach into a supervisor. What is state of the
cluster (revoked ids, scheduled tasks, rate limits) is asked of the cluster by the client, see ``app/control.py``.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from ignitetasks import message
from ignitetasks._state import get_current_app
from ignitetasks.accepted import codecs_of
from ignitetasks.config import check_queue
from ignitetasks.errors import IgniteTasksError
from ignitetasks.worker.consumer import Consumer
from ignitetasks.worker.model import SOLO, WorkerApp
from ignitetasks.worker.panel import (
    ControlState,
    Holdings,
    InHand,
    Later,
    Panel,
    Worker,
    control_command,
    inspect_command,
)
from ignitetasks.worker.report import bug_report, settings_of

_DEFAULT_ITEMS: Final = ("exchange", "routing_key", "rate_limit")
_TRUE: Final = ("1", "true", "True", "yes", "on")
_GONE: Final = {
    "memdump": "take a memory profile of the process instead, for example `memray attach PID`",
    "objgraph": "take a memory profile of the process instead, for example `memray attach PID`",
    "election": "nothing has to be elected: schedules, limits and revokes are state of the cluster; "
    "for something of your own take a record with a key, `app.store` or idempotency_key=",
}


def make_panel(worker: Worker) -> Panel:
    """Returns the panel of a worker, with all commands registered so far and later."""
    return Panel(ControlState(worker.app, worker.plan.name, worker, Consumer(worker.app, worker)))


def _ok(value: Any) -> dict[str, Any]:
    return {"ok": value}


def _nok(value: str) -> dict[str, Any]:
    return {"error": value}


# -- looking ------------------------------------------------------------------------------------------------------


@inspect_command(default_timeout=0.2)
def ping(state: ControlState, **_: Any) -> Any:
    """Ping worker(s)."""
    return _ok("pong")


@inspect_command()
def report(state: ControlState, **_: Any) -> Any:
    """Show versions and settings, for bug reports."""
    return _ok(bug_report(state.app))


@inspect_command(
    alias="dump_conf", signature="[include_defaults=False]", args=[("with_defaults", lambda v: v in _TRUE)]
)
def conf(state: ControlState, with_defaults: bool = False, **_: Any) -> Any:
    """List settings; secrets are hidden."""
    return settings_of(state.app, with_defaults)


@inspect_command(alias="dump_tasks", variadic="taskinfoitems", signature="[attr1 [attr2 [... [attrN]]]]")
def registered(
    state: ControlState, taskinfoitems: Sequence[str] | None = None, builtins: bool = False, **_: Any
) -> Any:
    """List registered tasks."""
    items = [one for one in taskinfoitems or _DEFAULT_ITEMS if isinstance(one, str) and not one.startswith("_")]
    names = sorted(name for name in state.app.tasks if builtins or not name.startswith(("ignitetasks.", "celery.")))
    return [_described(name, state.app.tasks[name], items) for name in names]


def _described(name: str, task: Any, items: Sequence[str]) -> str:
    shown = []
    for item in items:
        value = getattr(task, item, None)
        if value is None:
            value = getattr(getattr(task, "options", None), item, None)
        if value is not None and not callable(value):
            shown.append(f"{item}={value}")
    return f"{name} [{' '.join(shown)}]" if shown else name


@inspect_command()
def active_queues(state: ControlState, **_: Any) -> Any:
    """List the queues a worker takes tasks from."""
    return [_queue(name) for name in state.worker.plan.queues]


def _queue(name: str) -> dict[str, Any]:
    exchange = {"name": name, "type": "direct", "durable": True, "auto_delete": False, "arguments": None}
    return {
        "name": name,
        "exchange": exchange,
        "routing_key": name,
        "durable": True,
        "exclusive": False,
        "auto_delete": False,
        "no_ack": False,
        "alias": None,
        "bindings": [],
        "queue_arguments": None,
        "binding_arguments": None,
        "consumer_arguments": None,
        "expires": None,
        "message_ttl": None,
        "max_length": None,
        "max_length_bytes": None,
        "max_priority": 255,
    }


@inspect_command()
def clock(state: ControlState, **_: Any) -> Any:
    """Get a number that only grows: milliseconds since the epoch."""
    return {"clock": time.time_ns() // 1_000_000}


@inspect_command(visible=False)
def hello(state: ControlState, from_node: str = "", revoked: Any = None, **_: Any) -> Any:
    """Say hello to another worker; revokes are state of the cluster, so there are none to tell of."""
    return None if from_node == state.hostname else {"revoked": {}, **clock(state)}


@inspect_command()
def stats(state: ControlState, **_: Any) -> Any:
    """Request worker statistics."""
    return Later(lambda then: state.worker.held(lambda held: then(statistics(state.worker, held))))


def statistics(worker: Worker, held: Holdings) -> dict[str, Any]:
    """Returns what ``inspect stats`` tells of a worker.

    Args:
        worker: The worker.
        held: What it holds and has run.
    """
    plan, settings = worker.plan, worker.app.settings
    usage = resource.getrusage(resource.RUSAGE_SELF)
    names = ("utime", "stime", "maxrss", "ixrss", "idrss", "isrss", "minflt", "majflt", "nswap", "inblock", "oublock")
    more = ("msgsnd", "msgrcv", "nsignals", "nvcsw", "nivcsw")
    found: dict[str, Any] = {
        "total": dict(held.totals),
        "pid": os.getpid(),
        "clock": str(time.time_ns() // 1_000_000),
        "uptime": round(time.monotonic() - worker.started),
        "prefetch_count": plan.concurrency,
        "broker": {
            "transport": "ignite",
            "hostname": ",".join(settings.cluster) or "localhost",
            "virtual_host": settings.namespace,
            "uri_prefix": "",
            "transport_options": {},
            "connect_timeout": settings.call_timeout_seconds,
        },
        "pool": {
            "implementation": f"ignitetasks:{plan.pool}",
            "max-concurrency": plan.concurrency,
            "processes": worker.pids(),
            "max-tasks-per-child": plan.max_tasks_per_child or "N/A",
            "put-guarded-by-semaphore": False,
            "timeouts": [plan.soft_time_limit_seconds, plan.time_limit_seconds],
            "writes": {},
        },
        "rusage": {name: getattr(usage, f"ru_{name}") for name in (*names, *more)},
    }
    if worker.autoscale is not None:
        most, least = worker.autoscale
        found["autoscaler"] = {"max": most, "min": least, "current": plan.concurrency}
    return found


@inspect_command(alias="dump_active")
def active(state: ControlState, safe: bool | None = None, **_: Any) -> Any:
    """List tasks that run now."""
    return _listed(state, True)


@inspect_command(alias="dump_reserved")
def reserved(state: ControlState, **_: Any) -> Any:
    """List tasks that wait in the worker; they go elsewhere when it stays busy."""
    return _listed(state, False)


def _listed(state: ControlState, running: bool) -> Later:
    def answer(held: Holdings, then: Callable[[Any], None]) -> None:
        then([task_info(state, one) for one in held.tasks if one.active == running])

    return Later(lambda then: state.worker.held(lambda held: answer(held, then)))


@inspect_command(variadic="ids", signature="[id1 [id2 [... [idN]]]]")
def query_task(state: ControlState, ids: Sequence[str] | str = (), **_: Any) -> Any:
    """Query for tasks by id."""
    wanted = {ids} if isinstance(ids, str) else set(ids)

    def found(held: Holdings) -> Iterator[tuple[str, list[Any]]]:
        for one in held.tasks:
            if one.facts["id"] in wanted:
                yield one.facts["id"], ["active" if one.active else "reserved", task_info(state, one)]

    return Later(lambda then: state.worker.held(lambda held: then(dict(found(held)))))


def task_info(state: ControlState, one: InHand) -> dict[str, Any]:
    """Returns what Celery tells of a task that a worker has.

    Args:
        state: Of the command.
        one: The task.
    """
    facts = one.facts
    args, kwargs = _arguments(state.app, facts)
    return {
        "id": facts["id"],
        "name": facts["task"],
        "args": args,
        "kwargs": kwargs,
        "type": facts["task"],
        "hostname": state.hostname,
        "time_start": one.started if one.active else None,
        "acknowledged": bool(facts["flags"] & message.EARLY_ACK),
        "delivery_info": {
            "exchange": "",
            "routing_key": facts["queue"],
            "priority": facts["priority"],
            "redelivered": facts["deliveries"] > 0,
        },
        "worker_pid": one.pid or None,
    }


def _arguments(app: WorkerApp, facts: Mapping[str, Any]) -> tuple[Any, Any]:
    if facts["flags"] & message.BODY_REF or facts["body"] is None:
        return "<kept beside the record>", "<kept beside the record>"
    codecs = codecs_of(app.settings)
    try:
        return message.decode_body(codecs, facts["task"], facts["body"])
    except IgniteTasksError as error:
        return f"<{error}>", {}


@inspect_command()
def memsample(state: ControlState, **_: Any) -> Any:
    """Sample the supervisor's memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        resident = int(file.read().split()[1]) * resource.getpagesize()
    return f"{resident / (1 << 20):.2f}MB"


def _gone(name: str) -> None:
    def refuse(state: ControlState, **_: Any) -> Any:
        return _nok(f"{name} has no meaning here: {_GONE[name]}")

    Panel.register(refuse, name=name, type="inspect" if name != "election" else "control", visible=False)


for _name in _GONE:
    _gone(_name)


# -- changing -----------------------------------------------------------------------------------------------------


@control_command(args=[("n", int)], signature="[N=1]")
def pool_grow(state: ControlState, n: int = 1, **_: Any) -> Any:
    """Grow the pool by n processes/threads."""
    return _resize(state, n, "grow")


@control_command(args=[("n", int)], signature="[N=1]")
def pool_shrink(state: ControlState, n: int = 1, **_: Any) -> Any:
    """Shrink the pool by n processes/threads."""
    return _resize(state, -n, "shrink")


def _resize(state: ControlState, by: int, word: str) -> Any:
    if state.worker.autoscale is not None:
        return _nok(f"pool_{word} is not supported with autoscale. Adjust autoscale range instead.")
    state.worker.resize(by)
    return _ok(f"pool will {word}")


@control_command(args=[("max", int), ("min", int)], signature="[max [min]]")
def autoscale(state: ControlState, max: int | None = None, min: int | None = None, **_: Any) -> Any:
    """Modify autoscale settings."""
    most, least = state.worker.set_autoscale(max, min)
    return _ok(f"autoscale now max={most} min={least}")


@control_command()
def pool_restart(
    state: ControlState, modules: Sequence[str] | None = None, reload: bool = False, reloader: Any = None, **_: Any
) -> Any:
    """Restart the execution pool."""
    if state.worker.plan.pool == SOLO:
        return _nok("the solo pool is the worker itself; restart the worker")
    for name in modules or ():
        if reload and name in sys.modules:
            importlib.reload(sys.modules[name])
        else:
            importlib.import_module(name)
    state.worker.restart_pool()
    return _ok("reload started")


def revoke(state: Any, task_id: str | Sequence[str], terminate: bool = False, signal: Any = None, **_: Any) -> Any:
    """Revoke tasks, which is state of the cluster; for programs that call what is a worker's command in Celery.

    Args:
        state: Of a command; None means the current application.
        task_id: One id, or several.
        terminate: End the process of a task that runs.
        signal: What its process is sent; None means SIGTERM.
    """
    app = get_current_app() if state is None else state.app
    ids = [task_id] if isinstance(task_id, str) else list(task_id)
    app.control.revoke(ids, terminate=terminate, signal=signal or "SIGTERM")
    return _ok(f"tasks {', '.join(ids)} flagged as revoked")


@control_command()
def shutdown(state: ControlState, msg: str = "Got shutdown from remote", **_: Any) -> Any:
    """Shutdown worker(s)."""
    state.worker.shut_down()
    return _ok("shutting down")


@control_command(
    args=[("queue", str), ("exchange", str), ("exchange_type", str), ("routing_key", str)],
    signature="<queue> [exchange [type [routing_key]]]",
)
def add_consumer(state: ControlState, queue: str, **_: Any) -> Any:
    """Tell worker(s) to consume from a queue by name."""
    state.consumer.add_task_queue(check_queue(queue))
    return _ok(f"add consumer {queue}")


@control_command(args=[("queue", str)], signature="<queue>")
def cancel_consumer(state: ControlState, queue: str, **_: Any) -> Any:
    """Tell worker(s) to stop consuming from a queue by name."""
    state.consumer.cancel_task_queue(queue)
    return _ok(f"no longer consuming from {queue}")


@control_command(
    args=[("task_name", str), ("soft", float), ("hard", float)], signature="<task_name> <soft_secs> [hard_secs]"
)
def time_limit(
    state: ControlState, task_name: str | None = None, hard: float | None = None, soft: float | None = None, **_: Any
) -> Any:
    """Tell worker(s) to modify the time limits of a task by name."""
    if task_name is None or task_name not in state.app.tasks:
        return _nok("unknown task")
    if soft and hard and soft > hard:
        return _nok(f"soft ({soft:g} s) must not be longer than hard ({hard:g} s)")
    state.worker.limit(task_name, soft, hard)
    return _ok("time limits set successfully")


@control_command()
def enable_events(state: ControlState, **_: Any) -> Any:
    """Tell worker(s) to send task-related events."""
    return _ok("task events enabled" if state.worker.send_events(True) else "task events already enabled")


@control_command()
def disable_events(state: ControlState, **_: Any) -> Any:
    """Tell worker(s) to stop sending task-related events."""
    return _ok("task events disabled" if state.worker.send_events(False) else "task events already disabled")


@control_command()
def heartbeat(state: ControlState, seconds: float = 0.0, now: bool = True, **_: Any) -> Any:
    """Tell worker(s) to send an event heartbeat immediately."""
    state.worker.heartbeat(float(seconds), bool(now))
    return _ok("heartbeat sent")
