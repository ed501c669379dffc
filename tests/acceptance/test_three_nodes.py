"""Three data nodes as processes of their own: one dies after the other, and JVMs that are paused and go on.

One cluster serves all tests of this file, in order; each leaves all its nodes and workers running.
"""

from __future__ import annotations

import os
import re
import signal
import time

import pytest
from support import until

DATA_NODES = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

#: Longer than a node or a worker may be silent before the others go on without it.
_PAUSE_SECONDS = 13.0


def _is_home(cluster, name):
    return any(int(count) for count in re.findall(r"home of (\d+) partitions", cluster.nodes[name].text())[-1:])


def _judge(drill, stream):
    drill.wait_for_submits(20)
    drill.stop_load(stream)
    drill.wait_for_workers("w1", "w2")
    drill.drain()
    verdict = drill.judge(budget=5)
    print(verdict.figures)
    assert verdict.broken == []


def test_one_data_node_after_the_other_is_killed(cluster, drill):
    stream = drill.start_load()
    drill.wait_for_submits(20)
    for name in ("n1", "n2"):
        cluster.kill(name)
        drill.wait_for_submits(20)
        cluster.start(name)
        # Its copies are made anew: only then may the next one go.
        until(lambda name=name: _is_home(cluster, name), f"{name} to be a home again")
    _judge(drill, stream)


def test_a_paused_worker_doubles_and_loses_nothing(cluster, drill):
    stream = drill.start_load()
    drill.wait_for_submits(20)
    long = [drill.send_long(n, ms=1_000) for n in (1, 2)]
    until(lambda: all(drill.starts(task_id) for task_id in long), "both workers to be at work")
    paused = cluster.worker_pid("w1")
    os.kill(paused, signal.SIGSTOP)
    try:
        time.sleep(_PAUSE_SECONDS)
        drill.wait_for_submits(20)
    finally:
        os.kill(paused, signal.SIGCONT)
    _judge(drill, stream)


def test_a_paused_data_node_doubles_and_loses_nothing(cluster, drill):
    stream = drill.start_load()
    drill.wait_for_submits(20)
    paused = cluster.pid("n3")
    os.kill(paused, signal.SIGSTOP)
    try:
        time.sleep(_PAUSE_SECONDS)
        drill.wait_for_submits(20)
    finally:
        os.kill(paused, signal.SIGCONT)
    # The others have gone on without it: it sees that, and ends instead of answering from what it had.
    cluster.nodes["n3"].wait(60)
    cluster.start("n3")
    until(lambda: _is_home(cluster, "n3"), "the paused node to be a home again")
    _judge(drill, stream)
