"""One long poll for all who wait."""

from __future__ import annotations

import gc
import os
import threading
import time
import weakref

import pytest
from fakes import FakeTransport

from ignitetasks import hub as hub_module
from ignitetasks.errors import NotConnected
from ignitetasks.hub import ResultHub, Waiter
from ignitetasks.message import EXPIRED_STATE, Ahead, Group, Template


class World:
    """A hub, its node, and shorthands."""

    def __init__(self):
        self.transport = FakeTransport()
        self.node = self.transport.node
        self.hub = ResultHub(self.transport, 0.3)

    def submit(self, *ids):
        answer = self.transport.submit([Group(Template("t", "q"), [(one, b"b", None) for one in ids])])
        return self.hub.epoch(answer.session)

    def waiter(self, ids, epoch):
        got = {}
        waiter = Waiter(len(ids), lambda one: got.__setitem__(one.id, one))
        self.hub.register(waiter, ids, epoch)
        return waiter, got


@pytest.fixture
def world():
    return World()


def test_own_ids_cost_no_watch(world):
    epoch = world.submit("a", "b")
    waiter, got = world.waiter(["a", "b"], epoch)
    world.node.complete("a")
    world.node.complete("b")
    assert world.hub.wait(waiter, 1)
    assert set(got) == {"a", "b"}
    assert world.node.count("watch") == 0
    assert world.node.count("poll") == 1


def test_foreign_ids_are_watched_in_batches(world):
    ids = [f"i{n}" for n in range(12_000)]
    world.submit(*ids)
    for one in ids[:6000]:
        world.node.complete(one)
    other = World.__new__(World)
    other.transport = FakeTransport(world.node)
    other.node, other.hub = world.node, ResultHub(other.transport)
    waiter, got = other.waiter(ids, None)
    assert world.node.count("watch") == 3
    assert len(got) == 6000
    for one in ids[6000:]:
        world.node.complete(one)
    assert other.hub.wait(waiter, 5)
    assert len(got) == 12_000
    assert world.node.count("poll") <= 5


def test_timeout(world):
    waiter, _ = world.waiter(["a"], world.submit("a"))
    start = time.monotonic()
    assert not world.hub.wait(waiter, 0.1)
    assert 0.05 < time.monotonic() - start < 1
    assert not world.hub._leading and not world.hub._followers


def test_leader_hands_over_and_followers_get_theirs(world):
    epoch = world.submit(*[f"i{n}" for n in range(20)])
    done = []

    def wait(task_id):
        waiter, got = world.waiter([task_id], epoch)
        assert world.hub.wait(waiter, 5)
        done.append(list(got))

    threads = [threading.Thread(target=wait, args=(f"i{n}",)) for n in range(20)]
    for thread in threads:
        thread.start()
    for n in reversed(range(20)):
        time.sleep(0.002)
        world.node.complete(f"i{n}")
    for thread in threads:
        thread.join(5)
    assert len(done) == 20
    assert not world.hub._followers


def test_only_one_poll_at_a_time(world):
    polling, most = [], []
    inner = world.transport.poll

    def poll(*args):
        polling.append(1)
        most.append(len(polling))
        try:
            return inner(*args)
        finally:
            polling.pop()

    world.transport.poll = poll
    epoch = world.submit(*[f"i{n}" for n in range(50)])

    def wait(task_id):
        waiter, _ = world.waiter([task_id], epoch)
        assert world.hub.wait(waiter, 5)

    threads = [threading.Thread(target=wait, args=(f"i{n}",)) for n in range(50)]
    for thread in threads:
        thread.start()
    for n in range(50):
        world.node.complete(f"i{n}")
    for thread in threads:
        thread.join(5)
        assert not thread.is_alive()
    assert max(most) == 1


def test_a_follower_whose_time_is_over_does_not_swallow_the_lead(world):
    epoch = world.submit("a", "b", "c")
    results = {}

    def wait(task_id, timeout):
        waiter, _ = world.waiter([task_id], epoch)
        results[task_id] = world.hub.wait(waiter, timeout)

    threads = [threading.Thread(target=wait, args=args) for args in (("a", 0.15), ("b", 0.2), ("c", 5.0))]
    for thread in threads:
        thread.start()
    time.sleep(0.4)
    world.node.complete("c")
    for thread in threads:
        thread.join(5)
    assert results == {"a": False, "b": False, "c": True}


def test_dropped_mail_is_asked_for(world):
    epoch = world.submit("a", "b", "later")
    waiter, got = world.waiter(["a", "b"], epoch)
    for one in ("a", "b", "later"):
        world.node.complete(one)
    world.node.lose_mail()
    assert world.hub.wait(waiter, 2)
    assert set(got) == {"a", "b"}
    # A handle nobody waited for when the mail was lost has to ask too.
    waiter, got = world.waiter(["later"], epoch)
    assert world.hub.wait(waiter, 1)


def test_lost_session_is_replaced(world):
    epoch = world.submit("a", "b")
    waiter, got = world.waiter(["a", "b"], epoch)
    world.node.complete("a")
    world.node.lose_sessions()
    threading.Timer(0.1, lambda: world.node.complete("b")).start()
    assert world.hub.wait(waiter, 3)
    assert set(got) == {"a", "b"}
    assert world.node.count("hello") == 2


def test_lost_session_during_the_poll(world):
    epoch = world.submit("a")
    waiter, _ = world.waiter(["a"], epoch)
    threading.Timer(0.1, world.node.lose_sessions).start()
    threading.Timer(0.3, lambda: world.node.complete("a")).start()
    assert world.hub.wait(waiter, 3)


def test_silence_makes_it_ask_again(world, monkeypatch):
    monkeypatch.setattr(hub_module, "_QUIET_SECONDS", 0.1)
    monkeypatch.setattr(hub_module, "POLL_SECONDS", 0.05)
    world.hub._renew()
    epoch = world.submit("a")
    waiter, _ = world.waiter(["a"], epoch)
    world.node.watchers.clear()  # the node forgot whom to tell, and does not know it
    world.node.complete("a")
    assert world.hub.wait(waiter, 3)
    assert world.node.count("watch") == 1


def test_unclaimed_completions_are_kept_and_claimed_once(world):
    epoch = world.submit("a", "b")
    world.node.complete("b")
    world.node.complete("a")
    waiter, _ = world.waiter(["a"], epoch)
    assert world.hub.wait(waiter, 1)
    assert world.hub.claim("b").id == "b"
    assert world.hub.claim("b") is None


def test_unclaimed_completions_are_bounded(world, monkeypatch):
    monkeypatch.setattr(hub_module, "UNCLAIMED_ITEMS", 10)
    ids = [f"i{n}" for n in range(30)]
    epoch = world.submit(*ids)
    for one in ids:
        world.node.complete(one, "x" * 100)
    world.hub.pump()
    assert len(world.hub._unclaimed) == 10
    # Those that were let go are asked for.
    waiter, got = world.waiter(ids, epoch)
    assert world.hub.wait(waiter, 1)
    assert len(got) == 30
    assert world.hub._unclaimed_bytes == 0


def test_unclaimed_bytes_are_bounded(world, monkeypatch):
    monkeypatch.setattr(hub_module, "UNCLAIMED_BYTES", 1000)
    world.submit("a", "b", "c")
    for one in "abc":
        world.node.complete(one, "x" * 600)
    world.hub.pump()
    assert len(world.hub._unclaimed) == 1


def test_expired_is_delivered(world):
    world.node.expired.add("old")
    waiter, got = world.waiter(["old"], None)
    assert waiter.satisfied
    assert got["old"].state == EXPIRED_STATE


def test_two_waiters_for_one_id(world):
    epoch = world.submit("a")
    first, got_first = world.waiter(["a"], epoch)
    second, got_second = world.waiter(["a"], epoch)
    third, got_third = world.waiter(["a"], epoch)
    world.hub.unregister(third, ["a"])
    world.node.complete("a")
    assert world.hub.wait(first, 1) and world.hub.wait(second, 1)
    assert got_first and got_second and not got_third
    assert not world.hub._interest


def test_who_leaves_while_the_lock_is_held_is_forgotten_before_the_next_end(world):
    epoch = world.submit("a", "b")
    leaving, heard = world.waiter(["a"], epoch)
    with world.hub._lock:  # as when garbage is collected in the middle of a registration
        world.hub.unregister(leaving, ["a"])
    waiter, got = world.waiter(["a", "b"], epoch)
    world.node.complete("a")
    world.node.complete("b")
    assert world.hub.wait(waiter, 5)
    assert (set(got), heard) == ({"a", "b"}, {})


def test_a_finalizer_does_not_wait_for_its_own_thread(world):
    class List:
        pass

    epoch = world.submit("a", "b", "c")
    waiters = []
    for name in "abc":
        one, me = List(), List()
        one.me, me.one = me, one  # a cycle: found by the collector, in the middle of whatever allocates
        waiter, _ = world.waiter([name], epoch)
        waiters.append(waiter)
        weakref.finalize(one, world.hub.unregister, waiter, [name]).atexit = False
        del one, me
    done = threading.Event()

    def collect():
        with world.hub._lock:
            gc.collect()
        done.set()

    threading.Thread(target=collect, daemon=True).start()
    assert done.wait(20)
    world.hub.pump()
    late, _ = world.waiter(["a"], epoch)
    assert set(world.hub._interest) == {"a"}
    world.hub.unregister(late, ["a"])
    assert world.hub._interest == {}


def test_unreachable_node_is_waited_for_within_the_patience(world):
    epoch = world.submit("a")
    waiter, _ = world.waiter(["a"], epoch)
    inner, fails = world.transport.poll, [1, 1]

    def poll(*args):
        if fails:
            fails.pop()
            raise NotConnected("down")
        return inner(*args)

    world.transport.poll = poll
    world.node.complete("a")
    assert world.hub.wait(waiter, 2)


def test_unreachable_for_too_long(world):
    waiter, _ = world.waiter(["a"], world.submit("a"))

    def poll(*args):
        raise NotConnected("down")

    world.transport.poll = poll
    with pytest.raises(NotConnected):
        world.hub.wait(waiter, 5)
    assert not world.hub._leading


def test_child_of_a_fork_starts_anew(world):
    epoch = world.submit("a")
    waiter, _ = world.waiter(["a"], epoch)
    world.hub._leading = True  # as if another thread were polling
    pid = os.fork()
    if pid == 0:
        world.transport._session = None
        mine, _ = world.waiter(["a"], epoch)
        world.node.complete("a")
        os._exit(0 if world.hub.wait(mine, 2) else 1)
    assert os.waitpid(pid, 0)[1] == 0
    world.hub._leading = False
    world.node.complete("a")
    assert world.hub.wait(waiter, 1)


@pytest.mark.parametrize("when", ["before the poll", "after the poll"])
def test_word_of_a_dead_letter_that_was_retried_is_old(world, when):
    epoch = world.submit("a")
    world.node.complete("a", state=6)
    if when == "after the poll":
        world.hub.pump()
    world.node.revive("a")
    waiter, got = world.waiter(["a"], epoch)
    assert not world.hub.wait(waiter, 0.2)
    world.node.complete("a")
    assert world.hub.wait(waiter, 1)
    assert got["a"].state == 3


def test_a_dead_letter_is_an_end(world):
    waiter, got = world.waiter(["a"], world.submit("a"))
    world.node.complete("a", state=6)
    assert world.hub.wait(waiter, 1)
    assert got["a"].state == 6


def test_who_waits_hears_what_a_running_task_says(world):
    epoch = world.submit("talker")
    heard = []
    waiter, got = world.waiter(["talker"], epoch)
    waiter.hear = heard.append
    deaf, also = world.waiter(["talker"], epoch)
    with world.node.lock:
        box = world.node.mail[epoch.session.number]
        box += [["talker", -3, b"half", 0], ["nobody", -3, b"half", 0], ["talker", 3, b"end", 0]]
    assert world.hub.wait(waiter, 5)
    assert world.hub.wait(deaf, 5)
    assert [one.payload for one in heard] == [b"half"]
    assert (got["talker"].payload, also["talker"].payload) == (b"end", b"end")
    assert world.hub.claim("nobody") is None


def test_a_poll_goes_ahead_only_after_a_submit_that_was_waited_for(world):
    epoch = world.submit("a")
    assert world.hub.ahead() is None
    waiter, _ = world.waiter(["a"], epoch)
    world.node.complete("a")
    assert world.hub.wait(waiter, 1)
    assert world.hub.ahead() == Ahead(epoch.session.number, 1)
    assert world.hub.ahead() is None  # as for somebody who sends many and waits then


def test_no_poll_goes_ahead_while_another_thread_polls(world):
    epoch = world.submit("a", "b")
    waiter, _ = world.waiter(["a"], epoch)
    world.node.complete("a")
    assert world.hub.wait(waiter, 1)
    other, _ = world.waiter(["b"], epoch)
    thread = threading.Thread(target=world.hub.wait, args=(other, 5))
    thread.start()
    while not world.hub._leading:
        time.sleep(0.001)
    assert world.hub.ahead() is None
    world.node.complete("b")
    thread.join()
