"""Decides whether a JVM has to be started, and makes sure that one instance directory never gets two.

Whoever needs a JVM takes the lock file of the instance; the winner starts, the others wait for the connection file.
Every wait has a deadline. Must not know the client library or the gateway.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from ignitetasks.errors import NodeError
from ignitetasks.jvm import checks
from ignitetasks.jvm.connection import Connection, find_instance, is_instance_process, recorded_pid
from ignitetasks.jvm.launch import STILL_STARTING, NodeProcess, launch
from ignitetasks.jvm.secret import ensure_secret
from ignitetasks.jvm.spec import NodeSpec

_POLL_SECONDS = 0.02
_OWNER_GONE_SECONDS = 5.0
_HOLDER_SECONDS = 1.0
_HOLDER_MOST_SECONDS = 10.0


def ensure_instance(spec: NodeSpec, version: str, patience: float = math.inf) -> Connection:
    """Returns the connection of the instance's JVM, which is started when none runs.

    Args:
        spec: Which instance.
        version: Version of this package.
        patience: Most seconds this caller waits, for a JVM that goes on starting by itself.

    Returns:
        How to reach it. It was ready a moment ago; nothing promises that it still is.

    Raises:
        NodeError: It cannot be started, or was not ready within ``spec.start_timeout_seconds`` or the caller's patience.
    """
    connection = find_instance(spec)
    if connection is not None:
        return connection
    leave_at = time.monotonic() + patience
    try:
        return _ensured(spec, version, leave_at)
    except NodeError as error:
        if error.code not in ("START_TIMEOUT", STILL_STARTING) or time.monotonic() < leave_at:
            raise
        raise NodeError(
            f"no data node has answered at {', '.join(spec.addresses)} within {patience:g} s: start one with "
            "`ignitetasks node run`, or wait longer (raise call_timeout_seconds) when one is just starting",
            "CLUSTER_UNREACHABLE",
        ) from error


def _ensured(spec: NodeSpec, version: str, leave_at: float) -> Connection:
    checks.prepare(spec)
    deadline = min(leave_at, time.monotonic() + spec.start_timeout_seconds)
    with _starter(spec, deadline) as connection:
        connection = connection or _wait_for_previous(spec, deadline)
        if connection is not None:
            return connection
        ensure_secret(spec)
        try:
            node, connection = _launch(spec, version, leave_at=leave_at)
        except NodeError as error:
            if error.code != STILL_STARTING:
                _record_failure(spec, error)
            raise
        if node is not None:
            node.release()
        return connection


def own_instance(spec: NodeSpec, version: str, foreground: bool = False) -> tuple[NodeProcess, Connection]:
    """Starts a JVM that ends with this process.

    Args:
        spec: Which instance; ``lifeline`` is set for it.
        version: Version of this package.
        foreground: True gives it this process's standard output and error.

    Returns:
        The process, to be stopped by the caller, and how to reach it.

    Raises:
        NodeError: It cannot be started, or the instance has a JVM already (NAME_IN_USE).
    """
    spec = replace(spec, lifeline=True, idle_exit_seconds=0)
    checks.prepare(spec)
    deadline = time.monotonic() + spec.start_timeout_seconds
    with _starter(spec, deadline) as connection:
        # One whose owner was just killed is on its way out: its lifeline is cut, its file may still be there.
        pid = _wait_for_end(spec, min(deadline, time.monotonic() + _OWNER_GONE_SECONDS))
        if pid is not None or connection is not None:
            raise NodeError(
                f"process {pid or '?'} is already the node of {spec.instance_dir}: "
                "stop it, or give this one another name or data directory",
                "NAME_IN_USE",
            )
        node, connection = _launch(spec, version, foreground)
        if node is None:
            raise NodeError(
                f"process {connection.pid} has just become the node of {spec.instance_dir}: "
                "stop it, or give this one another name or data directory",
                "NAME_IN_USE",
            )
        return node, connection


def _launch(
    spec: NodeSpec, version: str, foreground: bool = False, leave_at: float = math.inf
) -> tuple[NodeProcess | None, Connection]:
    """Starts a JVM, whatever is left of an earlier one; the node is None where that one got ready after all.

    Two JVMs can hold the data without a trace of them here: one whose starter was killed before it wrote down the
    process id, which will be ready soon, and one that was killed and is not gone yet.
    """
    # The time spent waiting for others is not taken from the new JVM.
    deadline = time.monotonic() + spec.start_timeout_seconds
    give_up = min(deadline, time.monotonic() + _HOLDER_MOST_SECONDS)
    while True:
        try:
            return launch(spec, version, deadline, foreground, leave_at)
        except NodeError as error:
            if error.code != "DATA_DIR_LOCKED" or time.monotonic() >= give_up:
                raise
        look_until = time.monotonic() + _HOLDER_SECONDS
        while time.monotonic() < look_until:
            connection = find_instance(spec)
            if connection is not None:
                return None, connection
            time.sleep(_POLL_SECONDS)


def stop_instance(spec: NodeSpec, timeout_seconds: float = 30.0) -> bool:
    """Stops the JVM of an instance cleanly, and kills it when that takes too long.

    Args:
        spec: Which instance.
        timeout_seconds: How long a clean stop may take.

    Returns:
        True when one ran.

    Raises:
        NodeError: It cannot be signalled, because it belongs to another user.
    """
    pid = recorded_pid(spec) or _connected_pid(spec)
    if pid is None:
        return False
    for number, wait_seconds in ((signal.SIGTERM, timeout_seconds), (signal.SIGKILL, 10.0)):
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
        except PermissionError as error:
            raise NodeError(f"the node (process {pid}) belongs to another user", "NOT_ALLOWED") from error
        deadline = time.monotonic() + wait_seconds
        while is_instance_process(pid, spec, dying=True):
            if time.monotonic() >= deadline:
                break
            time.sleep(_POLL_SECONDS)
        else:
            spec.connection_file.unlink(missing_ok=True)
            return True
    raise NodeError(f"the node (process {pid}) does not end, not even when killed", "NOT_STOPPED")


def _connected_pid(spec: NodeSpec) -> int | None:
    connection = find_instance(spec)
    return connection.pid if connection is not None else None


def _wait_for_previous(spec: NodeSpec, deadline: float) -> Connection | None:
    """Waits for a JVM that is there but not ready: one that is ending, or whose starter was killed."""
    while (pid := recorded_pid(spec)) is not None:
        connection = find_instance(spec)
        if connection is not None:
            return connection
        if time.monotonic() >= deadline:
            raise NodeError(
                f"process {pid} is the node of {spec.instance_dir}, but neither gets ready nor ends: "
                f"stop it with `ignitetasks node stop` (its log: {spec.log_file})",
                "START_TIMEOUT",
            )
        time.sleep(_POLL_SECONDS)
    return None


def _wait_for_end(spec: NodeSpec, deadline: float) -> int | None:
    while (pid := recorded_pid(spec)) is not None and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
    return pid


@contextmanager
def _starter(spec: NodeSpec, deadline: float) -> Iterator[Connection | None]:
    """Holds the instance's lock, or yields the connection somebody else made ready meanwhile."""
    since = time.time_ns()
    descriptor = os.open(spec.lock_file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        while not _try_lock(descriptor):
            connection = find_instance(spec)
            if connection is not None:
                yield connection
                return
            if time.monotonic() >= deadline:
                raise NodeError(
                    f"another process has been starting the node of {spec.instance_dir} for "
                    f"{spec.start_timeout_seconds:g} s and is not done: see {spec.log_file}",
                    "START_TIMEOUT",
                )
            time.sleep(_POLL_SECONDS)
        _raise_failure_since(spec, since)
        yield find_instance(spec)
    finally:
        # Unlocked by word, not only closed: a child forked meanwhile has a copy of the descriptor, which would keep it.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _record_failure(spec: NodeSpec, error: NodeError) -> None:
    record = {"code": error.code, "message": str(error), "at": time.time_ns()}
    try:
        (spec.run_dir / "start-failed.json").write_text(json.dumps(record))
    except OSError:
        return


def _raise_failure_since(spec: NodeSpec, since: int) -> None:
    # Ten processes that waited for one failed start must not fail one after the other, each after its own timeout.
    try:
        record = json.loads((spec.run_dir / "start-failed.json").read_text())
        message, code, at = str(record["message"]), str(record["code"]), int(record["at"])
    except (OSError, ValueError, KeyError, TypeError):
        return
    if at > since:
        raise NodeError(message, code)
