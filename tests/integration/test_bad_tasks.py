"""Tasks that misbehave: each ends in one clear state, and the worker goes on as if nothing had been."""

from __future__ import annotations

import pytest
import suite_tasks as suite
from support import until

from ignitetasks import NotRegistered, RemoteError, SerializationError, WorkerLostError

pytestmark = pytest.mark.usefixtures("worker")
PATIENCE = 100


@pytest.fixture(autouse=True)
def worker_is_well(worker):
    """After each of these tests the worker has two children and does its work."""
    yield
    until(lambda: len(worker.children) == 2, "two children")
    assert suite.add.bulk([(number, 1) for number in range(20)]).get(timeout=PATIENCE) == list(range(1, 21))


def deliveries(node):
    return sum(node.call("metrics")["counters"]["ignitetasks_deliveries_total"].values())


def test_a_name_nobody_has_registered(app, node):
    before = deliveries(node)
    sent = app.send_task("nobody.has_this")
    with pytest.raises(NotRegistered, match=r"nobody\.has_this"):
        sent.get(timeout=PATIENCE)
    assert sent.state == "FAILURE"
    # No storm: it was not sent round and round before somebody decided.
    assert deliveries(node) - before <= 2


def test_a_worker_without_the_code_leaves_the_task_to_those_that_have_it(app, workers, queue, tmp_path, node):
    for name in ("older", "newer"):
        (tmp_path / f"{name}.py").write_text(
            "from ignitetasks import IgniteTasks\n"
            f"app = IgniteTasks('{name}')\n"
            "@app.task(name='common')\ndef common(): return 0\n"
            + ("@app.task(name='new')\ndef new(x): return x\n" if name == "newer" else "")
        )
    workers(module="older", queues=[queue], path=[tmp_path])
    workers(module="newer", queues=[queue], path=[tmp_path])
    sent = app.bulk(app.signature("new", (number,), queue=queue) for number in range(50))
    assert sent.get(timeout=PATIENCE) == list(range(50))


@pytest.mark.parametrize("kind", ["exit", "interrupt", "generator-exit", "bare"])
def test_a_task_that_raises_what_is_no_exception(log, kind):
    sent = suite.raise_base.delay(kind)
    with pytest.raises(RemoteError) as caught:
        sent.get(timeout=PATIENCE)
    names = {"exit": "SystemExit", "interrupt": "KeyboardInterrupt", "generator-exit": "GeneratorExit", "bare": "Bare"}
    assert caught.value.type_name.endswith(names[kind])
    assert sent.state == "FAILURE"
    assert log.count(f"base-{kind}") == 1


@pytest.mark.parametrize("pool", ["prefork", "threads", "solo", "asyncio"])
def test_a_copy_that_a_task_forks_ends_with_the_task(workers, queue, pool):
    workers(queues=[queue], pool=pool, concurrency=1)
    assert suite.fork_and_go_on.apply_async(queue=queue).get(timeout=PATIENCE) == "the task"
    assert suite.add.apply_async((20, 22), queue=queue).get(timeout=PATIENCE) == 42


def test_an_exception_without_a_text():
    sent = suite.fail.delay("no-text")
    with pytest.raises((suite.NoText, RemoteError)):
        sent.get(timeout=PATIENCE)
    assert sent.state == "FAILURE"
    assert "in fail" in sent.traceback


def test_an_exception_that_cannot_be_pickled():
    sent = suite.fail.delay("no-pickle")
    with pytest.raises(suite.NoPickle, match="cannot travel"):
        sent.get(timeout=PATIENCE)


@pytest.mark.parametrize("how", ["segfault", "exit"])
def test_a_task_that_kills_its_process(log, label, how, node):
    sent = suite.die.delay(label, how)
    others = suite.echo.bulk(range(50))
    with pytest.raises(WorkerLostError) as caught:
        sent.get(timeout=PATIENCE)
    assert sent.state == "DEAD"
    assert sent.failed()
    assert "2" in str(caught.value)  # as often as max_deliveries allows
    assert log.count(label) == 2
    assert others.get(timeout=PATIENCE) == list(range(50))
    assert node.call("dead_drop", [sent.id]) == 1


def test_a_result_that_cannot_be_serialised(log, label):
    sent = suite.return_odd.delay(label)
    with pytest.raises(SerializationError, match=r'result\["rows"\]\[1\].*Odd'):
        sent.get(timeout=PATIENCE)
    assert (sent.state, log.count(label)) == ("FAILURE", 1)


def test_a_task_that_prints_without_end(worker):
    lines = 200_000  # 20 MB of log: far more than every pipe and buffer on its way can hold
    sent = suite.chatty.delay(lines)
    assert sent.get(timeout=PATIENCE) == lines
    assert suite.add.delay(1, 2).get(timeout=PATIENCE) == 3
