"""What projects test with: the pytest plugin, apps for tests, and workers inside the test's process."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ignitetasks import Celery, current_app, shared_task, signals
from ignitetasks.contrib.testing.app import DEFAULT_TEST_CONFIG, TestApp, Trap, setup_default_app
from ignitetasks.contrib.testing.tasks import ping
from ignitetasks.contrib.testing.worker import (
    start_worker,
    test_worker_started,
    test_worker_starting,
    test_worker_stopped,
)
from ignitetasks.errors import ConfigurationError, NodeError
from ignitetasks.utils.nodenames import anon_nodename

ROOT = Path(__file__).parents[2]

CONFTEST = """
import pytest
pytest_plugins = ("ignitetasks.contrib.pytest",)

@pytest.fixture(scope="session")
def celery_config():
    return {"broker_url": "amqp://", "result_backend": "redis://", "task_default_queue": "mine"}
"""


MOVED = """
import os
import threading

import pytest
from ignitetasks import shared_task, current_app

@shared_task
def shared_add(a, b):
    return a + b

def test_create_task(celery_app, celery_worker):
    @celery_app.task
    def mul(x, y):
        return x * y

    celery_worker.reload()
    assert mul.delay(4, 4).get(timeout=10) == 16

def test_shared_task_and_config(celery_app, celery_worker):
    assert celery_app.conf.task_default_queue == "mine"
    assert (celery_app.conf.broker_url, celery_app.conf.result_backend) == ("amqp://", "redis://")
    assert shared_add.delay(1, 2).get(timeout=10) == 3

@pytest.mark.celery(task_default_queue="other")
def test_marker(celery_app):
    assert celery_app.conf.task_default_queue == "other"

def test_current(depends_on_current_app, celery_app):
    assert current_app == celery_app

def test_session_worker(celery_session_app, celery_session_worker):
    assert shared_add.delay(2, 2).get(timeout=10) == 4

def test_session_worker_again(celery_session_worker):
    assert shared_add.delay(2, 3).get(timeout=10) == 5

class TestInAClass:
    def test_it_runs_here(self, ignitetasks_app, ignitetasks_worker):
        @ignitetasks_app.task
        def where():
            return os.getpid()
        assert where.delay().get(timeout=10) == os.getpid()
"""


def run_pytest(folder: Path, *options: str, conftest: str = CONFTEST, suite: str = MOVED, **env: str) -> str:
    (folder / "conftest.py").write_text(conftest)
    (folder / "test_moved.py").write_text(suite)
    env = {**os.environ, "PYTHONPATH": str(ROOT), **env}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=100)
    return done.stdout + done.stderr


@pytest.mark.parametrize("named_only", ["", "1"], ids=["installed", "not installed"])
def test_a_suite_of_celery_s_runs_with_its_imports_replaced(tmp_path, named_only):
    options = ("--strict-markers", "-W", "error::pytest.PytestUnhandledThreadExceptionWarning")
    said = run_pytest(tmp_path, *options, PYTEST_DISABLE_PLUGIN_AUTOLOAD=named_only)
    assert "7 passed" in said, said


def test_fixtures_are_overridden_under_our_own_names_too(tmp_path):
    conftest = """
import pytest
pytest_plugins = ("ignitetasks.contrib.pytest",)
@pytest.fixture(scope="session")
def ignitetasks_config():
    return {"task_default_queue": "ours"}
@pytest.fixture(scope="session")
def ignitetasks_worker_pool():
    return "threads"
@pytest.fixture(scope="session")
def use_celery_app_trap():
    return True
"""
    suite = """
import pytest
from ignitetasks import current_app
def test_config(celery_app):
    assert celery_app.conf.task_default_queue == "ours"
    with pytest.raises(RuntimeError, match="current_app"):
        current_app.tasks
def test_pool(ignitetasks_app, ignitetasks_worker):
    assert ignitetasks_worker.pool == "threads"
"""
    assert "2 passed" in run_pytest(tmp_path, conftest=conftest, suite=suite)


def test_each_module_may_redefine_a_fixture_for_itself(tmp_path):
    suite = """
def test_without(celery_app, celery_worker):
    assert celery_app.conf.task_default_queue == "mine"
    assert celery_worker.pool == "solo"
"""
    (tmp_path / "test_own.py").write_text(
        """
import pytest
@pytest.fixture
def queue():
    return "asked"
@pytest.fixture
def celery_config(queue):
    return {"task_default_queue": queue}
@pytest.fixture
def celery_worker_pool():
    return "threads"
@pytest.mark.parametrize("queue", ["a", "b"])
def test_with_parameters(celery_app, celery_worker, queue):
    assert celery_app.conf.task_default_queue == queue
    assert celery_worker.pool == "threads"
"""
    )
    assert "3 passed" in run_pytest(tmp_path, suite=suite)


def test_the_plugin_loads_nothing_of_the_package_for_those_who_do_not_use_it():
    code = "import sys, pytest_ignitetasks; sys.exit(any(name.split('.')[0] == 'ignitetasks' for name in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT).returncode == 0


@pytest.fixture
def app():
    app = TestApp()
    with setup_default_app(app):
        yield app


@pytest.mark.parametrize("pool", ["solo", "threads", "asyncio", "prefork"])
def test_a_worker_in_every_pool(app, pool):
    @app.task
    def add(a, b):
        return a + b

    with start_worker(app, pool=pool, concurrency=2) as worker:
        assert worker.pool == pool
        assert add.delay(2, 3).get(timeout=10) == 5


def test_the_log_of_the_worker_and_of_tasks_is_seen_by_the_test(app, caplog):
    caplog.set_level(logging.INFO)

    @app.task
    def speak():
        logging.getLogger("mine").info("said inside")

    with start_worker(app):
        speak.delay().get(timeout=10)
    assert "said inside" in caplog.text
    assert "worker connected" in caplog.text


def test_signals_fire_in_the_test_s_process(app):
    seen = []

    @signals.task_prerun.connect
    def note(sender=None, task_id=None, **kwargs):
        seen.append((sender.name, threading.current_thread() is not threading.main_thread()))

    def starting(sender=None, **kwargs):
        seen.append("starting")

    def started(sender=None, worker=None, **kwargs):
        seen.append("started")

    def stopped(sender=None, worker=None, **kwargs):
        seen.append("stopped")

    test_worker_starting.connect(starting)
    test_worker_started.connect(started)
    test_worker_stopped.connect(stopped)

    @app.task(name="noop")
    def noop():
        pass

    try:
        with start_worker(app, perform_ping_check=False):
            noop.delay().get(timeout=10)
    finally:
        signals.task_prerun.disconnect(note)
    assert seen == ["starting", "started", ("noop", True), "stopped"]


def test_the_ping_check_needs_the_queue_that_is_listened_to(app):
    with start_worker(app, queues="high,low"):
        assert app.send_task(ping.name, queue="low").get(timeout=10) == "pong"


def test_workers_of_one_process_have_names_of_their_own(app):
    with start_worker(app) as first, start_worker(app, queues="other", perform_ping_check=False) as second:
        assert first.hostname == anon_nodename()
        assert second.hostname != first.hostname
    with start_worker(app) as again:
        assert again.hostname == first.hostname


@pytest.mark.parametrize("excluded", ["high", ("high",), "high, low"])
def test_a_worker_may_leave_out_queues(app, excluded):
    with start_worker(app, queues=("high", "low", "celery"), exclude_queues=excluded) as worker:
        queues = worker.app.control.inspect([worker.hostname]).active_queues()[worker.hostname]
    assert {one["name"] for one in queues} == {"low", "celery"} - set(excluded.split(", ") if "," in excluded else ())


def test_a_worker_that_would_have_no_queue_is_refused(app):
    with (
        pytest.raises(ConfigurationError, match="exclude_queues a leaves no queue"),
        start_worker(app, queues="a", exclude_queues="a"),
    ):
        pass


def test_celery_s_options_without_meaning_are_accepted_and_wrong_ones_named(app):
    with start_worker(app, without_heartbeat=True, without_gossip=True, hostname="w@test") as worker:
        assert worker.hostname == "w@test"
    with pytest.raises(ConfigurationError, match="nonsense"), start_worker(app, nonsense=1):
        pass


def test_a_task_that_does_not_end_fails_the_end_of_the_worker(app):
    leave = threading.Event()
    entered = threading.Event()

    @app.task
    def stay():
        entered.set()
        leave.wait(20)

    block = start_worker(app, shutdown_timeout=0.1)
    worker = block.__enter__()
    stay.delay()
    assert entered.wait(10)
    with pytest.raises(NodeError, match="did not stop"):
        block.__exit__(None, None, None)
    leave.set()
    worker._inside._stop_timeout = 10
    worker.stop()


def test_apps_of_tests_do_not_see_each_other_and_leave_nothing(app):
    before = current_app._get_current_object()
    other = TestApp(config={"broker_url": "redis://localhost", "task_default_queue": "q"})
    with setup_default_app(other):
        other.set_current()
        sent = other.send_task("anything")
        assert not app.AsyncResult(sent.id).exists()
        assert other.conf.task_default_queue == "q"
    assert current_app._get_current_object() is before


def test_shared_tasks_reach_an_app_of_a_test(app):
    @shared_task(name="of.nobody")
    def of_nobody():
        return current_app.main

    with start_worker(app):
        assert app.tasks["of.nobody"].delay().get(timeout=10) == app.main


def test_the_trap_names_what_was_used():
    with pytest.raises(RuntimeError, match="'tasks'"):
        print(Trap().tasks)
    assert isinstance(Celery("plain", set_as_current=False), Celery)


def _heard(app, within, **worker):
    """Returns the types of events that a reader of its own hears while a worker runs."""
    heard = []
    receiver = app.events.Receiver(app.connection(), handlers={"*": lambda event: heard.append(event["type"])})
    with start_worker(app, **worker):
        reader = threading.Thread(target=receiver.capture, kwargs={"wakeup": within == "asked"}, daemon=True)
        reader.start()
        deadline = time.monotonic() + 20
        while within not in ("asked", *heard) or not heard:
            assert time.monotonic() < deadline, heard
            app.send_task("ignitetasks.ping").get(timeout=10)
            time.sleep(0.05)
        receiver.should_stop = True
        reader.join(10)
    return set(heard)


@pytest.mark.parametrize("told", [{"conf": True}, {"task_events": True}, {"send_events": True}])
def test_a_worker_sends_events_where_it_is_told_to(told):
    app = TestApp()
    app.conf.worker_send_task_events = bool(told.pop("conf", False))
    assert "task-received" in _heard(app, "task-received", **told)


def test_a_worker_that_is_to_have_a_heartbeat_tells_of_itself_alone():
    heard = _heard(TestApp(), "worker-heartbeat", without_heartbeat=False)
    assert heard - {"worker-online"} == {"worker-heartbeat"}  # the reader may be there before the worker says so


def test_a_worker_answers_a_reader_that_wakes_it_although_events_are_off():
    assert _heard(TestApp(), "asked") == {"worker-heartbeat"}


def test_the_settings_of_tests_bring_any_app_into_memory():
    app = Celery("kit.settings", set_as_current=False)
    app.conf.update(DEFAULT_TEST_CONFIG)
    app.task(name="kit.settings.add")(lambda a, b: a + b)
    assert app.settings.memory is not None
    with start_worker(app):
        assert app.send_task("kit.settings.add", (1, 2)).get(timeout=10) == 3
    assert TestApp().settings.memory != TestApp().settings.memory
