"""What suites written for Celery look at: names of canvases, stamps of results, stand-ins, replacing."""

from __future__ import annotations

from unittest.mock import Mock, patch

import pytest

from ignitetasks import IgniteTasks, chain, chord, group
from ignitetasks.app.task import Context
from ignitetasks.contrib.testing.app import TestApp
from ignitetasks.contrib.testing.worker import start_worker
from ignitetasks.errors import Ignore

LIMIT = 30.0


@pytest.fixture
def app():
    with TestApp() as made:
        yield made


@pytest.fixture
def add(app):
    return app.task(name="proj.tasks.add")(lambda x, y: x + y)


def test_a_canvas_shows_the_module_of_its_calls_once(app, add):
    other = app.task(name="other.add")(lambda x: x)
    assert repr(add.s(2, 2) | add.s(4) | other.s()) == "proj.tasks.add(2, 2) | add(4) | other.add()"
    assert repr(group(add.s(1, 1), add.s(2, 2))) == "group([proj.tasks.add(1, 1), add(2, 2)])"
    assert repr(chain(add.s("proj.tasks.x", 1), add.s(y="proj.tasks."))).endswith("| add(y='proj.tasks.')")
    assert "proj.tasks.add(4)" in repr(chord([add.s(1, 1)], add.s(4)))


@pytest.mark.parametrize("eager", [True, False])
def test_stamps_are_among_what_is_known_of_a_result(app, add, eager):
    app.conf.update(result_extended=True, task_store_eager_result=True, task_always_eager=eager)
    canvas = group(add.s(1, 1), add.s(2, 2))
    canvas.stamp(tenant="a", jobs=[1, 2])
    handles = canvas.freeze().results
    with start_worker(app):
        canvas.apply_async()
        for one in handles:
            one.get(timeout=LIMIT)
            meta = one._get_task_meta()
            assert (sorted(meta["stamped_headers"]), meta["tenant"], meta["jobs"]) == (
                ["jobs", "tenant"],
                ["a"],
                [1, 2],
            )
            assert app.backend.get_task_meta(one.id)["tenant"] == ["a"]
        app.conf.result_extended = False
        plain = add.s(1, 1)
        plain.stamp(tenant="a")
        sent = plain.apply_async()
        sent.get(timeout=LIMIT)
        assert eager or "tenant" not in sent._get_task_meta()


def test_a_retry_that_a_program_stores_has_its_traceback(app):
    app.backend.mark_as_retry("an-id", KeyError("x"), traceback="where it was")
    handle = app.AsyncResult("an-id")
    assert (handle.state, handle.traceback, repr(handle.result)) == ("RETRY", "where it was", "KeyError('x')")
    app.backend.store_result("another", {"done": 1}, "PROGRESS")
    assert app.AsyncResult("another").traceback is None


def test_a_stand_in_for_the_backend_hears_of_states(app, add):
    add.backend = Mock()
    add.update_state("an-id", "SHRINKING", {"left": 3}, extra=1)
    add.backend.store_result.assert_called_once_with("an-id", {"left": 3}, "SHRINKING", request=add.request, extra=1)


def test_replacing_where_nothing_runs_sends_the_canvas(app, add):
    replaced = app.task(name="replaced", bind=True)(lambda self: self.replace(add.s(1, 2)))
    with patch.object(app, "send_task") as send_task, pytest.raises(Ignore):
        replaced.run()
    assert send_task.call_args.args[0] == "proj.tasks.add"
    replaced.request_stack.push(Context(id="an-id"))
    with patch.object(app, "send_task") as send_task, pytest.raises(Ignore):
        replaced.run()
    assert send_task.call_count == 1
    replaced.request_stack.pop()
    assert replaced() == 3
    assert replaced.apply().get() == 3


def test_tasks_of_an_app_that_is_not_complete_are_refused():
    with IgniteTasks("later", transport="memory", autofinalize=False, set_as_current=False) as app:
        task = app.task(name="t")(lambda: 42)
        for use in (task, task.delay, task.apply, lambda: app.tasks["t"]):
            with pytest.raises(RuntimeError, match="finalize"):
                use()
        app.finalize()
        assert task() == 42


def test_small_things(app, add):
    assert add._get_current_object() is add
    with pytest.raises(TypeError, match="made of a function"):
        app.task(1)
