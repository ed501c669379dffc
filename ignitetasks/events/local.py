"""Where events of this process go when it is a worker's: beside the outcomes, on the lane, instead of to a gateway.

A worker sets `send` when it starts, and `enabled` whenever its events are switched; everybody else finds None and
False. This file must not know lanes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

#: Where the cluster keeps whether events are on.
EVENTS_BUCKET: Final = "events"
EVENTS_SWITCH: Final = "enabled"

#: Takes one packed event, or None where this process is no worker's.
send: Callable[[bytes], None] | None = None

#: Whether the child of this process tells of its tasks.
enabled: bool = False
