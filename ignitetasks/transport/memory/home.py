"""The home in memory: who has which task when, and what its end brings about.

One lock guards everything; `changing` takes it, gives ready tasks to whoever is free, and sends outside of it. This
file must not know sockets: workers' side is in workers.py, connections in lane.py.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from ignitetasks import frames, states
from ignitetasks.ids import locator
from ignitetasks.message import (
    CONFLICT,
    CONTINUES,
    EXISTS,
    IGNORE_RESULT,
    PROMISED,
    SETTLE_TASK,
    Completion,
    Group,
    Item,
    Template,
    WatchAnswer,
)
from ignitetasks.transport.memory import outcomes, records
from ignitetasks.transport.memory.mail import Mail
from ignitetasks.transport.memory.order import Alarms, Order
from ignitetasks.transport.memory.records import (
    DELAYED,
    JOINING,
    NOWHERE,
    READY,
    Record,
    now_ms,
)

#: How many swept ids are remembered as such.
MAX_EXPIRED = 100_000
#: How many ids may be revoked before they are submitted, and how long that holds.
MAX_REVOKED = 100_000
REVOKED_MS = 86_400_000


class Outlet(Protocol):
    """Where frames go."""

    def post(self, kind: int, value: Any) -> None:
        """Queues a frame; never blocks."""

    def flush(self) -> None:
        """Sends what is queued."""


class Home:
    """All tasks of one home.

    Args:
        dispatch: Gives ready tasks to free children; called with the lock after each change.
    """

    def __init__(self, dispatch: Callable[[], None]) -> None:
        self.lock = threading.Lock()
        self.mail = Mail(self.lock)
        self.order = Order()
        self.records: dict[str, Record] = {}
        self.expired: dict[str, None] = {}
        self._revoked: dict[str, int] = {}
        self.ended: dict[int, int] = {}
        #: Queues of which a worker wants, or has wanted, to hear of ends that no child has decided.
        self.heard: set[str] = set()
        self._dispatch = dispatch
        self._alarms = Alarms()
        self._sweeps = Alarms()
        self._ticking = threading.Condition(self.lock)
        self._clock_runs = False
        self._arrivals = 0
        self._touched: dict[Outlet, None] = {}
        # Somebody may wait for a task that is not there yet.
        self._awaited: dict[str, set[int]] = {}
        # Members of a join may end before the one that waits for them is known.
        self._early: dict[str, int] = {}

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Holds the lock; afterwards what became possible is decided, and sent without the lock."""
        with self.lock:
            self.sweep()
            yield
            self._dispatch()
            touched, self._touched = self._touched, {}
        for outlet in touched:
            outlet.flush()

    def post(self, outlet: Outlet, kind: int, value: Any) -> None:
        """Queues a frame that is sent once the lock is free."""
        outlet.post(kind, value)
        self._touched[outlet] = None

    # -- submitting ---------------------------------------------------------------------------------------------

    def submit(self, session: int, attempt: int, groups: Sequence[Group]) -> tuple[int, list[tuple[int, int, int]]]:
        """Makes records; see `Transport.submit`."""
        created, exceptions, index = 0, [], 0
        with self.changing():
            self.mail.session(session)
            for template, items in groups:
                for item in items:
                    known = self.insert(template, item, session)
                    if known is None:
                        created += 1
                    else:
                        same = known.mark is None or item[2] is None or known.mark == item[2]
                        exceptions.append((index, EXISTS if same else CONFLICT, known.state))
                    index += 1
        # A repeated submit is answered like the first one, unless its ids were chosen by the caller.
        if attempt and exceptions:
            checked = [one for one in exceptions if one[1] == CONFLICT or self._chosen(groups, one[0])]
            return created + len(exceptions) - len(checked), checked
        return created, exceptions

    @staticmethod
    def _chosen(groups: Sequence[Group], index: int) -> bool:
        for _, items in groups:
            if index < len(items):
                return items[index][2] is not None
            index -= len(items)
        return False

    def insert(self, template: Template, item: Item, session: int | None) -> Record | None:
        """Makes one record, or fulfils a promised one; returns the record that is there already."""
        task_id, data, mark = item
        body = bytes(data)
        known = self.records.get(task_id)
        if known is not None and (known.join_size != PROMISED or template.join_size == PROMISED):
            return known
        if known is None:
            known = self._new(template, task_id, body, mark)
        else:
            known.call, known.body, known.mark = template, body, mark
        known.queue, known.priority, known.flags = template.queue, template.priority, template.flags
        known.eta_ms, known.expires_ms, known.options = template.eta_ms, template.expires_ms, template.options
        known.join_size = template.join_size
        known.joined += self._early.pop(task_id, 0)
        if session is not None and not template.flags & IGNORE_RESULT:
            known.watchers.add(session)
        if known.expires_ms:
            self.alarm(known.expires_ms, lambda: self._expire(known))
        if self._revoked.pop(task_id, 0) > now_ms():
            self.fail(known, states.REVOKED_CODE, records.REVOKED, "revoked before it was submitted")
        elif not known.terminal:
            self.place(known)
        return None

    def revoke_ahead(self, task_id: str) -> None:
        """Notes an id that nobody has submitted: should it come, it is refused."""
        if len(self._revoked) < MAX_REVOKED:
            self._revoked[task_id] = now_ms() + REVOKED_MS

    def _new(self, template: Template, task_id: str, body: bytes | None, mark: bytes | None) -> Record:
        self._arrivals += 1
        record = Record(task_id, template, body, mark, self._arrivals, created_ms=now_ms())
        self.records[task_id] = record
        record.watchers |= self._awaited.pop(task_id, set())
        self.expired.pop(task_id, None)
        return record

    # -- the order ----------------------------------------------------------------------------------------------

    def place(self, record: Record) -> None:
        """Puts a record where it has to wait: for its members, its time, or a free child."""
        record.holder = None
        if record.join_size == PROMISED or record.joined < record.join_size:
            self.order.move(record, JOINING)
        elif record.eta_ms > now_ms():
            ticket = self.order.move(record, DELAYED)
            self.alarm(record.eta_ms, lambda: self.place(record) if record.ticket == ticket else None)
        else:
            self.order.move(record, READY)
            self._expire(record)

    def _expire(self, record: Record) -> None:
        waits = record.where in (READY, DELAYED, JOINING)
        if waits and 0 < record.expires_ms <= now_ms():
            self.fail(record, states.REVOKED_CODE, records.EXPIRED, "expired before it was started")

    # -- ends ---------------------------------------------------------------------------------------------------

    def fail(
        self,
        record: Record,
        state: int,
        kind: str,
        text: str,
        worker: str | None = None,
        *,
        signal: str | None = None,
        heard: bool = True,
    ) -> None:
        """Ends a task by the home's own decision."""
        outcomes.fail(record, state, kind, text, worker, signal)
        self.finish(record, by_child=False, heard=heard)

    def finish(self, record: Record, by_child: bool, heard: bool = True) -> None:
        """Tells of an end, counts it where somebody waits for it, and sees to what follows.

        Args:
            record: The task.
            by_child: A child has decided this end.
            heard: Workers that want to hear of the ends of others do so.
        """
        self.order.move(record, NOWHERE)
        record.holder = None
        self.ended[record.state] = self.ended.get(record.state, 0) + 1
        watchers, record.watchers = record.watchers, set()
        if watchers:
            self.mail.deliver(watchers, record.completion())
        self._sweeps.add(record.finished_ms + record.call.result_ttl_ms, lambda: self._sweep_one(record))
        if record.call.join_id is not None and not record.counted:
            record.counted = True
            self._count(record.call.join_id)
        # Of a task that nobody knows a worker is told in any case: somebody has started the wrong code.
        told = record.queue in self.heard or record.error_type == records.NOT_REGISTERED
        heard = heard and told and record.call.task != SETTLE_TASK
        if not by_child and (heard or record.flags & CONTINUES):
            self._settle(record)

    def _count(self, join_id: str) -> None:
        join = self.records.get(join_id)
        if join is None:
            self._early[join_id] = self._early.get(join_id, 0) + 1
            return
        join.joined += 1
        self.look_at_join(join)

    def look_at_join(self, join: Record) -> None:
        """Releases a task whose members have all ended."""
        if join.where == JOINING and join.join_size != PROMISED and join.joined >= join.join_size:
            self.place(join)

    def _settle(self, record: Record) -> None:
        """Sends the task that does what a child would have done, had the end been its own."""
        digest = hashlib.blake2b(f"settle\0{record.id}".encode(), digest_size=14).hexdigest()
        tail = f"{locator(record.id):04x}"
        task_id = f"{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:28]}{tail}"
        call = record.call._replace(
            task=SETTLE_TASK, queue=record.queue, priority=record.priority, eta_ms=0, expires_ms=0, flags=IGNORE_RESULT,
            options=record.options, root_id=record.call.root_id or record.id, parent_id=record.id, group_id=None,
            join_id=None, join_size=0,
        )  # fmt: skip
        self.insert(call, (task_id, b"m" + frames.pack([[record.id], {}]), None), None)

    # -- what a completion brings -------------------------------------------------------------------------------

    def grow(self, wanted: dict[str, Any]) -> None:
        """Makes joins wait for more; before the outcome that says so is counted itself."""
        for task_id, count in wanted.get("grow") or ():
            join = self.records.get(task_id)
            if join is not None and join.where == JOINING and join.join_size > 0:
                join.join_size += count

    def spawn(self, wanted: dict[str, Any]) -> None:
        """Does what an outcome carries: new tasks, and ends of others; ids that exist are skipped."""
        for raw, items in wanted.get("submit") or ():
            template = Template(*raw)
            for task_id, body, mark in items:
                self.insert(template, (task_id, body, mark), None)
        for task_id, state, payload, error_type, raw in wanted.get("end") or ():
            self._end_born(task_id, state, payload, error_type, Template(*raw))

    def _end_born(
        self, task_id: str, state: int, payload: bytes | None, error_type: str | None, call: Template
    ) -> None:
        record = self.records.get(task_id)
        if record is None:
            record = self._new(call, task_id, None, None)
            record.queue, record.priority, record.flags = call.queue, call.priority, call.flags
            record.options = call.options
        elif record.where != JOINING:
            return
        record.join_size = 0
        record.state, record.payload, record.error_type = state, payload, error_type
        record.finished_ms = now_ms()
        self.finish(record, by_child=True)

    # -- sessions -----------------------------------------------------------------------------------------------

    def watch(self, session: int, ids: Sequence[str]) -> WatchAnswer:
        """See `Transport.watch`."""
        done: list[Completion] = []
        unknown: list[str] = []
        expired: list[str] = []
        with self.lock:
            self.sweep()
            self.mail.session(session)
            for task_id in ids:
                record = self.records.get(task_id)
                if record is None and task_id in self.expired:
                    expired.append(task_id)
                elif record is None:
                    unknown.append(task_id)
                    self._awaited.setdefault(task_id, set()).add(session)
                elif record.terminal:
                    done.append(record.completion())
                else:
                    record.watchers.add(session)
        return WatchAnswer(done, unknown, expired)

    # -- time ---------------------------------------------------------------------------------------------------

    def alarm(self, when_ms: int, ring: Callable[[], None]) -> None:
        """Plans something for a time; call with the lock."""
        if not self._alarms.add(when_ms, ring):
            return
        if not self._clock_runs:
            self._clock_runs = True
            threading.Thread(target=self._run_clock, name="ignitetasks-clock", daemon=True).start()
        self._ticking.notify()

    def _run_clock(self) -> None:
        while True:
            with self.lock:
                due = self._alarms.next_ms()
                if due is None:
                    # Decided under the lock: the next alarm starts another thread.
                    self._clock_runs = False
                    return
                if due > now_ms():
                    self._ticking.wait((due - now_ms()) / 1000)
                    continue
            with self.changing():
                for ring in self._alarms.due(now_ms()):
                    ring()

    def sweep(self) -> None:
        """Forgets what was kept for its time; looked at when somebody looks, so it needs no thread."""
        for ring in self._sweeps.due(now_ms()):
            ring()

    def _sweep_one(self, record: Record) -> None:
        if record.terminal and self.records.get(record.id) is record:
            # A revived task ends once more, and later.
            if record.finished_ms + record.call.result_ttl_ms > now_ms():
                return
            del self.records[record.id]
            self.expired[record.id] = None
            while len(self.expired) > MAX_EXPIRED:
                del self.expired[next(iter(self.expired))]
