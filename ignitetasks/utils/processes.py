"""What parents and children do alike: at a fork, before an end, and to say how one ended. It starts and ends none."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
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


def flush_streams() -> None:
    """Write out what tasks have printed; a stream that user code closed or replaced is its own affair."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # noqa: S112  # nothing there to be saved
            continue


def how_it_ended(code: int) -> str:
    """Returns in words how a process ended.

    Args:
        code: Its exit code; negative where a signal has ended it.
    """
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"signal {signal.Signals(-code).name}"
    except ValueError:
        return f"signal {-code}"
