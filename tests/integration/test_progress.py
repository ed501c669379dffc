"""What running tasks say of themselves: durable, the last word counts, told to who waits."""

from __future__ import annotations

import asyncio

import msgpack
import progress_tasks as tasks
import pytest
from support import until

from ignitetasks import InvalidOption
from ignitetasks.errors import InvalidTaskError
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


def listen(sent):
    async def run():
        said = [word async for word in sent.progress()]
        again = [word async for word in sent.progress()]
        return said, again, await sent

    return asyncio.run(run())


def test_a_coroutine_listens_until_the_end(progress_app, talkers):
    sent = tasks.chatty.apply_async((5_000,), queue="talk")
    said, again, value_ = listen(sent)
    assert {word.state for word in said} == {"PROGRESS"}
    numbers = [word.info for word in said]
    assert numbers == sorted(set(numbers)) and numbers[-1] == 4_999
    assert (again, value_) == ([], 5_000)


def test_a_coroutine_that_comes_late_hears_where_it_is(progress_app, talkers, node, door):
    sent = tasks.gated.apply_async((str(door),), queue="talk")
    until(lambda: node.record(sent.id)["note"] == "SAVING", "the last word is on record")

    async def run():
        found = []
        async for word in progress_app.AsyncResult(sent.id).progress():
            found.append(word)
            door.touch()
        return found

    # This process has sent it, so earlier words may still have been on their way here.
    assert asyncio.run(run())[-1] == ("SAVING", {"done": 2})


def test_a_task_that_is_over_says_nothing(progress_app, talkers):
    sent = tasks.chatty.apply_async((3,), queue="talk")
    sent.get(timeout=60)
    assert listen(progress_app.AsyncResult(sent.id)) == ([], [], 3)


def test_states_told_from_outside_on_a_real_node(progress_app, talkers, label):
    found = progress_app.AsyncResult(f"outside of {label}")
    progress_app.backend.store_result(found.id, {"done": 40}, "PROGRESS")
    assert (found.state, found.info, found.ready()) == ("PROGRESS", {"done": 40}, False)
    progress_app.backend.store_result(found.id, [1], "SUCCESS")
    assert (found.state, found.get(timeout=30)) == ("SUCCESS", [1])
    with pytest.raises(InvalidTaskError, match="its run alone decides"):
        progress_app.backend.store_result(found.id, [2], "SUCCESS")


def test_a_task_that_tells_its_end_and_asks_to_be_ignored(progress_app, talkers):
    failed = tasks.tells_its_end.apply_async(("FAILURE", {"exc_type": "ValueError", "exc_message": "no"}), queue="talk")
    with pytest.raises(ValueError, match="no"):
        failed.get(timeout=60)
    assert tasks.tells_its_end.apply_async(("SUCCESS", 5), queue="talk").get(timeout=60) == 5
    own = tasks.tells_its_end.apply_async(("PAUSED", [5]), queue="talk")
    assert (own.get(timeout=60), own.state) == ([5], "PAUSED")
    assert (progress_app.AsyncResult(own.id).state, progress_app.AsyncResult(own.id).info) == ("PAUSED", [5])
