"""One key, one task: the same handle again, whoever asks, from wherever, however often at once."""

from __future__ import annotations

import threading

import pytest
import suite_tasks as suite
from support import until

from ignitetasks import IdempotencyConflict, IgniteTasks, InvalidOption, ResultExpired

pytestmark = pytest.mark.usefixtures("worker")
PATIENCE = 60


def marked(label, value=1, key=None, **options):
    return suite.mark.apply_async((label, value), idempotency_key=key or f"key of {label}", **options)


def test_the_same_key_is_the_same_task(log, label):
    first, second = marked(label), marked(label)
    assert (first.created, second.created) == (True, False)
    assert first == second
    assert first.get(timeout=PATIENCE) == second.get(timeout=PATIENCE) == 1
    third = marked(label)
    assert (third.id, third.created, third.get(timeout=PATIENCE)) == (first.id, False, 1)
    assert log.count(label) == 1


def test_other_arguments_under_a_key_are_a_conflict(log, label, node):
    first = marked(label, 1)
    with pytest.raises(IdempotencyConflict, match=f"'key of {label}'.*already used.*repeat a call with the same arg"):
        marked(label, 2)
    assert first.get(timeout=PATIENCE) == 1
    with pytest.raises(IdempotencyConflict):
        marked(label, 2)
    assert log.count(label) == 1


def test_a_key_belongs_to_one_task_name(label):
    sent = suite.echo.apply_async((label,), idempotency_key=f"key of {label}")
    assert sent.created
    assert marked(label).created


def test_another_queue_does_not_make_another_task(log, label, queue, node):
    first = marked(label)
    assert first.get(timeout=PATIENCE) == 1
    elsewhere = marked(label, queue=queue)
    assert (elsewhere.id, elsewhere.created, elsewhere.get(timeout=PATIENCE)) == (first.id, False, 1)
    assert node.queue_status(queue)["pending"] == 0
    assert log.count(label) == 1


@pytest.mark.parametrize("key", ["text", 42, ("order", 7), b"\x00\xff"], ids=["str", "int", "tuple", "bytes"])
def test_kinds_of_keys(key, label):
    first = suite.echo.apply_async((1,), idempotency_key=key)
    assert suite.echo.apply_async((1,), idempotency_key=key) == first
    first.get(timeout=PATIENCE)
    first.forget()


def test_the_decorators_key_is_made_of_the_arguments(log, label):
    order = int(label[5:]) + 1_000_000
    first, second = suite.charge.delay(order), suite.charge.delay(order)
    assert (first, second.created) == (second, False)
    assert first.get(timeout=PATIENCE) == 1
    with pytest.raises(IdempotencyConflict):
        suite.charge.delay(order, 2)
    assert suite.charge.delay(order + 500_000).created
    assert log.count(f"charge {order}") == 1


def test_a_failed_task_keeps_its_key():
    first = suite.fail.apply_async(("shop",), idempotency_key="fails once")
    with pytest.raises(suite.ShopError):
        first.get(timeout=PATIENCE)
    again = suite.fail.apply_async(("shop",), idempotency_key="fails once")
    assert not again.created
    with pytest.raises(suite.ShopError):
        again.get(timeout=PATIENCE)


def test_a_forgotten_key_is_free_again(log, label):
    first = marked(label)
    first.get(timeout=PATIENCE)
    first.forget()
    second = marked(label, 2)
    assert (second.id, second.created, second.get(timeout=PATIENCE)) == (first.id, True, 2)
    assert log.count(label) == 2


def test_a_key_lives_as_long_as_the_record(log, label):
    first = marked(label, result_expires=1)
    first.get(timeout=PATIENCE)
    assert not marked(label, result_expires=1).created

    def expired():
        try:
            return first.info_map() is None
        except ResultExpired:
            return True

    until(expired, "the record to expire")
    second = marked(label, 2, result_expires=1)
    assert (second.id, second.created, second.get(timeout=PATIENCE)) == (first.id, True, 2)
    assert log.count(label) == 2


def test_namespaces_keep_keys_apart(node, label, log):
    def send(namespace):
        with IgniteTasks("spaced", namespace=namespace, **node.overrides) as app:
            sent = app.send_task("suite_tasks.mark", (label, 1), idempotency_key="shared")
            assert sent.get(timeout=PATIENCE) == 1
            return sent.id

    assert send("one") != send("two")
    assert log.count(label) == 2


def test_many_threads_at_once_make_one_task(log, label):
    barrier = threading.Barrier(16)
    handles = []

    def send():
        barrier.wait(PATIENCE)
        handles.append(marked(label))

    threads = [threading.Thread(target=send) for _ in range(16)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(PATIENCE)
    assert len({one.id for one in handles}) == 1
    assert sorted(one.created for one in handles) == [False] * 15 + [True]
    assert [one.get(timeout=PATIENCE) for one in handles] == [1] * 16
    assert log.count(label) == 1


def test_many_processes_at_once_make_each_task_once(log, label, workers, tmp_path):
    script = (
        "import sys\n"
        "from pathlib import Path\n"
        "from support.polling import until\n"
        "from ignitetasks import IgniteTasks\n"
        "app = IgniteTasks('racer')\n"
        "app.transport.session()\n"
        "until(Path(sys.argv[2]).exists)\n"
        "sent = [app.send_task('suite_tasks.mark', (f'{sys.argv[1]}.{n}', n), idempotency_key=f'{sys.argv[1]}.{n}')"
        " for n in range(50)]\n"
        "assert [one.get(timeout=60) for one in sent] == list(range(50))\n"
        "print(sum(one.created for one in sent))\n"
    )
    start = tmp_path / "start"
    racers = [workers.processes.python("-c", script, label, str(start), name="racer") for _ in range(4)]
    start.touch()
    assert [one.wait() for one in racers] == [0] * 4, [one.text() for one in racers]
    assert sum(int(one.text()) for one in racers) == 50
    assert [log.count(f"{label}.{number}") for number in range(50)] == [1] * 50


def test_a_key_and_an_id_exclude_each_other():
    with pytest.raises(InvalidOption, match="task_id and idempotency_key exclude each other"):
        suite.echo.apply_async((1,), task_id="a", idempotency_key="b")
