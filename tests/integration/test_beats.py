"""Beats on a real node: two at once, one killed, changes at run time, a worker with a beat of its own."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from datetime import datetime

import flow_app as flow
import pytest
from support import until
from support.processes import children_of, is_alive, kill_pid

HERE = os.path.dirname(__file__)
PATIENCE = 60


@pytest.fixture
def beats(workers):
    started = []

    def start(*words):
        one = workers.processes.command("beat", "-A", "flow_app", "--log-text", *words, name="beat", path=[HERE])
        started.append(one)
        return one

    yield start
    for one in started:
        one.kill()


def ticks(log, label):
    return [line.split()[2] for line in log.lines(f"tick {label}")]


def seconds(found):
    return sorted(datetime.fromisoformat(one).timestamp() for one in found)


def test_two_beats_one_killed_no_tick_lost_or_doubled(flow_on_node, workers, beats, log):
    workers(module="flow_app", queues=["ticks"], concurrency=1)
    pair = [beats(), beats()]
    for round_ in range(1, 5):
        before = len(ticks(log, "code"))
        until(lambda before=before: len(ticks(log, "code")) >= before + 2, "two more ticks")
        pair[round_ % 2].kill()  # with -9
        pair[round_ % 2] = beats()
    until(lambda: len(ticks(log, "code")) >= 12, "twelve ticks")
    for one in pair:
        until(lambda one=one: "Ctrl-C" in one.text(), "a beat that takes signals")
        assert one.stop(signal.SIGTERM) == 0
    entry = flow_on_node.schedule.get("every half second")
    until(lambda: len(ticks(log, "code")) == entry.total_run_count, "every tick that was counted to run")
    found = ticks(log, "code")
    assert len(found) == len(set(found)), "no tick ran twice"
    times = seconds(found)
    gaps = [round(b - a, 3) for a, b in itertools.pairwise(times)]
    assert set(gaps) == {0.5}, f"no tick was lost: {gaps}"
    # All down for a while: what was missed is caught up with.
    time.sleep(1.5)
    one = beats()
    until(lambda: len(ticks(log, "code")) >= len(found) + 5, "missed ticks and new ones")
    one.stop(signal.SIGTERM)
    entry = flow_on_node.schedule.get("every half second")
    until(lambda: len(ticks(log, "code")) == entry.total_run_count, "every tick to run")
    times = seconds(ticks(log, "code"))
    assert {round(b - a, 3) for a, b in itertools.pairwise(times)} == {0.5}
    flow_on_node.schedule.pause("every half second")


def test_the_schedule_is_changed_by_command_and_api(flow_on_node, workers, beats, log, label, command):
    workers(module="flow_app", queues=["ticks"], concurrency=1)
    beats()
    options = json.dumps({"queue": "ticks"})
    added = command(
        "schedule", "add", label, "flow_app.tick", "--every", "0.5", "--args", f'["{label}"]', "--options", options
    )
    assert added.returncode == 0, added.stderr
    assert "active" in added.stdout and "0.50 seconds" in added.stdout
    until(lambda: len(ticks(log, label)) >= 2, "ticks of the new entry")
    assert command("schedule", "pause", label).returncode == 0
    flow_on_node.schedule.set(label, catch_up="skip")
    listed = {one["name"]: one for one in json.loads(command("schedule", "list", "--json").stdout)}
    assert listed[label]["state"] == "paused" and listed[label]["next_run_at"] is None
    assert listed[label]["last_run_at"] and listed[label]["total_run_count"] >= 2
    assert listed[label]["catch_up"] == "skip"
    until(lambda: len(set(ticks(log, label))) >= listed[label]["total_run_count"], "what was sent to run")
    before = len(ticks(log, label))
    assert command("schedule", "run", label).returncode == 0
    until(lambda: len(ticks(log, label)) == before + 1, "the run by hand")
    assert command("schedule", "resume", label).returncode == 0
    until(lambda: len(ticks(log, label)) >= before + 3, "ticks after the pause")
    assert command("schedule", "remove", label).returncode == 0
    assert command("schedule", "remove", label).returncode == 1
    assert label not in [entry.name for entry in flow_on_node.schedule]


def test_wrong_commands_say_what_is_wrong(flow_on_node, command):
    wrong = command("schedule", "add", "x", "t", "--cron", "61 * * * *")
    assert wrong.returncode == 2 and "minute" in wrong.stderr
    assert "one of --every" in command("schedule", "add", "x", "t").stderr
    missing = command("schedule", "pause", "nobody has this")
    assert missing.returncode == 2 and "nobody has this" in missing.stderr


def test_a_worker_with_a_beat_of_its_own(flow_on_node, workers, log, label):
    flow_on_node.schedule.add(label, flow.tick, 0.5, args=(label,), options={"queue": "ticks"})
    worker = workers(module="flow_app", queues=["ticks"], concurrency=1, options=["-B"])
    until(lambda: len(ticks(log, label)) >= 2, "ticks")
    pids = [pid for pid in children_of(worker.pid) if is_alive(pid)]
    worker.kill()
    until(lambda: not any(is_alive(pid) for pid in pids), "the beat to end with its worker")
    flow_on_node.schedule.remove(label)


def test_the_beat_of_a_worker_is_started_again_when_it_dies(flow_on_node, workers, log, label):
    flow_on_node.schedule.add(label, flow.tick, 0.5, args=(label,), options={"queue": "ticks"})
    worker = workers(module="flow_app", queues=["ticks"], concurrency=1, options=["-B"])
    until(lambda: len(ticks(log, label)) >= 2, "ticks")
    (keeper,) = [pid for pid in children_of(worker.pid) if children_of(pid)]
    (beat,) = children_of(keeper)
    kill_pid(beat)
    until(lambda: children_of(keeper) not in ([], [beat]), "another beat")
    before = len(ticks(log, label))
    until(lambda: len(ticks(log, label)) >= before + 2, "its ticks")
    assert "beat died" in worker.text()
    assert worker.stop() == 0
    assert not is_alive(keeper)
    flow_on_node.schedule.remove(label)
