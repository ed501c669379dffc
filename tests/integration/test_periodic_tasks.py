"""Periodic tasks from code to execution: signatures and canvases, a worker with a beat of its own, the sun."""

from __future__ import annotations

import itertools
import os
import signal
from collections import defaultdict
from datetime import datetime, timedelta, timezone

import periodic_app as periodic
import pytest
from support import until
from support.processes import kill_pid

from ignitetasks import sun
from ignitetasks.schedules import solar

HERE = os.path.dirname(__file__)
KINDS = {"signature": "a signature", "chain": "a chain", "chord": "a chord"}


@pytest.fixture(scope="module")
def periodic_on_node(node, log):
    periodic.app.configure(**node.overrides)
    yield periodic.app
    periodic.app.close()


def ran(log, label):
    """Returns the ids of the tasks that ran, by tick."""
    found = defaultdict(set)
    for line in log.lines(f"periodic {label}"):
        _, _, tick, task_id, _ = line.split()
        found[tick].add(task_id)
    return found


def test_every_tick_starts_its_canvas_once(periodic_on_node, workers, log):
    beat_words = ["beat", "-A", "periodic_app", "--log-text"]
    worker = workers(module="periodic_app", queues=["periodic"], concurrency=2, options=["-B"])
    beat = workers.processes.command(*beat_words, name="beat", path=[HERE])
    for _ in range(3):
        before = len(ran(log, "chord"))
        until(lambda before=before: len(ran(log, "chord")) >= before + 2, "two more ticks")
        beat.kill()  # with -9, perhaps between what it sends and what it notes
        beat = workers.processes.command(*beat_words, name="beat", path=[HERE])
        # Perhaps one that starts a canvas: a tick's task may run again, what it has started does not.
        kill_pid(int(log.lines("periodic chain")[-1].split()[-1]))
    beat.stop(signal.SIGTERM)
    for name in KINDS.values():
        periodic_on_node.schedule.pause(name)
    for label, name in KINDS.items():
        sent = periodic_on_node.schedule.get(name).total_run_count
        until(lambda label=label, sent=sent: len(ran(log, label)) == sent, f"every tick of {name} to run")
        times = sorted(datetime.fromisoformat(one).timestamp() for one in ran(log, label))
        assert {round(b - a, 3) for a, b in itertools.pairwise(times)} == {1.0}, "no tick was lost"
        assert all(len(ids) == 1 for ids in ran(log, label).values()), "no tick started twice"
    assert worker.stop() == 0


def test_noon_comes_where_the_sun_stands_highest(periodic_on_node, workers, log, label):
    worker = workers(module="periodic_app", queues=["periodic"], concurrency=1, options=["-B"])
    noon = datetime.now(timezone.utc) + timedelta(seconds=3)
    longitude = where_noon_is(noon)
    entry = periodic_on_node.schedule.add(label, periodic.note.s(label), solar("solar_noon", 0, longitude))
    assert entry.is_due()[1] < 10
    until(lambda: ran(log, label), "noon")
    (tick,) = ran(log, label)
    assert abs(datetime.fromisoformat(tick) - noon) < timedelta(seconds=1)
    until(lambda: periodic_on_node.schedule.get(label).total_run_count == 1, "the beat to note it")
    stored = periodic_on_node.schedule.get(label)
    assert timedelta(hours=23) < sun.following("solar_noon", 0, longitude, stored.last_run_at) - noon
    assert periodic_on_node.schedule.remove(label)
    assert worker.stop() == 0


def where_noon_is(moment):
    """Returns a longitude where the sun stands highest at a moment."""
    longitude = (12 - moment.hour) * 15.0  # later in the west, four minutes a degree
    for _ in range(6):
        late = sun.following("solar_noon", 0, longitude, moment - timedelta(hours=6)) - moment
        longitude = (longitude + late.total_seconds() / 240 + 180) % 360 - 180
    return longitude
