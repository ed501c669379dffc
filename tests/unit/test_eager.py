"""Calls that run in the caller's process: same request, same hooks, same ends as in a worker."""

from __future__ import annotations

import pytest
from fakes import FakeTransport

from ignitetasks import IgniteTasks, Task, signals
from ignitetasks.errors import (
    ArgumentError,
    Ignore,
    MaxRetriesExceededError,
    Reject,
    SerializationError,
)
from ignitetasks.exceptions import AlwaysEagerIgnored
from ignitetasks.result import allow_join_result


class Telling(Task):
    told: list = []  # noqa: RUF012  # one list for all on purpose

    def before_start(self, task_id, args, kwargs):
        self.told.append(("before_start", task_id, args, kwargs))

    def on_success(self, retval, task_id, args, kwargs):
        self.told.append(("on_success", retval, self.request.id == task_id))

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        self.told.append(("on_failure", str(exc), "Traceback" in str(einfo), einfo.type.__name__))

    def on_retry(self, exc, task_id, args, kwargs, einfo):
        self.told.append(("on_retry", str(exc)))

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        self.told.append(("after_return", status, str(retval), einfo is not None))


@pytest.fixture
def app():
    app = IgniteTasks("eager")
    app.use_transport(FakeTransport())
    Telling.told.clear()
    return app


def test_the_result_of_a_run(app):
    done = app.task(name="t")(lambda x, y=1: x + y).apply((2,), {"y": 3}, task_id="mine")
    assert (done.get(), done.id, done.state, done.successful()) == (5, "mine", "SUCCESS", True)


def test_the_request(app):
    @app.task(bind=True, queue="q", priority=5, soft_time_limit=3)
    def show(self, x):
        request = self.request
        return [
            request.is_eager, request.called_directly, request.args, request.queue, request.delivery_info["priority"],
            request.soft_time_limit, request.headers, request.trace, request.root_id == request.id, request.retries,
        ]  # fmt: skip

    shown = show.apply((1,), headers={"trace": "t"}, retries=2).get()
    assert shown == [True, False, (1,), "q", 5, 3.0, {"trace": "t"}, "t", True, 2]


def test_hooks_of_a_success_and_of_a_failure(app):
    task = app.task(base=Telling, name="t")(lambda x: 1 / x)
    task.apply((1,), task_id="a")
    assert Telling.told == [
        ("before_start", "a", (1,), {}),
        ("on_success", 1.0, True),
        ("after_return", "SUCCESS", "1.0", False),
    ]
    Telling.told.clear()
    failed = task.apply((0,))
    assert [one[0] for one in Telling.told] == ["before_start", "on_failure", "after_return"]
    assert Telling.told[1][1:] == ("division by zero", True, "ZeroDivisionError")
    assert failed.failed() and "division by zero" in failed.traceback
    with pytest.raises(ZeroDivisionError):
        failed.get()


def test_a_failure_before_the_start_is_the_tasks_own(app):
    class Refusing(Task):
        def before_start(self, task_id, args, kwargs):
            raise PermissionError("not today")

    assert app.task(base=Refusing, name="t")(lambda: 1).apply().state == "FAILURE"


def test_repeats_run_at_once(app):
    @app.task(bind=True, base=Telling, max_retries=2)
    def flaky(self, x):
        try:
            if self.request.retries < 2:
                raise ValueError(f"try {self.request.retries}")
        except ValueError as error:
            raise self.retry(args=(x + 1,), exc=error, countdown=3600) from error
        return x

    assert flaky.apply((5,)).get() == 7
    assert [one[1] for one in Telling.told if one[0] == "on_retry"] == ["try 0", "try 1"]


def test_repeats_come_to_an_end(app):
    @app.task(bind=True, max_retries=1)
    def never(self):
        raise self.retry()

    with pytest.raises(MaxRetriesExceededError, match="1 retries") as caught:
        never.apply().get()
    assert caught.value.task_args == ()

    runs = []

    @app.task(autoretry_for=(OSError,), max_retries=3)
    def auto():
        runs.append(1)
        raise OSError("again")

    assert auto.apply().failed() and len(runs) == 4


@pytest.mark.parametrize(("error", "state"), [(Ignore(), "IGNORED"), (Reject("no"), "REJECTED")])
def test_predicates(app, error, state):
    def refuse():
        raise error

    result = app.task(refuse).apply(throw=True)
    assert (result.state, result.get(), result.maybe_throw(), result.result) == (state, None, error, error)


def test_throw(app):
    task = app.task(name="t")(lambda: {}["k"])
    with pytest.raises(KeyError):
        task.apply(throw=True)
    app.conf.task_eager_propagates = True
    with pytest.raises(KeyError):
        task.apply()
    assert task.apply(throw=False).failed()


def test_always_eager(app):
    app.conf.task_always_eager = True
    app.use_transport(transport := FakeTransport())
    task = app.task(name="t")(lambda x: type(x).__name__)
    assert task.delay((1, 2)).get() == "list"  # as it would have arrived
    assert task.apply_async((1,), countdown=50, queue="q", task_id="a").id == "a"
    assert app.send_task("t", (1,)).get() == "int"
    with pytest.raises(SerializationError):
        task.delay(object())
    with pytest.raises(ArgumentError):
        task.delay()
    assert transport.node.count("submit") == 0
    with pytest.warns(AlwaysEagerIgnored, match="elsewhere"):
        app.send_task("elsewhere")
    assert transport.node.count("submit") == 1
    app.conf.task_always_eager = False
    app.use_transport(transport)
    task.delay(1)
    assert transport.node.count("submit") == 2


def test_a_task_that_calls_another_directly(app):
    inner = app.task(bind=True, name="inner")(lambda self: (self.request.called_directly, self.request.id))
    outer = app.task(bind=True, name="outer")(lambda self: (inner(), self.request.called_directly))
    assert outer.apply().get() == ((True, None), False)


def test_coroutines_run_too(app):
    @app.task
    async def later():
        return 5

    assert later.apply().get() == 5


def test_signals_around_a_run(app):
    heard, before = [], signals.running.receivers

    def hear(signal, **named):
        heard.append((signal.name, named.get("state"), named.get("task_id")))

    wanted = (signals.task_prerun, signals.task_success, signals.task_failure, signals.task_postrun)
    for signal in wanted:
        signal.connect(hear)
    try:
        app.task(name="t")(lambda: 1).apply(task_id="a")
        app.task(name="u")(lambda: 1 / 0).apply(task_id="b")
    finally:
        for signal in wanted:
            signal.disconnect(hear)
    assert heard == [
        ("task_prerun", None, "a"), ("task_success", None, None), ("task_postrun", "SUCCESS", "a"),
        ("task_prerun", None, "b"), ("task_failure", None, "b"), ("task_postrun", "FAILURE", "b"),
    ]  # fmt: skip
    assert signals.running.receivers == before


def test_publish_signals_may_change_headers_and_arguments(app):
    app.use_transport(transport := FakeTransport())
    task = app.task(name="t")(lambda x, who="": x)
    heard = []

    def before(sender, body, headers, routing_key, properties, **_):
        heard.append((sender, routing_key, headers["id"] == properties["correlation_id"]))
        headers["request_id"] = "r-1"
        body[1]["who"] = "me"

    def after(sender, headers, **_):
        heard.append((sender, headers["request_id"]))

    signals.before_task_publish.connect(before)
    signals.after_task_publish.connect(after, sender="t")
    try:
        handle = task.apply_async((1,), queue="q", headers={"own": 1})
    finally:
        signals.before_task_publish.disconnect(before)
        signals.after_task_publish.disconnect(after, sender="t")
    assert heard == [("t", "q", True), ("t", "r-1")]
    record = transport.node.records[handle.id]
    assert app.client.codecs.decode(record["body"], "body:t") == [[1], {"who": "me"}]
    assert b"request_id" in record["template"].options and b"own" in record["template"].options


def test_a_task_may_not_wait_for_what_it_sends(app):
    app.conf.task_always_eager = True
    inner = app.task(name="inner")(lambda: 1)

    @app.task(name="waits")
    def waits(**how):
        return inner.delay().get(**how)

    with pytest.raises(RuntimeError, match="within a task"):
        waits.delay().get()
    assert waits.delay(disable_sync_subtasks=False).get() == 1
    with allow_join_result():
        assert inner.delay().get() == 1
    assert waits.apply().get() == 1, "what is run by `apply` is not sent"


def test_a_call_without_stamps_has_none(app):
    @app.task(bind=True)
    def inner(self):
        return [self.request.stamped_headers, self.request.stamps]

    @app.task(bind=True)
    def outer(self):
        assert self.request.stamps == {"tenant": "a"}
        return self.replace(inner.s())

    sig = outer.s()
    sig.stamp(tenant="a")
    assert sig.apply().get() == [None, None]


def test_a_callback_whose_code_is_elsewhere_is_sent(app):
    app.conf.task_always_eager = True
    app.use_transport(transport := FakeTransport())
    with pytest.warns(AlwaysEagerIgnored, match="elsewhere"):
        app.task(name="here")(lambda: 1).apply_async(link=app.signature("elsewhere"))
    assert transport.node.count("submit") == 1
