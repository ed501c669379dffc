"""Real supervisors with real children, forked from the test, against a lane server."""

from __future__ import annotations

import os
import signal
import time

import pytest
from lane_server import CODECS, PATIENCE, shut
from worker_app import make_app
from worker_process import gone, run, run_for_ever, run_until_open, until, value

from ignitetasks import frames
from ignitetasks.message import decode_result
from ignitetasks.worker.main import make_plan
from ignitetasks.worker.node import NodeFinder
from ignitetasks.worker.supervisor import Supervisor


def test_a_worker_introduces_itself_and_its_children(start):
    one = start(concurrency=2, queues=["a", "b"])
    info = one.worker.info
    assert (info["name"], info["queues"], info["concurrency"], info["pool"]) == ("w1", ["a", "b"], 2, "prefork")
    assert (info["pid"], "add" in info["tasks"]) == (one.pid, True)
    assert [child.info["slots"] for child in one.children] == [1, 1]
    assert len({child.info["pid"] for child in one.children} | {one.pid}) == 3
    assert {child.info["epoch"] for child in one.children} == {1}
    assert run(one.child, ("add", (1, 2)), "pid") == [3, one.child.info["pid"]]
    assert os.getpgid(one.child.info["pid"]) == one.child.info["pid"]
    until((one.folder / "ready").exists)


@pytest.mark.parametrize(
    ("task", "detail"),
    [("segfault", "signal SIGSEGV"), ("exit_at_once", "exit code 0"), ("kill_self", "signal SIGKILL")],
)
def test_a_crash_is_reported_with_what_ran_and_the_child_is_replaced(start, task, detail):
    one = start()
    first = one.child
    run(first, "noop")
    seqs = first.run(task, "noop")
    assert one.died() == [0, first.info["pid"], "exit", seqs[0], detail]
    assert run(one.next_child(), ("add", (1, 1))) == [2]


def test_a_killed_idle_child_ran_nothing(start):
    one = start()
    run(one.child, "noop")
    os.kill(one.child.info["pid"], signal.SIGKILL)
    assert one.died()[2:] == ["exit", -1, "signal SIGKILL"]
    one.next_child()


def test_system_exit_in_a_task_leaves_the_child_alive(start):
    one = start()
    for call, error in (("leave", "SystemExit"), ("interrupt", "KeyboardInterrupt"), (("fail", ("x",)), "ValueError")):
        (outcome,) = one.child.wait_for(*one.child.run(call))
        assert outcome[5] == error
    assert run(one.child, "pid") == [one.child.info["pid"]]


def test_the_hard_limit_kills_that_task_only(start):
    one = start(concurrency=2)
    first, other = one.children
    seqs = first.run(("stubborn", (str(one.folder / "s"),), {"hard_ms": 150}))
    started = time.monotonic()
    assert one.died() == [0, first.info["pid"], "hard_limit", seqs[0], "signal SIGKILL"]
    assert 0.1 < time.monotonic() - started < 10
    assert run(other, "pid") == [other.info["pid"]]
    assert run(one.next_child(0), "noop") == [None]


def test_a_later_task_gets_its_own_hard_limit(start):
    one = start()
    limited = {"hard_ms": 1500}
    for _ in range(3):
        run(one.child, ("sleep", (0.6,), limited))
    seqs = one.child.run(("sleep", (600,), limited))
    assert one.died()[2:4] == ["hard_limit", seqs[0]]


def test_worker_wide_limits(start):
    one = start(soft_time_limit=0.05, time_limit=2.0)
    assert one.child.wait_for(*one.child.run(("sleep", (60,))))[0][5] == "SoftTimeLimitExceeded"
    seqs = one.child.run("deaf")
    assert one.died()[2:4] == ["hard_limit", seqs[0]]


def test_kill_ends_the_task_that_is_meant(start):
    one = start()
    seqs = run_for_ever(one)
    pid = one.child.info["pid"]
    one.worker.send(frames.KILL, [0, pid, seqs[0] + 1, "SIGKILL"])
    one.worker.send(frames.KILL, [0, pid + 1, seqs[0], "SIGKILL"])
    one.worker.send(frames.KILL, [7, pid, seqs[0], "SIGKILL"])
    one.worker.send(frames.KILL, [0, pid, seqs[0], "SIGTERM"])
    assert one.died() == [0, pid, "revoked", seqs[0], "signal SIGTERM"]
    one.next_child()


def test_grandchildren_die_with_the_child(start):
    one = start()
    path = one.folder / "grandchild"
    seqs = one.child.run(("grandchild", (str(path),)))
    until(lambda: path.exists() and path.read_text() != "")
    pid = int(path.read_text())
    assert not gone(pid)
    one.worker.send(frames.KILL, [0, one.child.info["pid"], seqs[0], "SIGKILL"])
    assert one.died()[2] == "revoked"
    until(lambda: gone(pid))


def test_noise_closed_streams_and_forks_do_not_disturb_the_protocol(start):
    one = start()
    lines = 1_000_000
    assert run(one.child, ("chatter", (lines,))) == [lines]
    until(lambda: (one.folder / "output").read_text().endswith("line 999999\n"))
    assert run(one.child, "fork_quietly") == [0]
    assert run(one.child, "close_standard_streams") == [[0, 1, 2]]
    assert run(one.child, ("add", (20, 22))) == [42]


@pytest.mark.parametrize("how", ["return", "raise", "exit"])
def test_a_copy_that_a_task_forks_does_not_speak_for_the_child(start, how):
    one = start()
    assert run(one.child, ("fork_and_go_on", (how,))) == ["the task"]
    assert run(one.child, ("add", (20, 22))) == [42]


def test_a_result_that_cannot_be_serialised(start):
    one = start()
    assert one.child.wait_for(*one.child.run("unserialisable"))[0][5] == "SerializationError"


def test_large_values_travel_beside_the_lane(start):
    one = start()
    outcome = one.child.wait_for(*one.child.run(("big", (3_000_000,))))[0]
    assert outcome[3] == frames.OUTCOME_REF
    assert decode_result(CODECS, "", one.server.blobs["task-1/r1"]) == b"x" * 3_000_000


def test_warm_shutdown_lets_running_tasks_end_and_returns_the_rest(start):
    one = start()
    go = one.folder / "go"
    seqs = one.child.run(("wait_for_file", (str(go),)), "noop")
    assert one.child.wait_for(seqs[1])[0][5] == "slow"
    one.signal(signal.SIGTERM)
    one.worker.expect(frames.DRAIN)
    assert not one.child.closed.is_set()
    go.touch()
    assert value(one.child.wait_for(seqs[0])[0]) == str(go)
    assert one.join() == 0
    assert one.child.said_bye


def test_warm_shutdown_of_an_idle_worker(start):
    one = start(concurrency=2)
    one.signal(signal.SIGINT)
    assert one.join() == 0
    assert frames.CHILD_DIED not in one.worker.kinds
    until(lambda: all(gone(child.info["pid"]) for child in one.children))


@pytest.mark.parametrize(
    "signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM, signal.SIGQUIT), (signal.SIGQUIT,)]
)
def test_cold_shutdown_returns_running_tasks(start, signals):
    one = start()
    seqs = run_for_ever(one)
    for number, signum in enumerate(signals):
        one.signal(signum)
        if number + 1 < len(signals):
            one.worker.expect(frames.DRAIN)  # it has taken note: a second signal of the same kind would get lost
    assert one.died()[2:4] == ["shutdown", seqs[0]]
    assert one.join() == 0
    assert gone(one.child.info["pid"])


def test_hang_up_restarts_the_children_after_their_tasks(start):
    one = start()
    go = one.folder / "go"
    seqs = run_until_open(one, go)
    one.signal(signal.SIGHUP)
    one.turn()
    go.touch()
    first = one.child
    first.wait_for(*seqs)
    assert run(one.next_child(), "pid") != [first.info["pid"]]
    assert first.said_bye
    assert frames.CHILD_DIED not in one.worker.kinds


def test_children_are_recycled_without_a_report_of_death(start):
    one = start(max_tasks_per_child=2)
    run(one.child, "pid")
    outcomes = one.child.wait_for(*one.child.run("pid", "pid"))
    assert [outcome[1] for outcome in outcomes] == [frames.SUCCESS, frames.GIVE_BACK]
    one.next_child()
    assert frames.CHILD_DIED not in one.worker.kinds


def test_a_worker_survives_its_node(start, lane_server):
    one = start(concurrency=2)
    run_for_ever(one)
    pids = [child.info["pid"] for child in one.children]
    lane_server.die()
    until(lambda: all(map(gone, pids)))
    time.sleep(0.3)
    lane_server.listen()
    worker = lane_server.next_peer("worker")
    assert worker.info["pid"] == one.pid
    child = lane_server.next_peer("child", child=0)
    assert child.info["epoch"] != 1
    assert run(child, ("add", (2, 2))) == [4]
    one.worker = worker
    one.signal(signal.SIGTERM)
    assert one.join() == 0


def test_a_worker_waiting_for_its_node_can_be_stopped(start, lane_server):
    one = start()
    lane_server.die()
    until(lambda: gone(one.child.info["pid"]))
    one.signal(signal.SIGINT)
    assert one.join() == 0


def test_a_child_that_loses_its_own_connection_is_replaced(start):
    one = start()
    shut(one.child)
    assert one.died()[2:4] == ["exit", -1]
    assert run(one.next_child(), "noop") == [None]


def test_children_die_with_a_killed_supervisor(start):
    one = start(concurrency=2)
    run_for_ever(one)
    one.signal(signal.SIGKILL)
    one.join()
    until(lambda: all(gone(child.info["pid"]) for child in one.children))
    assert one.worker.closed.wait(PATIENCE)


def test_children_that_never_start_are_given_up(lane_server, tmp_path, monkeypatch):
    monkeypatch.setattr("ignitetasks.worker.children._BACKOFF_SECONDS", 0.001)
    app = make_app(tmp_path)
    supervisor = Supervisor(app, make_plan(app, concurrency=1), NodeFinder(app.settings, lambda _: lane_server.address))
    monkeypatch.setattr("ignitetasks.worker.pools.run_loop", lambda *_: os._exit(1))
    assert supervisor.run() == 1


def test_threads_in_one_child(start):
    one = start(pool="threads", concurrency=3)
    outcomes = one.child.wait_for(*one.child.run(*[("meet", (str(one.folder), 3))] * 3))
    assert len({value(outcome) for outcome in outcomes}) == 3
    assert one.child.info["slots"] == 3
    one.worker.send(frames.KILL, [0, one.child.info["pid"], 1, "SIGKILL"])
    seqs = one.child.run("segfault")
    assert one.died()[2:4] == ["exit", seqs[0]]


def test_solo_runs_tasks_in_the_worker_itself(start):
    one = start(pool="solo")
    assert run(one.child, "pid") == [one.pid]
    assert one.child.wait_for(*one.child.run(("sleep", (60,), {"hard_ms": 30})))[0][5] == "TimeLimitExceeded"
    seqs = one.child.run(("sleep", (0.1,)))
    time.sleep(0.03)
    one.signal(signal.SIGINT)
    assert value(one.child.wait_for(*seqs)[0]) == 0.1
    assert one.join() == 0


def test_solo_can_be_stopped_cold_and_survives_its_node(start, lane_server):
    one = start(pool="solo")
    lane_server.die()
    time.sleep(0.1)
    lane_server.listen()
    run_for_ever(one, lane_server.next_peer("child"))
    one.signal(signal.SIGQUIT)
    assert one.join() == 0
