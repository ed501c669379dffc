"""Maps and chunks are given to those workers only that have the task they call, and go where its calls go."""

from __future__ import annotations

import pytest
from support.canvas_tasks import memory_app

from ignitetasks import IgniteTasks
from ignitetasks.canvas import chain, group
from ignitetasks.canvas.steps import MAP, STARMAP, mapped_task, name_of_map, names_run_by, task_of

LIMIT = 20


@pytest.fixture
def t():
    with memory_app() as tasks:
        yield tasks


@pytest.fixture
def other(t):
    """An app with the same home and another task."""
    app = IgniteTasks("other", transport=t.app.settings.transport)
    app.task(name="other")(lambda: "done")
    with app.local_worker(concurrency=1, pool="threads"):
        yield app
    app.close()


@pytest.mark.parametrize(
    ("canvas", "expected"),
    [
        (lambda t: t.identity.map([1, 2]), [1, 2]),
        (lambda t: t.add.starmap([(1, 2), (3, 4)]), [3, 7]),
        (lambda t: t.add.chunks([(1, 2), (3, 4), (5, 6)], 2), [[3, 7], [11]]),
        (lambda t: group(t.identity.map([1]), t.add.starmap([(1, 2)])), [[1], [3]]),
        (lambda t: chain(t.identity.map([1, 2]), t.tsum.s()), 3),
    ],
)
def test_a_worker_without_the_task_is_not_given_its_maps(t, other, canvas, expected):
    sent = canvas(t).apply_async()
    assert other.tasks["other"].delay().get(timeout=LIMIT) == "done"
    assert not sent.ready(), "the worker that runs has no such task"
    with t.app.local_worker(concurrency=1, pool="threads"):
        assert sent.get(timeout=LIMIT) == expected


def test_a_map_goes_where_calls_of_its_task_go(t):
    t.app.conf.update(task_routes={"add": {"queue": "adding"}}, task_create_missing_queues=True)
    assert t.add.starmap([(1, 2)]).apply_async().queue == "adding"
    assert {one.queue for one in t.add.chunks([(1, 2), (3, 4)], 1).apply_async().results} == {"adding"}
    assert t.add.starmap([(1, 2)]).apply_async(queue="mine").queue == "mine"
    assert t.identity.map([1]).apply_async().queue == t.app.settings.default_queue


def test_the_name_of_a_map_says_what_it_calls():
    name = name_of_map(STARMAP, {"task": "shop.add", "subtask_type": None})
    assert mapped_task(name) == "shop.add" and mapped_task("shop:add") == "shop:add"
    assert name_of_map(MAP, {"task": "ignitetasks.chain", "subtask_type": "chain"}) == MAP
    tasks = {MAP: "map", STARMAP: "starmap", "shop.add": "add"}
    assert task_of(tasks, name) == "starmap" and task_of(tasks, "shop.add") == "add" and task_of(tasks, MAP) == "map"
    assert task_of(tasks, name_of_map(MAP, {"task": "shop.gone"})) is None and task_of(tasks, "gone") is None
    assert {name, "shop.add"} < set(names_run_by(tasks))
