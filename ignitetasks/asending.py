"""Sends calls of coroutines: what any number of them wants to send at the same time goes in one submit.

One thread for each client and process does the submits, starts at the first such call, and ends when there has been
nothing to do for a while. This file must not check options or arguments; it is given encoded bodies and a `Plan`.
"""

from __future__ import annotations

import asyncio
import copy
import threading
import weakref
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ignitetasks.bulk import CHUNK_BYTES, CHUNK_GROUPS, CHUNK_ITEMS
from ignitetasks.client import Client, ResultSource
from ignitetasks.message import Group, Item, Session, Template
from ignitetasks.options import Plan
from ignitetasks.perprocess import PerProcess
from ignitetasks.result import AsyncResult
from ignitetasks.sending import Prepared, choose_id, handle_of, prepare, with_ancestry

_IDLE_SECONDS = 30.0


class _Answer(NamedTuple):
    """What the node said of one call."""

    session: Session
    exceptions: Sequence[tuple[int, int, int]]


class _Letter(NamedTuple):
    """One call on its way out."""

    template: Template
    item: Item
    retry: bool
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[_Answer]


class _Sender:
    """Submits what coroutines of any loops of this process want to send."""

    def __init__(self, client: Client) -> None:
        self._client = weakref.ref(client)
        self._changed = threading.Condition()
        self._letters: deque[_Letter] = deque()
        self._running = False

    def post(self, letter: _Letter) -> None:
        """Takes a call; its future is told what became of it."""
        with self._changed:
            self._letters.append(letter)
            if not self._running:
                self._running = True
                threading.Thread(target=self._run, name="ignitetasks-sender", daemon=True).start()
            self._changed.notify()

    def _run(self) -> None:
        while batch := self._take():
            client = self._client()
            if client is None:
                return
            self._submit(client, batch)
            del client

    def _take(self) -> list[_Letter]:
        """Takes what fits one submit; waits where there is nothing. Empty when there has been nothing for a while."""
        with self._changed:
            if not self._letters:
                self._changed.wait(_IDLE_SECONDS)
            # Decided under the lock, so that `post` either sees a running thread or starts one.
            self._running = bool(self._letters)
            batch: list[_Letter] = []
            ids: set[str] = set()
            size, groups = 0, 0
            while self._letters and len(batch) < CHUNK_ITEMS and size < CHUNK_BYTES and groups < CHUNK_GROUPS:
                letter = self._letters[0]
                # A submit holds each id once, and repeats for all or for none.
                if letter.item[0] in ids or (batch and letter.retry != batch[0].retry):
                    break
                groups += not batch or letter.template != batch[-1].template
                batch.append(self._letters.popleft())
                ids.add(letter.item[0])
                size += len(letter.item[1]) + 64
            return batch

    def _submit(self, client: Client, batch: Sequence[_Letter]) -> None:
        groups: list[Group] = []
        last: Template | None = None
        run: list[Item] = []
        for letter in batch:
            if letter.template != last:
                run, last = [], letter.template
                groups.append(Group(last, run))
            run.append(letter.item)
        try:
            answer = client.transport.submit(groups, 0, None if batch[0].retry else 0.0)
        except BaseException as error:
            # Each coroutine gets an exception of its own: a traceback belongs to one stack.
            _settle([(letter, copy.copy(error)) for letter in batch])
            return
        refused = {one[0]: (one,) for one in answer.exceptions}
        _settle([(letter, _Answer(answer.session, refused.get(index, ()))) for index, letter in enumerate(batch)])


def _settle(outcomes: Sequence[tuple[_Letter, Any]]) -> None:
    """Tells the futures, with one call into each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[tuple[_Letter, Any]]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, some in by_loop.items():
        try:
            loop.call_soon_threadsafe(_tell, some)
        except RuntimeError:
            continue  # the loop was closed: nobody waits any more


def _tell(outcomes: Sequence[tuple[_Letter, Any]]) -> None:
    for letter, outcome in outcomes:
        if letter.future.done():
            continue
        if isinstance(outcome, BaseException):
            letter.future.set_exception(outcome)
        else:
            letter.future.set_result(outcome)


_senders = PerProcess(_Sender)


async def send_one(
    source: ResultSource, plan: Plan, args: Sequence[Any], kwargs: Mapping[str, Any], body: bytes
) -> AsyncResult[Any]:
    """Sends one call and returns its handle once it is durable; blocks no event loop.

    A cancelled call may have been sent or not; its id or key settles that.

    Args:
        source: Whose client sends, and answers for the result.
        plan: How.
        args: Positional arguments, for a key that depends on them.
        kwargs: Keyword arguments, for a key that depends on them.
        body: The encoded arguments.

    Raises:
        IdempotencyConflict: The id or key belongs to another task or other arguments.
        NotConnected: Surely not sent.
        OutcomeUnknown: Perhaps sent; the same id or key settles it.
    """
    client = source.client
    loop = asyncio.get_running_loop()
    task_id, checked = choose_id(client, plan, args, kwargs)
    template = with_ancestry(plan.template)
    prepared: Prepared
    if len(body) > client.settings.inline_limit:
        prepared = await asyncio.to_thread(prepare, client, template, task_id, body, checked)
    else:
        prepared = prepare(client, template, task_id, body, checked)
    future: asyncio.Future[_Answer] = loop.create_future()
    _senders.of(client).post(_Letter(*prepared, plan.retry, loop, future))
    answer = await future
    return handle_of(source, plan, prepared, answer.session, answer.exceptions)


#: Awaits a function that blocks, in one of the loop's threads.
in_thread = asyncio.to_thread
