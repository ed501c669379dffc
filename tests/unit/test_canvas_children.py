"""The children of a task are known by its id alone: its callbacks, and what its run has sent."""

from __future__ import annotations

import threading
import time

import pytest
from support.canvas_tasks import memory_app

from ignitetasks.canvas import chain, chord, group
from ignitetasks.result import AsyncResult, GroupResult

LIMIT = 20


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks:

        @tasks.app.task(name="canvas.keep")
        def keep(value):
            return value

        @tasks.app.task(name="canvas.sends_and_fails")
        def sends_and_fails():
            tasks.add.delay(1, 2)
            raise ValueError("too late")

        tasks.keep, tasks.sends_and_fails = keep, sends_and_fails
        with tasks.app.local_worker(concurrency=2, pool="threads"):
            yield tasks


def until(condition):
    limit = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < limit, "it did not happen"
        threading.Event().wait(0.01)


@pytest.mark.parametrize(
    ("links", "values"),
    [
        (lambda t: t.add.s(1), [4]),
        (lambda t: [t.add.s(1), t.add.s(2) | t.add.s(3)], [4, 8]),
        (lambda t: group(t.add.s(1), t.add.s(2)), [4, 5]),
        (lambda t: chord([t.add.s(1), t.add.s(2)], t.tsum.s()), [9]),
    ],
)
def test_callbacks_are_children_for_everybody_who_knows_the_id(t, links, values):
    sent = t.add.apply_async((1, 2), link=links(t))
    assert sent.get(timeout=LIMIT) == 3
    children = AsyncResult(sent.id, app=t.app).children
    assert [one.get(timeout=LIMIT) for one in children] == values
    assert len(sent.children) == (1 if isinstance(links(t), dict) else 2), "none is told twice"


def test_the_steps_of_a_chain_are_children_of_those_before(t):
    sent = chain(t.add.s(1, 2), t.add.s(3), t.add.s(4)).apply_async()
    assert sent.get(timeout=LIMIT) == 10
    first = AsyncResult(sent.parent.parent.id, app=t.app)
    assert [one.id for one in first.children] == [sent.parent.id]
    assert [one.id for one in first.children[0].children] == [sent.id] and sent.children == []
    assert [value for _, value in first.collect()] == [3, 6, 10] and first.get_leaf() == 10
    assert [one.id for one in sent.parent.children] == [sent.id], "none is told twice"


def test_a_task_that_keeps_no_result_keeps_no_children(t):
    sent = t.add.apply_async((1, 2), link=t.note.s(), ignore_result=True)
    until(lambda: t.seen)
    assert AsyncResult(sent.id, app=t.app).children == []


def test_errbacks_are_children_of_what_failed(t):
    sent = t.fail.apply_async(link_error=[t.keep.s(), t.keep.s() | t.keep.s()])
    sent.get(timeout=LIMIT, propagate=False)
    children = AsyncResult(sent.id, app=t.app).children
    assert [one.get(timeout=LIMIT) for one in children] == [sent.id, sent.id]


def test_errbacks_of_a_body_are_its_children(t):
    sent = chord([t.add.s(1, 2), t.fail.s()], t.tsum.s().on_error(t.keep.s())).delay()
    sent.get(timeout=LIMIT, propagate=False)
    until(lambda: AsyncResult(sent.id, app=t.app).children)
    (errback,) = AsyncResult(sent.id, app=t.app).children
    assert errback.get(timeout=LIMIT) == sent.id


@pytest.mark.parametrize("links", [{}, {"link": True}, {"link_error": True}])
def test_what_a_run_sent_before_it_failed_are_its_children(t, links):
    sent = t.sends_and_fails.apply_async(**{name: t.keep.s() for name in links})
    with pytest.raises(ValueError, match="too late"):
        sent.get(timeout=LIMIT)
    first, *others = AsyncResult(sent.id, app=t.app).children
    assert first.get(timeout=LIMIT) == 3 and len(others) == ("link_error" in links)


@pytest.mark.parametrize(
    ("after", "values"),
    [
        (lambda t: group(t.add.s(1), t.add.s(2)), [4, 5]),
        (lambda t: chord([t.add.s(1), t.add.s(2) | t.add.s(3)], t.tsum.s()), [4, 8]),
        (lambda t: group(t.add.s(1), group(t.add.s(2), t.add.s(3))), [4, 5, 6]),
    ],
)
def test_a_group_that_follows_is_a_child_for_everybody_who_knows_the_id(t, after, values):
    sent = (t.add.s(1, 2) | after(t)).apply_async()
    sent.get(timeout=LIMIT)
    first = sent
    while first.parent is not None:
        first = first.parent
    stranger = AsyncResult(first.id, app=t.app)
    (family,) = stranger.children
    assert isinstance(family, GroupResult) and family.parent is stranger
    assert family.id == first.children[0].id and len(first.children) == 1, "none is told twice"
    assert family.get(timeout=LIMIT) == values
    assert [value for _, value in stranger.collect()][:2] == [3, values]


def test_no_group_is_noted_where_no_children_are(t):
    sent = (t.add.s(1, 2).set(ignore_result=True) | group(t.add.si(1, 1), t.add.si(2, 2))).apply_async()
    assert sent.get(timeout=LIMIT) == [2, 4]
    assert AsyncResult(sent.parent.id, app=t.app).children == []
