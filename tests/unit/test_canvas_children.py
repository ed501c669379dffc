"""The children of a task are known by its id alone: its callbacks, and what its run has sent."""

from __future__ import annotations

import threading
import time

import pytest
from support.canvas_tasks import memory_app

from ignitetasks.canvas import chord, group
from ignitetasks.result import AsyncResult

LIMIT = 20


@pytest.fixture(scope="module")
def t():
    with memory_app() as tasks, tasks.app.local_worker(concurrency=2, pool="threads"):
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


def test_a_task_that_keeps_no_result_keeps_no_children(t):
    sent = t.add.apply_async((1, 2), link=t.note.s(), ignore_result=True)
    until(lambda: t.seen)
    assert AsyncResult(sent.id, app=t.app).children == []
