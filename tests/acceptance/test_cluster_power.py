"""Two data nodes with ``durability="power"``: each commit is on both disks when it is acknowledged."""

from __future__ import annotations

import pytest
from cluster import Cluster
from drill import Drill, kill_all

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

_SUBMITS = 40


def test_all_data_nodes_are_killed_at_once_and_have_everything(place, processes):
    cluster = Cluster(place, processes, size=2, durability="power")
    try:
        cluster.start(*cluster.names)
        assert all("durability power" in node.text() for node in cluster.nodes.values())
        drill = Drill(place, processes, cluster.settings("client"), cluster.env)
        drill.start_worker("w1")
        drill.wait_for_workers("w1")
        stream = drill.start_load()
        for _ in range(2):
            drill.wait_for_submits(_SUBMITS)
            kill_all(cluster.pid(name) for name in cluster.names)
            for name in cluster.names:
                cluster.nodes[name].wait(30)
            cluster.start(*cluster.names)
        drill.wait_for_submits(_SUBMITS)
        drill.stop_load(stream)
        drill.wait_for_workers("w1")
        drill.drain()
        verdict = drill.judge(budget=5)
        drill.close()
        print(verdict.figures)
        assert verdict.broken == []
        assert verdict.figures["acked"] >= 3 * _SUBMITS
    finally:
        processes.stop_all()
        cluster.close()
