"""The memory of this process, calls that block it, and what its threads do. This file must not know tasks."""

from __future__ import annotations

import gc
import importlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import StringIO
from types import FrameType
from typing import Any, TextIO

__all__ = ["blockdetection", "cry", "humanbytes", "mem_rss", "memdump", "ps", "sample", "sample_mem"]

_UNITS = ((1 << 40, "TB"), (1 << 30, "GB"), (1 << 20, "MB"), (1 << 10, "KB"), (1, "b"))
_samples: list[str] = []


@contextmanager
def blockdetection(timeout: float | None) -> Iterator[None]:
    """Raises RuntimeError in the block, which runs in the main thread, when it takes longer.

    Args:
        timeout: Seconds; None or 0 for no limit.
    """
    if not timeout:
        yield
        return

    def blocked(_signum: int, frame: FrameType | None) -> None:
        place = f"{frame.f_code.co_filename}:{frame.f_lineno}" if frame is not None else "?"
        raise RuntimeError(f"blocked for {timeout:g} s at {place}")

    before = signal.signal(signal.SIGALRM, blocked)
    signal.setitimer(signal.ITIMER_REAL, timeout)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def humanbytes(s: float) -> str:
    """Returns a number of bytes as text, such as ``1.5MB``."""
    size, unit = next((one for one in _UNITS if s >= one[0]), _UNITS[-1])
    return f"{s / size:.5g}{unit}"


def mem_rss() -> str:
    """Returns the resident memory of this process as text."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return humanbytes(int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE"))


def sample_mem() -> str:
    """Notes the resident memory of now for `memdump`, and returns it."""
    _samples.append(mem_rss())
    return _samples[-1]


def sample(x: Sequence[Any], n: int, k: int = 0) -> Iterator[Any]:
    """Yields about ``n`` values of a list, evenly spread.

    Args:
        x: The list.
        n: How many.
        k: Where to begin.
    """
    yield from x[k :: max(len(x) // n, 1)][:n]


def memdump(samples: int = 10, file: TextIO | None = None) -> None:
    """Prints what `sample_mem` has noted, and the memory after a collection; forgets the notes.

    Args:
        samples: How many to print.
        file: Where; None for standard output.
    """
    noted = list(sample(_samples, samples))
    _samples.clear()
    if noted:
        print("- rss (sample):", file=file)
    for one in noted:
        print(f"-    > {one},", file=file)
    gc.collect()
    print(f"- rss (end): {mem_rss()}.", file=file)


def ps() -> Any:
    """Returns this process as psutil shows it; None where that is not installed."""
    try:
        return importlib.import_module("psutil").Process(os.getpid())
    except ImportError:
        return None


def cry(out: Any = None, sepchr: str = "=", seplen: int = 49) -> str:
    """Writes what every thread does; returns it where it was not given a file of its own.

    Args:
        out: Where; None for a text.
        sepchr: What lines between threads are made of.
        seplen: How long they are.
    """
    text = StringIO() if out is None else out
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        print(f"{names.get(ident, ident)}\n{sepchr * seplen}", file=text)
        traceback.print_stack(frame, file=text)
        print(f"{sepchr * seplen}\n", file=text)
    return str(text.getvalue()) if hasattr(text, "getvalue") else ""
