"""The embedded node under load while its processes are killed with -9: what was acknowledged ends once, and right."""

from __future__ import annotations

import random
import threading
import time

import pytest
from drill import SOAK_SECONDS, SOAK_SEED, Drill, kill_all, kill_worker, task_children
from history import load
from support import EmbeddedNode, leftovers, until

from ignitetasks import IgniteTasks

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240 + 2 * SOAK_SECONDS)]

_MAX_DELIVERIES = 3
_SUBMITS = 25


class Chaos:
    """The processes around one embedded node, and the ways to kill them.

    Args:
        node: The node.
        drill: Starts and judges.
        seed: Of the choices.
    """

    def __init__(self, node: EmbeddedNode, drill: Drill, seed: int) -> None:
        self.node = node
        self.drill = drill
        self.random = random.Random(seed)
        self.worker = drill.start_worker("w")
        self.stream = drill.start_load(pause_ms=5)
        self.faults = {"child": self.child, "worker": self.supervisor, "node": self.jvm, "everything": self.everything}
        self.extra_starts = 0

    def child(self) -> None:
        """Kills a child, which is running a task if it can be arranged."""
        pids = until(lambda: task_children(self.worker.pid), "a child")
        kill_all([self.random.choice(pids)])

    def supervisor(self) -> None:
        """Kills the worker's supervisor; its children must end by themselves."""
        kill_worker(self.worker)
        self.extra_starts += 1
        self.worker = self.drill.start_worker("w")

    def jvm(self) -> None:
        """Kills the node; whoever needs it next starts it."""
        kill_all([until(lambda: self.node.pid, "a running node")])
        self.extra_starts += 1

    def everything(self) -> None:
        """Kills all processes at once and starts new ones."""
        kill_all([*leftovers(self.node.data_dir), *task_children(self.worker.pid), self.worker.pid, self.stream.pid])
        self.extra_starts += 1
        self.worker = self.drill.start_worker("w")
        self.stream = self.drill.start_load(pause_ms=5)

    def run(self, names: list[str]) -> None:
        """Makes faults, each under load and after the last one was got over."""
        for name in names:
            self.drill.wait_for_submits(_SUBMITS)
            time.sleep(self.random.uniform(0, 0.3))
            self.drill.log.append(name)
            self.faults[name]()

    def heal(self) -> None:
        """Ends the load and waits until all is done."""
        self.drill.wait_for_submits(_SUBMITS)
        self.drill.stop_load(self.stream)
        self.drill.wait_for_workers("w")
        self.drill.drain()


@pytest.fixture
def chaos(place, processes, request):
    durability, seed = request.param
    with EmbeddedNode(place / "data", durability, heap_mb=256, region_max_mb=256) as node:
        drill = Drill(place, processes, node.settings, node.env)
        yield Chaos(node, drill, seed)
        drill.close()
        processes.stop_all()


def _judge(chaos, record_property):
    verdict = chaos.drill.judge(_MAX_DELIVERIES + chaos.extra_starts)
    print(f"\n{chaos.drill.log}: {verdict.figures}")
    for name, value in verdict.figures.items():
        record_property(name, value)
    assert verdict.broken == []
    ended = verdict.figures["SUCCESS"] + verdict.figures["REVOKED"] + verdict.figures["DEAD"]
    assert ended >= verdict.figures["acked"] > 0
    return verdict


@pytest.mark.parametrize("chaos", [("process", SOAK_SEED)], indirect=True, ids=["process"])
def test_every_process_is_killed_under_load(chaos, record_property):
    names = ["child", "node", "child", "worker", "everything", "node"]
    chaos.random.shuffle(names)
    chaos.run(names)
    end = time.monotonic() + SOAK_SECONDS
    while time.monotonic() < end:
        chaos.run([chaos.random.choice(list(chaos.faults))])
    chaos.heal()
    verdict = _judge(chaos, record_property)
    # Each kill of a process that held tasks may have cost starts, and nothing else may.
    assert verdict.figures["DEAD"] == 0 or chaos.drill.log.count("child") >= _MAX_DELIVERIES


@pytest.mark.parametrize("chaos", [("power", 2)], indirect=True, ids=["power"])
def test_the_node_is_killed_under_load_with_each_commit_on_disk(chaos, record_property):
    chaos.run(["node", "everything"])
    chaos.heal()
    _judge(chaos, record_property)


@pytest.mark.parametrize("chaos", [("process", 3)], indirect=True, ids=["process"])
def test_without_faults_nothing_runs_twice(chaos, record_property):
    chaos.heal()
    verdict = _judge(chaos, record_property)
    assert verdict.figures["repeats"] == verdict.figures["overlaps"] == verdict.figures["unknown"] == 0


@pytest.fixture
def node(place):
    with EmbeddedNode(place / "data", heap_mb=256, region_max_mb=256) as one:
        yield one


def test_a_poison_task_is_dead_and_its_neighbours_are_well(place, processes, node):
    drill = Drill(place, processes, node.settings, node.env)
    switch = place / "poison"
    switch.touch()
    before = [drill.app.send_task("chaos_app.work", (n,)) for n in range(20)]
    poison = drill.app.send_task("chaos_app.poison", (1_000, str(switch)))
    after = [drill.app.send_task("chaos_app.work", (n,)) for n in range(20, 40)]
    drill.start_worker("w", concurrency=2)
    for result in before + after:
        result.get(timeout=60)
    until(poison.ready, "the end of the poison task")
    assert poison.state == "DEAD"
    starts = [event for event in load(drill.history) if event["f"] == "start" and event["id"] == poison.id]
    assert len(starts) == _MAX_DELIVERIES
    assert [row["id"] for row in node.call("dead_list", 10)] == [poison.id]

    switch.unlink()
    assert node.call("dead_retry", [poison.id]) == 1
    assert drill.app.AsyncResult(poison.id).get(timeout=30)[0] == 1_000
    assert node.call("dead_list", 10) == []
    drill.close()


def test_a_bulk_submit_survives_the_death_of_the_node(node):
    """The node is killed twice while 20,000 tasks are sent in one bulk: between two calls and in the middle of one."""
    app = IgniteTasks("bulk", settings=node.settings)
    count = 20_000
    threads = []

    def kill_soon():
        time.sleep(0.02)
        node.kill()

    def numbers():
        for n in range(count):
            if n == 4_500:
                node.kill()
            if n == 12_000:
                threads.append(threading.Thread(target=kill_soon))
                threads[-1].start()
            yield app.signature("bulk.none", (n,), queue="bulk")

    results = app.bulk(numbers())
    for thread in threads:
        thread.join()
    assert len(results) == len(set(results.ids)) == count
    found = []
    cursor = ""
    while cursor is not None:
        cursor, rows = node.call("scan", cursor or None, 5_000)
        found += [row[0] for row in rows]
    assert len(found) == count, "a record is there twice, or is missing"
    assert set(found) == set(results.ids)
    until(lambda: node.queue_status("bulk")["pending"] == count, lambda: str(node.queue_status("bulk")), timeout=20)
    app.close()
