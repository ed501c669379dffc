"""Roles as separate JVMs: data nodes with one backup, workers and a client with JVMs of their own, under kill -9."""

from __future__ import annotations

import pytest
from cluster import Cluster
from drill import Drill, kill_all
from history import load, longest_call
from support import until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]


@pytest.fixture
def cluster(place, processes):
    started = Cluster(place, processes, size=2)
    yield started
    processes.stop_all()
    started.close()


@pytest.fixture
def drill(place, processes, cluster):
    one = Drill(place, processes, cluster.settings("judge"), cluster.env)
    yield one
    one.close()


def test_nothing_acknowledged_is_lost_when_a_data_node_and_a_worker_are_killed(cluster, drill, soak_seconds):
    import time
    T=time.time()
    cluster.start(*cluster.names)
    print("nodes up", time.time()-T)
    workers = {name: drill.start_worker(name, concurrency=1) for name in ("w1", "w2")}
    drill.wait_for_workers("w1", "w2")
    print("workers up", time.time()-T)
    stream = drill.start_load(22, 10)
    until(lambda: sum(e["k"]=="ok" for e in load(drill.history) if e["f"]=="submit") > 100, "load")
    print("load running", time.time()-T)
    k0=time.monotonic_ns()
    cluster.kill("n1")
    kill_all([cluster.worker_pid("w1")])
    time.sleep(4)
    w0=time.monotonic_ns()
    cluster.start("n1")
    print("restart", (time.monotonic_ns()-w0)/1e9)
    assert stream.wait(60) == 0, stream.text()
    print("load over", time.time()-T)
    drill.drain()
    print("drained", time.time()-T)
    events = load(drill.history)
    print("longest", longest_call(events))
    inv=None
    for e in events:
        if e["f"]=="submit":
            if e["k"]=="invoke": inv=e
            elif e["t"]-inv["t"]>3e8: print("long", (e["t"]-inv["t"])/1e9, e["k"], "at", (inv["t"]-k0)/1e9, "after w", (inv["t"]-w0)/1e9)
    verdict = drill.judge(budget=4)
    print(verdict)
    for w in workers.values(): print(w.text())
    for n in cluster.nodes.values(): print(n.text())
    assert verdict.broken == []
