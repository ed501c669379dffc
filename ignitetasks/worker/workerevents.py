"""The events of a worker itself: online, heartbeat, offline, and what happens to tasks from outside.

That it comes and goes is told always. Its heart is told of while somebody listens: who reads the feed says so again and
again (`WorkerEvents.listen`). So a worker that nobody looks at writes nothing, and does not push what happened to tasks
out of the feed. This file must not decide whether events are on, and must not know children.
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from ignitetasks import frames, jvm, signals
from ignitetasks.events.dispatcher import utc_offset
from ignitetasks.events.event import pack
from ignitetasks.worker.slots import IDLE, Slots

#: Seconds between two heartbeats.
FREQ: Final = 2.0
#: What events of a worker say of its program.
SOFTWARE_INFO: Final = {"sw_ident": "ignitetasks", "sw_ver": jvm.VERSION, "sw_sys": platform.system()}
# Places in a row of what the worker holds: child, number, id, task.
_CHILD, _SEQ, _ID, _TASK = 0, 2, 5, 6


class WorkerEvents:
    """Sends the events of one worker.

    Args:
        hostname: The worker's name.
        slots: The shared memory, for how much runs.
        send: Sends a frame to the node.
        enabled: Whether events are on.
        beating: Whether the worker tells of itself also while they are not.

    Attributes:
        enabled: Whether events are on; while they are not, nothing of tasks is told.
    """

    def __init__(
        self, hostname: str, slots: Slots, send: Callable[[int, Any], None], enabled: bool, beating: bool = False
    ) -> None:
        self.enabled = enabled
        self._beating = beating
        self._slots = slots
        self._send = send
        self._beaten = 0.0
        self._heard_until = 0.0
        self._common = {"hostname": hostname, "pid": os.getpid(), "utcoffset": utc_offset()}
        self._software = {"freq": FREQ, **SOFTWARE_INFO}

    def send(self, type: str, **fields: Any) -> None:
        """Send an event, where events are on.

        Args:
            type: Its type.
            **fields: Its own fields.
        """
        if self.enabled:
            self._tell(type, fields)

    def _tell(self, type: str, fields: Mapping[str, Any]) -> None:
        now = time.time()
        event = {"type": type, "timestamp": now, "clock": int(now * 1000), **self._common, **fields}
        self._send(frames.EVENTS, [pack(event)])

    def online(self) -> None:
        """Tell that the worker is there."""
        self._beat("worker-online")

    def listen(self, seconds: float) -> None:
        """Take note that somebody listens.

        Args:
            seconds: For how long at least.
        """
        self._heard_until = max(self._heard_until, time.monotonic() + seconds)

    def heartbeat(self, asked: bool = False) -> None:
        """Tell that the worker is still there.

        Args:
            asked: Whether somebody asked for it: then it is told whether events are on or not.
        """
        self._beat("worker-heartbeat", asked)

    def offline(self) -> None:
        """Tell that the worker goes."""
        self._beat("worker-offline")

    @property
    def beats(self) -> bool:
        """Whether anybody hears of this worker's heart: who reads the feed, or receivers of ``heartbeat_sent``."""
        return self._is_heard or bool(signals.heartbeat_sent.receivers)

    @property
    def _tells(self) -> bool:
        return self.enabled or self._beating

    @property
    def _is_heard(self) -> bool:
        return self._tells and time.monotonic() < self._heard_until

    def tick(self) -> None:
        """Send a heartbeat when it is due."""
        if self.beats and time.monotonic() - self._beaten >= FREQ:
            self.heartbeat()

    def _beat(self, type: str, asked: bool = False) -> None:
        beat = type == "worker-heartbeat"
        if beat:
            self._beaten = time.monotonic()
            signals.heartbeat_sent.send(sender=self)
        if not (asked or (self._is_heard if beat else self._tells)):
            return
        slots = self._slots
        active = sum(slots.running(index).seq != IDLE for index in range(slots.count))
        processed = sum(slots.counts(index)[0] for index in range(slots.count))
        load = list(os.getloadavg())
        self._tell(type, {"active": active, "processed": processed, "loadavg": load, **self._software})

    def of(self, rows: Sequence[Sequence[Any]], index: int, seq: int, type: str, fields: Mapping[str, Any]) -> None:
        """Send an event of a task that is known by its child and number.

        Args:
            rows: What the worker holds, as the node tells it.
            index: The child.
            seq: The number.
            type: The event's type.
            fields: Its own fields.
        """
        for row in rows:
            if row[_CHILD] == index and row[_SEQ] == seq:
                self.send(type, uuid=row[_ID], name=row[_TASK], **fields)
