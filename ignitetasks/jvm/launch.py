"""Starts JVM processes and waits until they are ready, with a deadline and a liveness check on every wait.

A detached JVM outlives its starter; an owned one ends with it (lifeline on standard input).
Must not decide whether a JVM is needed: that is ``lifecycle.py``.
"""

from __future__ import annotations

import math
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import IO

from ignitetasks import log
from ignitetasks.errors import NodeError
from ignitetasks.jvm import archive
from ignitetasks.jvm.command import java_command, write_config
from ignitetasks.jvm.connection import Connection, find_instance
from ignitetasks.jvm.interrupts import Interrupts
from ignitetasks.jvm.java import Java, environment, find_java
from ignitetasks.jvm.spec import NodeSpec

_POLL_SECONDS = 0.01
_LARGEST_LOG_BYTES = 10 * 1024 * 1024
_TAIL_LINES = 15
_KILL_AFTER_SECONDS = 5.0
#: Code of the error that leaves a JVM alone which is not ready yet.
STILL_STARTING = "STILL_STARTING"
#: Code of the error of a JVM that somebody killed while it started: the system that had no memory left, or an operator.
KILLED = "KILLED"
_MOST_KILLED = 5
_ERROR_LINE = re.compile(r"^ERROR ([A-Z][A-Z_]*) (.+)$", re.MULTILINE)

_log = log.get_logger("node")


class NodeProcess:
    """A JVM that was started by this process.

    Args:
        spec: What was started.
        process: The JVM.
        log_offset: Where its output begins in the log file; None when it has the terminal.
    """

    def __init__(self, spec: NodeSpec, process: subprocess.Popen[bytes], log_offset: int | None) -> None:
        self.spec = spec
        self.process = process
        self._log_offset = log_offset

    @property
    def pid(self) -> int:
        """Process id."""
        return self.process.pid

    def wait_ready(self, deadline: float, leave_at: float = math.inf) -> Connection:
        """Waits until the JVM has written its connection file.

        Args:
            deadline: Latest :func:`time.monotonic`.
            leave_at: When the caller gives up, and the JVM may go on.

        Returns:
            How to reach it.

        Raises:
            NodeError: It ended (whatever its exit code) or was not ready in time; with its own words.
        """
        while True:
            # Asked before the file: a JVM that wrote the file and died is then seen as dead in the next round.
            exit_code = self.process.poll()
            connection = find_instance(self.spec) if exit_code is None else None
            if connection is not None and connection.pid == self.pid:
                return connection
            if exit_code is not None:
                raise self._ended(exit_code)
            now = time.monotonic()
            if now >= leave_at:
                raise NodeError(f"the node of {self.spec.instance_dir} is still starting", STILL_STARTING)
            if now >= deadline:
                raise NodeError(
                    f"the node of {self.spec.instance_dir} was not ready after "
                    f"{self.spec.start_timeout_seconds:g} s (raise start_timeout_seconds when the machine is slow)."
                    f"{self._tail()}",
                    "START_TIMEOUT",
                )
            time.sleep(_POLL_SECONDS)

    def kill(self) -> None:
        """Ends the JVM: asks first, kills after five seconds."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(_KILL_AFTER_SECONDS)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            self.process.wait()
        self._close_lifeline()

    def stop(self, timeout_seconds: float) -> int:
        """Stops an owned JVM cleanly: ends its lifeline, then asks, then kills.

        Args:
            timeout_seconds: How long a clean stop may take.

        Returns:
            Its exit code.
        """
        self._close_lifeline()
        self._signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout_seconds)
        except subprocess.TimeoutExpired:
            self._signal(signal.SIGKILL)
            return self.process.wait()

    def release(self) -> None:
        """Lets the JVM outlive this process; see :func:`ignitetasks.jvm.connection.is_alive` for who collects it."""
        # Popen would warn, when it is garbage, that the process still runs. It is meant to.
        self.process.returncode = 0

    def close_lifeline_in_child(self) -> None:
        """Closes a forked child's copy of the lifeline, which else would keep the JVM up after the parent's death."""
        if self.process.stdin is not None:
            os.close(self.process.stdin.fileno())

    def _close_lifeline(self) -> None:
        if self.process.stdin is not None:
            self.process.stdin.close()

    def _signal(self, number: signal.Signals) -> None:
        try:
            self.process.send_signal(number)
        except ProcessLookupError:
            return

    def _output(self) -> str:
        if self._log_offset is None:
            return ""
        try:
            with self.spec.log_file.open("rb") as log:
                log.seek(self._log_offset)
                return log.read(_LARGEST_LOG_BYTES).decode("utf-8", "replace")
        except OSError:
            return ""

    def _tail(self) -> str:
        if self._log_offset is None:
            return ""
        lines = self._output().rstrip().splitlines()[-_TAIL_LINES:]
        words = "".join(f"\n    {line}" for line in lines) if lines else " (empty)"
        return f" Last lines of {self.spec.log_file}:{words}"

    def _ended(self, exit_code: int) -> NodeError:
        found = _ERROR_LINE.findall(self._output())
        if found:
            code, sentence = found[-1]
            return NodeError(sentence.strip(), code)
        how = f"was killed by signal {-exit_code}" if exit_code < 0 else f"ended with exit code {exit_code}"
        code = KILLED if exit_code == -signal.SIGKILL else "ENDED_EARLY"
        return NodeError(f"the node of {self.spec.instance_dir} {how} before it was ready.{self._tail()}", code)


def launch(
    spec: NodeSpec, version: str, deadline: float, foreground: bool = False, leave_at: float = math.inf
) -> tuple[NodeProcess, Connection]:
    """Starts a JVM and waits until it is ready. The caller holds the instance's lock.

    A start that fails without the node's own word on it, with a class-data archive, is tried once more without; one
    that somebody kills is tried again as a node is that is killed while it runs, a few times: whatever runs out of
    memory here may be killed for ever.

    Args:
        spec: What to start.
        version: Version of this package.
        deadline: Latest :func:`time.monotonic` to be ready.
        foreground: True gives the JVM this process's standard output and error instead of the log file.
        leave_at: When the caller gives up and the JVM goes on starting by itself.

    Returns:
        The process and how to reach it.

    Raises:
        NodeError: No Java, no jar, or the JVM did not become ready; nothing of it is left then, unless the code is
            `STILL_STARTING`.
    """
    java = find_java(spec.java, spec.cache_dir)
    shared = archive.usable_archive(spec, java)
    killed = 0
    while True:
        try:
            started = _attempt(spec, version, java, shared, deadline, foreground, leave_at)
            break
        except NodeError as error:
            if error.code == KILLED and killed < _MOST_KILLED:
                killed += 1
                _log.warning("node killed while starting", again=killed)
            elif error.code == "ENDED_EARLY" and shared is not None:
                archive.discard(shared)
                shared = None
            else:
                raise
    archive.make_in_background(spec, java)
    return started


def _attempt(
    spec: NodeSpec,
    version: str,
    java: Java,
    shared: Path | None,
    deadline: float,
    foreground: bool,
    leave_at: float,
) -> tuple[NodeProcess, Connection]:
    command = java_command(spec, java, shared)
    write_config(spec, version)
    with Interrupts() as interrupts:
        node = _spawn(spec, command, foreground)
        try:
            spec.pid_file.write_text(f"{node.pid}\n")
            interrupts.let_in()
            return node, node.wait_ready(deadline, leave_at)
        except BaseException as error:  # also Ctrl-C: a JVM nobody waits for would hold the data directory
            if isinstance(error, NodeError) and error.code == STILL_STARTING:
                node.release()
            else:
                node.kill()
            raise


def _spawn(spec: NodeSpec, command: list[str], foreground: bool) -> NodeProcess:
    stdin = subprocess.PIPE if spec.lifeline else subprocess.DEVNULL
    if foreground:
        return NodeProcess(spec, _popen(command, spec, stdin, None), None)
    _rotate(spec.log_file)
    with open(os.open(spec.log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab") as log:
        offset = log.seek(0, os.SEEK_END)
        return NodeProcess(spec, _popen(command, spec, stdin, log), offset)


def _popen(command: list[str], spec: NodeSpec, stdin: int, log: IO[bytes] | None) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            command,
            stdin=stdin,
            stdout=log,
            stderr=subprocess.STDOUT if log is not None else None,
            cwd=spec.run_dir,
            env=environment(),
            # Its own session: Ctrl-C in the starter's terminal is for the starter alone.
            start_new_session=True,
        )
    except OSError as error:
        raise NodeError(f"{command[0]} cannot be started: {error.strerror}", "JAVA_MISSING") from error


def _rotate(log_file: Path) -> None:
    try:
        if log_file.stat().st_size > _LARGEST_LOG_BYTES:
            log_file.replace(log_file.with_suffix(".log.1"))
    except FileNotFoundError:
        return
