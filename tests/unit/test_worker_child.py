"""The loop of a child, against a lane server; the child runs in a thread of the test."""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable

import pytest
from lane_server import CODECS, PATIENCE, LaneServer, Peer, shut
from worker_app import PlainApp, make_app

from ignitetasks import errors, frames
from ignitetasks.message import TRACK_STARTED, decode_result
from ignitetasks.worker.base import DRAIN, RECYCLE, ChildPort
from ignitetasks.worker.child import SequentialChild
from ignitetasks.worker.execute import Executor
from ignitetasks.worker.limits import ThreadLimit
from ignitetasks.worker.model import ExecutorSettings
from ignitetasks.worker.outbox import Outbox
from ignitetasks.worker.slots import IDLE, LEAVING, READY, Slots
from ignitetasks.worker.threads import ThreadedChild


class ChildUnderTest:
    """A child in a thread, and the node's side of its connection."""

    def __init__(self, server: LaneServer, app: PlainApp, threads: int = 0, **port: int):
        self.slots = Slots(1)
        control, self.control = os.pipe()
        self.notify = os.eventfd(0, os.EFD_NONBLOCK)
        self.port = ChildPort(0, self.slots, control, self.notify, **port)
        info = {"epoch": 1, "child": 0, "pid": os.getpid(), "slots": threads or 1}
        connection = frames.LaneConnection.open(server.address.lane, server.address.token, "child", info)
        executor = Executor(app.tasks, CODECS, None, ExecutorSettings("w"), ThreadLimit())
        self.child: SequentialChild | ThreadedChild
        if threads:
            self.child = ThreadedChild(connection, executor, self.port, threads)
        else:
            self.child = SequentialChild(connection, executor, self.port)
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()
        self.peer: Peer = server.next_peer("child")

    def _run(self) -> None:
        try:
            self.child.run()
        except BaseException as error:
            self.error = error

    def join(self) -> None:
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()

    def close(self) -> None:
        shut(self.peer)
        self.join()
        self.child.connection.close()
        for fd in (self.control, self.notify, self.port.control):
            os.close(fd)


@pytest.fixture
def start(lane_server, tmp_path):
    started: list[ChildUnderTest] = []

    def make(**options: int) -> ChildUnderTest:
        started.append(ChildUnderTest(lane_server, make_app(tmp_path), **options))
        return started[-1]

    yield make
    for path in ("go", "go2"):
        (tmp_path / path).touch()
    for one in started:
        one.close()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_a_batch_is_answered_in_order_and_together(start, monkeypatch):
    # A busy machine makes any task slow.
    monkeypatch.setattr("ignitetasks.worker.child.SLOW_SECONDS", PATIENCE)
    one = start()
    one.peer.wait_for(*one.peer.run("noop"))  # from now on known to be short
    seqs = one.peer.run(*[("add", (n, n)) for n in range(50)])
    outcomes = one.peer.wait_for(*seqs)
    assert [decode_result(CODECS, "", outcome[2]) for outcome in outcomes] == [2 * n for n in range(50)]
    assert [outcome[0] for batch in one.peer.batches for outcome in batch] == [1, *seqs]
    assert len(one.peer.batches) < 40
    assert all(isinstance(outcome[4], int) for outcome in outcomes)
    until(lambda: one.slots.counts(0) == (51, 0))
    assert one.slots.running(0).seq == IDLE
    assert one.slots.state(0) == READY


def test_thousands_of_short_tasks(start):
    one = start()
    seqs = [seq for _ in range(40) for seq in one.peer.run(*["noop"] * 100)]
    one.peer.wait_for(*seqs)
    # Those behind one that took too long on a busy machine come back together.
    assert sorted(one.peer.outcomes) == seqs
    assert max(map(len, one.peer.batches)) <= 100


def test_what_waits_behind_a_slow_task_goes_back_and_results_before_it_are_sent(start, tmp_path):
    one = start()
    one.peer.wait_for(*one.peer.run(*["noop"] * 5))
    seqs = one.peer.run("noop", ("wait_for_file", (str(tmp_path / "go"),)), "noop", "noop")
    first, *rest = one.peer.wait_for(seqs[0], *seqs[2:])
    assert first[1] == frames.SUCCESS
    assert [(outcome[1], outcome[5]) for outcome in rest] == [(frames.GIVE_BACK, "slow")] * 2
    assert seqs[1] not in one.peer.outcomes
    assert one.slots.running(0).seq == seqs[1]
    (tmp_path / "go").touch()
    assert one.peer.wait_for(seqs[1])[0][1] == frames.SUCCESS


def test_a_task_that_never_lets_go_of_the_interpreter_hoards_nothing(start, tmp_path):
    one = start()
    seqs = one.peer.run(("spin", (str(tmp_path / "go"),)), "noop")
    assert one.peer.wait_for(seqs[1])[0][5] == "slow"
    (tmp_path / "go").touch()
    one.peer.wait_for(*seqs)


def test_deliveries_that_arrive_during_a_slow_task_go_back_too(start, tmp_path):
    one = start()
    slow = one.peer.run(("wait_for_file", (str(tmp_path / "go"),)))
    until(lambda: one.slots.running(0).seq == slow[0])
    for _ in range(3):
        late = one.peer.run("noop", "noop")
        assert {outcome[5] for outcome in one.peer.wait_for(*late)} == {"slow"}
    (tmp_path / "go").touch()
    one.peer.wait_for(*slow)
    assert one.peer.wait_for(*one.peer.run("noop"))[0][1] == frames.SUCCESS


def test_what_was_sent_before_the_node_knew_of_a_slow_task_is_not_run(start, tmp_path):
    one = start()
    one.peer.wait_for(*one.peer.run("noop"))
    one.peer.takes_back = False
    slow, *rest = one.peer.run(("wait_for_file", (str(tmp_path / "go"),)), "noop", "noop")
    one.peer.wait_for(*rest)
    late = one.peer.run("noop", "noop")
    (tmp_path / "go").touch()
    one.peer.wait_for(slow)
    one.peer.send(frames.TAKEN_BACK, {})
    again = one.peer.run("noop")
    assert one.peer.wait_for(*again)[0][1] == frames.SUCCESS
    assert not one.peer.outcomes.keys() & set(late)


def test_stop_during_a_task_returns_the_rest_and_lets_the_task_end(start, tmp_path):
    one = start()
    slow = one.peer.run(("wait_for_file", (str(tmp_path / "go"),)))
    until(lambda: one.slots.running(0).seq == slow[0])
    time.sleep(0.05)
    one.peer.send(frames.STOP, {})
    late = one.peer.run("noop")
    assert one.peer.wait_for(*late)[0][1] == frames.GIVE_BACK
    assert not one.peer.said_bye
    (tmp_path / "go").touch()
    one.peer.wait_for(*slow)
    one.peer.expect(frames.BYE)
    one.join()
    assert one.error is None
    assert one.slots.state(0) == LEAVING


def test_stop_while_idle_ends_at_once(start):
    one = start()
    one.peer.send(frames.STOP, {})
    one.peer.expect(frames.BYE)
    one.join()


def test_stop_between_short_tasks_returns_what_has_not_started(start, tmp_path):
    one = start()
    one.peer.run(("touch", (str(tmp_path / "begun"),)), *[("sleep", (0.002,))] * 300)
    until((tmp_path / "begun").exists)
    one.peer.send(frames.STOP, {})
    one.peer.expect(frames.BYE)
    kinds = [one.peer.outcomes[seq][1] for seq in range(1, 302)]
    assert kinds == sorted(kinds)
    assert kinds[-1] == frames.GIVE_BACK


@pytest.mark.parametrize("byte", [RECYCLE, DRAIN])
def test_the_supervisor_asks_a_child_to_leave(start, byte):
    one = start()
    os.write(one.control, byte)
    one.peer.expect(frames.BYE)
    one.join()
    assert one.slots.state(0) == LEAVING


def test_a_child_is_recycled_after_its_number_of_tasks(start):
    one = start(max_tasks=3)
    seqs = one.peer.run(*["noop"] * 10)
    one.peer.expect(frames.BYE)
    outcomes = [one.peer.outcomes[seq] for seq in seqs]
    assert [outcome[1] for outcome in outcomes] == [frames.SUCCESS] * 3 + [frames.GIVE_BACK] * 7
    assert {outcome[5] for outcome in outcomes[3:]} == {"recycle"}
    one.join()


def test_a_child_is_recycled_when_it_has_grown(start):
    one = start(max_memory_kib=1)
    seqs = one.peer.run("noop", "noop")
    one.peer.expect(frames.BYE)
    assert [one.peer.outcomes[seq][1] for seq in seqs] == [frames.SUCCESS, frames.GIVE_BACK]


def test_tasks_that_are_not_registered_go_back(start):
    one = start()
    seqs = one.peer.run("noop", "unheard_of", "noop")
    outcomes = one.peer.wait_for(*seqs)
    assert [outcome[1] for outcome in outcomes] == [frames.SUCCESS, frames.GIVE_BACK, frames.SUCCESS]
    assert outcomes[1][5] == "not_registered"


def test_tracked_tasks_say_when_they_start(start, tmp_path):
    one = start()
    seqs = one.peer.run(("wait_for_file", (str(tmp_path / "go"),), {"flags": TRACK_STARTED}))
    assert one.peer.expect(frames.DONE) == [[seqs[0], frames.STARTED, None, 0, 0, [os.getpid()], None]]
    (tmp_path / "go").touch()
    one.peer.wait_for(*seqs)


def test_a_hard_limit_is_written_to_the_slot_and_announced_when_needed(start, tmp_path):
    one = start()
    assert select.select([one.notify], [], [], PATIENCE)[0]
    os.eventfd_read(one.notify)  # it was ready
    seqs = one.peer.run(("wait_for_file", (str(tmp_path / "go"),), {"hard_ms": 60_000}))
    until(lambda: one.slots.running(0).seq == seqs[0])
    running = one.slots.running(0)
    assert running.hard_ms == 60_000
    assert running.deadline == pytest.approx(time.monotonic() + 60, abs=5)
    (tmp_path / "go").touch()
    one.peer.wait_for(*seqs)
    assert os.eventfd_read(one.notify) == 1
    one.peer.wait_for(*one.peer.run(("noop", (), {"hard_ms": 70_000})))
    with pytest.raises(BlockingIOError):
        os.eventfd_read(one.notify)
    one.peer.wait_for(*one.peer.run(("noop", (), {"hard_ms": 1000})))
    assert os.eventfd_read(one.notify) == 1


def test_the_end_of_the_node_ends_the_child_in_any_state(start, tmp_path):
    idle, busy = start(), start()
    slow = busy.peer.run(("wait_for_file", (str(tmp_path / "go"),)))
    until(lambda: busy.slots.running(0).seq == slow[0])
    for one in (idle, busy):
        shut(one.peer)
    (tmp_path / "go").touch()
    for one in (idle, busy):
        one.join()
        assert isinstance(one.error, frames.LaneClosed)
        assert isinstance(one.error, errors.OperationalError)


def test_a_batch_too_large_for_a_frame_is_split(start):
    one = start()
    one.peer.wait_for(*one.peer.run("noop"))
    sent = []
    outbox = Outbox(one.child.connection)
    for number in range(100):
        outbox.add((1000 + number, frames.SUCCESS, b"x" * 60_000, 0, 1, None))
        sent.append(1000 + number)
    outbox.flush()
    assert [outcome[0] for outcome in one.peer.wait_for(*sent)] == sent


def test_threads_run_side_by_side(start, tmp_path):
    one = start(threads=4)
    seqs = one.peer.run(*[("meet", (str(tmp_path), 4))] * 4)
    names = {decode_result(CODECS, "", outcome[2]) for outcome in one.peer.wait_for(*seqs)}
    assert len(names) == 4


def test_threads_give_back_what_would_wait_and_answer_what_is_done(start, tmp_path):
    one = start(threads=2)
    go = str(tmp_path / "go")
    seqs = one.peer.run(("wait_for_file", (go,)), ("wait_for_file", (go,)), "noop", "noop")
    assert {outcome[5] for outcome in one.peer.wait_for(*seqs[2:])} == {"slow"}
    assert one.slots.running(0).seq == seqs[0]
    (tmp_path / "go").touch()
    one.peer.wait_for(*seqs)
    until(lambda: one.slots.running(0).seq == IDLE)


def test_threads_answer_thousands(start):
    one = start(threads=3)
    seqs = [seq for _ in range(20) for seq in one.peer.run(*["noop"] * 50)]
    outcomes = one.peer.wait_for(*seqs)
    assert {outcome[1] for outcome in outcomes} <= {frames.SUCCESS, frames.GIVE_BACK}
    assert sorted(one.peer.outcomes) == seqs


def test_threads_let_running_tasks_end_at_stop(start, tmp_path):
    one = start(threads=2)
    slow = one.peer.run(("wait_for_file", (str(tmp_path / "go"),)))
    until(lambda: one.slots.running(0).seq == slow[0])
    one.peer.send(frames.STOP, {})
    time.sleep(0.05)
    assert not one.peer.said_bye
    (tmp_path / "go").touch()
    one.peer.expect(frames.BYE)
    assert one.peer.outcomes[slow[0]][1] == frames.SUCCESS
    one.join()


def test_threads_are_recycled_and_limited(start):
    one = start(threads=2, max_tasks=1)
    limited = one.peer.run(("spin", ("/nowhere/at/all",), {"soft_ms": 30}))
    assert one.peer.wait_for(*limited)[0][5] == "SoftTimeLimitExceeded"
    one.peer.expect(frames.BYE)
    one.join()


def test_threads_end_with_the_node(start):
    one = start(threads=2)
    shut(one.peer)
    one.join()
    assert isinstance(one.error, frames.LaneClosed)
