"""What a task takes from settings, annotations and its decorator, and how its calls and requests are shown."""

from __future__ import annotations

import itertools

import pytest

from ignitetasks import IgniteTasks, Task, chain, origin
from ignitetasks.app.task import Context

PATIENCE = 20
_numbers = itertools.count(1)


@pytest.fixture
def app():
    made = IgniteTasks("attributes", transport=f"memory://attributes-{next(_numbers)}", set_as_current=False)
    yield made
    made.close()


def note(self, exc, task_id, args, kwargs, einfo):
    NOTED.append((self.name, str(exc)))


NOTED: list[tuple[str, str]] = []


def test_limits_are_read_from_the_settings_and_not_sent(app):
    @app.task(name="slow")
    def slow():
        pass

    @app.task(name="own", time_limit=5)
    def own():
        pass

    assert (slow.time_limit, slow.soft_time_limit) == (None, None)
    app.conf.update(task_time_limit=30, task_soft_time_limit=20)
    assert (slow.time_limit, slow.soft_time_limit, own.time_limit) == (30, 20, 5)
    # A worker may have been given other limits, so those of the settings do not travel with the call.
    assert (slow.options.time_limit, slow.options.soft_time_limit, own.options.time_limit) == (None, None, 5)


def test_the_defaults_of_a_task(app):
    @app.task(name="plain")
    def plain():
        pass

    assert plain.acks_late is True and plain.acks_on_failure_or_timeout is True
    assert plain.ignore_result is False and plain.track_started is False and plain.rate_limit is None
    app.conf.update(task_default_rate_limit="10/m", task_track_started=True, task_ignore_result=True)
    assert (plain.rate_limit, plain.track_started, plain.ignore_result) == ("10/m", True, True)


def test_eager_runs_know_the_limits_of_the_settings(app):
    app.conf.task_time_limit = 30

    @app.task(name="limits", bind=True)
    def limits(self):
        return self.request.timelimit, self.request.time_limit

    done = limits.apply()
    assert done.get() == ([30, None], 30)
    meta = done._get_task_meta()
    assert (meta["task_id"], meta["status"], meta["name"]) == (done.id, "SUCCESS", "limits")


@pytest.mark.parametrize("way", ["decorator", "annotation"])
def test_functions_given_from_outside_become_methods(app, way):
    NOTED.clear()
    if way == "annotation":
        app.conf.task_annotations = {"*": {"on_failure": note}}

    @app.task(name=f"fails.{way}", **({"on_failure": note} if way == "decorator" else {}))
    def fails():
        raise LookupError("gone")

    fails.apply()
    with app.local_worker(1, "solo"):
        fails.delay().get(timeout=PATIENCE, propagate=False)
    assert [(f"fails.{way}", "gone")] * 2 == NOTED


def test_calls_are_shown_under_the_name_that_the_task_gives_them(app):
    def shadow_name(task, args, kwargs, options):
        return f"{task.name}-{args[0]}" if args and args[0] else None

    class Shown(Task):
        def shadow_name(self, args, kwargs, options):
            return f"shown-{kwargs['x']}"

    @app.task(name="say", bind=True, shadow_name=shadow_name)
    def say(self, x, y=None):
        return self.request.shadow

    @app.task(name="show", base=Shown, bind=True)
    def show(self, x):
        return self.request.shadow

    with app.local_worker(1, "solo"):
        assert say.delay(7).get(timeout=PATIENCE) == "say-7"
        assert say.delay(0).get(timeout=PATIENCE) is None
        assert say.apply_async((7,), shadow="mine").get(timeout=PATIENCE) == "mine"
        assert show.delay(x=3).get(timeout=PATIENCE) == "shown-3"
        assert chain(say.s(1), say.s(0)).apply_async().get(timeout=PATIENCE) is None
        assert chain(say.si(1), say.si(8))().get(timeout=PATIENCE) == "say-8"


def test_the_request_has_the_fields_that_are_documented(app):
    @app.task(name="seen", bind=True)
    def seen(self):
        request = self.request
        return request.lang, request.compression, request.get("origin"), request.taskset, request.logfile

    with app.local_worker(1, "solo"):
        assert seen.delay().get(timeout=PATIENCE) == ["py", None, origin.name(), None, None]


def test_a_request_made_by_hand():
    made = Context({"task": "t", "id": "1", "custom": 5}, retries=3)
    assert (made.task, made.id, made.retries, made.headers, made.custom) == ("t", "1", 3, {"custom": 5}, 5)
    assert Context({"id": "1", "headers": {"a": 1}, "other": 2}).headers == {"a": 1}
    assert Context().id is None and Context().called_directly and Context().get("nothing", 4) == 4


def test_a_request_made_by_hand_knows_its_chain_and_how_it_is_shown():
    made = Context(id="1", chain=["next"], argsrepr="(...)", headers=None)
    assert made.chain == ["next"] and made.argsrepr == "(...)"
    made.chain = None
    assert made.chain is None


def test_a_state_told_under_a_request_made_by_hand_is_kept(app):
    @app.task(name="told", bind=True)
    def told(self):
        self.update_state(state="HALF", meta={"done": 50})

    told.push_request(id="by-hand-0000")
    try:
        told.run()
    finally:
        told.pop_request()
    found = app.AsyncResult("by-hand-0000")
    assert (found.state, found.info) == ("HALF", {"done": 50})


def test_the_priority_of_a_request_is_that_of_its_delivery(app):
    @app.task(name="first")
    def first():
        pass

    first.push_request(delivery_info={"priority": 7}, args=[], kwargs={})
    try:
        assert first.signature_from_request().options["priority"] == 7
    finally:
        first.pop_request()
