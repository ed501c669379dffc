"""Remote control of real supervisors with real children, against a lane server; and the autoscaler by itself."""

from __future__ import annotations

import itertools
import signal
import time
from types import SimpleNamespace
from typing import Any

import pytest
from lane_server import PATIENCE
from worker_app import PlainApp
from worker_process import WorkerUnderTest, gone, run_until_open, until

from ignitetasks import frames
from ignitetasks.errors import ConfigurationError
from ignitetasks.events.event import unpack
from ignitetasks.serializers import Codecs
from ignitetasks.worker import workerevents
from ignitetasks.worker.autoscale import Autoscaler, load

CODECS = Codecs(("msgpack",))
_numbers = itertools.count(1)


def send(one: WorkerUnderTest, command: str, **arguments: Any) -> int:
    number = next(_numbers)
    one.worker.send(frames.CONTROL, [number, command, CODECS.encode([b"", arguments])])
    return number


def answer_to(one: WorkerUnderTest, number: int) -> Any:
    found, reply = one.worker.expect(frames.CONTROL_REPLY)
    assert found == number
    return CODECS.decode(reply)


def ask(one: WorkerUnderTest, command: str, **arguments: Any) -> Any:
    return answer_to(one, send(one, command, **arguments))


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_every_pool_answers(start, pool):
    one = start(pool=pool)
    assert ask(one, "ping") == {"ok": "pong"}
    assert "add" in ask(one, "registered")
    one.worker.send(frames.CONTROL, [0, "ping", b""])
    assert ask(one, "clock")["clock"] > 0


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_active_is_what_the_slot_says(start, tmp_path, pool):
    one = start(pool=pool)
    running = tmp_path / "open"
    (seq,) = run_until_open(one, running)
    until(lambda: is_running(one, seq))
    number = send(one, "active")
    (question,) = one.worker.expect(frames.HELD)
    rows = [held(one, seq, b""), held(one, seq + 1, b"", sent=False)]
    one.worker.send(frames.HELD_REPLY, [question, rows, {"add": 3}])
    (task,) = answer_to(one, number)
    assert (task["id"], task["worker_pid"]) == (f"task-{seq}", one.child.info["pid"])
    assert abs(task["time_start"] - time.time()) < 30
    number = send(one, "reserved")
    (question,) = one.worker.expect(frames.HELD)
    one.worker.send(frames.HELD_REPLY, [question, rows, {}])
    assert [task["id"] for task in answer_to(one, number)] == [f"task-{seq + 1}"]
    running.touch()
    one.child.wait_for(seq)


def is_running(one: WorkerUnderTest, seq: int) -> bool:
    number = send(one, "active")
    (question,) = one.worker.expect(frames.HELD)
    one.worker.send(frames.HELD_REPLY, [question, [held(one, seq, b"")], {}])
    return bool(answer_to(one, number))


def held(one: WorkerUnderTest, seq: int, body: bytes, sent: bool = True) -> list[Any]:
    child = one.child.info
    return [child["child"], child["pid"], seq, sent, 1500, f"task-{seq}", "t", body, 0, "celery", 0, 0, 0, 0, 0]


def test_the_pool_grows_and_shrinks_without_hurting_a_task(start, tmp_path):
    one = start(concurrency=1)
    door = tmp_path / "open"
    (busy,) = run_until_open(one, door)
    assert ask(one, "pool_grow", n=2) == {"ok": "pool will grow"}
    more = [one.server.next_peer("child", child=number) for number in (1, 2)]
    (number,) = more[1].run(("add", (1, 2)))
    more[1].wait_for(number)
    until(lambda: is_running(one, busy))
    assert ask(one, "pool_shrink", n=2) == {"ok": "pool will shrink"}
    for peer in more:
        assert peer.closed.wait(PATIENCE)
        assert peer.said_bye
    assert "1 to" in ask(one, "pool_shrink")["error"]
    number = send(one, "stats")
    (question,) = one.worker.expect(frames.HELD)
    one.worker.send(frames.HELD_REPLY, [question, [], {"add": 1}])
    stats = answer_to(one, number)
    assert stats["pool"]["max-concurrency"] == 1
    assert stats["total"] == {"add": 1}
    assert stats["pid"] == one.pid
    door.touch()
    one.child.wait_for(busy)
    until(lambda: all(gone(peer.info["pid"]) for peer in more))
    assert not gone(one.child.info["pid"])


def test_another_number_of_threads_is_another_process(start):
    one = start(pool="threads", concurrency=2)
    assert ask(one, "pool_grow") == {"ok": "pool will grow"}
    second = one.server.next_peer("child", child=1)
    assert second.info["slots"] == 3
    assert one.child.closed.wait(PATIENCE)
    assert one.child.said_bye


def test_the_pool_restarts(start):
    one = start(concurrency=1)
    assert ask(one, "pool_restart") == {"ok": "reload started"}
    second = one.server.next_peer("child", child=0)
    assert second.info["pid"] != one.child.info["pid"]
    (number,) = second.run(("add", (1, 2)))
    second.wait_for(number)


def test_queues_change(start):
    one = start(queues=["a"])
    assert ask(one, "add_consumer", queue="b") == {"ok": "add consumer b"}
    assert [queue["name"] for queue in ask(one, "active_queues")] == ["a", "b"]


def test_the_node_is_told_the_new_queues(start):
    one = start(queues=["a"])
    send(one, "add_consumer", queue="b")
    assert one.worker.expect(frames.QUEUES) == ["a", "b"]
    send(one, "cancel_consumer", queue="a")
    assert one.worker.expect(frames.QUEUES) == ["b"]


def test_time_limits_hold_for_what_starts_later_and_for_new_children(start):
    one = start(concurrency=1)
    assert ask(one, "time_limit", task_name="deaf", soft=None, hard=0.1) == {"ok": "time limits set successfully"}
    one.child.run("deaf")
    index, _pid, reason, *_ = one.worker.expect(frames.CHILD_DIED)
    assert (index, reason) == (0, "hard_limit")
    second = one.server.next_peer("child", child=0)
    second.run("deaf")
    assert one.worker.expect(frames.CHILD_DIED)[2] == "hard_limit"


def test_a_limit_of_the_call_stays(start, tmp_path):
    one = start(concurrency=1)
    ask(one, "time_limit", task_name="sleep", soft=0.05, hard=None)
    (own,) = one.child.run(("sleep", (0.3,), {"soft_ms": 60_000}))
    assert one.child.wait_for(own)[0][1] == frames.SUCCESS
    (none,) = one.child.run(("sleep", (30,)))
    assert one.child.wait_for(none)[0][5] == "SoftTimeLimitExceeded"


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_time_limits_in_other_pools(start, pool):
    one = start(pool=pool)
    ask(one, "time_limit", task_name="soft", soft=0.05, hard=None)
    path = one.folder / "softly"
    (number,) = one.child.run(("soft", (str(path),))) if pool == "solo" else one.child.run(("spin", (str(path),)))
    if pool == "threads":
        ask(one, "time_limit", task_name="spin", soft=0.05, hard=None)
        (second,) = one.child.run(("spin", (str(path),)))
        path.touch()
        one.child.wait_for(second)
    one.child.wait_for(number)
    assert path.exists()


def test_shutdown_is_warm(start, tmp_path):
    one = start(concurrency=1)
    door = tmp_path / "open"
    (busy,) = run_until_open(one, door)
    until(lambda: is_running(one, busy))
    assert ask(one, "shutdown") == {"ok": "shutting down"}
    assert ask(one, "shutdown") == {"ok": "shutting down"}
    door.touch()
    assert one.child.wait_for(busy)[0][1] == frames.SUCCESS
    assert one.join() == 0


def test_the_autoscaler_follows_the_work(start, tmp_path):
    one = start(concurrency=1, autoscale=(3, 1))
    door = tmp_path / "open"
    one.child.run(("wait_for_file", (str(door),)))
    second = one.server.next_peer("child", child=1)
    second.run(("wait_for_file", (str(door),)))
    one.server.next_peer("child", child=2)
    assert "Adjust autoscale range" in ask(one, "pool_grow")["error"]
    door.touch()


class TestAutoscaler:
    def test_bounds(self):
        scaler = Autoscaler(5, 2)
        assert scaler.decide(0, 1, 0) == 1
        assert scaler.decide(0, 9, 9) == -4
        assert scaler.update(8) == (8, 2)
        assert scaler.update(None, 3) == (8, 3)
        with pytest.raises(ValueError, match="max >= min"):
            scaler.update(1, 2)
        assert Autoscaler(3).min_concurrency == 1

    def test_it_doubles_while_all_are_busy(self):
        scaler = Autoscaler(10, 1)
        sizes, now, size = [], 100.0, 1
        for _ in range(5):
            size += scaler.decide(now, size, size)
            sizes.append(size)
            now += 1
        assert sizes == [2, 4, 8, 10, 10]

    def test_one_look_is_not_lasting_work(self):
        scaler = Autoscaler(10, 1)
        assert scaler.decide(100.0, 1, 1) == 1
        assert scaler.decide(100.1, 2, 2) == 0
        assert scaler.decide(100.3, 2, 2) == 2

    def test_it_shrinks_by_what_was_idle_all_the_time(self):
        scaler = Autoscaler(10, 2, keepalive=30)
        assert scaler.decide(0, 8, 1) == 0
        assert scaler.decide(10, 8, 5) == 0
        assert scaler.decide(29, 8, 2) == 0
        assert scaler.decide(31, 8, 2) == -3
        assert scaler.decide(32, 5, 5) == 5


class Eager(Autoscaler):
    """Grows by one whenever it may."""

    def decide(self, now, size, busy):
        return min(1, self.max_concurrency - size)


@pytest.mark.parametrize("named", [f"{__name__}:Eager", f"{__name__}.Eager", Eager])
def test_the_setting_names_the_autoscaler(named):
    assert load(named) is Eager
    assert load(None) is Autoscaler


@pytest.mark.parametrize("named", ["nowhere:Scaler", f"{__name__}:Nobody", "plain", int, "pathlib:Path"])
def test_an_autoscaler_that_is_none_is_named(named):
    with pytest.raises(ConfigurationError, match="worker_autoscaler names"):
        load(named)


def test_an_autoscaler_whose_rule_nobody_asks_is_refused():
    class Old(Autoscaler):
        def _maybe_scale(self, req=None):
            return False

    class New(Old):
        def decide(self, now, size, busy):
            return 0

    with pytest.raises(ConfigurationError, match=r"Old'>, whose _maybe_scale nobody asks; its rule is decide"):
        load(Old)
    assert load(New) is New


def test_a_worker_uses_the_autoscaler_of_the_settings(start, monkeypatch):
    monkeypatch.setattr(PlainApp, "conf", SimpleNamespace(worker_autoscaler=Eager, task_routes=None), raising=False)
    one = start(concurrency=1, autoscale=(2, 1))
    one.server.next_peer("child", child=1)


# -- events -------------------------------------------------------------------------------------------------------


def events_of(one: WorkerUnderTest, peer: Any, until_type: str) -> list[dict[str, Any]]:
    """Returns the events of a connection up to one of a type."""
    found: list[dict[str, Any]] = []
    while not found or found[-1]["type"] != until_type:
        found += [unpack(data) for data in peer.expect(frames.EVENTS)]
    return found


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo"])
def test_events_of_a_task_in_order(start, pool):
    one = start(pool=pool, events=True)
    (number,) = one.child.run(("add", (1, 2)))
    events = events_of(one, one.child, "task-succeeded")
    assert [event["type"] for event in events] == ["task-received", "task-started", "task-succeeded"]
    received, started, succeeded = events
    assert {event["uuid"] for event in events} == {f"task-{number}"}
    assert (received["name"], received["args"], received["kwargs"]) == ("add", "(1, 2)", "{}")
    assert (received["hostname"], received["root_id"], received["retries"]) == ("w1", f"task-{number}", 0)
    assert started["pid"] == one.child.info["pid"]
    assert succeeded["result"] == "3"
    assert succeeded["runtime"] >= 0
    assert received["timestamp"] <= started["timestamp"] <= succeeded["timestamp"]


def test_events_of_failures(start):
    one = start(events=True)
    one.child.run(("fail", ("broken",)))
    failed = events_of(one, one.child, "task-failed")[-1]
    assert failed["exception"] == "ValueError('broken')"
    assert "raise ValueError(text)" in failed["traceback"]


def test_the_start_of_a_long_task_is_told_at_once(start, tmp_path):
    one = start(events=True)
    door = tmp_path / "open"
    (number,) = one.child.run(("wait_for_file", (str(door),)))
    events_of(one, one.child, "task-started")
    door.touch()
    one.child.wait_for(number)


def test_nothing_is_sent_while_events_are_off_and_they_can_be_switched(start):
    one = start()
    (number,) = one.child.run(("add", (1, 2)))
    one.child.wait_for(number)
    assert ask(one, "enable_events") == {"ok": "task events enabled"}
    one.child.run(("add", (1, 2)))
    assert len(events_of(one, one.child, "task-succeeded")) == 3
    assert ask(one, "disable_events") == {"ok": "task events disabled"}
    (number,) = one.child.run(("add", (1, 2)))
    one.child.wait_for(number)
    assert one.child.kinds.count(frames.EVENTS) in (1, 2, 3)
    assert one.child.kinds[-1] == frames.DONE


def test_new_children_send_events_too(start):
    one = start(concurrency=1)
    ask(one, "enable_events")
    ask(one, "pool_grow")
    second = one.server.next_peer("child", child=1)
    second.run(("add", (1, 2)))
    events_of(one, second, "task-succeeded")


def beats_of(one: WorkerUnderTest) -> list[str]:
    """Returns the types of events that the worker itself has sent since the last look."""
    sent: list[str] = []
    while not one.worker.received.empty():
        kind, value = one.worker.received.get()
        sent += [unpack(data)["type"] for data in value] if kind == frames.EVENTS else []
    return sent


@pytest.mark.parametrize("events", [True, False])
def test_a_heart_is_told_of_while_somebody_listens(start, events, monkeypatch):
    monkeypatch.setattr(workerevents, "FREQ", 0.01)
    one = start(events=events, heartbeats=True)
    events_of(one, one.worker, "worker-online")
    for _ in range(3):
        ask(one, "ping")  # the worker has looked at its clock
    assert beats_of(one) == []
    assert ask(one, "heartbeat", seconds=60.0, now=False) == {"ok": "heartbeat sent"}
    events_of(one, one.worker, "worker-heartbeat")
    events_of(one, one.worker, "worker-heartbeat")
    one.signal(signal.SIGTERM)
    assert one.join() == 0
    assert beats_of(one)[-1] == "worker-offline"


def test_a_worker_without_heartbeat_tells_nobody(start, monkeypatch):
    monkeypatch.setattr(workerevents, "FREQ", 0.01)
    one = start(heartbeats=False)
    ask(one, "heartbeat", seconds=60.0, now=False)
    for _ in range(3):
        ask(one, "ping")
    assert beats_of(one) == []
    send(one, "heartbeat")
    events_of(one, one.worker, "worker-heartbeat")


def test_a_worker_tells_of_itself(start):
    one = start(events=True)
    (online,) = events_of(one, one.worker, "worker-online")
    assert (online["hostname"], online["freq"], online["sw_ident"]) == ("w1", 2.0, "ignitetasks")
    assert online["active"] == 0
    assert ask(one, "heartbeat") == {"ok": "heartbeat sent"}
    one.signal(signal.SIGTERM)
    assert one.join() == 0
    sent = []
    while not one.worker.received.empty():
        kind, value = one.worker.received.get()
        sent += [unpack(data)["type"] for data in value] if kind == frames.EVENTS else []
    assert sent[-1] == "worker-offline"


@pytest.mark.parametrize(("how", "type"), [("revoke", "task-revoked"), ("limit", "task-failed")])
def test_what_is_ended_from_outside_is_told_by_the_worker(start, how, type):
    one = start(events=True)
    fields = {"hard_ms": 300} if how == "limit" else {}
    path = one.folder / "begun"
    (seq,) = one.child.run(("begin", (str(path),), fields))
    until(path.exists)
    if how == "revoke":
        one.worker.send(frames.KILL, [0, one.child.info["pid"], seq, "SIGKILL"])
    (question,) = one.worker.expect(frames.HELD)
    one.worker.send(frames.HELD_REPLY, [question, [held(one, seq, b"")], {}])
    event = events_of(one, one.worker, type)[-1]
    assert event["uuid"] == f"task-{seq}"
    if how == "revoke":
        assert (event["terminated"], event["signum"], event["expired"]) == (True, 9, False)
    else:
        assert event["exception"] == "TimeLimitExceeded(0.3)"
