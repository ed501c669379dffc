"""What suites written for Celery look at: names of canvases, stamps of results, stand-ins, replacing."""

from __future__ import annotations

from unittest.mock import Mock, patch

import pytest

from ignitetasks import IgniteTasks, chain, chord, group
from ignitetasks.app.task import Context
from ignitetasks.contrib.testing.app import TestApp
from ignitetasks.contrib.testing.worker import start_worker
from ignitetasks.errors import Ignore
from ignitetasks.result import EagerResult

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


def test_a_request_left_behind_by_one_test_does_not_hide_that_of_another_task(app, add):
    other = app.task(name="other", bind=True)(lambda self: self.replace(add.s(1, 2)))
    add.push_request(id="left")
    try:
        other.request.id = "set"
        assert (other.request.id, add.request.id) == ("set", "left")
        with pytest.raises(Ignore):
            other.run()
    finally:
        add.pop_request()


def test_tasks_of_an_app_that_is_not_complete_are_refused():
    with IgniteTasks("later", transport="memory", autofinalize=False, set_as_current=False) as app:
        task = app.task(name="t")(lambda: 42)
        for use in (task, task.delay, task.apply, lambda: app.tasks["t"]):
            with pytest.raises(RuntimeError, match="finalize"):
                use()
        app.finalize()
        assert task() == 42


def test_handles_that_give_their_results_themselves_are_not_waited_for(app, add):
    class Known(app.AsyncResult):
        def get(self, *_, **__):
            return f"got {self.id}"

    stubbed = app.AsyncResult("b")
    stubbed.get = Mock(return_value=2)
    several = app.ResultSet([Known("a"), stubbed, EagerResult("c", 3, "SUCCESS")])
    assert several.join(timeout=LIMIT) == list(several.iterate(timeout=LIMIT)) == ["got a", 2, 3]
    app.conf.task_always_eager = True
    assert list(group(add.s(1, 1), add.s(2, 2))().iterate(timeout=LIMIT)) == [2, 4]


def test_a_stand_in_for_the_control_hears_of_revokes(app):
    told = {"connection": None, "reply": False, "signal": None, "terminate": False, "timeout": None}
    one, group_of_two = app.AsyncResult("a"), app.GroupResult("g", [app.AsyncResult("b"), app.AsyncResult("c")])
    with (
        patch.object(app.control, "revoke") as revoke,
        patch.object(app.control, "revoke_by_stamped_headers") as stamped,
    ):
        one.revoke()
        revoke.assert_called_with("a", **told)
        group_of_two.revoke(terminate=True, signal="SIGUSR1")
        revoke.assert_called_with(["b", "c"], **{**told, "terminate": True, "signal": "SIGUSR1"})
        one.revoke_by_stamped_headers({"tenant": "a"})
        stamped.assert_called_with({"tenant": "a"}, **told)


def test_small_things(app, add):
    assert add._get_current_object() is add
    with pytest.raises(TypeError, match="made of a function"):
        app.task(1)


def test_the_main_name_of_an_app_is_its_name(app):
    with IgniteTasks("proj", transport="memory", set_as_current=False) as named:
        assert named.main == "proj"


def test_a_chord_shows_what_its_body_is_called_with(add):
    header = [add.s(1, 1), add.s(2, 2)]
    assert repr(chord(header, add.s(4))) == f"%proj.tasks.add({header!r}, 4)"
    assert repr(chord(header, add.s(4) | add.s(5))) == f"%(proj.tasks.add({header!r}, 4) | proj.tasks.add(5))"


def test_nameless_periodic_tasks_that_hide_one_another_are_told(app, add, caplog):
    app.add_periodic_task(10, add.s(1, 1), expires=3)
    app.add_periodic_task(20, add.s(1, 1), name="named")
    app.add_periodic_task(20, add.s(1, 1), name="named")
    assert "takes the place" not in caplog.text
    app.add_periodic_task(20, add.s(1, 1), expires=3)
    assert len(app.conf.beat_schedule) == 2 and "takes the place" in caplog.text
