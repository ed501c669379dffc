"""What happens between fork and the child's loop: process hygiene, the lane, the loop of the chosen pool.

A child is made by fork from a supervisor that has one thread and has imported the application. This file must not
watch or restart children (see supervisor.py).
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, Final, NoReturn

from ignitetasks import log, metrics
from ignitetasks.accepted import codecs_of
from ignitetasks.config import Settings
from ignitetasks.errors import NotConnected, OperationalError
from ignitetasks.frames import LaneClosed, LaneConnection
from ignitetasks.transport.lane import BlobLane
from ignitetasks.utils.processes import EXIT_FAILED, die_with_parent, flush_streams
from ignitetasks.worker import lifecycle
from ignitetasks.worker.aio import AsyncioChild
from ignitetasks.worker.asyncrunner import AsyncRunner
from ignitetasks.worker.base import ChildPort
from ignitetasks.worker.child import SequentialChild
from ignitetasks.worker.execute import Executor
from ignitetasks.worker.limits import SignalLimit, ThreadLimit, TimeLimit
from ignitetasks.worker.model import ASYNCIO, SOLO, THREADS, ExecutorSettings, NodeAddress, WorkerApp, WorkerPlan
from ignitetasks.worker.threads import ThreadedChild

#: Exit code of a child, for the supervisor: the node closed the lane (`EXIT_FAILED`: it or its loop failed).
EXIT_LANE_LOST: Final = 75
_logger = log.get_logger("worker")


def make_executor(app: WorkerApp, plan: WorkerPlan, address: NodeAddress, limit: TimeLimit) -> Executor:
    """Put together what runs tasks in one process.

    Args:
        app: The application.
        plan: What the worker is.
        address: The node, for large values.
        limit: Watches time limits.

    Returns:
        The executor; it connects to nothing before a large value is met.
    """
    settings = app.settings
    codecs = codecs_of(settings)
    blobs = BlobLane(lambda: (address.lane, address.token))
    return Executor(app.tasks, codecs, blobs, executor_settings(plan, settings), limit)


def executor_settings(plan: WorkerPlan, settings: Settings) -> ExecutorSettings:
    """Take from plan and settings what running tasks needs.

    Args:
        plan: What the worker is.
        settings: The application's settings.

    Returns:
        The settings of an executor.
    """
    return ExecutorSettings(
        hostname=plan.name,
        inline_limit=settings.inline_limit,
        max_payload_bytes=settings.max_payload_bytes,
        result_serializer=settings.result_serializer,
        result_compression=settings.result_compression,
        task_serializer=settings.task_serializer,
        result_ttl_ms=int(settings.result_expires_seconds * 1000),
        soft_ms=int(plan.soft_time_limit_seconds * 1000),
        hard_ms=int(plan.time_limit_seconds * 1000),
    )


def run_loop(app: WorkerApp, plan: WorkerPlan, address: NodeAddress, epoch: int, port: ChildPort) -> None:
    """Connect as a child and run tasks until told to leave.

    Args:
        app: The application.
        plan: What the worker is.
        address: The node.
        epoch: The worker's epoch, as the node gave it.
        port: Connects to the supervisor.

    Raises:
        LaneClosed: The node is gone.
        LaneRefused: The node does not want this child.
    """
    if port.notify >= 0:
        # A process of its own: what it counts lies where the supervisor sees it.
        metrics.use(port.slots.numbers(port.index))
    lifecycle.child_started(app, plan.name)
    info = {"epoch": epoch, "child": port.index, "pid": os.getpid(), "slots": plan.slots_per_child}
    if plan.prefetch:
        info["prefetch"] = plan.prefetch
    connection = LaneConnection.open(address.lane, address.token, "child", info)
    _lanes.add(connection)
    executor = make_executor(app, plan, address, _limit(plan))
    try:
        if plan.pool == THREADS:
            ThreadedChild(connection, executor, port, plan.concurrency).run()
        elif plan.pool == ASYNCIO:
            executor.make_runner = AsyncRunner
            AsyncioChild(connection, executor, port, plan.concurrency).run()
        else:
            SequentialChild(connection, executor, port).run()
    finally:
        executor.blobs.close()
        _lanes.discard(connection)
        connection.close()
        lifecycle.child_ended(plan.name)


def _limit(plan: WorkerPlan) -> TimeLimit:
    if plan.pool in (THREADS, ASYNCIO) or threading.current_thread() is not threading.main_thread():
        return ThreadLimit()  # a timer's signal only ever reaches the main thread
    return SignalLimit(raise_hard=plan.pool == SOLO)


def _close_lanes() -> None:
    for connection in list(_lanes):
        connection.close()
    _lanes.clear()


# What a task forks must not speak in its name, nor keep the lane open after it.
_lanes: set[LaneConnection] = set()
os.register_at_fork(after_in_child=_close_lanes)


def fork_child(run: Callable[[], None], parent: int, before: Callable[[], None]) -> int:
    """Fork a process of its own group that runs a function and ends.

    Args:
        run: What the child does.
        parent: Process id of the caller; the child dies with it.
        before: Gives back, in the child, what belongs to the caller only.

    Returns:
        The child's process id.
    """
    # What is buffered would be written twice.
    flush_streams()
    pid = os.fork()
    if pid:
        with contextlib.suppress(OSError):
            # Also done by the child: whoever comes first, the group exists before anybody needs it.
            os.setpgid(pid, pid)
        return pid
    code = EXIT_FAILED
    try:
        _become_child(parent)
        before()
        run()
        code = 0
    except (LaneClosed, NotConnected):
        code = EXIT_LANE_LOST
    except OperationalError as error:
        _logger.error("child refused by the node", error=str(error))
    except BaseException:
        _logger.exception("child failed", pid=os.getpid())
    finally:
        _leave(code)


def _become_child(parent: int) -> None:
    """Make a process of its own out of the copy of the supervisor."""
    os.setpgid(0, 0)
    die_with_parent(parent)
    signal.set_wakeup_fd(-1)
    # The terminal's Ctrl-C and hang-up are the supervisor's to answer; SIGTERM ends a task that is revoked.
    for signum in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    for signum in (signal.SIGTERM, signal.SIGQUIT, signal.SIGCHLD, signal.SIGALRM):
        signal.signal(signum, signal.SIG_DFL)
    null = os.open(os.devnull, os.O_RDONLY)
    if null:
        os.dup2(null, 0)
        os.close(null)
    # Python reseeds its own generator after a fork; numpy's global one would be the same in all children.
    numpy: Any = sys.modules.get("numpy")
    if numpy is not None:
        numpy.random.seed()
    gc.enable()


def _leave(code: int) -> NoReturn:
    """End without running the exit handlers of the process this one was copied from."""
    flush_streams()
    os._exit(code)
