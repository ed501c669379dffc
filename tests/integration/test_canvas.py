"""Workflows on a real node with real children: every word, errors, kills, and what is told to whom."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from support.canvas_tasks import add_tasks
from support.expressions import canvas_of, expressions, value_of
from support.polling import until

from ignitetasks import IgniteTasks, Task
from ignitetasks.canvas import chain, chord, group, streaming
from ignitetasks.errors import ChordError, TaskRevokedError, WorkerLostError
from ignitetasks.result import AsyncResult, GroupResult

LIMIT = 60


class Signed(Task):
    """Says in a header which process has sent it."""

    def apply_async(self, args=None, kwargs=None, **options):
        return super().apply_async(args, kwargs, **{**options, "headers": {"by": os.getpid()}})


@pytest.fixture(scope="module")
def t(node):
    # Children are killed at random, any number of times at a task: that alone must end none.
    app = IgniteTasks("canvas", **node.overrides, default_queue="canvas", max_deliveries=100)
    tasks = add_tasks(app)

    @app.task(name="pid")
    def pid(*args):
        return os.getpid()

    @app.task(name="touch")
    def touch(path):
        Path(path).touch()
        return 1

    @app.task(name="count")
    def count(path):
        with Path(path).open("a") as file:
            file.write("x")
        return 1

    @app.task(name="signed", base=Signed, bind=True)
    def signed(self, before):
        return [*before, self.request.headers["by"]]

    @app.task(name="sends_and_fails")
    def sends_and_fails(*args):
        app.send_task("add", (1, 2))
        raise ValueError("too late")

    @app.task(name="dies", max_deliveries=1)
    def dies(*args):
        os.kill(os.getpid(), signal.SIGKILL)

    with app.local_worker(concurrency=2, queues=["canvas"]):
        yield tasks, app
    app.close()


def run(canvas, *args):
    return canvas.apply_async(args).get(timeout=LIMIT)


def test_words(t):
    t, _ = t
    assert run(t.add.s(4, 4) | t.add.s(8) | t.add.s(16)) == 32
    assert run(group(t.add.s(i, i) for i in range(100))) == [2 * i for i in range(100)]
    assert run(chord([t.add.s(i, i) for i in range(100)], t.tsum.s())) == sum(2 * i for i in range(100))
    assert run(chord([], t.add_to_all.s(1))) == []
    assert run(t.add.s(5, 6) | group((t.add.s(1) | t.add.s(2), t.add.s(3)))) == [14, 14]
    assert run(group([t.add.s(1, 1), t.add.s(2, 2)]) | group([t.tsum.s(), t.tsum.s()]) | t.tsum.s()) == 12
    assert run(t.identity.map([1, 2])) == [1, 2] and run(t.add.starmap([(1, 2)])) == [3]
    assert run(t.add.chunks([(1, 1), (2, 2), (3, 3)], 2)) == [[2, 4], [6]]


@pytest.mark.parametrize("body", [True, False])
def test_calls_run_while_others_are_generated(t, tmp_path, monkeypatch, body):
    t, app = t
    monkeypatch.setattr(streaming, "_PAUSE_S", -1.0)
    touch = app.tasks["touch"]

    def calls():
        yield touch.s(str(tmp_path / "first"))
        yield touch.s(str(tmp_path / "second"))
        until((tmp_path / "first").exists, timeout=LIMIT)
        yield touch.s(str(tmp_path / "third"))

    canvas = chord(calls(), t.tsum.s()) if body else group(calls())
    assert canvas.apply_async().get(timeout=LIMIT) == (3 if body else [1, 1, 1])


def test_callbacks_are_children(t):
    t, _ = t
    sent = t.add.apply_async((2, 2), link=[t.add.s(16), t.add.s(1) | t.add.s(5)])
    assert [value for _, value in sent.collect(timeout=LIMIT)] == [4, 20, 10]


def test_what_failed_has_children_too(t):
    t, app = t
    alone = app.send_task("sends_and_fails")
    told = app.send_task("sends_and_fails", link_error=t.old_errback.s())
    body = chord([t.add.s(1, 2), t.fail.s()], t.tsum.s().on_error(t.old_errback.s())).apply_async()
    for sent, values in ((alone, [3]), (told, [3, told.id]), (body, [body.id])):
        sent.get(timeout=LIMIT, propagate=False)
        until(lambda sent=sent: AsyncResult(sent.id, app=app).children, "the children")
        children = AsyncResult(sent.id, app=app).children
        assert [one.get(timeout=LIMIT) for one in children] == values


def test_a_task_with_an_apply_async_of_its_own_is_asked_in_every_process(t):
    t, app = t
    signed = app.tasks["signed"]
    one = os.getpid()
    first, second = run(chain(signed.s([]), signed.s()))
    assert first == one and second != one
    assert run(group(signed.s([]) for _ in range(3))) == [[one]] * 3
    assert run(chord([signed.s([]), signed.s([])], t.identity.s())) == [[one], [one]]


def test_a_call_in_two_workflows_runs_once(t, tmp_path):
    t, app = t
    count = app.tasks["count"]
    path = str(tmp_path / "runs")
    sig = count.si(path)
    sig.freeze()
    first = chain(t.identity.s(1), sig, t.add.s(1)).apply_async()
    second = chain(t.identity.s(1), sig, t.add.s(2)).apply_async()
    third = chord([sig, t.identity.s(5)], t.tsum.s()).apply_async()
    assert [one.get(timeout=LIMIT) for one in (first, second, third)] == [2, 3, 6]
    assert chain(sig, t.add.s(3)).apply_async().get(timeout=LIMIT) == 4
    assert Path(path).read_text() == "x"


def test_a_frozen_workflow_sent_again_is_the_same_one(t, tmp_path):
    t, app = t
    count = app.tasks["count"]
    path = str(tmp_path / "runs")
    for canvas in (
        chain(count.si(path), t.add.s(1), t.add.s(2)),
        chord([count.si(path), t.identity.s(1)], t.tsum.s() | t.add.s(1)),
    ):
        Path(path).unlink(missing_ok=True)
        handle = canvas.freeze()
        result = canvas.apply_async().get(timeout=LIMIT)
        again = canvas.apply_async()
        assert (again.id, again.get(timeout=LIMIT), AsyncResult(handle.id, app=app).get(timeout=LIMIT)) == (
            handle.id, result, result,
        )  # fmt: skip
        assert Path(path).read_text() == "x"


def test_replacing_and_adding(t):
    t, _ = t
    assert run(chain(t.identity.s(1), t.replaced_add.s(2), t.add.s(3))) == 6
    assert run(group([t.replaced_group.s([2, 1], 1), t.replaced_group.s([4, 3], 1)])) == [[3, 2], [5, 4]]
    assert run(chord([t.replaced_chain.s(1), t.identity.s(2)], t.replaced_chain.s())) == [1, 2]
    assert sorted(run(group([t.adds_to_chord.s([1, 2, 3], 4)]) | t.identity.s())) == [0, 5, 6, 7]


def test_errors_reach_the_end_and_name_their_place(t):
    t, app = t
    for canvas in (
        chain(t.add.s(1, 2), t.fail.s(), t.add.s(3)),
        t.add.s(1, 1) | t.fail.s() | group(t.add.s(1), t.add.s(1)),
        chord([chain(t.identity.si(1), t.fail.s(), t.identity.si(1))], t.identity.s()),
        chain(t.identity.s(1), t.replaced_by_failure.s(), t.identity.s()),
    ):
        with pytest.raises(ValueError, match="as asked"):
            run(canvas)
    end = chord([t.add.s(1, 2), t.fail.s()], t.identity.s()).apply_async()
    with pytest.raises(ChordError, match=f"Dependency {end.parent.results[1].id} raised"):
        AsyncResult(end.id, app=app).get(timeout=LIMIT)


def test_a_step_whose_process_dies_for_good_ends_what_follows(t):
    _, app = t
    dies, identity = app.tasks["dies"], app.tasks["identity"]
    end = chain(identity.s(1), dies.s(), identity.s()).apply_async()
    with pytest.raises(WorkerLostError):
        AsyncResult(end.id, app=app).get(timeout=LIMIT)
    end = chord([identity.s(1), dies.s()], identity.s()).apply_async()
    with pytest.raises(ChordError):
        AsyncResult(end.id, app=app).get(timeout=LIMIT)


def test_large_ones(t):
    t, _ = t
    assert chain(t.add.s(1) for _ in range(1000))(0).get(timeout=LIMIT) == 1000
    assert run(chord([t.identity.s(i) for i in range(10_000)], t.tsum.s())) == sum(range(10_000))


def test_a_saved_group_is_found_again(t):
    t, app = t
    sent = group(t.add.s(i, i) for i in range(3)).apply_async().save()
    assert GroupResult.restore(sent.id, app=app).get(timeout=LIMIT) == [0, 2, 4]


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(expression=expressions())
def test_random_workflows_while_children_are_killed(t, expression):
    t, app = t
    stop = threading.Event()

    def kill_now_and_then():
        while not stop.wait(random.uniform(0.02, 0.2)):
            victim = app.tasks["pid"].delay()
            try:
                os.kill(victim.get(timeout=LIMIT), signal.SIGKILL)
            except ProcessLookupError:
                continue

    killer = threading.Thread(target=kill_now_and_then)
    killer.start()
    try:
        began = time.monotonic()
        sent = [canvas_of(t, expression).apply_async((number,)) for number in range(5)]
        for number, one in enumerate(sent):
            assert one.get(timeout=LIMIT) == value_of(expression, number)
        assert time.monotonic() - began < LIMIT
    finally:
        stop.set()
        killer.join()


def test_a_revoke_by_stamp_holds_for_tasks_that_are_sent_later(t):
    t, app = t
    app.control.revoke_by_stamped_headers({"tenant": ["gone"]})
    try:
        alone = t.add.si(1, 2)
        alone.stamp(tenant="gone")
        with pytest.raises(TaskRevokedError):
            run(alone)
        step = t.identity.s()
        step.stamp(tenant="gone")
        with pytest.raises(TaskRevokedError):
            run(chain(t.add.s(1, 2), step, t.identity.s()))
        with pytest.raises((TaskRevokedError, ChordError)):
            run(group(t.add.s(1, 2), alone.clone()) | t.tsum.s())
        other = t.add.si(1, 2)
        other.stamp(tenant="here")
        assert run(other) == 3
    finally:
        app.control.forget_revoked_stamps()
    assert run(alone.clone()) == 3
