"""The stages of a worker's shutdown: what each Unix signal makes of the one before.

Warm: running tasks end. Soft: they may, for so many seconds. Cold: they are killed. This file must not stop anything
itself.
"""

from __future__ import annotations

import math
import os
import signal
import time
from enum import Enum
from typing import Any

from ignitetasks.worker.asked import setting


class Stage(Enum):
    """How far a shutdown has come."""

    WARM = "Warm"
    SOFT = "Soft"
    COLD = "Cold"

    @property
    def how(self) -> str:
        """What receivers of ``worker_shutting_down`` are told of it: a soft shutdown is the beginning of a cold one."""
        return "Warm" if self is Stage.WARM else "Cold"


class Shutdown:
    """Knows the stage of one worker's shutdown.

    SIGTERM begins a warm one, and is not heard again. SIGQUIT begins a cold one, SIGINT a warm one; each of the two
    goes one stage on when a shutdown is under way. The soft stage is left out where no time is set for it; where
    nothing runs it is over at once. REMAP_SIGTERM=SIGQUIT in the environment makes SIGTERM mean SIGQUIT.

    Attributes:
        soft_seconds: Length of the soft stage; 0 leaves it out.
        stage: The present stage; None while the worker takes tasks.
        cold_at: When the soft stage is over, in monotonic seconds; never, where there is none.
    """

    def __init__(self, app: Any) -> None:
        """Prepare.

        Args:
            app: The application, whose settings say how long the soft stage is.
        """
        self.soft_seconds = float(setting(app, "worker_soft_shutdown_timeout") or 0)
        self.stage: Stage | None = None
        self.cold_at = math.inf

    def next(self, signum: int) -> Stage | None:
        """Return the stage that a signal begins; None when it begins none.

        Args:
            signum: The signal.
        """
        if self.stage is Stage.COLD or (self.stage is not None and signum == signal.SIGTERM and not _term_is_quit()):
            return None
        quits = signum == signal.SIGQUIT or (signum == signal.SIGTERM and _term_is_quit())
        if self.stage is None and not quits:
            self.stage = Stage.WARM
        elif self.stage is not Stage.SOFT and self.soft_seconds:
            self.stage = Stage.SOFT
            self.cold_at = time.monotonic() + self.soft_seconds
        else:
            self.stage = Stage.COLD
        return self.stage

    def is_over(self, now: float) -> bool:
        """Tell whether what still runs is to be killed now."""
        return self.cold_at <= now


def _term_is_quit() -> bool:
    return os.environ.get("REMAP_SIGTERM") == "SIGQUIT"
