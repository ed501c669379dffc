"""What processes ask of the kernel. This file must not start or end any."""

from __future__ import annotations

import ctypes
import os
import signal
from typing import Final

#: Exit code of a process whose parent was gone before it could begin.
EXIT_FAILED: Final = 70
_PR_SET_PDEATHSIG: Final = 1


def die_with_parent(parent: int, signum: int = signal.SIGKILL) -> None:
    """Ask the kernel for a signal when the parent dies.

    Args:
        parent: The process that must still be the parent.
        signum: What to send.
    """
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0)
    # It may have died before the request: then nobody would send anything any more.
    if os.getppid() != parent:
        os._exit(EXIT_FAILED)
