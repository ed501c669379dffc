"""A cluster on this machine: data nodes as ``ignitetasks node run``, each a JVM with a store and ports of its own."""

from __future__ import annotations

import contextlib
import os
import random
import socket
from pathlib import Path

from support import Processes, Running, leftovers, until
from support.processes import kill_pid

from ignitetasks.config import Settings

HEAP_MB = 256
REGION_MB = 128
# Below what Linux takes for the near end of connections: a node is restarted on its own port.
_PORTS = range(20_000, 30_000)


def free_ports(count: int) -> list[int]:
    """Returns ports nobody listens on, none of which the system gives to outgoing connections meanwhile."""
    found: list[int] = []
    with contextlib.ExitStack() as stack:
        for port in random.sample(_PORTS, len(_PORTS)):
            one = stack.enter_context(socket.socket())
            with contextlib.suppress(OSError):
                one.bind(("127.0.0.1", port))
                found.append(port)
            if len(found) == count:
                return found
    raise RuntimeError(f"fewer than {count} free ports between {_PORTS.start} and {_PORTS.stop}")


class Cluster:
    """Some data nodes with one backup.

    Args:
        folder: Where everything of it lives, clients' and workers' JVMs included.
        processes: Who ends the nodes' Python processes.
        size: How many nodes.
        durability: Of the nodes; None is what a node of a cluster has by itself.

    Attributes:
        addresses: What clients and workers are given as ``--cluster``.
    """

    def __init__(self, folder: Path, processes: Processes, size: int, durability: str | None = None) -> None:
        self._folder = folder
        self._processes = processes
        self._options = () if durability is None else ("--durability", durability)
        ports = free_ports(2 * size)
        self._ports = {f"n{index + 1}": (ports[2 * index], ports[2 * index + 1]) for index in range(size)}
        self.addresses = ",".join(f"127.0.0.1:{discovery}" for discovery, _ in self._ports.values())
        self.nodes: dict[str, Running] = {}

    @property
    def names(self) -> list[str]:
        """The nodes' names."""
        return list(self._ports)

    @property
    def env(self) -> dict[str, str]:
        """Environment of everybody who belongs to this cluster."""
        return {
            "XDG_STATE_HOME": str(self._folder / "state"),
            "IGNITETASKS_CLUSTER": self.addresses,
            "IGNITETASKS_HEAP_MB": str(HEAP_MB),
            "IGNITETASKS_REGION_MAX_MB": str(REGION_MB),
            "IGNITETASKS_IDLE_EXIT_SECONDS": "60",
        }

    def settings(self, client: str) -> Settings:
        """Returns settings of a client with a JVM of its own."""
        return Settings.from_env(
            cluster=self.addresses,
            heap_mb=HEAP_MB,
            region_max_mb=REGION_MB,
            idle_exit_seconds=60,
            instance=self._folder / client,
        )

    def start(self, *names: str) -> None:
        """Starts nodes at the same time and waits until all are ready."""
        for name in names:
            discovery, communication = self._ports[name]
            self.nodes[name] = self._processes.command(
                "node", "run", "--name", name, "--cluster", self.addresses,
                "--data-dir", str(self._folder / name), "--discovery-port", str(discovery),
                "--communication-port", str(communication), *self._options,
                name=f"node-{name}", env=self.env,
            )  # fmt: skip
        for name in names:
            until(lambda name=name: self._is_ready(name), lambda name=name: f"{name}:\n{self.nodes[name].text()}")

    def _is_ready(self, name: str) -> bool:
        node = self.nodes[name]
        assert node.alive, f"node {name} ended by itself:\n{node.text()}"
        return "ready: node" in node.text()

    def pid(self, name: str) -> int:
        """Returns the pid of a node's JVM."""
        return int((self._folder / name / "run" / "node.pid").read_text())

    def kill(self, name: str) -> None:
        """Kills a node's JVM with -9; the command that ran it then ends by itself."""
        kill_pid(self.pid(name))
        self.nodes[name].wait(30)

    def worker_pid(self, name: str) -> int:
        """Returns the pid of a worker's own JVM."""
        return int((self._folder / "state" / "ignitetasks" / "workers" / name / "run" / "node.pid").read_text())

    def close(self) -> None:
        """Kills every JVM that has to do with this cluster."""
        for pid in leftovers(Path(os.path.realpath(self._folder))):
            kill_pid(pid)
