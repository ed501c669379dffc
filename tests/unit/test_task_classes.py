"""Tasks as classes and their attributes: bases, hooks, annotations, registries, stand-ins."""

from __future__ import annotations

import abc
import asyncio
import inspect
import logging
import pickle
import sys
import types
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock, patch

import pytest
from fakes import FakeTransport

from ignitetasks import IgniteTasks, Task, current_app, current_task, message, shared_task
from ignitetasks.app import Celery
from ignitetasks.app.task import Context
from ignitetasks.errors import (
    ArgumentError,
    ConfigurationError,
    DuplicateTask,
    InvalidOption,
    NotRegistered,
    SerializationError,
)
from ignitetasks.local import Proxy
from ignitetasks.result import EagerResult


@pytest.fixture
def transport():
    return FakeTransport()


@pytest.fixture
def app(transport):
    app = IgniteTasks("classes")
    app.use_transport(transport)
    return app


class Counting(Task):
    calls = 0
    max_retries = 7
    queue = "counted"

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        self.calls += 1
        return super().__call__(*args, **kwargs)


class Adder(Task):
    name = "adder"
    acks_late = False
    priority = 3

    def __init__(self) -> None:  # without super(): a project's class need not know of ours
        self.offset = 100

    def run(self, x: int, y: int = 0) -> int:
        return self.offset + x + y


def test_a_class_with_run(app, transport):
    adder = app.register_task(Adder())
    assert app.tasks["adder"] is adder and adder(1, y=2) == 103 and adder.run(1) == 101
    adder.delay(1)
    last = transport.node.templates[-1]
    assert (last.task, last.priority, last.flags) == ("adder", 3, message.EARLY_ACK)
    with pytest.raises(ArgumentError):
        adder.delay()
    assert app.register_task(Adder) is app.tasks["adder"]


def test_a_class_without_a_name_gets_one(app):
    class Nameless(Task):
        def run(self) -> int:
            return 1

    assert app.register_task(Nameless()).name == f"{__name__}.Nameless"
    with pytest.raises(NotImplementedError, match="run"):
        Task()()


def test_base_of_the_decorator(app, transport):
    @app.task(base=Counting, bind=True)
    def add(self, x, y):
        return x + y

    assert isinstance(add, Counting) and add(1, 2) == 3 and add.calls == 1
    assert (add.max_retries, add.options.max_retries, add.options.queue) == (7, 7, "counted")
    add.delay(1, 2)
    assert transport.node.templates[-1].queue == "counted"
    own = app.task(base=Counting, max_retries=1, name="own")(lambda: 1)
    assert own.max_retries == 1
    with pytest.raises(ConfigurationError, match="based on"):
        app.task(base=dict, name="x")(lambda: 1)


@pytest.mark.parametrize("how", ["argument", "text", "assigned", "subclass"])
def test_class_of_all_tasks(how):
    if how == "subclass":

        class Special(IgniteTasks):
            task_cls = Counting

        app: Any = Special("special")
    else:
        chosen = f"{__name__}:Counting" if how == "text" else Counting
        app = IgniteTasks("special", task_cls=chosen if how != "assigned" else None)
        if how == "assigned":
            app.Task = Counting
    assert isinstance(app.task(name="t")(lambda: 1), Counting)
    assert issubclass(app.Task, Counting)


def test_the_apps_own_base_class(app):
    class Mine(app.Task):
        def run(self):
            return self.app

    assert Mine()() is app


def test_attributes_can_be_changed_later(app, transport):
    task = app.task(name="t", queue="a")(lambda: 1)
    task.delay()
    task.queue = "b"
    task.delay()
    assert [one.queue for one in transport.node.templates] == ["a", "b"]
    task.max_retries = 0
    assert task.options.max_retries == 0


def test_unset_attributes_come_from_the_settings(app):
    task = app.task(name="t")(lambda: 1)
    assert (task.acks_late, task.track_started, task.rate_limit) == (True, False, None)
    app.conf.update(task_acks_late=False, task_default_rate_limit="5/m", task_default_priority=9)
    assert (task.acks_late, task.rate_limit, task.priority) == (False, "5/m", 9)
    assert (task.options.acks_late, task.options.rate_limit, task.options.priority) == (False, "5/m", 9)
    with pytest.raises(AttributeError, match="no attribute 'colour'"):
        _ = task.colour
    lost = app.task(name="lost", reject_on_worker_lost=False)(lambda: 1)
    assert lost.options.max_deliveries == 1


def test_own_attributes_and_slips(app):
    task = app.task(name="t", description="what it is for")(lambda: 1)
    assert task.description == "what it is for"
    with pytest.raises(InvalidOption, match="did you mean 'time_limit'"):
        app.task(name="x", timeout=5)(lambda: 1)
    with pytest.raises(InvalidOption, match="did you mean 'rate_limit'"):
        app.task(name="x", ratelimit="5/m")(lambda: 1)


def test_retry_kwargs(app):
    task = app.task(name="t", autoretry_for=(OSError,), retry_kwargs={"max_retries": 1, "countdown": 5})(lambda: 1)
    assert (task.options.max_retries, task.options.default_retry_delay) == (1, 5.0)


def test_annotations(app):
    class Slow:
        def annotate(self, task):
            return {"soft_time_limit": 9} if task.name.endswith("slow") else None

    def shout(fn):
        return lambda *args, **kwargs: str(fn(*args, **kwargs)).upper()

    app.conf.task_annotations = [
        {"*": {"rate_limit": "1/s"}, "shop.*": {"queue": "shop"}, "shop.pay": {"max_retries": 1}},
        Slow(),
        {"shop.say": {"@run": shout}},
    ]
    pay, send, slow = (app.task(name=f"shop.{name}")(lambda: 1) for name in ("pay", "send", "slow"))
    say = app.task(name="shop.say")(lambda: "hush")
    assert (pay.options.max_retries, pay.options.queue, pay.options.rate_limit) == (1, None, "1/s")
    assert (send.options.queue, slow.options.soft_time_limit) == ("shop", 9)
    _ = say.options
    assert say() == "HUSH"


def test_tasks_are_found_by_name_when_unpickled(app):
    task = app.register_task(Adder())
    assert pickle.loads(pickle.dumps(task)) is task
    assert pickle.loads(pickle.dumps(app)) is app
    other = IgniteTasks("gone", task_track_started=True)
    data = pickle.dumps(other)
    del other
    copy = pickle.loads(data)
    assert copy.name == "gone" and copy.conf.task_track_started


def test_the_registry(app):
    task = app.task(name="t")(lambda: 1)
    assert app.tasks.regular() == {"t": task}
    with pytest.raises(NotRegistered, match="no task 'u'"):
        _ = app.tasks["u"]
    assert isinstance(NotRegistered("x"), KeyError)
    app.tasks.unregister("t")
    with pytest.raises(NotRegistered):
        app.tasks.unregister(task)


def test_a_task_made_twice_by_functions_is_the_last_one(app):
    def make(number):
        @app.task(name="again")
        def again():
            return number

        return again

    make(1)
    assert make(2)() == 2 and app.tasks["again"]() == 2
    with pytest.raises(DuplicateTask):
        app.task(name="again")(lambda: 3)


def test_a_property_of_a_class_that_fails_says_why(app):
    class Locking(Task):
        @property
        def lock(self):
            return self._get_app().no_such_thing

    task = app.task(base=Locking, name="locking")(lambda: 1)
    with pytest.raises(AttributeError, match="no_such_thing"):
        _ = task.lock
    with pytest.raises(AttributeError, match="has no attribute 'lck'"):
        _ = task.lck


def test_a_class_sees_its_task_when_it_is_made(app):
    class Signed(Task):
        def __init__(self):
            self.seen = (self.name, list(inspect.signature(self.run).parameters), self.colour)

    task = app.task(base=Signed, name="signed", colour="red")(lambda first, second: 1)
    assert task.seen == ("signed", ["first", "second"], "red")


def test_delay_goes_the_way_of_apply_async(app):
    class Once(Task):
        sent = 0

        def apply_async(self, *args, **kwargs):
            self.sent += 1
            return super().apply_async(*args, **kwargs)

    task = app.task(base=Once, name="once")(lambda: 1)
    plain = app.task(name="plain")(lambda: 1)
    for _ in range(3):
        task.delay()
        plain.delay()
    asyncio.run(task.adelay())
    task.s().delay()
    assert task.sent == 5
    with patch.object(plain, "apply_async") as sent:
        plain.delay()
    sent.assert_called_once_with((), {})
    with patch("ignitetasks.app.task.Task.apply_async") as sent:
        plain.delay()
    sent.assert_called_once_with((), {})


def test_the_result_of_a_task_that_was_never_run(app):
    result = EagerResult(None, None, "REJECTED")
    assert (result.id, result.state, repr(result)) == (None, "REJECTED", "<EagerResult: None>")


def test_current_app_and_task(app):
    assert current_app == app and current_app.name == "classes"
    other = IgniteTasks("other", set_as_current=False)
    assert current_app == app
    other.set_current()
    assert current_app == other
    app.set_current()
    assert not current_task
    task = app.task(bind=True, name="t")(lambda self: current_task.name)
    assert task() == "t" and Celery is IgniteTasks


def test_shared_tasks_belong_to_every_app(app):
    @shared_task
    def shared(x):
        return x + 1

    @shared_task(bind=True, name="shared.named", max_retries=9)
    def named(self):
        return self.app.name

    assert type(shared) is Proxy and shared(1) == 2
    assert shared.name == f"{__name__}.shared" and shared.name in app.tasks
    later = IgniteTasks("later", set_as_current=False)
    assert later.tasks["shared.named"]() == "later" and named() == "classes"
    assert later.tasks["shared.named"].max_retries == 9
    assert later.tasks["shared.named"] is not app.tasks["shared.named"]


def test_autodiscover(app, monkeypatch):
    package, tasks = types.ModuleType("shop_pkg"), types.ModuleType("shop_pkg.jobs")
    package.__path__ = []
    monkeypatch.setitem(sys.modules, "shop_pkg", package)
    monkeypatch.setitem(sys.modules, "shop_pkg.jobs", tasks)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object() if name == "shop_pkg.jobs" else None)
    seen = []
    monkeypatch.setattr("ignitetasks.loaders.importlib.import_module", lambda name: seen.append(name) or package)
    app.autodiscover_tasks(lambda: ["shop_pkg"], related_name="jobs")
    app.autodiscover_tasks(["shop_pkg"])
    assert seen == []
    app.prepare()
    assert "shop_pkg.jobs" in seen and "shop_pkg.tasks" not in seen
    app.autodiscover_tasks(["shop_pkg"], related_name=None)
    assert seen[-1] == "shop_pkg"
    with patch.object(app, "_autodiscover_tasks", return_value=[]) as looked:
        app.autodiscover_tasks(["other"])
    looked.assert_called_once_with(["other"], "tasks")


@pytest.mark.parametrize("installed", [True, False])
def test_autodiscover_without_packages_needs_no_django(app, monkeypatch, caplog, installed):
    monkeypatch.setattr(logging.getLogger("ignitetasks"), "propagate", True)
    monkeypatch.delenv("DJANGO_SETTINGS_MODULE", raising=False)
    conf = types.ModuleType("django.conf")
    conf.settings = types.SimpleNamespace(configured=False)
    monkeypatch.setitem(sys.modules, "django.conf", conf if installed else None)
    app.autodiscover_tasks()
    app.prepare()
    assert caplog.text.count("Django is not set up") == 1


def test_push_request(app):
    task = app.task(bind=True, name="t")(lambda self: self.request.id)
    task.push_request(id="given", retries=2)
    try:
        assert task.request.id == "given" and task.request.retries == 2 and task.run() == "given"
    finally:
        task.pop_request()
    assert task.request.id is None and task.request.called_directly


def test_pydantic(app):
    pydantic = pytest.importorskip("pydantic")

    class Order(pydantic.BaseModel):
        amount: int

    def pay(order, times=1):
        assert isinstance(order, Order)
        return Order(amount=order.amount * times)

    pay.__annotations__ = {"order": Order, "times": int, "return": Order}
    task = app.task(name="pay", pydantic=True)(pay)
    assert task({"amount": "3"}, times=2) == {"amount": 6}
    with pytest.raises(pydantic.ValidationError):
        task({"amount": "much"})


def test_attributes_of_a_complete_application_are_annotated():
    app = IgniteTasks("annotated", transport="memory")
    app.conf.task_annotations = {"*": {"time_limit": 9}, "add": {"rate_limit": "3/s"}}
    add, other = (app.task(name=name)(lambda: None) for name in ("add", "other"))
    assert app.tasks["add"] is add
    assert (add.rate_limit, add.time_limit, other.rate_limit, other.time_limit) == ("3/s", 9, None, 9)


def test_calls_may_be_given_models():
    app = IgniteTasks("models", transport="memory")
    pydantic = pytest.importorskip("pydantic")

    class Order(pydantic.BaseModel):
        amount: int

    class Hidden(pydantic.BaseModel):
        word: pydantic.SecretStr

    def pay(self, order, hidden=None, *rest):
        return order.amount, hidden, list(rest)

    pay.__annotations__ = {"order": Order, "hidden": Hidden}
    task = app.task(name="pay", pydantic=True, bind=True)(pay)
    with app.local_worker(1, pool="threads"):
        assert task.delay(Order(amount=3)).get(timeout=20) == [3, None, []]
        assert task.apply_async(kwargs={"order": Order(amount=4)}).get(timeout=20) == [4, None, []]
        assert task.s(Order(amount=5), None, 7).delay().get(timeout=20) == [5, None, [7]]
    with pytest.raises(SerializationError, match=r"args\[1\]: object of type .*Hidden"):
        task.delay({"amount": 1}, Hidden(word="x"))  # it would come back as stars
    with pytest.raises(SerializationError, match=r"args\[2\]"):
        task.delay({"amount": 1}, None, Order(amount=1))


def test_what_an_app_does_not_have_is_said(app):
    with pytest.raises(AttributeError, match="the instance's own key"):
        app.setup_security()
    with pytest.raises(AttributeError, match="has no 'colour'"):
        _ = app.colour


def test_a_call_that_was_copied_from_celery_finds_what_it_looks_at(app):
    class Guarded(Task):
        def __call__(self, *args, **kwargs):
            assert not self.__v2_compat__ and self._get_exec_options()["queue"] == "q"
            if self.request._protected:
                return "twice"
            self.request._protected = 1
            return self(*args, **kwargs)

    assert app.task(base=Guarded, name="guarded", queue="q")(lambda: None).apply().get() == "twice"


def test_requests_can_be_pushed_to_the_stack(app):
    @app.task(bind=True, name="who")
    def who(self):
        return self.request.id, self.request.retries, self.request.task

    assert who.request_stack.top is None and len(who.request_stack) == 0
    who.request_stack.push(Context({"id": "1"}, retries=3))
    try:
        assert who.run() == ("1", 3, "who") and who.request_stack.top is who.request and len(who.request_stack) == 1
    finally:
        who.request_stack.pop()
    assert who.request_stack.top is None and who.run() == (None, 0, "who")


def test_a_test_may_put_a_stack_of_its_own_in_the_place_of_a_tasks(app):
    @app.task(bind=True, name="who")
    def who(self):
        return self.request.id

    with patch.object(who, "request_stack", SimpleNamespace(top=Context({"id": "mine"}))):
        assert who.run() == who.request.id == "mine"
    assert who.run() is None
    who.request_stack = Mock(top=None)
    who.push_request(id="2")
    who.request_stack.push.assert_called_once()


def test_the_request_of_a_task_that_does_not_run_may_be_written_to(app):
    @app.task(bind=True, name="who")
    def who(self):
        return self.request.id

    who.request.update({"id": "set-by-a-test"})
    assert who.run() == "set-by-a-test" and who() is None
    assert who.request.called_directly


def test_what_a_bound_task_wraps_is_called_without_the_task(app):
    @app.task(bind=True, name="bound")
    def bound(self, x, y=2):
        return self, x, y

    assert str(inspect.signature(bound)) == "(x, y=2)"
    assert bound.__wrapped__(1) == (bound, 1, 2)
    assert bound.__wrapped__.__func__("me", 1) == ("me", 1, 2)


class Known(Task):
    @classmethod
    def told(cls, *args, **kwargs):
        return cls.name, cls.max_retries, inspect.getcallargs(cls.run, *args, **kwargs)


class Unfinished(Task, abc.ABC):
    @abc.abstractmethod
    def run(self, *args, **kwargs): ...


def test_class_methods_of_a_base_know_the_task_they_are_asked_for(app):
    @app.task(base=Known, name="bound", bind=True, max_retries=9)
    def bound(self, user, what="x"):
        return type(self).__name__

    plain = app.task(base=Known, name="plain")(lambda user: user)
    assert bound.told(None, 1) == ("bound", 9, {"self": None, "user": 1, "what": "x"})
    assert plain.told(5) == ("plain", 3, {"user": 5})
    assert bound(1) == "bound" and plain(2) == 2 and bound.__module__ == __name__
    assert app.task(base=Unfinished, name="finished")(lambda: 3)() == 3
