"""What remote control does with a running worker: its live plan, its pool's size, its queues, limits and events.

Implements the port `Worker` of panel.py for the supervisor; solo.py has the smaller one of the solo pool. Everything
here runs in the supervisor's own thread. This file must not read the lane, fork or know commands.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from ignitetasks import frames, log
from ignitetasks.app.telling import wants_to_hear
from ignitetasks.errors import IgniteTasksError
from ignitetasks.events.local import EVENTS_BUCKET, EVENTS_SWITCH
from ignitetasks.worker.asked import setting
from ignitetasks.worker.autoscale import Autoscaler
from ignitetasks.worker.children import Children, tell_frame
from ignitetasks.worker.commands import make_panel
from ignitetasks.worker.consumer import Consumer, Pool
from ignitetasks.worker.limits import milliseconds
from ignitetasks.worker.model import PREFORK, WorkerApp, WorkerPlan
from ignitetasks.worker.panel import Holdings, InHand, encode
from ignitetasks.worker.slots import IDLE, Slots
from ignitetasks.worker.steps import Steps
from ignitetasks.worker.timer import Timer
from ignitetasks.worker.workerevents import WorkerEvents

#: Seconds between two looks of the autoscaler while tasks run.
_SCALE_SECONDS: Final = 0.25
#: Longest wait for the answer whether events are on.
_SWITCH_SECONDS: Final = 2.0
#: The node does not take longer answers, in bytes.
_MAX_ANSWER: Final = (1 << 20) - 1024
#: Fields of a task in hand, as the node sends them behind child, pid, number, whether it was sent, and age.
_FACTS: Final = (
    "id", "task", "body", "flags", "queue", "priority", "attempt", "deliveries", "eta_ms", "created_ms",
)  # fmt: skip


_logger = log.get_logger("worker")


class Hands(Protocol):
    """What the worker itself does for remote control."""

    def send(self, kind: int, payload: Any) -> None:
        """Sends a frame to the node; does nothing without a connection."""

    def shut_down(self) -> None:
        """Begins a warm shutdown, unless one is under way."""

    def restart_pool(self) -> None:
        """Replaces every child as soon as its task has ended."""

    def resized(self) -> None:
        """Takes note that the plan has another size."""


class Remote:
    """The live facts of one worker, and what commands may change of them.

    Attributes:
        app: The application.
        plan: What the worker is now.
        started: Monotonic seconds at its start.
        limits: Soft and hard limits set at run time, in milliseconds, by task name.
        events: Sends the worker's own events, and knows whether events are on.
    """

    def __init__(self, app: WorkerApp, plan: WorkerPlan, slots: Slots, hands: Hands) -> None:
        """Prepare.

        Args:
            app: The application.
            plan: What the worker was asked to be.
            slots: The shared memory.
            hands: The worker itself.
        """
        self.app = app
        self.plan = plan
        self.started = time.monotonic()
        self.limits: dict[str, tuple[int, int]] = {}
        self.events = WorkerEvents(plan.name, slots, hands.send, plan.events, plan.heartbeats)
        self._slots = slots
        self._hands = hands
        self._panel = make_panel(self)
        self._enabled = setting(app, "worker_enable_remote_control") is not False
        self._asked: dict[int, Callable[[Holdings], None]] = {}
        self._rows: dict[int, Callable[[Sequence[Sequence[Any]]], None]] = {}
        self._questions = 0

    # -- the lane -------------------------------------------------------------------------------------------------

    def on_control(self, number: int, command: str, body: bytes) -> None:
        """Run a command.

        Args:
            number: Of the question; 0 when nobody waits for an answer.
            command: Its name.
            body: Its encoded arguments.
        """

        def answer(reply: bytes) -> None:
            if len(reply) > _MAX_ANSWER:
                reply = encode({"error": f"the answer takes {len(reply)} bytes, more than a worker may send"})
            if number:
                self._hands.send(frames.CONTROL_REPLY, [number, reply])

        if not self._enabled:
            answer(b"")
            return
        self._panel.handle(command, bytes(body), answer)

    def on_held(self, number: int, rows: Sequence[Sequence[Any]], totals: Mapping[str, int]) -> None:
        """Take the node's list of what this worker holds.

        Args:
            number: Of the question.
            rows: One for each task.
            totals: Executions that have ended, by task name.
        """
        reader = self._rows.pop(number, None)
        if reader is not None:
            reader(rows)
        then = self._asked.pop(number, None)
        if then is not None:
            then(Holdings(self._in_hand(rows), totals))

    def forget_questions(self) -> None:
        """Drop what the node will not answer any more: it is gone."""
        self._asked.clear()
        self._rows.clear()

    def held(self, then: Callable[[Holdings], None]) -> None:
        """See `panel.Worker.held`."""
        self._questions += 1
        self._asked[self._questions] = then
        self._hands.send(frames.HELD, [self._questions])

    def _in_hand(self, rows: Sequence[Sequence[Any]]) -> list[InHand]:
        now, clock = time.monotonic(), time.time()
        found: list[InHand] = []
        running: dict[int, int] = {}
        for child, pid, seq, sent, age_ms, *facts in sorted(rows, key=lambda row: (row[0], row[2])):
            slot = self._slots.running(child) if 0 <= child < self._slots.capacity else None
            began = clock - age_ms / 1000
            if slot is None or not sent:
                active = False
            elif self.plan.slots_per_child == 1:
                active = slot.seq == seq
                began = clock - (now - slot.started) if active else began
            else:
                # The slot knows one of several; a child takes them in order.
                running[child] = running.get(child, 0) + 1
                active = running[child] <= self.plan.slots_per_child
            found.append(InHand(active, began, pid, dict(zip(_FACTS, facts, strict=True))))
        return found

    # -- what commands change -------------------------------------------------------------------------------------

    def changes(self) -> dict[str, Any]:
        """Return what a child that starts now has to be told."""
        changes: dict[str, Any] = {"limits": dict(self.limits)} if self.limits else {}
        if self.events.enabled:
            changes["events"] = True
        return changes

    def read_switch(self) -> None:
        """Turn events on where the cluster's switch says so; called once the worker runs."""
        if self.events.enabled:
            return
        try:
            found = self.app.transport.call("kv_get", EVENTS_BUCKET, EVENTS_SWITCH, timeout=_SWITCH_SECONDS)
        except IgniteTasksError as error:
            _logger.debug("event switch not read", error=str(error))
            return
        if found is not None and bytes(found[1]) == b"1":
            self.send_events(True)

    def hears(self) -> bool:
        """Return whether this worker wants to be told of ends that no child decides."""
        return self.events.enabled or wants_to_hear(self.app.tasks)

    def tell(self, changes: Mapping[str, Any]) -> None:
        """Tell the children that live.

        Args:
            changes: What `base.ChildBase.told` understands.
        """
        raise NotImplementedError

    def listen(self, queues: Sequence[str]) -> None:
        """See `panel.Worker.listen`."""
        self.plan = replace(self.plan, queues=tuple(queues))
        self._hands.send(frames.QUEUES, list(queues))

    def limit(self, task: str, soft: float | None, hard: float | None) -> None:
        """See `panel.Worker.limit`."""
        self.limits[task] = (milliseconds(soft), milliseconds(hard))
        self.tell({"limits": {task: self.limits[task]}})

    def send_events(self, enabled: bool) -> bool:
        """See `panel.Worker.send_events`."""
        if self.events.enabled == enabled:
            return False
        self.events.enabled = enabled
        self.tell({"events": enabled})
        self._hands.send(frames.HEARS, self.hears())
        self.events.online()
        return True

    @property
    def events_enabled(self) -> bool:
        """See `panel.Worker.events_enabled`."""
        return self.events.enabled

    def heartbeat(self, seconds: float, now: bool) -> None:
        """See `panel.Worker.heartbeat`."""
        self.events.listen(seconds)
        if now:
            self.events.heartbeat(asked=True)

    def event(self, type: str, fields: Mapping[str, Any]) -> None:
        """See `panel.Worker.event`."""
        self.events.send(type, **fields)

    def killed(self, index: int, seq: int, type: str, fields: Mapping[str, Any]) -> None:
        """Tell of a task that is ended from outside, where events are sent.

        Args:
            index: The child that runs it.
            seq: Its number there.
            type: Of the event.
            fields: Of the event.
        """
        if not self.events.enabled:
            return
        # The node knows its id; it reads this question before it learns of the child's end.
        self._questions += 1
        self._rows[self._questions] = lambda rows: self.events.of(rows, index, seq, type, fields)
        self._hands.send(frames.HELD, [self._questions])

    def shut_down(self) -> None:
        """See `panel.Worker.shut_down`."""
        self._hands.shut_down()

    def restart_pool(self) -> None:
        """See `panel.Worker.restart_pool`."""
        self._hands.restart_pool()

    def pids(self) -> list[int]:
        """See `panel.Worker.pids`."""
        raise NotImplementedError

    @property
    def autoscale(self) -> tuple[int, int] | None:
        """See `panel.Worker.autoscale`."""
        return None

    def resize(self, by: int) -> int:
        """See `panel.Worker.resize`."""
        raise ValueError(f"a {self.plan.pool} pool has one size")

    def set_autoscale(self, most: int | None, least: int | None) -> tuple[int, int]:
        """See `panel.Worker.set_autoscale`."""
        raise ValueError(f"a {self.plan.pool} pool has one size")


class Controlled:
    """A worker under remote control: what it is now, also for receivers of signals, whose sender it is."""

    _app: WorkerApp
    _remote: Remote
    #: The steps of the application, once they are made.
    steps: Steps | None = None
    #: Whether it was told to stop at once.
    stopped_cold = False

    @property
    def serves_itself(self) -> bool:
        """Whether the thread that it runs in answers commands."""
        return isinstance(self._remote, PoolRemote)

    @property
    def app(self) -> WorkerApp:
        """The application."""
        return self._app

    @property
    def hostname(self) -> str:
        """The worker's name."""
        return self._plan.name

    @functools.cached_property
    def timer(self) -> Timer:
        """Calls functions at their time, in the worker's own loop."""
        return Timer(self._look)

    @functools.cached_property
    def consumer(self) -> Consumer:
        """The worker, as custom control commands see it."""
        return Consumer(self._app, self._remote, self.timer)

    @property
    def pool(self) -> Pool:
        """What runs tasks."""
        return self.consumer.pool

    def _look(self) -> None:
        """Makes the loop look at the timer."""

    @property
    def _plan(self) -> WorkerPlan:
        """What the worker is to be now: remote control changes queues and size."""
        return self._remote.plan


class PoolRemote(Remote):
    """Remote control of a supervisor with children."""

    def __init__(
        self,
        app: WorkerApp,
        plan: WorkerPlan,
        slots: Slots,
        hands: Hands,
        children: Children,
        scaler: type[Autoscaler] = Autoscaler,
    ) -> None:
        """Prepare.

        Args:
            app: The application.
            plan: What the worker was asked to be.
            slots: The shared memory.
            hands: The supervisor.
            children: Its children.
            scaler: Class of the autoscaler.
        """
        super().__init__(app, plan, slots, hands)
        self._children = children
        self._make_scaler = scaler
        self._scaler: Any = None
        if plan.autoscale is not None:
            self._scaler = scaler(*plan.autoscale)

    def tell(self, changes: Mapping[str, Any]) -> None:
        """See `Remote.tell`."""
        self._children.tell(frames.pack(changes))

    def pids(self) -> list[int]:
        """See `panel.Worker.pids`."""
        return [child.pid for child in self._children]

    @property
    def autoscale(self) -> tuple[int, int] | None:
        """See `panel.Worker.autoscale`."""
        scaler = self._scaler
        return None if scaler is None else (scaler.max_concurrency, scaler.min_concurrency)

    def set_autoscale(self, most: int | None, least: int | None) -> tuple[int, int]:
        """See `panel.Worker.set_autoscale`."""
        if self.plan.pool != PREFORK:
            raise ValueError(f"autoscale works with the prefork pool; {self.plan.pool} starts no processes by need")
        self._check_size(most if most is not None else 1)
        if self._scaler is None:
            size = self.plan.concurrency
            self._scaler = self._make_scaler(most or size, least or min(size, most or size))
            return self._scaler.update()  # type: ignore[no-any-return]
        return self._scaler.update(most, least)  # type: ignore[no-any-return]

    def resize(self, by: int) -> int:
        """See `panel.Worker.resize`."""
        size = self.plan.concurrency + by
        self._check_size(size)
        self.plan = replace(self.plan, concurrency=size)
        if self.plan.pool != PREFORK:
            # One process with so many threads: another number of them is another process.
            self._children.replace_all()
        elif by > 0:
            self._children.start_more(by)
        else:
            self._children.retire(-by)
        self._hands.resized()
        return size

    def _check_size(self, size: int) -> None:
        most = self._slots.capacity if self.plan.pool == PREFORK else 1000
        if not 1 <= size <= most:
            raise ValueError(f"the pool's size must be 1 to {most}, not {size}")

    def tick(self) -> None:
        """Let the autoscaler look, where there is one, and send a heartbeat when it is due."""
        self.events.tick()
        if self._scaler is None:
            return
        busy = sum(self._slots.running(child.index).seq != IDLE for child in self._children if not child.retired)
        by = self._scaler.decide(time.monotonic(), self.plan.concurrency, busy)
        if by:
            self.resize(by)

    def next_tick(self, now: float) -> float | None:
        """Return when `tick` wants to be called, in monotonic seconds; None when the usual turns are enough."""
        if self._scaler is None or not any(self._slots.running(child.index).seq != IDLE for child in self._children):
            return None
        return now + _SCALE_SECONDS


class SoloRemote(Remote):
    """Remote control of a worker that runs tasks in its own process."""

    def __init__(self, app: WorkerApp, plan: WorkerPlan, slots: Slots, hands: Hands, pipe: int) -> None:
        """Prepare.

        Args:
            app: The application.
            plan: What the worker was asked to be.
            slots: The memory its loop writes to.
            hands: The worker.
            pipe: Write end of the loop's control pipe.
        """
        super().__init__(app, plan, slots, hands)
        self._pipe = pipe

    def tell(self, changes: Mapping[str, Any]) -> None:
        """See `Remote.tell`."""
        os.write(self._pipe, tell_frame(frames.pack(changes)))
        self._slots.tell()

    def pids(self) -> list[int]:
        """See `panel.Worker.pids`."""
        return [os.getpid()]
