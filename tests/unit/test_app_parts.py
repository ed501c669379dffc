"""The parts of an application: loader, queues, worker and beat as objects, and classes of one's own in their place."""

from __future__ import annotations

import pickle
import sys
import threading
import types

import pytest

from ignitetasks import IgniteTasks, Task, _state, current_app, group, shared_task, signals
from ignitetasks.app.control import Control
from ignitetasks.app.log import Logging
from ignitetasks.app.registry import TaskRegistry
from ignitetasks.apps.worker import Worker
from ignitetasks.errors import ConfigurationError
from ignitetasks.loaders.base import BaseLoader
from ignitetasks.result import AsyncResult


@pytest.fixture
def app():
    made = IgniteTasks("parts", transport="memory", set_as_current=False)
    yield made
    made.close()


@pytest.fixture
def module(monkeypatch):
    made = types.ModuleType("parts_settings")
    made.task_track_started = True
    monkeypatch.setitem(sys.modules, "parts_settings", made)
    return "parts_settings"


@pytest.fixture
def own_log():
    """Keeps workers and beats from setting up a log: tests share one process."""
    receiver = signals.setup_logging.connect(lambda **_: None, weak=False)
    yield
    signals.setup_logging.disconnect(receiver)


class Told(BaseLoader):
    """Notes what it is told."""

    def __init__(self, app, **options):
        super().__init__(app, **options)
        self.told = []

    def on_worker_init(self):
        self.told.append("worker")

    def on_task_init(self, task_id, task):
        self.told.append(("task", task.name))

    def on_process_cleanup(self):
        self.told.append("cleanup")

    def on_worker_shutdown(self):
        self.told.append("shutdown")


def test_the_loader_imports_what_settings_name(app, module):
    app.conf.imports = ["json"]
    app.conf.include = [module]
    assert app.loader is app.loader and app.loader.default_modules == ("json", module)
    heard = []
    receiver = signals.import_modules.connect(lambda sender, **_: heard.append(sender), weak=False)
    try:
        found = app.loader.import_default_modules()
    finally:
        signals.import_modules.disconnect(receiver)
    assert [one.__name__ for one in found] == ["json", module]
    assert heard == [app] and app.loader.task_modules == {"json", module}
    assert app.loader.import_module("json").__name__ == "json"
    assert app.loader.conf is app.conf and app.loader.now().tzinfo is not None
    assert app.loader.find_module("json") is not None and app.loader.find_module("no_such_module") is None


def test_a_receiver_that_fails_stops_the_imports(app):
    def fail(**_):
        raise LookupError("no models")

    signals.import_modules.connect(fail, sender=app)
    with pytest.raises(LookupError, match="no models"):
        app.loader.import_default_modules()


def test_a_loader_of_ones_own_hears_of_workers_and_runs():
    app = IgniteTasks("told", transport="memory", set_as_current=False, loader=Told)

    @app.task(name="told.add")
    def add(x, y):
        return x + y

    with app.local_worker(1, "solo"):
        assert add.delay(1, 2).get(timeout=20) == 3
    assert app.loader.told == ["worker", ("task", "told.add"), "cleanup", "shutdown"]
    app.close()


def test_parts_can_be_of_other_classes(app):
    class Steered(Control):
        pass

    class Own(IgniteTasks):
        log_cls = "ignitetasks.app.log:Logging"

    own = Own("own", control=Steered, set_as_current=False)
    assert type(own.control) is Steered and type(own.log) is Logging
    assert type(app.control) is Control


def test_parts_stay_and_can_be_replaced_by_tests(app, monkeypatch):
    sent = []
    monkeypatch.setattr(app.control, "broadcast", lambda command, **named: sent.append(command) or [])
    app.control.broadcast("ping")
    assert sent == ["ping"] and app.control is app.control and app.events is app.events and app.log is app.log
    for part in ("amqp", "backend", "control", "events", "loader", "log"):
        monkeypatch.setattr(app, part, part.upper())
        assert getattr(app, part) == part.upper()


def test_fixups_are_called_with_the_app():
    seen = []
    app = IgniteTasks("fixed", fixups=[seen.append], set_as_current=False)
    assert seen == [app]


def test_an_app_is_told_from_others(app):
    other = IgniteTasks("parts2", set_as_current=False)
    assert app.oid == app.oid != other.oid
    found = []
    thread = threading.Thread(target=lambda: found.append(app.thread_oid))
    thread.start()
    thread.join()
    assert app.thread_oid == app.thread_oid != found[0]


def test_an_app_travels_with_its_settings(app):
    app.conf.task_track_started = True
    twin = IgniteTasks("parts", set_as_current=False)
    written, of_twin = pickle.dumps(app), pickle.dumps(twin)
    assert pickle.loads(written) is app and pickle.loads(of_twin) is twin
    app.name = twin.name = "elsewhere"
    made = [one for one in _state.all_apps() if one.name == "parts"]
    for one in made:
        one.name = "gone"  # as in another process
    copy = pickle.loads(written)
    assert copy is not app and copy.conf.task_track_started is True and copy.name == "parts"


def test_either_takes_what_is_given_before_the_setting(app):
    app.conf.worker_concurrency = 7
    assert app.either("worker_concurrency", None, 3) == 3
    assert app.either("worker_concurrency", None) == 7


def test_defaults_of_a_function_are_made_when_settings_are_read(app):
    calls = []

    def defaults():
        calls.append(1)
        return {"task_track_started": True}

    app.add_defaults(defaults)
    assert calls == []
    assert app.conf.task_track_started is True and calls == [1]
    app.conf.task_track_started = False
    assert app.conf.task_track_started is False


def test_what_a_configuration_says_can_be_prepared(module):
    class Own(IgniteTasks):
        def prepare_config(self, c):
            return {**c, "worker_concurrency": 3}

    app = Own("prepared", set_as_current=False)
    app.config_from_object(module)
    assert app.conf.task_track_started is True and app.conf.worker_concurrency == 3


def test_selected_queues_stay_selected_when_settings_change(app):
    app.conf.task_queues = ["a", "b"]
    app.select_queues("b,c")
    app.conf.task_track_started = True
    assert list(app.amqp.queues.consume_from) == ["b", "c"]
    app.amqp.queues.select_add("d")
    assert app.Worker(pool="solo").queues == ("b", "c", "d")
    assert set(app.amqp.queues) >= {"a", "b", "c", "d"}


def test_a_worker_as_an_object(app, own_log):
    @app.task(name="parts.add")
    def add(x, y):
        return x + y

    ready = threading.Event()
    worker = app.Worker(hostname="w1@%h", pool="solo", loglevel="ERROR", quiet=True,
                        ready_callback=lambda _: ready.set(), without_gossip=True)  # fmt: skip
    assert isinstance(worker, Worker) and worker.app is app and app.WorkController is app.Worker
    assert worker.hostname.startswith("w1@") and worker.queues == ("celery",) and worker.concurrency == 1
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        assert ready.wait(20)
        assert add.delay(1, 2).get(timeout=20) == 3
    finally:
        worker.stop()
        thread.join(20)
    assert worker.exitcode == 0


def test_a_worker_takes_what_the_settings_say(app):
    app.conf.update(worker_concurrency=3, worker_pool="threads", task_time_limit=9, worker_send_task_events=True)
    app.conf.task_queues = ["a", "b"]
    plan = app.Worker(exclude_queues="a").plan
    assert (plan.concurrency, plan.pool, plan.time_limit_seconds, plan.events) == (3, "threads", 9, True)
    assert plan.queues == ("b",)
    with pytest.raises(ConfigurationError, match="no such option"):
        app.Worker(concurency=3)


def test_a_receiver_may_add_a_queue_to_a_worker(app):
    @app.task(name="parts.own", queue="w2.dq")
    def own():
        return "here"

    def direct(sender, instance, **_):
        instance.app.amqp.queues.select_add("w2.dq")

    signals.celeryd_after_setup.connect(direct)
    try:
        with app.local_worker(1, "solo", queues=["celery"]):
            assert own.delay().get(timeout=20) == "here"
    finally:
        signals.celeryd_after_setup.disconnect(direct)
    assert app.amqp.queues.chosen is None


def test_a_beat_as_an_object(app, own_log):
    sent = threading.Event()

    @app.task(name="parts.tick")
    def tick():
        sent.set()

    app.add_periodic_task(0.2, tick.s(), name="often")
    beat = app.Beat(max_interval=0.1, quiet=True, loglevel="ERROR")
    thread = threading.Thread(target=beat.run)
    with app.local_worker(1, "solo"):
        thread.start()
        try:
            assert sent.wait(20)
        finally:
            beat.stop()
            thread.join(20)


def test_worker_main_runs_the_command_worker_only(app, monkeypatch):
    ran = []
    monkeypatch.setattr(type(app), "start", lambda self, argv: ran.append(argv) or 0)
    app.worker_main(["worker", "-c", "1"])
    monkeypatch.setattr(sys, "argv", ["prog", "worker", "-l", "info"])
    app.worker_main()
    monkeypatch.setattr(sys, "argv", ["prog"])
    app.worker_main()
    assert ran == [["worker", "-c", "1"], ["worker", "-l", "info"], ["worker"]]
    with pytest.raises(ValueError, match="runs any command"):
        app.worker_main(["beat"])


def test_a_shared_task_is_one_of_each_app():
    @shared_task(name="parts.shared")
    def common(x):
        return x

    one, two = IgniteTasks("one"), IgniteTasks("two")
    assert one.tasks["parts.shared"].app is one and two.tasks["parts.shared"].app is two
    two.set_current()
    assert common.app is two and current_app.name == "two"
    one.set_current()
    assert common.app is one


def test_an_app_that_is_not_to_finalize_itself_says_so():
    app = IgniteTasks("waits", autofinalize=False, set_as_current=False)

    @app.task(name="waits.add")
    def add(x, y):
        return x + y

    with pytest.raises(RuntimeError, match="call finalize"):
        _ = app.tasks
    app.finalize()
    assert app.tasks["waits.add"] is add


def test_a_filter_is_given_the_task(app):
    seen = []

    @app.task(name="parts.filtered", filter=lambda task: seen.append(task) or task)
    def filtered():
        return 1

    assert seen == [app.tasks["parts.filtered"]] == [filtered] and filtered() == 1


def test_classes_of_handles_are_the_apps(app):
    @app.task
    def add(x, y):
        return x + y

    class Mine(app.AsyncResult):
        pass

    assert Mine("1").app is app
    sent = [add.delay(1, 2), add.AsyncResult("x"), app.AsyncResult("x"), app.send_task("other"), *add.bulk([(1, 2)])]
    assert all(isinstance(one, app.AsyncResult) and isinstance(one, AsyncResult) for one in sent)
    assert not isinstance(AsyncResult("x"), app.AsyncResult)
    both = group(add.s(1, 2), add.s(3, 4)).apply_async()
    assert isinstance(both, app.GroupResult) and isinstance(both[0], app.AsyncResult)
    assert isinstance((add.s(1, 2) | add.s(3)).apply_async(), app.AsyncResult)
    assert isinstance(group(add.s(1, 2)).apply(), app.GroupResult)
    assert isinstance(app.ResultSet([]), app.ResultSet) and app.ResultSet([]).app is app


def test_a_tasks_own_class_of_handles_is_what_a_call_gives(app):
    class Handle(AsyncResult):
        pass

    class Base(Task):
        def AsyncResult(self, task_id, **options):
            return Handle(task_id, app=self.app, **options)

    @app.task(base=Base)
    def own():
        pass

    first = own.apply_async(task_id="once")
    again = own.apply_async(task_id="once")
    assert type(first) is Handle and (first.created, again.created) == (True, False)


def test_the_class_of_tasks_is_the_apps(app):
    @app.task
    def plain():
        pass

    assert app.Task is app.Task and isinstance(plain, app.Task) and app.Task.__base__ is Task

    class Other(Task):
        pass

    app.Task = Other
    assert issubclass(app.Task, Other) and isinstance(app.task(name="later")(lambda: None), Other)


def test_an_app_is_made_with_tasks(app):
    class Given(Task):
        name = "given"

        def run(self):
            return 3

    class Registry(TaskRegistry):
        pass

    mine = Registry({"given": Given()})
    made = IgniteTasks("with-tasks", transport="memory", tasks=mine, set_as_current=False)
    assert made.tasks is mine and mine["given"].app is made and "given" in mine.regular()
    assert mine["given"].apply().get() == 3
    made.task(name="added")(lambda: None)
    assert "added" in mine
    made.close()

    class Celery(IgniteTasks):
        registry_cls = Registry

    plain = Celery("with-registry", transport="memory", tasks={"given": Given()}, set_as_current=False)
    assert isinstance(plain.tasks, Registry) and "given" in plain.tasks
    with pytest.raises(ConfigurationError, match="is no task"):
        IgniteTasks("x", tasks={"a": print}, set_as_current=False)
    with pytest.raises(ConfigurationError, match="is a map"):
        IgniteTasks("x", tasks=[1], set_as_current=False)


def test_a_suite_may_forget_its_shared_tasks():
    @shared_task(name="parts.forgotten")
    def forgotten():
        """Is of no app that is made afterwards."""

    with _state.kept():
        _state._on_app_finalizers = set()
        assert "parts.forgotten" not in IgniteTasks("parts.later", set_as_current=False).tasks
    assert "parts.forgotten" in IgniteTasks("parts.last", set_as_current=False).tasks


def test_an_app_that_is_made_twice_is_known_from_the_second_time_on(monkeypatch):
    class Later(IgniteTasks):
        """As extensions of Flask have it: empty first, configured when the web application is there."""

        def __init__(self):
            with monkeypatch.context() as patched:
                patched.setattr(_state, "_register_app", lambda app: None)
                super().__init__("later", set_as_current=False)

        def init_app(self):
            super().__init__("later", set_as_current=False)
            self._preconf["CELERY_RESULT_EXPIRES"] = 60

    with _state.kept():
        app = Later()
        assert app not in _state.all_apps()
        app.init_app()
        assert app in _state.all_apps() and app.conf.result_expires == 60
        app.close()
