"""Reads the cluster's feed of events: live, from its oldest event, or on from where an earlier reader was.

This file must not keep state of tasks and workers: see state.py.
"""

from __future__ import annotations

import fnmatch
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from ignitetasks.errors import RequestError, ResultTimeout
from ignitetasks.events.event import unpack

#: Cursors: only what comes from now on, and everything that is kept.
NOW: Final = -1
OLDEST: Final = 0
_PAGE: Final = 500
#: Longest wait of one call, in seconds; Ctrl-C and `should_stop` are noticed between two.
_WAIT_SECONDS: Final = 1.0
#: Workers tell of their hearts for so long after they have heard that somebody listens; said again after a third.
_LISTEN_SECONDS: Final = 30.0

Handler = Callable[[dict[str, Any]], Any]


class EventReceiver:
    """Captures events.

    Args:
        channel: Accepted and not needed: an application has one way to its cluster.
        handlers: What is called with an event, by its type; ``*`` takes those that have none.
        routing_key: Which events: ``#`` means all, ``task.#`` those of a group, ``task.failed`` one type.
        node_id: Name of this reader.
        app: The application.
        since: Where to begin: `NOW`, `OLDEST`, or the `cursor` of an earlier reader.
        **_: Options of Celery's queues, which have no meaning here.

    Attributes:
        cursor: What to give as ``since`` to go on behind the last event that was handled.
        dropped: Events that were gone from the feed before they were read.
        should_stop: Set to True, by a handler or another thread, to end a capture.
    """

    def __init__(
        self,
        channel: Any = None,
        handlers: Mapping[str, Handler] | None = None,
        routing_key: str = "#",
        node_id: str | None = None,
        app: Any = None,
        since: int = NOW,
        **_: Any,
    ) -> None:
        if app is None:
            raise RequestError("a receiver needs an application: use app.events.Receiver(...)")
        self.app = app
        self.channel = channel
        self.connection = channel
        self.handlers = handlers if handlers is not None else {}
        self.routing_key = routing_key
        self.node_id = node_id or str(uuid.uuid4())
        self.cursor = since
        self.dropped = 0
        self.should_stop = False
        self._fits = _filter(routing_key)
        self._listens = self._fits("worker-heartbeat")
        self._said = -_LISTEN_SECONDS

    def process(self, type: str, event: dict[str, Any]) -> None:
        """Gives an event to its handler."""
        handler = self.handlers.get(type) or self.handlers.get("*")
        if handler is not None:
            handler(event)

    def itercapture(
        self, limit: int | None = None, timeout: float | None = None, wakeup: bool = True
    ) -> Iterator[dict[str, Any]]:
        """Handles events as they come, and yields each afterwards.

        Args:
            limit: Ends after so many events.
            timeout: Longest time without an event, in seconds; None waits for ever.
            wakeup: Ask workers for a heartbeat first, so that those that are idle are known.

        Raises:
            ResultTimeout: No event came for so long; it is a TimeoutError.
        """
        self._begin()
        if wakeup:
            self.wakeup_workers()
        count, heard = 0, time.monotonic()
        while not self.should_stop:
            self._keep_saying()
            left = _WAIT_SECONDS if timeout is None else min(_WAIT_SECONDS, heard + timeout - time.monotonic())
            page = self._read(max(left, 0.0))
            for seq, data in page:
                event = self.event_from_message(unpack(data))[1]
                event["seq"] = seq
                if self._fits(event["type"]):
                    heard = time.monotonic()
                    self.process(event["type"], event)
                    count += 1
                self.cursor = seq
                if self._fits(event["type"]):
                    yield event
                if (limit is not None and count >= limit) or self.should_stop:
                    return
            if not page and timeout is not None and time.monotonic() - heard >= timeout:
                raise ResultTimeout(f"no event came for {timeout:g} seconds")

    def capture(self, limit: int | None = None, timeout: float | None = None, wakeup: bool = True) -> None:
        """Handles events until there were enough, or none for too long; see `itercapture`."""
        for _ in self.itercapture(limit, timeout, wakeup):
            pass

    def _begin(self) -> None:
        """Settles where "now" is, before anything is asked that makes events."""
        if self.cursor == NOW:
            self.cursor = int(self.app.client.transport.call("events_read", NOW, 1, 0)[0])

    def _read(self, seconds: float) -> list[tuple[int, bytes]]:
        cursor, page, dropped = self.app.client.transport.call(
            "events_read", self.cursor, _PAGE, round(seconds * 1000), timeout=seconds + 10.0
        )
        self.dropped += int(dropped)
        if not page:
            self.cursor = int(cursor)
        return [(int(seq), data) for seq, data in page]

    def wakeup_workers(self, channel: Any = None) -> None:
        """Asks all workers for a heartbeat now, and for more of them while somebody listens."""
        self._say(now=True)

    def _keep_saying(self) -> None:
        if self._listens and time.monotonic() - self._said >= _LISTEN_SECONDS / 3:
            self._say(now=False)

    def _say(self, now: bool) -> None:
        """Says to all workers that somebody listens to their hearts, and whether they are to tell of them now."""
        self._said = time.monotonic()
        seconds = _LISTEN_SECONDS if self._listens else 0.0
        self.app.control.broadcast("heartbeat", {"seconds": seconds, "now": now})

    def event_from_message(self, body: dict[str, Any], localize: bool = True, **_: Any) -> tuple[str, dict[str, Any]]:
        """Adds to an event when it was received.

        Returns:
            Its type, and the event.
        """
        body.setdefault("clock", int(body.get("timestamp", 0) * 1000))
        body["local_received"] = time.time()
        return body["type"], body


def _filter(routing_key: str) -> Callable[[str], bool]:
    """Makes a test of an event's type of a routing key, where dots stand for dashes."""
    if routing_key in ("#", "*", ""):
        return lambda _type: True
    pattern = routing_key.replace(".#", "-*").replace(".", "-")
    return lambda type: fnmatch.fnmatchcase(type, pattern)
