"""The parent of a worker's children: one thread, one event loop.

It keeps the worker's connection to the node, forks children and replaces them, kills what runs over its hard limit
or was revoked, tells the node how each child died, shuts down warm or cold, and starts over when the node itself
dies. This file must not run tasks or see deliveries. It must not start a thread: children are forked from it.
"""

from __future__ import annotations

import contextlib
import gc
import os
import select
import selectors
import signal
import time
from collections.abc import Callable
from typing import Any, Final

from ignitetasks import frames, jvm, log, signals
from ignitetasks.errors import IgniteTasksError, OperationalError
from ignitetasks.worker import autoscale, base, killing, lifecycle, node, pools
from ignitetasks.worker import children as family
from ignitetasks.worker.announcing import Announcements
from ignitetasks.worker.children import Children
from ignitetasks.worker.metrics_endpoint import Endpoint
from ignitetasks.worker.model import NodeAddress, WorkerApp, WorkerPlan
from ignitetasks.worker.remote import Controlled, PoolRemote
from ignitetasks.worker.signals import SignalQueue
from ignitetasks.worker.slots import IDLE, Health, Slots
from ignitetasks.worker.stopping import Shutdown, Stage

_RECONNECT_SECONDS: Final = 0.1
_RECONNECT_MAX_SECONDS: Final = 5.0
#: Between two looks at slots whose owners did not ask for one, in seconds.
_IDLE_SECONDS: Final = 1.0
#: Where the kernel cannot tell of a child's death, it is looked for so often, in seconds.
_LOOK_SECONDS: Final = 0.1
#: After the last child has gone, the node's DRAINED is waited for so long, in seconds; and the other way round.
_FAREWELL_SECONDS: Final = 5.0
#: So many children a pool may at least grow to; slots that are never used cost nothing.
_MIN_CAPACITY: Final = 256

_logger = log.get_logger("worker")


class Supervisor(Controlled):
    """Runs one worker with child processes until told to stop."""

    _remote: PoolRemote

    def __init__(
        self,
        app: WorkerApp,
        plan: WorkerPlan,
        find_node: node.NodeFinder | None = None,
        on_ready: Callable[[], None] | None = None,
    ) -> None:
        """Prepare a worker; nothing is started.

        Args:
            app: The application, imported and with all its tasks.
            plan: What the worker is to be.
            find_node: Finds or starts the node; None for the shared one of the application's settings.
            on_ready: Called once, when all children take tasks.
        """
        self._app = app
        self._find_node = find_node or node.NodeFinder(app.settings)
        self._on_ready = on_ready
        most = max(2 * plan.processes, _MIN_CAPACITY, plan.autoscale[0] if plan.autoscale else 0)
        self.slots = Slots(plan.processes, capacity=most)
        self._signals = SignalQueue()
        self._selector = selectors.DefaultSelector()
        self._children = Children(self.slots, self._selector, self._fork)
        scaler = autoscale.load(getattr(getattr(app, "conf", None), "worker_autoscaler", None))
        self._remote = PoolRemote(app, plan, self.slots, self, self._children, scaler)
        self._announcements = Announcements(self, self.slots, self._selector)
        self._notify = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._connection: frames.LaneConnection | None = None
        self._address: NodeAddress | None = None
        self._epoch = 0
        self._endpoint: Endpoint | None = None
        self._exit_code: int | None = None
        self._was_ready = False
        self._draining = False
        self._shutdown = Shutdown(app)
        self._drained_at: float | None = None
        self._gone_at: float | None = None

    def run(self) -> int:
        """Work until a signal or `stop`.

        Returns:
            The process's exit code: 0 after a shutdown that was asked for, 1 when children cannot be started.

        Raises:
            NodeError: The node could not be started, the first time.
        """
        lifecycle.started(self)
        self._signals.install()
        self._selector.register(self._signals.fd, selectors.EVENT_READ, self._on_signals)
        self._selector.register(self._notify, selectors.EVENT_READ, self._on_notify)
        gc.collect()
        gc.freeze()  # so that the collector of no child touches, and thereby copies, what all of them share
        try:
            if self._plan.metrics_port is not None:
                self._endpoint = Endpoint(self._app, self._plan, self.slots)
                self._endpoint.keep(self._forget_in_child)
                _logger.info("metrics endpoint opened", host=self._plan.metrics_host, port=self._endpoint.port)
            self._connect(first=True)
            while self._exit_code is None:
                try:
                    self._turn()
                except frames.LaneError as error:
                    self._on_node_lost(error)
        finally:
            self._close()
        return self._exit_code or 0

    def stop(self, cold: bool = False) -> None:
        """Ask for a shutdown; safe from any thread.

        Args:
            cold: Kill running tasks (they go back to their queues) instead of letting them end.
        """
        self._signals.post(signal.SIGQUIT if cold else signal.SIGTERM)

    def wake(self) -> None:
        """Make the loop look at everything at once; safe from any thread."""
        os.eventfd_write(self._notify, 1)

    _look = wake

    # -- what remote control asks for ---------------------------------------------------------------------------

    def send(self, kind: int, payload: Any) -> None:
        """Send a frame to the node; does nothing without a connection.

        Args:
            kind: The frame's kind.
            payload: Its value.
        """
        if self._connection is not None:
            self._connection.send(kind, payload)

    def shut_down(self) -> None:
        """Begin a warm shutdown, unless one is under way."""
        if not self._draining:
            self._shutdown.stage = Stage.WARM
            lifecycle.stopping(self._plan.name, "SIGTERM", "Warm")
            self._let_end(Stage.WARM)

    def restart_pool(self) -> None:
        """Replace every child as soon as its task has ended."""
        _logger.info("children restart requested", worker=self._plan.name)
        for member in self._children:
            self._children.ask_to_leave(member, base.RECYCLE)

    def resized(self) -> None:
        """Take note that the plan has another size."""
        _logger.info("pool resized", worker=self._plan.name, concurrency=self._plan.concurrency)
        self._publish()

    # -- the node ---------------------------------------------------------------------------------------------

    def _connect(self, first: bool = False) -> None:
        """Find the node and greet it, again and again until it works or somebody wants the worker to stop."""
        pause = _RECONNECT_SECONDS
        while self._exit_code is None:
            try:
                self._signals.interrupt = True
                self._address = self._find_node()
                connection, self._epoch = node.greet(
                    self._address, self._plan, self._app.tasks, jvm.VERSION, self._remote.hears()
                )
                self._signals.interrupt = False
                break
            except KeyboardInterrupt:
                self._on_signals()
            except IgniteTasksError as error:
                self._signals.interrupt = False
                hopeless = isinstance(error, frames.LaneRefused) or not isinstance(error, OperationalError)
                if first and hopeless:
                    raise
                _logger.warning("node not reached", error=str(error), retry_in_seconds=pause)
                select.select([self._signals.fd], [], [], pause)
                self._on_signals()
                pause = min(pause * 2, _RECONNECT_MAX_SECONDS)
            finally:
                self._signals.interrupt = False
        if self._exit_code is not None:
            return
        self._connection = connection
        self._selector.register(connection, selectors.EVENT_READ, self._on_frames)
        _logger.info("worker connected", worker=self._plan.name, epoch=self._epoch, queues=list(self._plan.queues))
        self._publish()
        self._remote.events.online()
        self._children.start_anew(self._plan.processes)

    def _on_node_lost(self, error: Exception) -> None:
        """Kill the children, whose deliveries belong to nobody any more, and start over."""
        _logger.warning("node lost", worker=self._plan.name, error=str(error))
        self._drop_connection()
        self._kill_all(family.SHUTDOWN)
        if self._draining:
            self._exit_code = 0
        else:
            self._connect()

    def _drop_connection(self) -> None:
        if self._connection is not None:
            self._selector.unregister(self._connection)
            self._connection.close()
            self._connection = None
            self._remote.forget_questions()
            self._publish()

    def _on_frames(self) -> None:
        if self._connection is None:
            return
        for kind, payload in self._connection.pending():
            if kind == frames.KILL:
                killing.revoke(self._children, self._plan, self._remote.killed, *frames.unpack(payload))
            elif kind == frames.DRAINED:
                self._drained_at = time.monotonic()
            elif kind == frames.CONTROL:
                self._remote.on_control(*frames.unpack(payload))
            elif kind == frames.HELD_REPLY:
                self._remote.on_held(*frames.unpack(payload))

    # -- the loop ---------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        """Wait for the next event and do everything that is due."""
        for key, _ in self._selector.select(self._timeout()):
            key.data()
        if self._exit_code is None:
            if self._endpoint is not None:
                self._endpoint.keep(self._forget_in_child)
            self._bury()
            self.timer.run()
            killing.enforce_limits(self._children, self._remote.killed)
            if not self._draining:
                self._remote.tick()
                self._children.start_due()
            else:
                self._finish_drain()

    def _timeout(self) -> float:
        """Return how long the loop may sleep, in seconds."""
        now = time.monotonic()
        due = [min(now + _IDLE_SECONDS, self._shutdown.cold_at)]
        if (next_call := self.timer.next()) is not None:
            due.append(next_call)
        for member in self._children:
            deadline = self.slots.running(member.index).deadline
            if deadline is not None and member.doomed is None:
                due.append(deadline)
            if member.pidfd < 0:
                due.append(now + _LOOK_SECONDS)
        if not self._draining:
            next_start = self._children.next_start()
            if next_start is not None:
                due.append(next_start)
            next_tick = self._remote.next_tick(now)
            if next_tick is not None:
                due.append(next_tick)
        return max(min(due) - now, 0.0)

    def _on_notify(self) -> None:
        os.eventfd_read(self._notify)
        if not self._was_ready and self.slots.ready() == self._plan.processes:
            self._was_ready = True
            _logger.info("worker became ready", worker=self._plan.name, children=self._plan.processes)
            lifecycle.became_ready(self)
            if self._on_ready is not None:
                self._on_ready()
            self._remote.read_switch()

    # -- children ---------------------------------------------------------------------------------------------

    def _fork(self, index: int, control: int, others_end: int) -> int:
        plan, address, epoch = self._plan, self._address, self._epoch
        if address is None:
            raise RuntimeError("children are only started on a connection")
        signals.worker_before_create_process.send(sender=self)
        herald = self._announcements.open(index)
        port = base.ChildPort(
            index=index,
            slots=self.slots,
            control=control,
            notify=self._notify,
            max_tasks=plan.max_tasks_per_child,
            max_memory_kib=plan.max_memory_per_child_kib,
            changes=self._remote.changes(),
            herald=herald,
        )

        def clean() -> None:
            os.close(others_end)
            self._forget_in_child()
            if self._endpoint is not None:
                self._endpoint.close_in_child()

        try:
            return pools.fork_child(lambda: pools.run_loop(self._app, plan, address, epoch, port), os.getpid(), clean)
        finally:
            herald.close()

    def _forget_in_child(self) -> None:
        """Close, in a child, what is the supervisor's; the worker lane above all, whose end means our death."""
        self._selector.close()
        if self._connection is not None:
            self._connection.close()
        self._signals.close()
        self._children.forget_in_child()
        self._announcements.forget_in_child()
        self._find_node.forget_in_child()

    def _bury(self) -> None:
        """Report and replace the children that have ended."""
        deaths = self._children.bury()
        for death in deaths:
            if not self._draining:
                self._children.replace_later(death)
        for death in deaths:
            self._report(death)
        if self._children.hopeless and not self._draining:
            last = deaths[-1].detail if deaths else ""
            _logger.error("children cannot be started", worker=self._plan.name, last=last)
            self._kill_all(family.SHUTDOWN)
            self._exit_code = 1

    def _report(self, death: family.Death) -> None:
        facts = {"child_pid": death.pid, "child": death.index, "detail": death.detail}
        if death.clean:
            _logger.info("child left", **facts)
            return
        _logger.warning("child died", reason=death.reason, seq=death.seq, **facts)
        self.send(frames.CHILD_DIED, [death.index, death.pid, death.reason, death.seq, death.detail])

    def _kill_all(self, reason: str) -> None:
        """Kill every child and wait until none is left; each death is reported while there is a node to tell."""
        for member in self._children:
            self._children.kill(member, reason)
        while len(self._children):
            for death in self._children.bury():
                try:
                    self._report(death)
                except frames.LaneError:
                    self._drop_connection()
            time.sleep(0.001)

    # -- shutting down ----------------------------------------------------------------------------------------

    def _on_signals(self) -> None:
        for signum in self._signals.take():
            if signum == signal.SIGHUP:
                self.restart_pool()
            elif signum == signal.SIGUSR1:  # this process has shown its own stacks
                for member in self._children:
                    os.kill(member.pid, signum)
            else:
                self._shut(signum)

    def _shut(self, signum: int) -> None:
        """Begin what comes next in a shutdown, if the signal asks for anything."""
        stage = self._shutdown.next(signum)
        if stage is None:
            return
        lifecycle.stopping(self._plan.name, signal.Signals(signum).name, stage.how)
        if stage is Stage.COLD:
            self._stop_cold()
        else:
            self._let_end(stage)

    def _busy(self) -> int:
        return sum(self.slots.running(member.index).seq != IDLE for member in self._children)

    def _let_end(self, stage: Stage) -> None:
        """Take nothing more, return what has not started, let running tasks end: in a soft shutdown not for long."""
        _logger.info(f"{stage.name.lower()} shutdown started", worker=self._plan.name, running=self._busy())
        if self._draining:
            return
        self._draining = True
        if self._connection is None:
            self._exit_code = 0
            return
        self._publish()
        self.send(frames.DRAIN, {})
        # The node tells the children too; but one that is still starting would not hear it.
        for member in self._children:
            self._children.ask_to_leave(member, base.DRAIN)

    def _finish_drain(self) -> None:
        """End when the children have gone and the node has said that nothing is left."""
        now = time.monotonic()
        if self._shutdown.is_over(now) and len(self._children):
            self._stop_cold()
        elif not len(self._children):
            self._gone_at = self._gone_at or now
            if self._drained_at is not None or now - self._gone_at > _FAREWELL_SECONDS:
                _logger.info("worker stopped", worker=self._plan.name)
                self._exit_code = 0
        elif self._drained_at is not None and now - self._drained_at > _FAREWELL_SECONDS:
            # Nothing of this worker runs any more, as the node knows: what is left hangs in its own exit.
            self._kill_all(family.SHUTDOWN)

    def _stop_cold(self) -> None:
        """Kill everything; the reports make the node return the tasks at once."""
        _logger.warning("cold shutdown", worker=self._plan.name, children=len(self._children))
        self._draining = self.stopped_cold = True
        self._kill_all(family.SHUTDOWN)
        self._exit_code = 0

    def _close(self) -> None:
        self._kill_all(family.SHUTDOWN)
        if self._endpoint is not None:
            self._endpoint.stop()
        if self._connection is not None:
            with contextlib.suppress(frames.LaneError):
                self._remote.events.offline()
            self._selector.unregister(self._connection)
            self._connection.finish()
            self._connection = None
        self._find_node.stop()
        self._announcements.close()
        self._selector.close()
        self._signals.restore()
        self._signals.close()
        os.close(self._notify)
        gc.unfreeze()
        lifecycle.ended(self)

    # -- health -----------------------------------------------------------------------------------------------

    def _publish(self) -> None:
        self.slots.set_health(Health(os.getpid(), self._connection is not None, self._plan.processes, self._draining))
