"""ignitetasks inside a peers' driver: who starts its node, what its memory is, and where its files are.

The node is to ignitetasks what a broker is to the others, so it is treated as one: started once, kept over the
rounds, counted as broker in W5. The node is a child of the driver, so that its CPU time counts as ours and not as
that of other programs. Must not contain workloads.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from ignitetasks import Settings, jvm

HERE = Path(__file__).resolve().parent
VARIANTS = ("process", "power")
PREFIX = "ignitetasks_"


def names() -> list[str]:
    """Returns the names of our peers."""
    return [PREFIX + variant for variant in VARIANTS]


def register(driver: ModuleType) -> None:
    """Adds our peers to a driver's table of peers."""
    paths = (str(HERE), driver.HERE, str(HERE.parent), os.environ.get("PYTHONPATH", ""))
    for variant in VARIANTS:
        environment = {"BENCH_VARIANT": variant, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        driver.PEERS[PREFIX + variant] = ("peer_ignitetasks", environment, ["W1", "W2", "W3", "W4", "W5", "W6"])


def make_servers(driver: ModuleType) -> Any:
    """Makes the driver's servers, which know our nodes as well."""

    class ServersAndNodes(driver.servers.Servers):  # type: ignore[misc, name-defined]
        """Servers of the driver, and nodes of ours under the names of their peers."""

        def __init__(self) -> None:
            super().__init__()
            self.nodes: dict[str, Settings] = {}

        def pids(self, names: list[str]) -> list[int]:
            """Returns the processes of servers and nodes."""
            nodes = [jvm.find(self.nodes[name]) for name in names if name in self.nodes]
            return [*super().pids(names), *(node.pid for node in nodes if node is not None)]

    return ServersAndNodes()


def make_peer(driver: ModuleType, name: str, srv: Any) -> Any:
    """Makes one of our peers, as a subclass of the driver's."""

    class IgniteTasksPeer(driver.Peer):  # type: ignore[misc, name-defined]
        """One variant: its node, data directory and workers."""

        def __init__(self) -> None:
            self.variant = name.removeprefix(PREFIX)
            self.data_dir = Path(srv.tmp, name)
            self.node = Settings.from_env(data_dir=self.data_dir, durability=self.variant)
            module, environment, workloads = driver.PEERS[name]
            driver.PEERS[name] = (module, {**environment, "IGNITETASKS_DATA_DIR": str(self.data_dir)}, workloads)
            super().__init__(name, srv)
            srv.nodes[name] = self.node
            self.brokers = [name]

        def reset(self) -> None:
            """Empties the queues; starts the node where none runs."""
            jvm.ensure_running(self.node)
            super().reset()

        def fresh(self) -> None:
            """Starts a new node on an empty data directory."""
            self.close()
            jvm.ensure_running(self.node)
            super().reset()

        def close(self) -> None:
            """Stops the node and removes its data."""
            jvm.stop(self.node)
            shutil.rmtree(self.data_dir, ignore_errors=True)

        def W5(self, n: int) -> dict[str, Any]:
            """Idle CPU and memory; the sums are those of node, supervisor and two children."""
            row: dict[str, Any] = super().W5(n)
            row["total_rss_MB"] = round(row["worker_rss_MB"] + row["broker_rss_MB"], 1)
            row["total_pss_MB"] = round(row["worker_pss_MB"] + row["broker_pss_MB"], 1)
            row["cpu_percent_of_a_core"] = round(row["cpu_s"] / n * 100, 2)
            return row

        def command(self, *words: str) -> subprocess.CompletedProcess[str]:
            """Runs an ``ignitetasks`` command on this peer's node."""
            line = [sys.executable, "-m", "ignitetasks", *words, "--data-dir", str(self.data_dir)]
            return subprocess.run(line, env=self.env, capture_output=True, text=True, timeout=120, check=True)

    return IgniteTasksPeer()
