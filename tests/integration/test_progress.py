"""What running tasks say of themselves: durable, the last word counts, told to who waits."""

from __future__ import annotations

import msgpack
import progress_tasks as tasks
import pytest
from support import until

from ignitetasks import InvalidOption
from ignitetasks.hub import Waiter
from ignitetasks.message import PROGRESS_STATE, decode_result


@pytest.fixture(scope="module")
def progress_app(node):
    tasks.app.configure(**node.overrides)
    yield tasks.app
    tasks.app.close()


@pytest.fixture(scope="module")
def talkers(progress_app, workers):
    return workers(module="progress_tasks", queues=["talk"], concurrency=2)


def value(app, task_id, data):
    return decode_result(app.client.codecs, task_id, data)


def test_a_running_task_has_a_state_of_its_own(progress_app, talkers, node, door):
    sent = tasks.gated.apply_async((str(door),), queue="talk")
    record = until(lambda: (r := node.record(sent.id))["note"] == "SAVING" and r, "the last word is on record")
    assert value(progress_app, sent.id, record["result"]) == {"done": 2}
    assert (sent.state, sent.info) == ("SAVING", {"done": 2})
    assert not sent.ready()
    door.touch()
    assert sent.get(timeout=30) == "over"
    record = node.record(sent.id)
    assert (record["note"], record["state"]) == (None, 3)


def test_who_waits_hears_the_last_word_before_the_end(progress_app, talkers):
    heard, ends = [], []
    sent = tasks.chatty.apply_async((5_000,), queue="talk")
    waiter = Waiter(1, ends.append)
    waiter.hear = heard.append
    hub = progress_app.client.hub
    hub.register(waiter, [sent.id], None)
    assert hub.wait(waiter, 60)
    assert {one.state for one in heard} == {PROGRESS_STATE}
    assert [one.state for one in ends] == [3]
    assert len(heard) < 500
    state, result = msgpack.unpackb(heard[-1].payload)
    assert (state, value(progress_app, sent.id, result)) == ("PROGRESS", 4_999)


def test_get_tells_what_the_task_says_and_then_its_end(progress_app, talkers):
    heard = []
    sent = tasks.chatty.apply_async((2_000,), queue="talk")
    value = sent.get(timeout=60, on_message=heard.append)
    assert heard[-1] == {"task_id": sent.id, "status": "SUCCESS", "result": value}
    assert heard[-2] == {"task_id": sent.id, "status": "PROGRESS", "result": 1_999}
    assert (sent.state, sent.info) == ("SUCCESS", value)


def test_a_word_belongs_to_its_execution(talkers, node):
    sent = tasks.twice.apply_async(queue="talk")
    assert sent.get(timeout=30) == 1
    assert node.record(sent.id)["note"] is None


def test_a_state_that_ends_a_task_is_refused(talkers):
    with pytest.raises(InvalidOption, match="end the task by returning"):
        tasks.wrong.apply_async(queue="talk").get(timeout=30)
