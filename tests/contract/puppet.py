"""A worker without tasks: it speaks the lane as a worker does, and ends deliveries as a test says."""

from __future__ import annotations

import itertools
import os
import select
import time
from types import TracebackType
from typing import Any

from ignitetasks import frames
from ignitetasks.failure import Failure
from ignitetasks.message import encode_result
from ignitetasks.serializers import Codecs

CODECS = Codecs(("msgpack", "json"))
PATIENCE = 10.0
_numbers = itertools.count(1)


class Puppet:
    """One worker with one child."""

    def __init__(
        self,
        address: Any,
        queue: str,
        tasks: tuple[str, ...] = ("work",),
        slots: int = 1,
        limits: dict[str, str] | None = None,
    ) -> None:
        self.name = f"puppet{next(_numbers)}"
        info = {
            "name": self.name, "host": "here", "pid": os.getpid(), "queues": [queue], "concurrency": slots,
            "pool": "threads", "tasks": list(tasks), "version": "0.1.0", **({"limits": limits} if limits else {}),
        }  # fmt: skip
        self.worker = frames.LaneConnection.open(address.lane, address.token, "worker", info)
        self.epoch = self.worker.welcome["epoch"]
        self.address = address
        self.pid = os.getpid()
        self.slots = slots
        self._inbox: list[Any] = []
        self.child = self.make_child()

    def make_child(self) -> frames.LaneConnection:
        info = {"epoch": self.epoch, "child": 0, "pid": self.pid, "slots": self.slots}
        return frames.LaneConnection.open(self.address.lane, self.address.token, "child", info)

    def take(self, patience: float = PATIENCE) -> list[Any] | None:
        """Returns the next delivery; None when none comes in time."""
        deadline = time.monotonic() + patience
        while True:
            # Before waiting: the first delivery may have come together with the greeting.
            for kind, payload in self.child.pending():
                if kind == frames.RUN:
                    self._inbox.extend(frames.unpack(payload))
            if self._inbox:
                break
            ready, _, _ = select.select([self.child], [], [], max(deadline - time.monotonic(), 0))
            if not ready:
                return None
        return self._inbox.pop(0)

    def tell(self, delivery: list[Any], state: str, value: Any) -> None:
        """Tells how far a delivery is."""
        self.child.send(frames.STATE, [delivery[0], state, encode_result(CODECS, delivery[1], value)])

    def end(
        self,
        delivery: list[Any],
        kind: int = frames.SUCCESS,
        value: Any = None,
        *,
        error: Exception | None = None,
        extra: Any = None,
        spawn: Any = None,
    ) -> None:
        """Ends a delivery."""
        payload = Failure.capture(error) if error is not None else None
        if kind == frames.SUCCESS:
            payload = encode_result(CODECS, delivery[1], value)
        if kind == frames.FAILURE:
            extra = type(error).__name__
        self.child.send(frames.DONE, [[delivery[0], kind, payload, 0, 100, extra, spawn]])

    def run(self, value: Any = None, spawn: Any = None) -> str:
        """Takes a delivery and ends it well; returns its id."""
        delivery = self.take()
        assert delivery is not None
        self.end(delivery, value=value, spawn=spawn)
        return str(delivery[1])

    def close(self) -> None:
        self.child.close()
        self.worker.close()

    def __enter__(self) -> Puppet:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.close()
