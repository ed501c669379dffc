"""Sends any number of calls in a few submits: chunks bounded by count and bytes, order kept.

This file must not check arguments or options: it is given an iterator of encoded calls. Measured: about 3 us of
Python per small task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any, NamedTuple

from ignitetasks import metrics, sending
from ignitetasks.client import ResultSource
from ignitetasks.errors import IdempotencyConflict, IgniteTasksError
from ignitetasks.hub import Epoch
from ignitetasks.ids import BLOCK, new_ids
from ignitetasks.message import CHECK_EXISTS, CONFLICT, IGNORE_RESULT, Group, Item, Template
from ignitetasks.options import Plan
from ignitetasks.progress import Bar
from ignitetasks.results import IdList, ResultList
from ignitetasks.sending import choose_id, conflict_text, prepare, with_ancestry
from ignitetasks.serializers import Data

CHUNK_ITEMS = 2 * BLOCK
CHUNK_BYTES = 2 * 1024 * 1024
#: The gateway takes 1,000 groups in a submit.
CHUNK_GROUPS = 900

#: How to send, positional and keyword arguments, encoded arguments.
Call = tuple[Plan, Sequence[Any], Mapping[str, Any], Data]


class _Double(NamedTuple):
    """A call of a submit whose id an earlier call of it has, too.

    Attributes:
        place: Its index among the calls.
        first: Index of the earlier one.
        same: True when both have the same arguments, so that they have the same answer.
        template: What it would be sent with.
        item: What would be sent.
    """

    place: int
    first: int
    same: bool
    template: Template
    item: Item


class _Bulk:
    """One bulk call under way."""

    def __init__(self, source: ResultSource, bar: Bar) -> None:
        self._source = source
        self._client = source.client
        self._bar = bar
        self.ids = IdList()
        self.existing: list[int] = []
        self.conflicts: list[int] = []
        self.first_conflict = ""
        self._epochs: set[Epoch | None] = set()
        self._calls: list[Call] = []
        self._bytes = 0

    def add(self, calls: Iterator[Call]) -> None:
        """Sends calls, chunk by chunk."""
        inline = self._client.settings.inline_limit
        pending, size, groups = self._calls, 0, 0
        last: Plan | None = None
        for call in calls:
            pending.append(call)
            size += min(len(call[3]), inline) + 64
            if call[0] is not last and call[0] != last:
                last, groups = call[0], groups + 1
            if len(call[3]) > inline:
                groups += 2  # its own, and one for what follows
            if len(pending) >= CHUNK_ITEMS or size >= CHUNK_BYTES or groups >= CHUNK_GROUPS:
                self.flush()
                size, groups, last = 0, 0, None
        self.flush()

    def flush(self) -> None:
        """Sends what is pending in one submit."""
        calls = self._calls
        if not calls:
            return
        groups: list[Group] = []
        start = 0
        while start < len(calls):
            # A run of calls that are sent alike is one group; runs and not classes, so that order is kept.
            plan, end = calls[start][0], start + 1
            while end < len(calls) and (calls[end][0] is plan or calls[end][0] == plan):
                end += 1
            self._add_run(groups, plan, calls[start:end])
            start = end
        doubles = self._take_doubles(groups)
        self._submit(groups, [call[0] for call in calls], doubles)
        self._bar.advance(len(calls))
        calls.clear()

    def _take_doubles(self, groups: list[Group]) -> list[_Double]:
        """Takes out what has the id of an earlier item: a submit holds each id once."""
        seen: dict[str, tuple[int, bytes | None]] = {}
        doubles: list[_Double] = []
        place = 0
        for number, (template, items) in enumerate(groups):
            if not template.flags & CHECK_EXISTS:
                place += len(items)
                continue
            kept: list[Item] = []
            for item in items:
                first, mark = seen.setdefault(item[0], (place, item[2]))
                if first == place:
                    kept.append(item)
                else:
                    doubles.append(_Double(place, first, mark == item[2], template, item))
                place += 1
            groups[number] = Group(template, kept)
        return doubles

    def _submit(self, groups: Sequence[Group], plans: Sequence[Plan], doubles: Sequence[_Double]) -> None:
        timeout = None if all(plan.retry for plan in (plans[0], plans[-1])) else 0.0
        client = self._client
        answer = client.transport.submit([group for group in groups if group.items], 0, timeout)
        if sending.told is not None:
            sending.told(self._source, groups)
        ids = [item[0] for group in groups for item in group.items]
        # From an item of the submit to its call, with the doubles back in their places.
        places = list(range(len(ids)))
        if doubles:
            absent = {double.place for double in doubles}
            places = [place for place in range(len(ids) + len(doubles)) if place not in absent]
            for double in doubles:
                ids.insert(double.place, double.item[0])
        refused = {places[index]: code == CONFLICT for index, code, _state in answer.exceptions}
        asked: list[_Double] = []
        for double in doubles:
            if double.same:
                refused[double.place] = refused.get(double.first, False)
            else:
                asked.append(double)
        for double in asked:
            # The first one is in the ledger now, or what refused it is: either answers for other arguments.
            again = client.transport.submit([Group(double.template, [double.item])], 0, timeout)
            refused[double.place] = any(code == CONFLICT for _, code, _state in again.exceptions)
        offset = len(self.ids)
        self.ids.extend(ids)
        ignored = any(group.template.flags & IGNORE_RESULT for group in groups)
        # The node tells nobody about ends without a result, so such a handle has to ask.
        self._epochs.add(None if ignored else client.hub.epoch(answer.session))
        for place in sorted(refused):
            if refused[place]:
                self.first_conflict = self.first_conflict or conflict_text(plans[place], ids[place])
                self.conflicts.append(offset + place)
            else:
                self.existing.append(offset + place)
        conflicts = sum(refused.values())
        metrics.submitted.inc(len(ids) - len(refused))
        metrics.duplicates.inc(len(refused) - conflicts)

    def _add_run(self, groups: list[Group], plan: Plan, calls: Sequence[Call]) -> None:
        template = with_ancestry(plan.template)
        inline = self._client.settings.inline_limit
        bodies = [call[3] for call in calls]
        if not plan.checked and max(map(len, bodies)) <= inline:
            ids = new_ids(len(bodies), template.queue)
            groups.append(Group(template, list(zip(ids, bodies, repeat(None)))))
            return
        run: list[Item] = []
        last: Template | None = None
        for _, args, kwargs, body in calls:
            task_id, checked = choose_id(self._client, plan, args, kwargs)
            actual, item = prepare(self._client, template, task_id, body, checked)
            if actual != last:
                run = []
                groups.append(Group(actual, run))
                last = actual
            run.append(item)

    def results(self, queue: str | None, task: str | None) -> ResultList[Any]:
        """Returns the handles of everything sent so far."""
        epoch = next(iter(self._epochs)) if len(self._epochs) == 1 else None
        return ResultList(self.ids, self._source, epoch=epoch, existing=self.existing, queue=queue, task_name=task)


def send_bulk(
    source: ResultSource,
    calls: Iterator[Call],
    *,
    total: int | None = None,
    progress: bool = False,
    queue: str | None = None,
    task: str | None = None,
) -> ResultList[Any]:
    """Sends calls and returns their handles in order once all are durable.

    Args:
        source: Whose client sends, and answers for the results.
        calls: What to send; read as it is sent.
        total: How many there will be, for the bar.
        progress: True shows a bar.
        queue: Queue of all of them, or None where they differ.
        task: Task name of all of them, or None where they differ.

    Raises:
        IdempotencyConflict: Some were refused (``conflicts`` has their places); the others are sent.
        IgniteTasksError: A call was wrong or could not be sent; ``results`` of the error has the handles of those
            that were sent before.
    """
    with Bar("submitting", total, progress) as bar:
        bulk = _Bulk(source, bar)
        try:
            bulk.add(calls)
        except IgniteTasksError as error:
            error.results = bulk.results(queue, task)
            raise
    if bulk.conflicts:
        conflict = IdempotencyConflict(
            f"{len(bulk.conflicts)} of {len(bulk.ids)} calls were refused, first at index {bulk.conflicts[0]}: "
            f"{bulk.first_conflict}",
            bulk.conflicts,
        )
        conflict.results = bulk.results(queue, task)
        raise conflict
    return bulk.results(queue, task)
