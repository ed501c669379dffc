"""Two data nodes and two workers under load with canvases; processes of every kind are killed with -9 at random."""

from __future__ import annotations

import random
import re
import time

import pytest
from cluster import Cluster
from drill import SOAK_SECONDS, SOAK_SEED, Drill, kill_all, kill_worker, task_children
from support import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300 + 2 * SOAK_SECONDS)]

_SUBMITS = 30
_CHILDREN = 4


class Chaos:
    """The processes of one cluster, and the ways to kill them.

    Args:
        cluster: The data nodes.
        drill: Starts the rest.
        seed: Of the choices.
    """

    def __init__(self, cluster: Cluster, drill: Drill, seed: int) -> None:
        self.cluster = cluster
        self.drill = drill
        self.random = random.Random(seed)
        self.workers = {name: drill.start_worker(name) for name in ("w1", "w2")}
        drill.wait_for_workers(*self.workers)
        self._longs = 0
        self.faults = {
            "node": self.node,
            "nodes": self.nodes,
            "node and worker": self.node_and_worker,
            "worker's JVM": self.worker_jvm,
            "supervisor": self.supervisor,
            "child": self.child,
        }

    def _restart(self, *names: str) -> None:
        for name in names:
            self.cluster.nodes[name].wait(30)
        self.cluster.start(*names)
        # Its copies are made anew: only then may the other one go.
        for name in names:
            until(lambda name=name: _is_home(self.cluster, name), f"{name} to be a home again")

    def node(self) -> None:
        """Kills one data node; the other one goes on with what it kept."""
        name = self.random.choice(self.cluster.names)
        kill_all([self.cluster.pid(name)])
        self.drill.wait_for_submits(_SUBMITS)
        self._restart(name)

    def nodes(self) -> None:
        """Kills all data nodes at once."""
        kill_all(self.cluster.pid(name) for name in self.cluster.names)
        self._restart(*self.cluster.names)

    def node_and_worker(self) -> None:
        """Kills a data node and a worker's JVM at once: nobody is left who knows what that one was given."""
        name = self.random.choice(self.cluster.names)
        kill_all([self.cluster.pid(name), self.cluster.worker_pid(self.random.choice(list(self.workers)))])
        self.drill.wait_for_submits(_SUBMITS)
        self._restart(name)

    def worker_jvm(self) -> None:
        """Kills the JVM of a worker; its supervisor starts another one."""
        kill_all([self.cluster.worker_pid(self.random.choice(list(self.workers)))])

    def supervisor(self) -> None:
        """Kills a supervisor; a new one takes its place."""
        name = self.random.choice(list(self.workers))
        kill_worker(self.workers[name])
        self.workers[name] = self.drill.start_worker(name)

    def child(self) -> None:
        """Kills a child."""
        worker = self.random.choice(list(self.workers.values()))
        kill_all([self.random.choice(until(lambda: task_children(worker.pid), "a child"))])

    def _send_long(self) -> str:
        self._longs += 1
        return self.drill.send_long(self._longs, ms=600)

    def run(self, names: list[str]) -> None:
        """Makes faults, each under load and after the last one was got over."""
        for name in names:
            self.drill.wait_for_submits(_SUBMITS)
            self.drill.wait_for_workers(*self.workers)
            # One for each child and some to wait: whatever is killed holds something.
            long = [self._send_long() for _ in range(2 * _CHILDREN)]
            until(lambda long=long: any(self.drill.starts(one) for one in long), "the workers to be at work")
            self.drill.log.append(name)
            self.faults[name]()


def _is_home(cluster, name):
    return any(int(count) for count in re.findall(r"home of (\d+) partitions", cluster.nodes[name].text())[-1:])


def test_processes_of_a_cluster_are_killed_at_random_under_load(place, processes):
    cluster = Cluster(place, processes, size=2)
    try:
        cluster.start(*cluster.names)
        drill = Drill(place, processes, cluster.settings("client"), cluster.env)
        chaos = Chaos(cluster, drill, SOAK_SEED)
        stream = drill.start_load()
        names = list(chaos.faults)
        chaos.random.shuffle(names)
        chaos.run(names)
        end = time.monotonic() + SOAK_SECONDS
        while time.monotonic() < end:
            chaos.run([chaos.random.choice(names)])
        drill.wait_for_submits(_SUBMITS)
        drill.stop_load(stream)
        drill.wait_for_workers(*chaos.workers)
        drill.drain()
        # Each of these kills may cost each task a start.
        verdict = drill.judge(budget=3 + len(drill.log))
        drill.close()
        print(f"\n{drill.log}: {verdict.figures}")
        assert verdict.broken == []
        assert verdict.figures["SUCCESS"] + verdict.figures["REVOKED"] >= verdict.figures["acked"] > 0
    finally:
        processes.stop_all()
        cluster.close()
