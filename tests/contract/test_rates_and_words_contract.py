"""What both homes do with progress, with revokes of ids that nobody has sent yet, and with rates."""

from __future__ import annotations

import itertools
import time
import uuid

import msgpack
import pytest
from puppet import CODECS

from ignitetasks import errors, frames, rates, states
from ignitetasks.hub import Waiter
from ignitetasks.message import PROGRESS_STATE, decode_result

LIMIT = 20
_numbers = itertools.count(1)


def until(condition):
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


# -- progress ---------------------------------------------------------------------------------------------------------


def test_the_last_word_of_a_running_task_is_on_record(bench):
    (task_id,) = bench.submit()
    puppet = bench.puppet()
    delivery = puppet.take()
    puppet.tell(delivery, "LOADING", {"done": 1})
    puppet.tell(delivery, "SAVING", {"done": 2})
    until(lambda: bench.info(task_id)["note"] == "SAVING")
    record = bench.info(task_id)
    assert record["state"] == states.CODES["STARTED"]
    assert record["started_ms"] > 0
    assert decode_result(CODECS, task_id, record["result"]) == {"done": 2}
    puppet.end(delivery, value="over")
    assert bench.value(task_id) == "over"
    assert bench.info(task_id)["note"] is None


def test_who_waits_hears_the_last_word_before_the_end(bench):
    (task_id,) = bench.submit()
    puppet = bench.puppet()
    delivery = puppet.take()
    heard, ends = [], []
    waiter = Waiter(1, ends.append)
    waiter.hear = heard.append
    bench.client.hub.register(waiter, [task_id], None)
    for number in range(1000):
        puppet.tell(delivery, "COUNTING", number)
    puppet.end(delivery, value="over")
    assert bench.client.hub.wait(waiter, LIMIT)
    assert {word.state for word in heard} == {PROGRESS_STATE}
    state, data = msgpack.unpackb(heard[-1].payload)
    assert (state, decode_result(CODECS, task_id, data)) == ("COUNTING", 999)
    assert len(ends) == 1


@pytest.mark.parametrize("kind", [frames.RETRY, frames.GIVE_BACK])
def test_a_word_belongs_to_its_execution(bench, kind):
    (task_id,) = bench.submit()
    puppet = bench.puppet()
    delivery = puppet.take()
    puppet.tell(delivery, "HALF", 50)
    until(lambda: bench.info(task_id)["note"] == "HALF")
    extra = "drain" if kind == frames.GIVE_BACK else [0, None, None, -1, "ValueError", -1, 0]
    puppet.end(delivery, kind, error=ValueError("again") if kind == frames.RETRY else None, extra=extra)
    again = puppet.take()
    assert bench.info(task_id)["note"] is None
    puppet.tell(delivery, "STALE", 1)
    puppet.end(again, value=1)
    assert bench.value(task_id) == 1


# -- revokes ----------------------------------------------------------------------------------------------------------


def test_an_id_that_is_revoked_before_it_is_sent_does_not_run(bench):
    task_id = bench.new_id()
    assert bench.transport.call("revoke", [task_id], False, "TERM") == [-1]
    assert bench.info(task_id) is None
    bench.submit(task_id)
    other = bench.submit()[0]
    error = bench.value(task_id)
    assert isinstance(error, errors.TaskRevokedError)
    assert "before it was submitted" in str(error)
    assert bench.puppet().run() == other
    assert bench.info(task_id)["state"] == states.REVOKED_CODE


# -- rates ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def task():
    """A task name of its own: buckets are known by it."""
    return f"limited{next(_numbers)}-{uuid.uuid4().hex[:6]}"


def take_all(puppet, patience=0.5):
    """Takes and ends deliveries until none comes for a while."""
    found = []
    while (delivery := puppet.take(patience)) is not None:
        puppet.end(delivery)
        found.append(delivery[3])
    return found


def test_a_declared_rate_holds_its_task_back_and_no_other(bench, task):
    limited = [bench.submit(task=task)[0] for _ in range(5)]
    plain = [bench.submit(task="plain")[0] for _ in range(20)]
    found = take_all(bench.puppet(tasks=(task, "plain"), limits={task: "1/h"}))
    assert found.count("plain") == 20
    assert found.count(task) == 1
    assert [bench.info(one)["state"] for one in limited[1:]] == [states.CODES["PENDING"]] * 4
    assert len(bench.wait(*plain)) == 20


def test_starts_are_spread_over_time(bench, task):
    ids = [bench.submit(task=task)[0] for _ in range(8)]
    puppet = bench.puppet(tasks=(task,), limits={task: "20/s"})
    began = time.monotonic()
    assert len([puppet.run() for _ in ids]) == 8
    # Seven pauses of 50 ms, of which 20 ms may be saved once; how much longer it takes is the machine's affair.
    assert time.monotonic() - began >= 0.3


def test_the_stricter_of_two_declared_rates_counts(bench, task):
    for _ in range(5):
        bench.submit(task=task)
    puppets = [bench.puppet(tasks=(task,), limits={task: rate}) for rate in ("1000/s", "1/h")]
    first = take_all(puppets[0])
    assert len(first + take_all(puppets[1])) <= 5
    puppets[1].close()
    found = first + take_all(puppets[0], patience=1.0)
    assert len(found) <= 5


def test_a_rate_set_at_run_time_wins_counts_at_once_and_is_lifted(bench, task):
    rates.set_rate(bench.transport, task, "1/h")
    try:
        for _ in range(6):
            bench.submit(task=task)
        puppet = bench.puppet(tasks=(task,))
        assert take_all(puppet) == [task]
        assert rates.rates_set(bench.transport)[task] == "1/h"
        rates.set_rate(bench.transport, task, None)
        assert take_all(puppet) == [task] * 5
    finally:
        rates.reset_rate(bench.transport, task)


def test_what_expires_or_is_revoked_while_it_waits_uses_no_start(bench, task):
    first = bench.submit(task=task)[0]
    gone = bench.submit(task=task)[0]
    puppet = bench.puppet(tasks=(task,), limits={task: "4/s"})
    assert puppet.run() == first
    assert bench.transport.call("revoke", [gone], False, "TERM") == [states.REVOKED_CODE]
    assert isinstance(bench.value(gone), errors.TaskRevokedError)
    last = bench.submit(task=task)[0]
    assert puppet.run() == last


def test_a_delivery_that_is_given_back_gives_back_its_start(bench, task):
    one = bench.submit(task=task)[0]
    puppet = bench.puppet(tasks=(task,), limits={task: "1/h"})
    puppet.end(puppet.take(), frames.GIVE_BACK, extra="drain")
    assert puppet.run() == one
