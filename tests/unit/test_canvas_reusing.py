"""A call that was given an id stands for one task, in however many workflows it is used."""

from __future__ import annotations

import threading
import time

import pytest
from support.canvas_tasks import memory_app

from ignitetasks.canvas import chain, chord, group, streaming
from ignitetasks.result import AsyncResult

LIMIT = 20


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks:
        app, tasks.runs, tasks.gate = tasks.app, [], threading.Event()

        @app.task(name="once")
        def once(x, fails=False):
            tasks.runs.append(x)
            if fails:
                raise ValueError("as asked")
            return x

        @app.task(name="gated")
        def gated(x):
            tasks.runs.append(x)
            assert tasks.gate.wait(LIMIT)
            return x

        tasks.once, tasks.gated = once, gated
        with app.local_worker(concurrency=2, pool="threads"):
            yield tasks


@pytest.fixture(autouse=True)
def runs(t):
    t.runs.clear()
    t.seen.clear()
    return t.runs


def get(handle):
    return handle.get(timeout=LIMIT)


def until(condition):
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        time.sleep(0.01)


def frozen(sig):
    sig.freeze()
    return sig


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        (lambda t, sig: chain(sig, t.add.s(1)), 6),
        (lambda t, sig: chain(t.identity.s(1), sig, t.add.s(2)), 7),
        (lambda t, sig: chord([sig, t.identity.s(1)], t.tsum.s()), 6),
        (lambda t, sig: chord([chain(t.identity.s(1), sig)], t.tsum.s()), 5),
        (lambda t, sig: chord([t.identity.s(1)], chain(sig, t.add.s(3))), 8),
        (lambda t, sig: chord([t.identity.s(1)], group(sig, t.identity.si(2))), [5, 2]),
        (lambda t, sig: chord((one for one in (sig, t.identity.s(1))), t.tsum.s()), 6),
        (lambda t, sig: group(sig, t.identity.s(1)), [5, 1]),
        (lambda t, sig: chain(t.identity.s(1), sig), 5),
    ],
)
@pytest.mark.parametrize("first", ["alone", "in a chain"])
def test_a_second_workflow_goes_on_with_its_end(t, runs, first, second, expected):
    sig = frozen(t.once.si(5))
    one = sig if first == "alone" else chain(t.identity.s(1), sig, t.add.s(1))
    assert get(one.apply_async()) == (5 if first == "alone" else 6)
    for _ in range(2):
        assert get(second(t, sig).apply_async()) == expected
    assert runs == [5], "it ran once"


def test_so_it_does_with_an_error(t, runs):
    sig = frozen(t.once.si(5, fails=True))
    with pytest.raises(ValueError, match="as asked"):
        get(chain(t.identity.s(1), sig).apply_async())
    canvas = chord([t.identity.s(1)], chain(t.identity.si(1), sig, t.identity.s()))
    canvas.link_error(t.note.s())
    canvas.link_error(t.new_errback.s())
    with pytest.raises(ValueError, match="as asked"):
        get(canvas.apply_async())
    until(lambda: len(t.seen) == 2)
    assert ("note", sig.id) in t.seen, "errbacks are told of the task, not of what stands for it"
    assert {one[1] for one in t.seen} == {sig.id}
    assert runs == [5]


def test_a_workflow_that_ends_with_it_has_errbacks_of_its_own(t, runs):
    sig = frozen(t.once.si(5, fails=True))
    with pytest.raises(ValueError, match="as asked"):
        get(sig.apply_async())
    canvas = chord([t.identity.s(1)], chain(t.identity.si(1), sig))
    canvas.link_error(t.note.s())
    with pytest.raises(ValueError, match="as asked"):
        get(canvas.apply_async())
    until(lambda: t.seen)
    assert t.seen == [("note", sig.id)] and runs == [5]


@pytest.mark.parametrize(
    "second",
    [
        lambda t, a, b: chord([t.identity.s(1)], group(a, b)),
        lambda t, a, b: chain(t.identity.s(1), group(a, b)),
        lambda t, a, b: chord([t.identity.s(1)], chain(t.identity.s(), group(a, b))),
        lambda t, a, b: chord([t.identity.s(1)] * 2, group(group(a, b), t.identity.si(4))),
    ],
)
def test_so_has_one_that_ends_with_a_group_of_them(t, runs, second):
    a, b = frozen(t.once.si(5, fails=True)), frozen(t.once.si(6, fails=True))
    for one in (a, b):
        with pytest.raises(ValueError, match="as asked"):
            get(one.apply_async())
    for _ in range(2):
        t.seen.clear()
        canvas = second(t, a.clone(), b.clone())
        canvas.link_error(t.note.s())
        with pytest.raises(ValueError, match="as asked"):
            get(canvas.apply_async())
        until(lambda: len(t.seen) == 2)
        assert set(t.seen) == {("note", a.id), ("note", b.id)}
    assert sorted(runs) == [5, 6]


def test_a_task_that_has_not_ended_is_waited_for(t, runs):
    sig = frozen(t.gated.si(5))
    first = chain(sig, t.add.s(1)).apply_async()
    until(lambda: runs)
    second = chain(t.identity.s(1), sig, t.add.s(2)).apply_async()
    t.gate.set()
    assert get(first) == 6 and get(second) == 7 and runs == [5]


def test_a_step_that_has_not_begun_belongs_to_the_first_workflow(t, runs):
    t.gate.clear()
    sig = frozen(t.once.si(5))
    first = chain(t.gated.si(1), sig, t.add.s(1)).apply_async()
    second = chain(t.identity.s(1), sig, t.add.s(2)).apply_async()
    t.gate.set()
    assert get(first) == 6 and get(second) == 7 and sorted(runs) == [1, 5]


@pytest.mark.parametrize(
    ("canvas", "expected"),
    [
        (lambda t, sig: chord((one for one in (t.identity.s(1), chain(t.gated.si(1), sig))), t.tsum.s()), 6),
        (lambda t, sig: chord((one for one in (chain(t.gated.si(1), sig), t.identity.s(1))), t.tsum.s()), 6),
        (lambda t, sig: chord((one for one in (t.gated.s(1), t.identity.s(1))), chain(sig, t.add.s(1))), 6),
        (lambda t, sig: chord((one for one in (t.gated.s(1), t.once.s(1))), chain(t.tsum.s(), sig, t.add.s(1))), 6),
        (lambda t, sig: group(one for one in (t.identity.s(1), chain(t.gated.si(1), sig))), [1, 5]),
    ],
)
def test_so_does_a_step_of_a_canvas_that_is_sent_part_by_part(t, runs, monkeypatch, canvas, expected):
    monkeypatch.setattr(streaming, "_PAUSE_S", -1.0)
    t.gate.clear()
    sig = frozen(t.once.si(5))
    first = canvas(t, sig).apply_async()
    second = chain(t.identity.s(1), sig, t.add.s(2)).apply_async()
    t.gate.set()
    assert get(first) == expected and get(second) == 7 and runs.count(5) == 1


def test_with_other_arguments_it_is_another_call(t, runs):
    sig = frozen(t.once.s())
    assert get(chain(t.identity.s(1), sig, t.add.s(1)).apply_async()) == 2
    assert get(chain(t.identity.s(1), sig, t.add.s(2)).apply_async()) == 3
    assert get(chain(t.identity.s(5), sig, t.add.s(1)).apply_async()) == 6
    assert get(chord([chain(t.identity.s(6), sig), t.identity.s(1)], t.tsum.s()).apply_async()) == 7
    assert runs == [1, 5, 6]


def test_a_task_that_is_forgotten_is_run_again(t, runs):
    sig = frozen(t.once.si(5))
    assert get(sig.apply_async()) == 5
    canvas = chain(t.gated.si(1), sig, t.add.s(1))
    t.gate.clear()
    handle = canvas.apply_async()
    until(lambda: 1 in runs)
    AsyncResult(sig.id, app=t.app).forget()
    t.gate.set()
    assert get(handle) == 6 and runs == [5, 1, 5]


def test_the_same_workflow_that_ends_with_a_group_is_the_same_one(t, runs):
    canvas = chain(t.once.s(5), group(t.add.s(1), t.add.s(2)))
    canvas.freeze()
    first = canvas.apply_async()
    assert get(first) == [6, 7]
    again = canvas.apply_async()
    assert (again.as_list(), get(again), runs) == (first.as_list(), [6, 7], [5])


def test_the_same_workflow_sent_again_is_the_same_one(t, runs):
    canvas = chain(t.once.s(5), t.add.s(1))
    handle = canvas.freeze()
    assert get(canvas.apply_async()) == 6
    again = canvas.apply_async()
    assert (again.id, again.created, get(again), runs) == (handle.id, False, 6, [5])
