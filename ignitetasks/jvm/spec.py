"""Describes one JVM: what it is to be, and where its files are.

A :class:`NodeSpec` is a frozen value; ``command.py`` turns it into a command line, ``launch.py`` into a process.
Must not touch the file system.
"""

from __future__ import annotations

import hashlib
import os
import socket
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from ignitetasks.config import Settings

#: Version of the connection file and of what is spoken through the port it names.
PROTOCOL = 1
#: Version of the files in ``store/``; a node of an older format opens no newer one.
STORE_FORMAT = 1
#: Bytes of a Unix socket's path the kernel accepts (108 with the final zero), less a margin.
LONGEST_SOCKET_PATH = 100

EMBEDDED, DATA, CLIENT = "embedded", "data", "client"


def default_cache_dir() -> Path:
    """Returns the folder of what can be made again: class-data archives, Java versions."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return Path(home) / "ignitetasks"


def packaged_jar() -> Path:
    """Returns where the jar lies inside this package."""
    return Path(__file__).resolve().parent.parent / "jars" / "ignitetasks.jar"


@dataclass(frozen=True)
class NodeSpec:
    """Everything a JVM is started with.

    Attributes:
        instance_dir: Its folder; holds ``run/`` and, for nodes with data, ``store/``.
        role: ``embedded``, ``data`` or ``client``.
        name: Consistent id in the cluster.
        durability: ``power`` (each commit is on disk) or ``process`` (each commit is with the kernel).
        heap_mb: Largest heap in MiB.
        region_max_mb: Largest off-heap data region in MiB.
        addresses: ``host:port`` of the data nodes' discovery; empty for embedded.
        local_host: Address the cluster's ports listen on.
        discovery_port: First of the cluster's ports; 0 lets the node choose.
        communication_port: 0 lets the node choose.
        thin_port: Port for Ignite's own clients on the loopback interface; 0 keeps it closed.
        gateway_port: 0 lets the node choose.
        backups: Copies of each record beside the first.
        namespace: Prefix of the caches.
        start_timeout_seconds: Longest wait until it is ready.
        idle_exit_seconds: Exits by itself after so long without a connection; 0 means never.
        lifeline: True: exits when its standard input ends.
        java: Java executable or home the settings name, or None.
        jar: The jar to run.
        cache_dir: Folder of class-data archives and Java versions.
        class_archive: False starts without a class-data archive and makes none.
        extra_args: More arguments for the JVM, behind ours.
    """

    instance_dir: Path
    role: str = EMBEDDED
    name: str = "node"
    durability: str = "power"
    heap_mb: int = 512
    region_max_mb: int = 1024
    addresses: tuple[str, ...] = ()
    local_host: str = "127.0.0.1"
    discovery_port: int = 0
    communication_port: int = 0
    thin_port: int = 0
    gateway_port: int = 0
    backups: int = 0
    namespace: str = "default"
    start_timeout_seconds: float = 30.0
    idle_exit_seconds: int = 900
    lifeline: bool = False
    java: str | None = None
    jar: Path = field(default_factory=packaged_jar)
    cache_dir: Path = field(default_factory=default_cache_dir)
    class_archive: bool = True
    extra_args: tuple[str, ...] = ()

    @property
    def run_dir(self) -> Path:
        """Folder of the running JVM's files, mode 0700."""
        return self.instance_dir / "run"

    @property
    def store_dir(self) -> Path:
        """Folder of the durable data."""
        return self.instance_dir / "store"

    @property
    def has_store(self) -> bool:
        """True for the roles that keep data."""
        return self.role in (EMBEDDED, DATA)

    @property
    def connection_file(self) -> Path:
        """Where the running JVM says how to reach it."""
        return self.run_dir / "connection.json"

    @property
    def config_file(self) -> Path:
        """What the JVM reads at its start; its path in the command line is the JVM's identity."""
        return self.run_dir / "node.json"

    @property
    def arguments_file(self) -> Path:
        """The JVM's arguments, for somebody else to start it by ``java @file``; then its identity, too."""
        return self.run_dir / "java.args"

    @property
    def log_file(self) -> Path:
        """Standard output and error of the JVM."""
        return self.run_dir / "node.log"

    @property
    def lock_file(self) -> Path:
        """Held by the one process that starts the JVM."""
        return self.run_dir / "node.lock"

    @property
    def pid_file(self) -> Path:
        """Pid of the JVM that was started last."""
        return self.run_dir / "node.pid"

    @property
    def lane_path(self) -> Path:
        """Path of the worker lane's socket; short enough for the kernel."""
        path = self.run_dir / "lane.sock"
        if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
            return path
        digest = hashlib.blake2b(os.fsencode(self.instance_dir), digest_size=8).hexdigest()
        return Path(tempfile.gettempdir()) / f"ignitetasks-{os.getuid()}-{digest}" / "lane.sock"


def spec_of(settings: Settings) -> NodeSpec:
    """Describes the JVM a process with these settings talks to: the embedded node, or a client of the cluster.

    Args:
        settings: The process's settings.

    Returns:
        The description; use :func:`dataclasses.replace` for what a command line says otherwise.
    """
    role = EMBEDDED if settings.embedded else CLIENT
    backups = settings.backups
    if backups is None:
        backups = 0 if settings.embedded else 1
    return NodeSpec(
        # Links resolved: the path is the instance's identity, whatever way somebody took to it.
        instance_dir=Path(os.path.realpath(settings.instance_dir)),
        role=role,
        name=settings.node_name or _node_name(role),
        durability=settings.effective_durability,
        heap_mb=settings.heap_mb,
        region_max_mb=settings.region_max_mb,
        addresses=settings.cluster,
        local_host=settings.local_host,
        discovery_port=settings.discovery_port,
        communication_port=settings.communication_port,
        thin_port=settings.thin_port,
        gateway_port=settings.gateway_port,
        backups=backups,
        namespace=settings.namespace,
        start_timeout_seconds=settings.start_timeout_seconds,
        idle_exit_seconds=settings.idle_exit_seconds,
        java=settings.java,
        jar=Path(os.path.abspath(settings.jar)) if settings.jar else packaged_jar(),
    )


def _node_name(role: str) -> str:
    # The name is the id of an embedded node's data, so it must not change when the machine's does.
    if role == EMBEDDED:
        return "embedded"
    return f"{role}-{socket.gethostname()}-{os.getpid()}"
