"""Arguments and results of every size, and records that expire."""

from __future__ import annotations

import hashlib

import pytest
import suite_tasks as suite
from support import until

from ignitetasks import AsyncResult, IgniteTasks, PayloadTooLarge, ResultExpired

pytestmark = pytest.mark.usefixtures("worker")
PATIENCE = 100
INLINE = 65_536
MIB = 1 << 20


@pytest.mark.parametrize("length", [0, 1, INLINE - 100, *range(INLINE - 12, INLINE + 3), INLINE + 100, MIB, MIB + 1])
def test_round_trip_around_the_limits(length):
    value = suite.pattern(length, length % 97)
    assert suite.echo.delay(value).get(timeout=PATIENCE) == value


def test_round_trip_of_ten_megabytes():
    value = suite.pattern(10 * MIB, 5)
    sent = suite.echo.delay(value)
    assert sent.get(timeout=PATIENCE) == value


def test_round_trip_of_a_hundred_megabytes(app):
    value = suite.pattern(100 * MIB, 9)
    sent = suite.echo.delay(value)
    # A foreign handle: nothing of the value may come from this process's memory.
    answer = AsyncResult(sent.id, app=app).get(timeout=PATIENCE)
    assert hashlib.sha256(answer).digest() == hashlib.sha256(value).digest()
    sent.forget()


def test_large_text_and_nested_values():
    value = {"rows": [["\u00e4" * 50_000, number] for number in range(10)], "blob": suite.pattern(100_000)}
    assert suite.echo.delay(value).get(timeout=PATIENCE) == value


def test_a_large_value_is_read_as_often_as_one_likes(app):
    sent = suite.blob.delay(300_000, 1)
    expected = suite.pattern(300_000, 1)
    assert sent.get(timeout=PATIENCE) == expected
    assert AsyncResult(sent.id, app=app).get(timeout=PATIENCE) == expected
    assert AsyncResult(sent.id, app=app).result == expected


def test_large_arguments_of_a_retry(log, label):
    assert suite.regrows.delay(label, suite.pattern(80_000)).get(timeout=PATIENCE) == 160_000


def test_the_same_key_with_large_arguments(log, label):
    value = suite.pattern(200_000, 2)
    first = suite.size.apply_async((value,), idempotency_key=label)
    again = suite.size.apply_async((value,), idempotency_key=label)
    assert (again.id, again.created, again.get(timeout=PATIENCE)) == (first.id, False, 200_000)


def test_values_over_the_limit_are_refused(node, workers, queue, label, log):
    limit = 100_000
    with IgniteTasks("small", max_payload_bytes=limit, **node.overrides) as app:
        before = node.status()["states"]
        with pytest.raises(
            PayloadTooLarge, match=rf"suite_tasks.size: the arguments take .*max_payload_bytes \({limit}\).*reference"
        ):
            app.send_task("suite_tasks.size", (suite.pattern(limit),), queue=queue)
        assert node.queue_status(queue)["pending"] == 0
        assert node.status()["states"].keys() == before.keys()
    workers(queues=[queue], pool="solo", env={"IGNITETASKS_MAX_PAYLOAD_BYTES": str(limit)})
    sent = suite.blob.apply_async((limit,), queue=queue)
    with pytest.raises(PayloadTooLarge, match=rf"The result of suite_tasks.blob has .* allows {limit}"):
        sent.get(timeout=PATIENCE)
    assert sent.state == "FAILURE"


@pytest.mark.parametrize("large", [False, True], ids=["small", "large"])
def test_an_expired_result_is_told_apart_from_an_unknown_one(app, node, large):
    sent = suite.blob.apply_async((200_000 if large else 10,), result_expires=1)
    assert len(sent.get(timeout=PATIENCE)) == (200_000 if large else 10)
    until(lambda: node.record(sent.id) == "expired", "the record to expire")
    later = AsyncResult(sent.id, app=app)
    with pytest.raises(ResultExpired, match=rf"the result of task {sent.id} was kept for its time and is gone"):
        later.get(timeout=PATIENCE)
    assert later.exists()
    assert later.state == "PENDING"
    assert later.ready()
    assert isinstance(later.result, ResultExpired)
    assert not AsyncResult("unknown-all-the-time", app=app).exists()


def test_an_expired_result_ends_a_wait_at_once(app, node):
    sent = suite.add.apply_async((1, 2), result_expires=1)
    sent.get(timeout=PATIENCE)
    until(lambda: node.record(sent.id) == "expired", "the record to expire")
    with pytest.raises(ResultExpired):
        AsyncResult(sent.id, app=app).get()


def test_records_without_a_short_expiry_stay(app, node):
    short = suite.add.apply_async((1, 2), result_expires=1)
    long = suite.add.apply_async((3, 4), result_expires=3600)
    assert (short.get(timeout=PATIENCE), long.get(timeout=PATIENCE)) == (3, 7)
    until(lambda: node.record(short.id) == "expired", "the record to expire")
    assert AsyncResult(long.id, app=app).get(timeout=PATIENCE) == 7
