"""The home's side of workers: who listens, who is free, what a child says and what its death means.

All methods but `Workers.ask` are called with the home's lock. This file must not read sockets (lane.py does) or
decide states (outcomes.py does).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from ignitetasks import frames, states
from ignitetasks.message import EARLY_ACK, PROGRESS_STATE, PROMISED, Completion
from ignitetasks.transport.memory import outcomes, records
from ignitetasks.transport.memory.home import Home, Outlet
from ignitetasks.transport.memory.outcomes import Next
from ignitetasks.transport.memory.rates import Rates
from ignitetasks.transport.memory.records import LEASED, READY, Child, Record, Worker, now_ms

#: A question to a supervisor, its answer, and the word of other queues to take from.
CONTROL = 24
CONTROL_REPLY = 25
QUEUES = 26
#: The end of a child waits so long for its supervisor's report.
REPORT_MS = 1_000
#: A task that no listening worker knows fails after this long.
UNKNOWN_GRACE_MS = 3_000
#: Children of a supervisor that is gone have so long to end by themselves, so that their last words count.
LAST_WORDS_MS = 300


class Workers:
    """All workers of a home."""

    def __init__(self) -> None:
        self.home = Home(self.dispatch)
        self.rates = Rates()
        self.all: dict[int, Worker] = {}
        self._wakes_ms = 0
        self._epochs = itertools.count(1)
        self._fences = itertools.count(1)
        self._served: dict[str, int] = {}
        self._turns = itertools.count(1)
        #: Names that a worker's child did not have, though it may have been given them after its start.
        self._unknown: dict[tuple[int, str], None] = {}
        self._doubted: set[int] = set()

    # -- coming and going ---------------------------------------------------------------------------------------

    def joined(self, peer: Outlet, info: dict[str, Any]) -> Worker:
        """Takes a worker."""
        worker = Worker(
            next(self._epochs), peer, info, set(info.get("queues", ())), set(info.get("tasks", ())), started_ms=now_ms()
        )
        worker.hears = bool(info.get("hears"))
        self.listens(worker)
        self.all[worker.epoch] = worker
        self._settle_rates()
        self.home.post(peer, frames.WELCOME, {"epoch": worker.epoch})
        return worker

    def _settle_rates(self) -> None:
        self.rates.settle(worker.info.get("limits") or {} for worker in self.all.values())

    def child_joined(self, peer: Outlet, info: dict[str, Any]) -> Child | None:
        """Takes a child of a worker that is there; None if it is not."""
        worker = self.all.get(info["epoch"])
        if worker is None:
            return None
        child = Child(worker, peer, info["child"], info["pid"], info["slots"])
        self.home.post(peer, frames.WELCOME, {})
        if worker.draining:
            self._stop(child)
        worker.children.append(child)
        return child

    def listens(self, worker: Worker) -> None:
        """Takes note of what a worker wants to hear, and of which queues."""
        if worker.hears:
            self.home.heard |= worker.queues

    def drain(self, worker: Worker) -> None:
        """Sends a worker nothing more."""
        worker.draining = True
        for child in worker.children:
            self._stop(child)
        self._announce_drained(worker)

    def _stop(self, child: Child) -> None:
        if not child.stopped:
            child.stopped = True
            self.home.post(child.peer, frames.STOP, {})

    def _announce_drained(self, worker: Worker) -> None:
        if worker.draining and not worker.drained and not worker.running():
            worker.drained = True
            self.home.post(worker.peer, frames.DRAINED, {})

    def ask(self, number: int, command: str, body: bytes, names: Sequence[str] | None) -> list[Worker]:
        """Sends a question to the supervisors of these names, None for all; returns those that are there."""
        with self.home.changing():
            asked = [worker for worker in self.all.values() if names is None or worker.name in names]
            for worker in asked:
                self.home.post(worker.peer, CONTROL, [number, command, body])
            return asked

    def held(self, worker: Worker) -> list[list[Any]]:
        """Returns what a worker has in hand, as its supervisor asks for it."""
        return [
            [
                child.index, child.pid, seq, True, max(now_ms() - record.started_ms, 0) if record.started_ms else 0,
                record.id, record.call.task, record.body, record.flags, record.queue, record.priority, record.attempt,
                record.deliveries, record.eta_ms, record.created_ms,
            ]
            for child in worker.children
            for seq, (record, _fence) in child.held.items()
        ]  # fmt: skip

    def left(self, worker: Worker) -> None:
        """Ends the leases of a worker that is gone."""
        self.all.pop(worker.epoch, None)
        self._settle_rates()
        for key in [key for key in self._unknown if key[0] == worker.epoch]:
            del self._unknown[key]
        for child in list(worker.children):
            if child.gone:
                self._settle(child, *(child.death or ("unknown", -1)))
            else:
                self.home.alarm(now_ms() + LAST_WORDS_MS, partial(self._cut_off, child))

    def _cut_off(self, child: Child) -> None:
        """Ends a child that outlives its supervisor."""
        if not child.gone:
            child.gone = True
            child.peer.close()
            self._settle(child, "unknown", -1)

    # -- giving -------------------------------------------------------------------------------------------------

    def dispatch(self) -> None:
        """Gives ready tasks to free children: highest priority first, then the queue served longest ago."""
        while any(worker.free() for worker in self.all.values()):
            best: tuple[tuple[int, int, int], Record, Child] | None = None
            for queue, task, record in self.home.order.heads():
                child = self._taker(queue, task, record)
                if child is None or self._held_by_rate(task):
                    continue
                rank = (-record.priority, self._served.get(queue, 0), record.seq)
                if best is None or rank < best[0]:
                    best = rank, record, child
            if best is None:
                return
            self._lease(best[1], best[2])

    def _taker(self, queue: str, task: str, record: Record) -> Child | None:
        """Returns the freest child of those that listen and know the task, or may have learned it since."""
        listening = [worker for worker in self.all.values() if queue in worker.queues]
        if not listening:
            return None
        able = [worker for worker in listening if task in worker.tasks]
        if not able:
            able = [worker for worker in listening if (worker.epoch, task) not in self._unknown]
            if not able:
                self._doubt(record)
                return None
        worker = max(able, key=Worker.free)
        if not worker.free():
            return None
        return max(worker.children, key=Child.free)

    def _held_by_rate(self, task: str) -> bool:
        """Tells whether a task must wait for its rate; then everything is looked at again when it may start."""
        now = now_ms()
        due_ms = -(-self.rates.next_us(task, now * 1000) // 1000)
        if due_ms <= now:
            return False
        if not now < self._wakes_ms <= due_ms:
            self._wakes_ms = due_ms
            self.home.alarm(due_ms, lambda: None)
        return True

    def _doubt(self, record: Record) -> None:
        """Fails a task that nobody knows, unless somebody who does comes within the grace."""
        ticket = record.ticket
        if ticket in self._doubted:
            return
        self._doubted.add(ticket)

        def judge() -> None:
            self._doubted.discard(ticket)
            known = any(record.call.task in worker.tasks for worker in self.all.values())
            if record.ticket == ticket and record.where == READY and not known:
                text = "no worker that listens to its queue has a task of this name"
                self.home.fail(record, states.FAILURE_CODE, records.NOT_REGISTERED, text)

        self.home.alarm(now_ms() + UNKNOWN_GRACE_MS, judge)

    def _lease(self, record: Record, child: Child) -> None:
        self._served[record.queue] = next(self._turns)
        self.rates.use(record.call.task, now_ms() * 1000)
        self.home.order.move(record, LEASED)
        record.fence = next(self._fences)
        record.holder = child
        record.worker = child.worker.name
        if record.flags & EARLY_ACK:
            record.state, record.started_ms = states.CODES["STARTED"], now_ms()
        seq, child.next_seq = child.next_seq, child.next_seq + 1
        child.held[seq] = (record, record.fence)
        self.home.post(child.peer, frames.RUN, [record.delivery(seq)])

    # -- taking -------------------------------------------------------------------------------------------------

    @staticmethod
    def _current(record: Record, fence: int) -> bool:
        return record.where == LEASED and record.fence == fence

    def done(self, child: Child, answers: list[list[Any]]) -> None:
        """Takes what a child says of its deliveries; what it does not hold any more is dropped."""
        worker = child.worker
        for answer in self._each(child, answers):
            seq, kind = answer[0], answer[1]
            held = child.held.get(seq) if kind == frames.STARTED else child.held.pop(seq, None)
            if held is None or not self._current(*held):
                continue
            record = held[0]
            if kind == frames.GIVE_BACK and answer[5] == "not_registered":
                worker.tasks.discard(record.call.task)
                self._unknown[worker.epoch, record.call.task] = None
            spawn = answer[6] if len(answer) > 6 else None
            if spawn:
                self.home.grow(spawn)
            if kind not in (frames.STARTED, frames.GIVE_BACK):
                worker.totals[record.call.task] = worker.totals.get(record.call.task, 0) + 1
            if kind == frames.GIVE_BACK:
                self.rates.give_back(record.call.task)
            step = outcomes.apply(record, answer, worker.name)
            if step is Next.END:
                worker.done += 1
                worker.failed += kind == frames.FAILURE
            self._step(record, step, by_child=kind != frames.REVOKED)
            if spawn:
                self.home.spawn(spawn)
        self._announce_drained(worker)

    def _each(self, child: Child, answers: list[list[Any]]) -> Iterator[list[Any]]:
        """Yields the answers; one that gives back what a slow task keeps waiting, for each delivery it means."""
        for answer in answers:
            if answer[1] != frames.GIVE_BACK or answer[5] != frames.SLOW:
                yield answer
                continue
            self.home.post(child.peer, frames.TAKEN_BACK, {})
            for seq in [seq for seq in child.held if seq >= answer[0]]:
                yield [seq, *answer[1:]]

    def told(self, child: Child, seq: int, name: str, payload: bytes) -> None:
        """Takes what a running task says of itself, and tells those that wait for it."""
        held = child.held.get(seq)
        if held is None or not self._current(*held):
            return
        record = held[0]
        outcomes.progress(record, name, payload, child.worker.name)
        if record.watchers:
            word = Completion(record.id, PROGRESS_STATE, frames.pack([name, payload]), 0)
            self.home.mail.tell(record.watchers, word)

    def _step(self, record: Record, step: Next, by_child: bool) -> None:
        if step is Next.RUN_ON:
            return
        if step is Next.PROMISE:
            record.join_size, record.joined = PROMISED, 0
        elif step is Next.END:
            self.home.finish(record, by_child)
            return
        if record.revoke_asked:
            self.home.fail(record, states.REVOKED_CODE, records.REVOKED, "revoked while it ran")
            return
        self.home.place(record)

    def give_back(self, child: Child) -> None:
        """Takes leave of a child that says that nothing more will come."""
        child.gone = True
        self._remove(child)
        for record, fence in child.held.values():
            if self._current(record, fence):
                self.rates.give_back(record.call.task)
                outcomes.reopen(record)
                self._step(record, Next.REQUEUE, by_child=True)
        child.held.clear()
        self._announce_drained(child.worker)

    def _remove(self, child: Child) -> None:
        if child in child.worker.children and not child.held:
            child.worker.children.remove(child)

    def child_gone(self, child: Child) -> None:
        """Takes note that a child's connection has ended; what it held waits a moment for the report."""
        if child.gone:
            self._remove(child)
            return
        child.gone = True
        if child.death is not None or not child.held or child.worker.epoch not in self.all:
            self._settle(child, *(child.death or ("unknown", -1)))
        else:
            self.home.alarm(now_ms() + REPORT_MS, lambda: self._settle(child, "unknown", -1))

    def child_died(self, worker: Worker, index: int, pid: int, reason: str, seq: int) -> None:
        """Takes the supervisor's report, which may come before or after the connection's end."""
        for child in list(worker.children):
            if (child.index, child.pid) == (index, pid):
                child.death = (reason, seq)
                if child.gone:
                    self._settle(child, reason, seq)

    def _settle(self, child: Child, reason: str, running: int) -> None:
        """Decides what a death means for each delivery that the child never answered.

        What ran gets the verdict of the reason. What came before it has run without a report, what came after never
        started: both go back, except what must start at most once and may have started.
        """
        held, child.held = child.held, {}
        self._remove(child)
        crash = reason in ("exit", "unknown")
        suspects = 0
        for seq, (record, fence) in held.items():
            ran = seq == running
            if crash and (child.slots > 1 or running < 0):
                ran, suspects = suspects < child.slots, suspects + 1
            if not self._current(record, fence):
                continue
            at_most_once = record.flags & EARLY_ACK
            if ran and reason in ("hard_limit", "revoked"):
                self._verdict(record, reason, child.worker.name)
            elif (ran and (crash or at_most_once)) or (at_most_once and (child.slots > 1 or seq < running)):
                child.worker.lost += 1
                self._step(record, outcomes.lost(record, child.worker.name), by_child=False)
            else:
                outcomes.reopen(record)
                self._step(record, Next.REQUEUE, by_child=False)
        self._announce_drained(child.worker)

    def _verdict(self, record: Record, reason: str, worker: str) -> None:
        if reason == "revoked":
            self.home.fail(record, states.REVOKED_CODE, records.REVOKED, "terminated", worker)
            return
        limit = f" of {record.call.hard_ms / 1000:g} s" if record.call.hard_ms else ""
        text = f"it was stopped because it ran longer than its hard time limit{limit}; raise the limit or split it"
        self.home.fail(record, states.FAILURE_CODE, records.TIME_LIMIT, text, worker)
