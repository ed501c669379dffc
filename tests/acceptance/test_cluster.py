"""Roles as separate JVMs: data nodes with one backup, workers and a client with JVMs of their own, under kill -9.

One cluster serves all tests of this file, in order: starting five JVMs takes longer than any of them.
"""

from __future__ import annotations

import re
import time

import pytest
from drill import SOAK_SECONDS, kill_all
from history import load, longest_call
from support import until

DATA_NODES = 2

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + SOAK_SECONDS)]

_STALL_SECONDS = 2.0
_SUBMITS = 60


def _home_of(cluster, name):
    """Returns how many partitions a node says it is the home of; None before it has said so."""
    said = re.findall(r"home of (\d+) partitions", cluster.nodes[name].text())
    return int(said[-1]) if said else None


def test_a_data_node_and_a_worker_are_killed_under_load(cluster, drill, record_property):
    stream = drill.start_load()
    drill.wait_for_submits(_SUBMITS)
    # One for each worker, so that the one to be killed is in the middle of a task.
    long = [drill.send_long(n, ms=2_000) for n in (1, 2)]
    until(lambda: all(drill.starts(task_id) for task_id in long), "both workers to be at work")
    killed_at = time.monotonic_ns()
    kill_all([cluster.pid("n1"), cluster.worker_pid("w1")])
    cluster.nodes["n1"].wait(30)
    drill.wait_for_submits(_SUBMITS)
    cluster.start("n1")
    drill.wait_for_submits(_SUBMITS)
    time.sleep(SOAK_SECONDS)
    drill.stop_load(stream)
    drill.drain()
    drill.wait_for_workers("w1", "w2")

    events = load(drill.history)
    before = longest_call([event for event in events if event["t"] < killed_at])
    stall = longest_call([event for event in events if event["t"] >= killed_at])
    record_property("longest_submit_before_seconds", round(before, 3))
    record_property("longest_submit_after_seconds", round(stall, 3))
    print(f"\nlongest submit before the kill {before:.2f} s, after it {stall:.2f} s")
    # A machine that is busy with something else stalls submits by itself: what it did before is not the kill's doing.
    assert stall < _STALL_SECONDS + before

    assert max(drill.starts(task_id) for task_id in long) == 2, "the killed worker's task was run again"

    # The node that was killed has everything again: the other one is killed, and all is read from the first.
    until(lambda: _home_of(cluster, "n1"), "the killed node to be a home again")
    cluster.kill("n2")
    verdict = drill.judge(budget=5)
    print(verdict.figures)
    assert verdict.broken == []
    assert verdict.figures["acked"] >= 3 * _SUBMITS
    assert verdict.figures["SUCCESS"] + verdict.figures["REVOKED"] >= verdict.figures["acked"]


def test_all_data_nodes_are_killed_and_come_back(cluster, drill):
    cluster.start("n2")
    until(lambda: _home_of(cluster, "n2"), "the killed node to be a home again")
    stream = drill.start_load()
    drill.wait_for_submits(20)
    kill_all(cluster.pid(name) for name in cluster.names)
    for name in cluster.names:
        cluster.nodes[name].wait(30)
    cluster.start(*cluster.names)
    # Neither the client's JVM nor the workers' have been restarted by anybody: they find their way back.
    drill.wait_for_submits(20)
    drill.stop_load(stream)
    drill.wait_for_workers("w1", "w2")
    drill.drain()
    verdict = drill.judge(budget=5)
    print(verdict.figures)
    assert verdict.broken == []
