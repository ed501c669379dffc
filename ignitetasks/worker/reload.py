"""Autoreload for development: runs the worker as a process of its own and starts it anew when source files change.

A fresh interpreter each time, so that no module is ever half old and half new; and a worker whose source is broken
is simply not there until the file is mended. Polling, since it works on every file system. This file must not know
tasks or the node.
"""

from __future__ import annotations

import os
import signal
import site
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from ignitetasks import log
from ignitetasks.worker.signals import SignalQueue

#: Set in the environment of the worker that is run by the reloader.
MARKER: Final = "IGNITETASKS_RELOADED"
_POLL_SECONDS: Final = 0.5
#: How long running tasks may take to end before they are given back, in seconds.
_GRACE_SECONDS: Final = 10.0
#: Modules that lie beside the package: in a source tree their folder would be everything.
_BESIDE: Final = frozenset({"pytest_ignitetasks", "ignitetasks_command"})
_SKIPPED: Final = frozenset({"__pycache__", "node_modules", ".git", ".venv", "venv"})

_logger = log.get_logger("worker")


def under_reloader() -> bool:
    """Tell whether this process is the worker that a reloader runs.

    Returns:
        True there, False in the reloader itself.
    """
    return MARKER in os.environ


def source_roots() -> list[Path]:
    """Find the directories of the application's own modules.

    Returns:
        Directories of loaded modules that are neither Python's, nor installed packages, nor this package.
    """
    paths = sysconfig.get_paths()
    library: list[str] = [paths["stdlib"], paths["platstdlib"], *site.getsitepackages(), site.getusersitepackages()]
    foreign = [Path(path).resolve() for path in (*library, str(Path(__file__).parent.parent))]
    roots: set[Path] = set()
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if not file or name in _BESIDE:
            continue
        folder = Path(file).resolve().parent
        if not any(folder == other or other in folder.parents for other in foreign):
            roots.add(folder)
    # A folder inside another one is found with it.
    return sorted(root for root in roots if not any(other in root.parents for other in roots))


class Watcher:
    """Compares the modification times of source files between two looks."""

    def __init__(self, roots: Iterable[Path]) -> None:
        """Take the first look.

        Args:
            roots: Directories whose ``*.py`` files are watched, with what is below them.
        """
        self._roots = list(roots)
        self._seen = self._look()

    def changed(self) -> list[Path]:
        """Take another look.

        Returns:
            Files that are new, gone or different since the last one.
        """
        now = self._look()
        before, self._seen = self._seen, now
        return sorted(path for path in before.keys() | now.keys() if before.get(path) != now.get(path))

    def _look(self) -> dict[Path, tuple[int, int]]:
        seen = {}
        for path in self._files():
            try:
                status = path.stat()
            except OSError:  # gone since it was listed
                continue
            seen[path] = (status.st_mtime_ns, status.st_size)
        return seen

    def _files(self) -> Iterator[Path]:
        for root in self._roots:
            for folder, folders, names in os.walk(root):
                folders[:] = [name for name in folders if name not in _SKIPPED]
                yield from (Path(folder, name) for name in names if name.endswith(".py"))


class Reloader:
    """Runs a command and restarts it at changes."""

    def __init__(self, command: list[str], watcher: Watcher, poll_seconds: float = _POLL_SECONDS) -> None:
        """Prepare; nothing is started.

        Args:
            command: The worker's command line.
            watcher: Tells of changes.
            poll_seconds: Between two looks.
        """
        self._command = command
        self._watcher = watcher
        self._poll_seconds = poll_seconds
        self._signals = SignalQueue()

    def run(self) -> int:
        """Run the worker again and again until a signal.

        Returns:
            The last worker's exit code.
        """
        self._signals.install()
        process = self._start()
        reported = False
        try:
            while True:
                time.sleep(self._poll_seconds)
                for signum in self._signals.take():
                    if signum != signal.SIGHUP:
                        return self._stop(process, signum)
                code = process.poll()
                if code == 0:
                    return 0
                if code is not None and not reported:
                    reported = True
                    _logger.error("worker ended", exit_code=code, next="save a source file to start it again")
                changed = self._watcher.changed()
                if changed:
                    _logger.info("source changed", files=[str(path) for path in changed[:5]])
                    self._stop(process, signal.SIGTERM)
                    process, reported = self._start(), False
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
            self._signals.restore()
            self._signals.close()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self._command, env={**os.environ, MARKER: "1"}, start_new_session=True)

    def _stop(self, process: subprocess.Popen[bytes], signum: int) -> int:
        """Stop the worker: warm first, cold when running tasks take too long or somebody is impatient."""
        if process.poll() is None:
            process.send_signal(signum)
        deadline = time.monotonic() + _GRACE_SECONDS
        while process.poll() is None and time.monotonic() < deadline and not self._signals.take():
            time.sleep(0.02)
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
        return process.wait()


def run_reloading() -> int:
    """Run this very command line under a reloader.

    Returns:
        The last worker's exit code.
    """
    roots = source_roots()
    _logger.info("source watched", folders=[str(root) for root in roots])
    return Reloader([sys.executable, *sys.orig_argv[1:]], Watcher(roots)).run()
