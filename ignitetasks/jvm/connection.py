"""Reads the connection file of an instance and judges whether the JVM that wrote it is still there.

Must not start, stop or signal anything. A file whose JVM is gone counts as no file: the kernel gives pids out again,
so the pid alone is not believed, the process must also have been started with this instance's configuration file.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ignitetasks.errors import NodeError
from ignitetasks.jvm.spec import PROTOCOL, NodeSpec


#: A file that is younger may still be on its way, e.g. by a copy.
_WRITING_SECONDS = 1.0


@dataclass(frozen=True)
class Connection:
    """How to reach a running JVM; the contents of ``connection.json``.

    Attributes:
        pid: Process id.
        role: ``embedded``, ``data`` or ``client``.
        host: Address of the gateway.
        port: Port of the gateway.
        token: Secret of the gateway and the lane, 64 hex digits; kept out of ``repr``.
        lane: Path of the worker lane's Unix socket.
        data_dir: Folder below which the data lives.
        durability: ``power`` or ``process``.
        cluster_id: UUID of the cluster.
        node: Name of the node.
        thin_port: Port for thin clients, 0 for none.
        started_at: Milliseconds since the epoch.
        version: Version of the jar.
        protocol: Version of what the gateway speaks.
    """

    pid: int
    role: str
    host: str
    port: int
    token: str = field(repr=False)
    lane: str
    data_dir: str
    durability: str
    cluster_id: str
    node: str
    thin_port: int
    started_at: int
    version: str
    protocol: int


def read_connection(path: Path) -> Connection | None:
    """Reads a connection file.

    Args:
        path: The file.

    Returns:
        Its contents, or None when it is missing or is no whole connection file.
    """
    try:
        values: Any = json.loads(path.read_bytes())
        return Connection(**{name: kind(values[name]) for name, kind in _FIELDS.items()})
    except (OSError, ValueError, KeyError, TypeError):
        return None


_FIELDS: dict[str, type] = {
    "pid": int,
    "role": str,
    "host": str,
    "port": int,
    "token": str,
    "lane": str,
    "data_dir": str,
    "durability": str,
    "cluster_id": str,
    "node": str,
    "thin_port": int,
    "started_at": int,
    "version": str,
    "protocol": int,
}


def find_instance(spec: NodeSpec) -> Connection | None:
    """Finds the running JVM of an instance.

    Args:
        spec: Which instance.

    Returns:
        Its connection, or None when none is ready.

    Raises:
        NodeError: It runs, but speaks another protocol version than this client or its file is damaged; or its
            directory is somebody else's.
    """
    connection = read_connection(spec.connection_file)
    if connection is None:
        _check_owner(spec)
        _check_damage(spec)
        return None
    if not is_instance_process(connection.pid, spec):
        return None
    if connection.protocol != PROTOCOL:
        raise NodeError(
            f"the node of {spec.instance_dir} (ignitetasks {connection.version}) speaks protocol "
            f"{connection.protocol}, this client {PROTOCOL}: stop it with `ignitetasks node stop` and start it again",
            "UNSUPPORTED_VERSION",
        )
    return connection


def _check_owner(spec: NodeSpec) -> None:
    if spec.instance_dir.is_dir() and not os.access(spec.instance_dir, os.R_OK | os.X_OK):
        raise NodeError(
            f"{spec.instance_dir} may not be read: it belongs to another user, so nobody can say here whether its node "
            "runs; name a data directory of your own (data_dir= or IGNITETASKS_DATA_DIR)",
            "NOT_ALLOWED",
        )


def _check_damage(spec: NodeSpec) -> None:
    """Refuses a file that cannot be read and is younger than the JVM, which writes it once and as a whole."""
    try:
        written = spec.connection_file.stat().st_mtime
        started = spec.pid_file.stat().st_mtime
    except OSError:
        return
    if written < started or time.time() - written < _WRITING_SECONDS:
        return
    pid = recorded_pid(spec)
    if pid is not None and read_connection(spec.connection_file) is None:
        raise NodeError(
            f"{spec.connection_file} is damaged, so that the node (process {pid}) cannot be reached: "
            "stop it with `ignitetasks node stop` and start it again; its data are not concerned",
            "CONNECTION_FILE_DAMAGED",
        )


def is_instance_process(pid: int, spec: NodeSpec, dying: bool = False) -> bool:
    """Tells whether a process is alive and is the JVM of this instance.

    Args:
        pid: Process id.
        spec: Which instance.
        dying: What to say of a process in its last milliseconds: the kernel has taken its memory and with it the
            command line, but not yet its files and locks.

    Returns:
        True when it lives and its command line names the instance's configuration or arguments file.
    """
    if not is_alive(pid):
        return False
    try:
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    if not arguments:
        return dying
    marks = {os.fsencode(spec.config_file), b"@" + os.fsencode(spec.arguments_file)}
    return not marks.isdisjoint(arguments.split(b"\0"))


def is_alive(pid: int) -> bool:
    """Tells whether a process exists and is more than a zombie; collects it when it is our own dead child.

    Args:
        pid: Process id.
    """
    try:
        status = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False
    # The name in parentheses may hold anything, so the state is what follows the last one. It is that of the first
    # thread only: of a process that is being ended others may still write, and hold files and locks.
    if status[status.rfind(b")") + 2 :][:1] not in (b"Z", b"X") or _thread_count(pid) > 1:
        return True
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    return False


def _thread_count(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except OSError:
        return 0


def recorded_pid(spec: NodeSpec) -> int | None:
    """Returns the pid of the JVM that was started last, when it still lives.

    Args:
        spec: Which instance.
    """
    try:
        pid = int(spec.pid_file.read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None
    return pid if is_instance_process(pid, spec, dying=True) else None
