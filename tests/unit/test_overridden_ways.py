"""What a project or a test puts in the place of `send_task` or `retry` is asked, as with Celery."""

from __future__ import annotations

import copy
import pickle
from datetime import datetime, timedelta, timezone
from unittest.mock import patch

import pydantic
import pytest

from ignitetasks import AsyncResult, IgniteTasks, Task, chain, chord, group
from ignitetasks.app.registry import TaskRegistry
from ignitetasks.contrib.testing.app import TestApp, setup_default_app
from ignitetasks.contrib.testing.worker import start_worker
from ignitetasks.errors import InvalidOption, MaxRetriesExceededError, Retry
from ignitetasks.events.state import State
from ignitetasks.result import EagerResult
from ignitetasks.utils import chunks
from ignitetasks.utils.dispatch import Signal
from ignitetasks.utils.imports import import_from_cwd, instantiate, qualname, symbol_by_name

LIMIT = 30.0


@pytest.fixture
def app():
    with setup_default_app(TestApp()) as _, TestApp() as made:
        yield made


def test_an_app_with_a_send_task_of_its_own_sends_every_call():
    class Marked(IgniteTasks):
        def send_task(self, name, args=None, kwargs=None, **options):
            return super().send_task(name, args, kwargs, **{**options, "headers": {"mark": name}})

    with Marked("marked", transport="memory", set_as_current=False) as app:

        @app.task(name="mark", bind=True)
        def mark(self, *args):
            return [self.request.mark, *args]

        with start_worker(app):
            assert mark.delay(1).get(timeout=LIMIT) == ["mark", 1]
            assert mark.apply_async((2,), priority=3).get(timeout=LIMIT) == ["mark", 2]
            assert app.send_task("mark", (3,)).get(timeout=LIMIT) == ["mark", 3]


def test_a_test_may_stand_in_for_send_task(app):
    task = app.task(name="t")(lambda x: x)
    with patch.object(app, "send_task") as send_task:
        task.delay(1)
        task.apply_async((2,), queue="q", countdown=5)
    assert [call.args for call in send_task.call_args_list] == [("t", (1,), {}), ("t", (2,), None)]
    told = {key: value for key, value in send_task.call_args.kwargs.items() if value is not None}
    assert told.pop("result_cls")("i").id == "i"
    assert told == {"queue": "q", "countdown": 5, "task_type": task, "ignore_result": False, "serializer": "json"}


def test_a_send_task_is_told_what_the_task_says(app):
    task = app.task(name="t", priority=7, expires=60, serializer="json", ignore_result=True)(lambda: None)
    app.conf.task_time_limit = 9
    with patch.object(app, "send_task") as send_task:
        task.delay()
    told = send_task.call_args.kwargs
    names = ("priority", "expires", "serializer", "ignore_result", "time_limit", "soft_time_limit", "queue")
    assert [told[name] for name in names] == [7, 60, "json", True, 9, None, None]


def test_an_app_with_a_send_task_of_its_own_sends_the_calls_of_a_canvas():
    class Marked(IgniteTasks):
        def send_task(self, name, args=None, kwargs=None, **options):
            seen.append(name)
            return super().send_task(name, args, kwargs, **{**options, "headers": {"mark": len(seen)}})

    seen = []
    with Marked("marked canvas", transport="memory", set_as_current=False) as app:

        @app.task(name="mark", bind=True)
        def mark(self, *args):
            return self.request.headers["mark"]

        @app.task(name="join", bind=True)
        def join(self, marks):
            return [*marks, self.request.headers["mark"]]

        with start_worker(app):
            seen.clear()
            assert group(mark.s(), mark.s())().get(timeout=LIMIT) == [1, 2]
            assert chain(mark.s(), mark.s(), mark.s())().get(timeout=LIMIT) == 5
            assert chord([mark.s(), mark.s()], join.s())().get(timeout=LIMIT) == [6, 7, 8]
            linked = mark.apply_async(link=mark.s())
            assert linked.get(timeout=LIMIT) == 9
            assert linked.children[0].get(timeout=LIMIT) == 10


def test_a_handle_of_the_class_that_a_call_names(app):
    class Named(AsyncResult):
        pass

    assert type(app.send_task("t", result_cls=Named)) is Named


def test_a_group_is_one_child_of_the_task_that_sends_it(app):
    task = app.task(name="t")(lambda: None)
    task.push_request(id="p", called_directly=False)
    sent = group(task.s(), task.s())()
    assert task.request.children == [sent]
    task.pop_request()


def _ended(app, task, eager):
    if eager:
        return task.apply()
    with start_worker(app):
        result = task.delay()
        result.get(timeout=LIMIT, propagate=False)
        return result


@pytest.mark.parametrize("eager", [True, False])
def test_a_retry_of_a_class_s_own_is_asked_about_automatic_repeats(app, eager):
    asked = []

    class Noting(Task):
        def retry(self, *args, **kwargs):
            asked.append((repr(kwargs["exc"]), kwargs.get("countdown")))
            kwargs["countdown"] = 0
            return super().retry(*args, **kwargs)

    @app.task(base=Noting, name="fails", autoretry_for=(OSError,), retry_backoff=2, retry_jitter=False, max_retries=2)
    def fails():
        raise OSError("busy")

    result = _ended(app, fails, eager)
    assert result.state == "FAILURE" and isinstance(result.result, OSError)
    assert [pause for _, pause in asked] == [2, 4, 8]


@pytest.mark.parametrize("eager", [True, False])
def test_a_retry_that_has_given_up_is_not_repeated_automatically(app, eager):
    runs = []

    @app.task(bind=True, name="gives_up", autoretry_for=(Exception,), default_retry_delay=0, max_retries=10)
    def gives_up(self):
        runs.append(1)
        raise self.retry(exc=KeyError("enough"), countdown=0, max_retries=None if len(runs) < 3 else 0)

    result = _ended(app, gives_up, eager)
    assert (result.state, type(result.result), len(runs)) == ("FAILURE", KeyError, 3)


def test_a_retry_that_is_returned_is_a_wish_too(app):
    @app.task(bind=True, name="returns")
    def returns(self):
        return self.retry(throw=False, countdown=0) if self.request.retries < 2 else self.request.retries

    assert returns.apply().get() == 2

    @app.task(bind=True, name="ends", max_retries=1)
    def ends(self):
        return self.retry(throw=False)

    with pytest.raises(MaxRetriesExceededError):
        ends.apply().get()


def test_the_backend_is_one_object_and_stores_ends(app):
    assert app.backend is app.backend
    app.backend.mark_as_done("an-id", {"a": 1})
    app.backend.mark_as_failure("another", ValueError("no"))
    assert app.AsyncResult("an-id").get(timeout=LIMIT) == {"a": 1}
    with pytest.raises(ValueError, match="no"):
        app.AsyncResult("another").get(timeout=LIMIT)


def test_an_app_after_the_end_of_the_home_it_shared():
    def one():
        app = IgniteTasks("shared home", broker="memory://ended", set_as_current=False)
        app.task(name="add")(lambda x, y: x + y)
        with start_worker(app):
            return app.tasks["add"].delay(1, 2).get(timeout=LIMIT)

    assert one() == 3
    with setup_default_app(TestApp(broker="memory://ended")) as _:
        pass
    # The first app is still there, and with it what all apps of these settings share.
    assert one() == 3


def test_the_time_zone_of_an_app_can_be_set(app):
    app.timezone = "Europe/Berlin"
    assert str(app.timezone) == app.conf.timezone == "Europe/Berlin"
    del app.timezone
    assert app.uses_utc_timezone()


def test_periodic_tasks_are_in_the_settings_whenever_these_are_read():
    with IgniteTasks("periodic", transport="memory", set_as_current=False) as app:
        add = app.task(name="add")(lambda x, y: x + y)
        app.config_from_object({"beat_schedule": {"there": {"task": "add", "schedule": 5, "args": (1, 1)}}})
        app.add_periodic_task(10, add.s(2, 2), name="first")
        app.add_periodic_task(20, add.s(2, 2), name="first")
        assert set(app.conf.beat_schedule) == {"there", "first"}
        assert app.conf.beat_schedule["first"]["schedule"] == 20
        app.add_periodic_task(10, add.s(2, 2), name="later")
        app.conf.beat_schedule["in place"] = {"task": "add", "schedule": 1}
        assert set(app.conf.beat_schedule) == {"there", "first", "later", "in place"}


def test_times_may_be_text_as_they_stand_in_a_request(app):
    task = app.task(name="t", bind=True)(lambda self: [self.request.eta, self.request.expires])
    soon = (datetime.now(timezone.utc) + timedelta(seconds=60)).isoformat()
    with start_worker(app):
        sent = task.apply_async(expires=soon)
        assert sent.get(timeout=LIMIT)[1] is not None
        past = (datetime.now(timezone.utc) - timedelta(seconds=60)).isoformat()
        assert task.apply_async(eta=past).get(timeout=LIMIT)
    with pytest.raises(InvalidOption, match="ISO 8601"):
        task.apply_async(expires="noon")


def test_models_are_told_of_their_task_and_returned_as_json(app):
    seen = []

    class Span(pydantic.BaseModel):
        value: timedelta

        @pydantic.model_validator(mode="after")
        def look(self, info: pydantic.ValidationInfo):
            if info.context:
                seen.append((info.context["celery_task_name"], info.context["celery_app"], info.context.get("more")))
            return self

    def double(arg: Span) -> Span:
        return Span(value=arg.value * 2)

    double.__annotations__ = {"arg": Span, "return": Span}
    task = app.task(name="double", pydantic=True, pydantic_context={"more": 1})(double)
    assert task({"value": "P1D"}) == {"value": "P2D"}
    assert seen == [("double", app, 1)]
    plain = app.task(name="plain", pydantic=True, pydantic_dump_kwargs={"mode": "python"})(double)
    assert plain({"value": "P1D"}) == {"value": timedelta(days=2)}


def test_small_things_under_celery_s_names(app):
    task = app.task(name="t", type="periodic")(lambda: None)
    registry = TaskRegistry()
    registry.register(task)
    assert (list(registry.periodic()), list(registry.regular())) == (["t"], [])
    parent = EagerResult("p", 1, "SUCCESS")
    assert app.GroupResult("g", [parent], parent).parent is parent
    assert Signal({"x"}, True, "name").name == "name"
    assert list(chunks(iter(range(5)), 2)) == [[0, 1], [2, 3], [4]]
    assert task.apply().get() is None
    signature = task.signature_from_request(
        task.request.__class__(id="i", shadow="s", headers={"h": 1}, queue="q", args=[1])
    )
    assert (signature.options["shadow"], signature.options["headers"]) == ("s", {"h": 1})
    assert "Retry in 3s" in str(Retry(exc=OSError(), when=3))


def test_names_and_objects(tmp_path, monkeypatch):
    assert qualname(State) == qualname(State()) == "ignitetasks.events.state.State"
    assert (
        symbol_by_name("os.path:join") is symbol_by_name("os.path.join") is symbol_by_name("j", {"j": "os.path.join"})
    )
    assert symbol_by_name("os.nothing", default=5) == 5 and symbol_by_name(State) is State
    with pytest.raises(AttributeError):
        symbol_by_name("os.nothing")
    assert instantiate("collections.Counter", "aab")["a"] == 2
    (tmp_path / "only_here_of_all.py").write_text("value = 3\n")
    monkeypatch.chdir(tmp_path)
    assert import_from_cwd("only_here_of_all").value == 3


def test_a_state_of_events_is_copied_and_kept():
    state = State()
    state.event({"type": "worker-online", "hostname": "w", "timestamp": 1.0, "local_received": 1.0, "clock": 1})
    state.event(
        {"type": "task-received", "uuid": "u", "name": "t", "hostname": "w", "timestamp": 2.0, "local_received": 2.0}
    )
    for other in (pickle.loads(pickle.dumps(state)), copy.deepcopy(state)):
        assert (list(other.workers), list(other.tasks), other.event_count) == (["w"], ["u"], 2)
        assert {task.uuid for task in other.tasks_by_type["t"]} == {"u"}


def test_a_worker_that_is_only_heard_to_leave_is_not_new():
    state = State(on_node_leave=lambda worker: None)
    (worker, created), subject = state.event({"type": "worker-offline", "hostname": "w", "timestamp": 1.0})
    assert (worker.hostname, created, subject, dict(state.workers)) == ("w", False, "offline", {})
