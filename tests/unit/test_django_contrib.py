"""The Django part without a node, in processes of their own: what Django is told once, it is told for good."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("django", reason="Django is not installed here")

Run = Callable[[str], None]
ROOT = Path(__file__).resolve().parents[2]
PROJECT = """\
import os
os.environ["DJANGO_SETTINGS_MODULE"] = "project.settings"
import sys, types
package, settings = types.ModuleType("project"), types.ModuleType("project.settings")
package.__path__ = []
sys.modules |= {"project": package, "project.settings": settings}
settings.SECRET_KEY = "x"
settings.DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_DATABASE"]}}
settings.INSTALLED_APPS = ["ignitetasks.contrib.django"]
settings.CELERY_TASK_TIME_LIMIT = 7
settings.CELERY_TASK_DEFAULT_QUEUE = "mail"

from ignitetasks import IgniteTasks, Task
app = package.app = IgniteTasks("shop", transport="memory")
app.config_from_object("django.conf:settings", namespace="CELERY")

@app.task
def add(x, y):
    return x + y
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Runs a script in a project; what is wrong is an assertion in it."""
    env = {"PYTHONPATH": str(ROOT), "SHOP_DATABASE": str(tmp_path / "shop.sqlite3")}

    def script(text: str) -> None:
        source = PROJECT + textwrap.dedent(text)
        done = subprocess.run([sys.executable, "-c", source], env=env, cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    return script


def test_settings_come_from_django(run: Run) -> None:
    run("""
    assert app.conf.task_time_limit == 7
    assert app.conf.task_default_queue == "mail"
    """)


def test_settings_may_be_overridden_in_a_test(run: Run) -> None:
    run("""
    from django.test import override_settings
    told = []
    app.on_configure.connect(lambda **_: told.append(1), weak=False)
    with override_settings(CELERY_TASK_ALWAYS_EAGER=True, CELERY_TASK_TIME_LIMIT=9):
        assert app.conf.task_always_eager is True and app.conf.task_time_limit == 9  # the first reading
        assert add.delay(1, 2).get() == 3
    assert app.conf.task_always_eager is False and app.conf.task_time_limit == 7
    assert add.delay(1, 2).state == "PENDING"
    app.conf.task_time_limit = 5
    with override_settings(CELERY_TASK_ALWAYS_EAGER=True, CELERY_TASK_TIME_LIMIT=9, CELERY_TASK_DEFAULT_QUEUE="x"):
        assert add.delay(2, 2).result == 4
        assert app.conf.task_time_limit == 5 and app.conf.task_default_queue == "x"
    assert add.delay(1, 2).state == "PENDING" and app.conf.task_default_queue == "mail"
    assert told == [1], told
    """)


def test_tasks_are_of_the_class_with_the_commit_unless_another_is_named(run: Run) -> None:
    run("""
    from ignitetasks.contrib.django.task import DjangoTask
    assert isinstance(add, DjangoTask)
    class Mine(Task): pass
    other = IgniteTasks("other", transport="memory", task_cls=Mine)
    assert type(other.task(lambda: None, )) is not DjangoTask
    """)


def test_a_task_is_sent_after_the_commit_and_not_after_a_rollback(run: Run) -> None:
    run("""
    import django
    from django.db import transaction
    django.setup()
    sent = []
    add.delay = lambda *args, **kwargs: sent.append((args, kwargs))
    add.apply_async = lambda *args, **kwargs: sent.append((args, kwargs))
    with transaction.atomic():
        add.delay_on_commit(1, y=2)
        assert add.apply_async_on_commit((3, 4), countdown=5) is None
        assert sent == []
    assert sent == [((1,), {"y": 2}), (((3, 4), None), {"countdown": 5})], sent
    try:
        with transaction.atomic():
            add.delay_on_commit(5, 6)
            raise KeyError
    except KeyError:
        pass
    assert len(sent) == 2
    add.delay_on_commit(7, 8)  # no transaction: at once
    assert len(sent) == 3
    """)


def test_the_app_is_named_to_commands_that_take_it(run: Run) -> None:
    run("""
    from ignitetasks.contrib.django.management.commands.ignitetasks import with_app
    assert with_app(["worker", "-c", "2"]) == ["worker", "-A", "project", "-c", "2"]
    assert with_app(["worker", "--app=other"]) == ["worker", "--app=other"]
    assert with_app(["node", "stop"]) == ["node", "stop"]
    """)


def test_manage_py_knows_the_command(run: Run) -> None:
    run("""
    from django.core.management import call_command, get_commands
    import django
    django.setup()
    assert get_commands()["ignitetasks"] == "ignitetasks.contrib.django"
    try:
        call_command("ignitetasks", "migrate", "check", "/nowhere")
    except SystemExit as ended:
        assert ended.code == 2
    """)


def test_django_is_set_up_before_tasks_are_imported_and_checked_once(run: Run) -> None:
    run("""
    from django.apps import apps
    from django.core import checks
    seen = []
    checks.register(lambda **_: seen.append("checks") or [], "x")
    assert not apps.ready
    app.autodiscover_tasks(lambda: seen.append(apps.ready) or [])
    app.prepare()
    assert seen.pop() is True
    assert apps.ready and seen == ["checks"]
    app.import_tasks()
    assert seen == ["checks"]
    """)


def test_connections_are_closed_before_a_fork_and_forgotten_after_it(run: Run) -> None:
    run("""
    import django
    from django.db import connection, connections, transaction
    from ignitetasks import signals
    django.setup()
    signals.worker_init.send(sender=None)
    connection.ensure_connection()
    held = connections["default"]
    signals.worker_process_init.send(sender=None)
    assert connections["default"] is not held and held.connection is not None
    connection.ensure_connection()
    signals.worker_before_create_process.send(sender=None)
    assert connection.connection is None
    with transaction.atomic():
        signals.worker_before_create_process.send(sender=None)
        assert connection.connection is not None
    connection.close_at = 0
    signals.task_postrun.send(sender=None)
    assert connection.connection is None
    """)
