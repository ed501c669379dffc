"""What a running task tells, for event loops: ``async for said in result.progress()``.

Loaded when it is first used, since it needs asyncio. This file must not wait in a thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

from ignitetasks import wire
from ignitetasks.awaiting import Bell
from ignitetasks.hub import ResultHub
from ignitetasks.message import Completion, decode_result
from ignitetasks.result.eager import EagerResult
from ignitetasks.waiters import HEARD_ITEMS


class Said(NamedTuple):
    """One word of a running task.

    Attributes:
        state: Name of its state, such as ``PROGRESS``.
        info: What belongs to it.
    """

    state: str
    info: Any


class _Listener(Bell):
    """Hears what one task says, until its end."""

    __slots__ = ("_keep", "ended", "words")

    def __init__(self, hub: ResultHub, keep: Callable[[Completion], None]) -> None:
        self._keep = keep
        self.words: deque[Completion] = deque(maxlen=HEARD_ITEMS)
        self.ended = False
        super().__init__(hub)

    def told(self, word: Completion) -> None:
        self.words.append(word)
        self.ring()

    def _post(self, outcome: Completion | BaseException) -> None:
        # Told once: the handle that is asked for the result afterwards has it from here.
        if isinstance(outcome, Completion):
            self._keep(outcome)
        self.ended = True
        self.ring()


async def words_of(handle: Any) -> AsyncIterator[Said]:
    """Yields what a task says while it runs; ends when the task does.

    Args:
        handle: Of the task.

    Raises:
        NotConnected: The node could not be reached for longer than the hub's patience.
    """
    if isinstance(handle, EagerResult) or handle.known():
        return
    client, task_id = handle.source.client, handle.id
    loop = asyncio.get_running_loop()

    def opened(state: str, data: Any) -> Said:
        return Said(str(state), decode_result(client.codecs, task_id, data))

    listener = _Listener(client.hub, handle._set)
    try:
        # Asks the node, for a moment: for the end, should it be there, and to be told from now on.
        await loop.run_in_executor(None, client.hub.register, listener, (task_id,), None)
        record = None if listener.ended else await loop.run_in_executor(None, handle.info_map)
        on_record: list[Any] | None = None
        if record is not None and record.get("note") and not listener.words:
            on_record = [record["note"], record.get("result")]
            yield opened(*on_record)
        while listener.words or not listener.ended:
            if not listener.words:
                await listener.wait()
                continue
            word = list(wire.unpack(listener.words.popleft().payload or b"\xc0"))
            # The word on record may have been on its way as well.
            if word != on_record:
                yield opened(*word)
            on_record = None
    finally:
        client.hub.unregister(listener, (task_id,))
        listener.close()
