"""A worker whose tasks run in its own process: the solo pool, one at a time, and any pool in a test's process.

For debuggers and for machines where a second process is too much. A crash of a task is a crash of the worker; hard
limits are only raised in the task. The worker's connection is served by one small thread. This file must not fork.
"""

from __future__ import annotations

import contextlib
import faulthandler
import os
import select
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Final

from ignitetasks import frames, jvm, log
from ignitetasks.errors import IgniteTasksError, NotConnected
from ignitetasks.worker import lifecycle, node, pools
from ignitetasks.worker.announcing import LocalHerald
from ignitetasks.worker.base import ChildPort
from ignitetasks.worker.execute import WorkerShutdown
from ignitetasks.worker.model import ASYNCIO, WorkerApp, WorkerPlan
from ignitetasks.worker.remote import Controlled, SoloRemote
from ignitetasks.worker.signals import debug_by_signals
from ignitetasks.worker.slots import Slots
from ignitetasks.worker.stopping import Shutdown, Stage
from ignitetasks.worker.workerevents import FREQ

_RECONNECT_SECONDS: Final = 0.1
_RECONNECT_MAX_SECONDS: Final = 5.0
_FAREWELL_SECONDS: Final = 5.0
_logger = log.get_logger("worker")


class SoloWorker(Controlled):
    """Supervisor and child in one."""

    def __init__(
        self,
        app: WorkerApp,
        plan: WorkerPlan,
        find_node: node.NodeFinder | None = None,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """Prepare a worker; nothing is started.

        Args:
            app: The application.
            plan: What the worker is to be.
            find_node: Finds or starts the node; None for the shared one of the application's settings.
            on_ready: Called once, when the worker is connected.
        """
        self._app = app
        self._find_node = find_node or node.NodeFinder(app.settings)
        self._on_ready = on_ready
        self._connection: frames.LaneConnection | None = None
        self._drained = threading.Event()
        self._stopping = self._told = False
        self._shutdown = Shutdown(app)
        self._alarm: threading.Timer | None = None
        self._slots = Slots(1)
        # Read by the loop between two tasks, written by the thread that serves the node.
        self._control, pipe = os.pipe2(os.O_CLOEXEC)
        self._pipe = pipe
        # Wakes the thread that serves the node: calls may be added to the timer from any thread.
        self._notify = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._remote = SoloRemote(app, plan, self._slots, self, pipe)

    def run(self) -> int:
        """Work until a signal or `stop`.

        Returns:
            The process's exit code.

        Raises:
            NodeError: The node could not be started, the first time.
        """
        lifecycle.started(self)
        before = self._install()
        try:
            self._work()
        except WorkerShutdown:
            self.stopped_cold = True
            _logger.warning("cold shutdown", worker=self._plan.name)
        finally:
            if self._alarm is not None:
                self._alarm.cancel()
            if before:
                faulthandler.unregister(signal.SIGUSR1)
            for signum, handler in before.items():
                signal.signal(signum, handler if handler is not None else signal.SIG_DFL)
            self._drop()
            self._find_node.stop()
            lifecycle.ended(self)
            for descriptor in (self._control, self._pipe, self._notify):
                os.close(descriptor)
        return 0

    def stop(self) -> None:
        """Ask for a warm shutdown; safe from any thread and from a signal handler."""
        if not self._stopping:
            self._shutdown.stage = Stage.WARM
            lifecycle.stopping(self._plan.name, "SIGTERM", "Warm")
        self._drain()

    def _drain(self) -> None:
        self._stopping = True
        connection = self._connection
        if connection is not None:
            try:
                connection.send(frames.DRAIN, {})
            except frames.LaneError:  # the loop meets the same
                return

    def send(self, kind: int, payload: Any) -> None:
        """Send a frame to the node; does nothing without a connection.

        Args:
            kind: The frame's kind.
            payload: Its value.
        """
        connection = self._connection
        if connection is not None:
            connection.send(kind, payload)

    def shut_down(self) -> None:
        """Begin a warm shutdown, unless one is under way."""
        if not self._stopping:
            self.stop()

    def restart_pool(self) -> None:
        """Do nothing: there are no children."""

    def resized(self) -> None:
        """Do nothing: the pool has one size."""

    def _install(self) -> dict[int, Any]:
        if threading.current_thread() is not threading.main_thread():
            return {}
        watched = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
        return {signum: signal.signal(signum, self._on_signal) for signum in watched} | debug_by_signals()

    def _on_signal(self, signum: int, _frame: FrameType | None) -> None:
        stage = self._shutdown.next(signum)
        if stage is None:
            return
        lifecycle.stopping(self._plan.name, signal.Signals(signum).name, stage.how)
        if stage is Stage.COLD:
            raise WorkerShutdown
        if stage is Stage.SOFT:
            _logger.warning("soft shutdown started", worker=self._plan.name, seconds=self._shutdown.soft_seconds)
            # A signal and not a call: only that interrupts what runs in the main thread.
            self._alarm = threading.Timer(self._shutdown.soft_seconds, os.kill, (os.getpid(), signal.SIGQUIT))
            self._alarm.daemon = True
            self._alarm.start()
        else:
            _logger.info("warm shutdown started", worker=self._plan.name)
        self._drain()
        if self._connection is None:
            raise WorkerShutdown

    def _work(self) -> None:
        pause, first = _RECONNECT_SECONDS, True
        while not self._stopping:
            try:
                self._serve_node()
                first, pause = False, _RECONNECT_SECONDS
            except (frames.LaneClosed, NotConnected) as error:
                first = False
                _logger.warning("node lost", worker=self._plan.name, error=str(error))
            except IgniteTasksError as error:
                if first:
                    raise
                _logger.warning("node not reached", error=str(error), retry_in_seconds=pause)
            self._drop()
            if not self._stopping:
                time.sleep(pause)
                pause = min(pause * 2, _RECONNECT_MAX_SECONDS)
        _logger.info("worker stopped", worker=self._plan.name)

    def _serve_node(self) -> None:
        """Greet the node twice, as worker and as child, and run tasks until it says stop."""
        address = self._find_node()
        connection, epoch = node.greet(address, self._plan, self._app.tasks, jvm.VERSION, self._remote.hears())
        self._connection = connection
        self._drained.clear()
        threading.Thread(target=self._listen, args=(connection,), name="ignitetasks-lane", daemon=True).start()
        _logger.info("worker connected", worker=self._plan.name, epoch=epoch, queues=list(self._plan.queues))
        if not self._told:
            self._told = True
            lifecycle.became_ready(self)
        if self._on_ready is not None:
            self._on_ready()
            self._on_ready = None
        self._remote.events.online()
        self._remote.read_switch()
        pools.run_loop(
            self._app,
            self._plan,
            address,
            epoch,
            ChildPort(
                0,
                self._slots,
                control=self._control,
                changes=self._remote.changes(),
                herald=LocalHerald(self),
            ),
        )
        self._drained.wait(_FAREWELL_SECONDS)

    def _listen(self, connection: frames.LaneConnection) -> None:
        """Read the worker's connection: its DRAINED, and remote control. Nobody here can be killed."""
        try:
            while True:
                events = self._remote.events
                if self._notify in select.select([connection.fileno(), self._notify], [], [], self._pause())[0]:
                    os.eventfd_read(self._notify)
                events.tick()
                self.timer.run()
                for kind, payload in connection.pending():
                    self._take(kind, payload)
        except (frames.LaneError, OSError, ValueError):  # ValueError: closed by the other thread
            self._drained.set()

    def _pause(self) -> float | None:
        """Returns how long to wait for the node's next word: the timer and heartbeats are looked after in between."""
        pause = FREQ if self._remote.events.beats else None
        if (call := self.timer.next()) is None:
            return pause
        due = max(call - time.monotonic(), 0.0)
        return due if pause is None else min(due, pause)

    def _look(self) -> None:
        """See `Controlled._look`."""
        os.eventfd_write(self._notify, 1)

    def _take(self, kind: int, payload: frames.Payload) -> None:
        if kind == frames.DRAINED:
            self._drained.set()
        elif kind == frames.CONTROL:
            self._remote.on_control(*frames.unpack(payload))
        elif kind == frames.HELD_REPLY:
            self._remote.on_held(*frames.unpack(payload))
        elif kind == frames.KILL:
            seq = frames.unpack(payload)[2]
            if self._plan.pool == ASYNCIO:
                self._remote.tell({"cancel": seq})
                return
            _logger.warning("revoke ignored", reason="nobody can kill a task of this very process", seq=seq)

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(frames.LaneError):
                self._remote.events.offline()
            # Not just closed: the listening thread would sit in its read for ever.
            self._connection.finish()
            self._connection = None
