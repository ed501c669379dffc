"""A frozen workflow sent again is the same tasks, and a frozen member of a group is the task it was."""

from __future__ import annotations

import pytest

from ignitetasks import chain, chord, group
from ignitetasks.contrib.testing.app import TestApp, setup_default_app
from ignitetasks.contrib.testing.worker import start_worker

LIMIT = 20


@pytest.fixture(scope="module")
def app():
    app = TestApp()

    @app.task(name="add")
    def add(x, y=0):
        return x + y

    @app.task(name="total")
    def total(numbers):
        return sum(numbers)

    with setup_default_app(app), start_worker(app, pool="threads", concurrency=2):
        yield app


@pytest.fixture
def add(app):
    return app.tasks["add"]


@pytest.fixture
def total(app):
    return app.tasks["total"]


@pytest.mark.parametrize(
    "canvas",
    [
        lambda add, total: chain(add.s(1, 2), add.s(3), add.s(4)),
        lambda add, total: chord([add.s(1, 2), add.s(3, 4)], total.s()),
        lambda add, total: chain(add.s(1, 2), group(add.s(1), add.s(2)), total.s(), add.s(-1)),
    ],
)
def test_the_same_workflow_once_more_is_the_same_tasks(add, total, canvas):
    sig = canvas(add, total)
    sig.freeze()
    first = sig.apply_async()
    assert first.get(timeout=LIMIT) == sig.apply_async().get(timeout=LIMIT)


def test_a_frozen_call_in_a_group_is_the_task_it_was(add):
    member = add.si(1, 2)
    member.freeze()
    assert group(add.si(1, 1), member)().get(timeout=LIMIT) == [2, 3]
    assert group(add.si(2, 2), member)().get(timeout=LIMIT) == [4, 3]
