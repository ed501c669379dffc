"""One rate for a whole cluster: queues at home on two data nodes, two workers, one of the nodes killed on the way."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import rates_app as rates
from support import ExecutionLog, start_worker, until

from ignitetasks.ids import queue_locator

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]
DATA_NODES = 2
HERE = Path(__file__).resolve().parent
PATIENCE = 60
CONNECTION = ("cluster", "heap_mb", "region_max_mb", "idle_exit_seconds", "instance")
QUEUES = [f"q{number}" for number in range(12)]


@pytest.fixture
def app():
    yield rates.app
    rates.app.close()


def test_two_homes_share_one_rate(app, folder, started, cluster):
    log = ExecutionLog(folder / "log")
    seen = cluster.settings("client")
    app.configure(**{name: getattr(seen, name) for name in CONNECTION})
    env = {**cluster.env, "RATES_LOG": str(log.path)}

    def status():
        return app.client.transport.call("status")

    for name in ("w1", "w2"):
        start_worker(started, status, "rates_app", name=name, queues=QUEUES, concurrency=2, env=env, path=[HERE])
    assert len({queue_locator(queue) for queue in QUEUES}) > 6, "queues of many partitions"
    # Both have homes, so both draw from the one bucket.
    until(lambda: all(re.search(r"home of [1-9]", node.text()) for node in cluster.nodes.values()), "two homes")
    held, others = send(rates.hourly, 40), send(rates.plain, 40)
    assert [one.get(timeout=PATIENCE) for one in others] == list(range(40)), "they do not wait for the limited ones"
    assert len(log.counts("hourly")) <= 1
    for one in held:
        one.revoke()
    sent = send(rates.limited, 40)
    for one in sent:
        one.get(timeout=PATIENCE)
    times = sorted(float(line.split()[2]) for line in log.lines("limited"))
    # 39 pauses; a rate for each home or worker would have taken half of it.
    assert times[-1] - times[0] > 0.75 * 39 / rates.RATE
    assert len({line.split()[3] for line in log.lines("limited")}) > 2, "children of both workers took part"
    sent = send(rates.limited, 40)
    until(lambda: log.count("limited") >= 50, "the rate to be at work")
    cluster.kill("n1")
    for one in sent:
        one.get(timeout=PATIENCE)
    assert {int(line.split()[1]) for line in log.lines("limited")[40:]} == set(range(40))


def send(task, count):
    return [task.apply_async((number,), queue=QUEUES[number % len(QUEUES)]) for number in range(count)]
