"""Processes a test starts: each has its output in a file, and dies with its test and with pytest itself."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from support.polling import until

_TESTS = Path(__file__).resolve().parent.parent
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def _die_with_parent() -> None:
    # Also when pytest is killed with -9: no finalizer runs then.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def python_path(*folders: str | os.PathLike[str]) -> str:
    """Returns a PYTHONPATH with the repository, the tests and further folders."""
    return os.pathsep.join([str(_TESTS.parent), str(_TESTS), *(str(one) for one in folders)])


class Running:
    """One process.

    Attributes:
        process: As Python sees it.
        log: File with its standard output and error.
    """

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self.log = log

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self.process.poll() is None

    def text(self) -> str:
        """Returns everything it has written so far."""
        return self.log.read_text("utf-8", "replace")

    def send_signal(self, number: int) -> None:
        """Sends a signal, if it still runs."""
        if self.alive:
            self.process.send_signal(number)

    def wait(self, timeout: float = 60.0) -> int:
        """Waits for its end and returns the exit code."""
        return self.process.wait(timeout)

    def stop(self, number: int = signal.SIGTERM, timeout: float = 30.0) -> int:
        """Signals it, waits, and kills it when that takes too long; returns the exit code."""
        self.send_signal(number)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"process {self.pid} did not end after signal {number}:\n{self.text()}") from None

    def kill(self) -> None:
        """Kills it with -9, if it still runs, and waits until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        self.process.wait()


class Processes:
    """Everything a test has started; `stop_all` ends it, last first.

    Args:
        folder: Where the output goes.
        env: Added to this process's environment, for all of them.
    """

    def __init__(self, folder: Path, env: Mapping[str, str] | None = None) -> None:
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)
        self._env = dict(env or {})
        self._started: list[Running] = []

    def start(
        self,
        arguments: Sequence[str | os.PathLike[str]],
        name: str = "process",
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        path: Sequence[str | os.PathLike[str]] = (),
    ) -> Running:
        """Starts a process.

        Args:
            arguments: Its command line.
            name: Start of its log file's name.
            env: Added to the environment.
            cwd: Its folder; None means the folder of the logs.
            path: Folders for its PYTHONPATH, besides the repository and the tests.
        """
        log = self._folder / f"{name}-{len(self._started)}.log"
        whole = {**os.environ, "PYTHONPATH": python_path(*path), "PYTHONUNBUFFERED": "1", **self._env, **(env or {})}
        with log.open("wb") as output:
            process = subprocess.Popen(
                [os.fspath(one) for one in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=whole,
                cwd=cwd or self._folder,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        running = Running(process, log)
        self._started.append(running)
        return running

    def python(self, *arguments: str | os.PathLike[str], name: str = "python", **options: object) -> Running:
        """Starts this Python with arguments; see `start`."""
        return self.start([sys.executable, *arguments], name, **options)  # type: ignore[arg-type]

    def command(self, *arguments: str, name: str = "command", **options: object) -> Running:
        """Starts ``python -m ignitetasks`` with arguments; see `start`."""
        return self.python("-m", "ignitetasks", *arguments, name=name, **options)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Runs ``python -m ignitetasks`` with arguments to its end; see `run_python`."""
        return self.run_python("-m", "ignitetasks", *arguments, **options)

    def run_python(
        self,
        *arguments: str | os.PathLike[str],
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
        path: Sequence[str | os.PathLike[str]] = (),
        timeout: float = 60.0,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """Runs this Python with arguments to its end, with its two outputs apart.

        Args:
            *arguments: Its arguments.
            env: Added to the environment.
            cwd: Its folder; None means the folder of the logs.
            path: Folders for its PYTHONPATH, besides the repository and the tests.
            timeout: Seconds.
            stdin: What it is given to read.
        """
        return subprocess.run(
            [sys.executable, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": python_path(*path), **self._env, **(env or {})},
            cwd=cwd or self._folder,
            timeout=timeout,
            preexec_fn=_die_with_parent,
        )

    def stop_all(self) -> None:
        """Kills everything that still runs, and waits until it is gone."""
        for running in reversed(self._started):
            running.kill()
        self._started.clear()


def is_alive(pid: int) -> bool:
    """Tells whether a process exists and is no zombie; one whose first thread has ended first is none yet."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def kill_pid(pid: int, number: int = signal.SIGKILL) -> None:
    """Signals a process that is not our child and waits until it is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    until(lambda: not is_alive(pid), f"the end of process {pid}")


def children_of(pid: int) -> list[int]:
    """Returns the pids of a process's children."""
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += [int(word) for word in task.read_text().split()]
    return found
