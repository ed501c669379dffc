"""The way from another process, a forked child above all, to the home in memory of the process that holds it.

One connection for each thread that calls at the same time. This file must not repeat a call: the home is either there
or gone for good, with all its tasks.
"""

from __future__ import annotations

import os
import threading
from typing import Any

from ignitetasks import frames
from ignitetasks.errors import NotConnected, from_wire
from ignitetasks.transport.memory.lane import CALL


class Link:
    """Calls of one process to another's home.

    Args:
        path: The home's lane.
        token: Its secret.
    """

    def __init__(self, path: str, token: str) -> None:
        self._path = path
        self._token = token
        self._free: list[frames.LaneConnection] = []
        self._lock = threading.Lock()

    def call(self, op: str, args: Any) -> Any:
        """Calls one operation.

        Raises:
            NotConnected: The process that holds the home is gone.
            GatewayError: The home's own answer.
        """
        try:
            lane = self._take()
            try:
                lane.send(CALL, [op, args])
                answer = lane.recv_msg()[1]
            except frames.LaneRefused as error:
                self._put_back(lane)
                raise from_wire(error.code, str(error), False) from error
            except BaseException:
                # Also for KeyboardInterrupt: the answer may still come, and would be the next caller's.
                lane.close()
                raise
        except (frames.LaneClosed, OSError) as error:
            raise NotConnected(f"the process that holds memory:// is gone, and its tasks with it ({error})") from error
        self._put_back(lane)
        return answer

    def _take(self) -> frames.LaneConnection:
        with self._lock:
            if self._free:
                return self._free.pop()
        return frames.LaneConnection.open(self._path, self._token, "call", {"pid": os.getpid()})

    def _put_back(self, lane: frames.LaneConnection) -> None:
        with self._lock:
            self._free.append(lane)

    def close(self) -> None:
        """Closes the free connections."""
        with self._lock:
            free, self._free = self._free, []
        for lane in free:
            lane.close()
