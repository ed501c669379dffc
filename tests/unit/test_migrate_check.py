"""``ignitetasks migrate``: what is found in a project of Celery's, line by line, and what its imports become."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest

from ignitetasks.cli.main import main
from ignitetasks.errors import ConfigurationError
from ignitetasks.migration.project import check_project
from ignitetasks.migration.rewrite import rewrite_imports


@pytest.fixture
def project(tmp_path):
    """Writes files and returns what is found in them, as ``(file, line, level, what)``."""

    def write(**files):
        for name, text in files.items():
            path = tmp_path / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(textwrap.dedent(text), "utf-8")
        report = check_project(tmp_path)
        return [(Path(one.file).name, one.line, one.level, one.what) for one in report.findings]

    return write


def of(found, *levels):
    return [(line, what) for _, line, level, what in found if level in levels]


def test_documented_imports_work_by_the_change_of_the_name(project):
    found = project(tasks_dot_py="from celery import Celery\nfrom celery.result import AsyncResult\n")
    assert found == [
        ("tasks.py", 1, "rename", "from celery import Celery"),
        ("tasks.py", 2, "rename", "from celery.result import AsyncResult"),
    ]


def test_the_project_is_not_imported(project):
    project(tasks_dot_py="import celery\nraise SystemExit('imported')\n")


def test_broker_backend_and_settings_of_the_app(project):
    found = project(
        tasks_dot_py="""\
        from celery import Celery
        app = Celery("shop", broker="redis://localhost", backend="rpc://", include=["a"])
        app.conf.task_acks_late = True
        app.conf.broker_transport_options = {"visibility_timeout": 10}
        app.conf.update(worker_concurrency=2, redis_socket_timeout=3, **{"task_protocol": 2})
        app.conf["result_cache_max"] = 5
        app.conf.update({"no_such_thing": 1})
        other.conf.result_cache_max = 5
        """
    )
    assert of(found, "gone") == [
        (2, "Celery(backend=)"),
        (2, "Celery(broker=)"),
        (4, "broker_transport_options"),
        (5, "redis_socket_timeout"),
        (5, "task_protocol"),
        (6, "result_cache_max"),
    ]
    assert of(found, "hand") == [(7, "no_such_thing")]


def test_the_app_is_known_in_other_files(project):
    found = project(
        shop__celery_dot_py="from celery import Celery\ncelery_app = Celery('shop')\n",
        shop__use_dot_py="from .celery import celery_app\ncelery_app.setup_security()\n",
    )
    assert ("use.py", 2, "gone", "Celery.setup_security") in found


def test_django_settings(project):
    found = project(
        settings_dot_py="""\
        CELERY_BROKER_URL = "redis://"
        CELERY_TASK_ACKS_LATE = True
        CELERY_RESULT_BACKEND = "django-db"
        CELERYD_CONCURRENCY = 3
        CELERY_MY_OWN = 1
        INSTALLED_APPS = ["django_celery_beat", "shop"]
        DEBUG = True
        CELERY_TASK_ALWAYS_EAGR = True
        """
    )
    assert of(found, "gone") == [(1, "CELERY_BROKER_URL"), (3, "CELERY_RESULT_BACKEND"), (6, "'django_celery_beat'")]
    assert of(found, "hand") == [(4, "CELERYD_CONCURRENCY"), (8, "CELERY_TASK_ALWAYS_EAGR")]


def test_configuration_modules_and_classes(project):
    found = project(
        app_dot_py="""\
        from celery import Celery
        class Config:
            broker_url = "amqp://"
            timezone = "UTC"
        app = Celery("a")
        app.config_from_object(Config)
        app.config_from_object("shop.queueing")
        """,
        queueing_dot_py="result_backend = 'rpc://'\ntimezone = 'UTC'\n",
        unrelated_dot_py="result_backend = 'mine'\n",
    )
    assert [(file, line, what) for file, line, level, what in found if level == "gone"] == [
        ("app.py", 3, "broker_url"),
        ("queueing.py", 1, "result_backend"),
    ]


def test_inner_parts_and_packages_beside_celery(project):
    found = project(
        tasks_dot_py="""\
        from celery import Celery, version_info
        from celery.backends.base import KeyValueStoreBackend
        from celery.worker.consumer import Consumer
        from celery.utils.nowhere import something
        from kombu.common import Broadcast
        from celery_once import QueueOnce
        import redbeat.schedulers
        class Mine(KeyValueStoreBackend): pass
        app = Celery("a")
        def look(result):
            return app.backend.client.get("x"), result._cache
        """
    )
    assert of(found, "gone") == [
        (1, "from celery import version_info"),
        (3, "from celery.worker.consumer import Consumer"),
        (5, "import of kombu.common.Broadcast"),
        (6, "import of celery_once.QueueOnce"),
        (7, "import of redbeat.schedulers"),
        (11, "backend.client"),
    ]
    hand = of(found, "hand")
    assert (4, "from celery.utils.nowhere import something") in hand
    assert (8, "class Mine(KeyValueStoreBackend)") in hand
    assert (11, "._cache") in hand


def test_parts_of_an_application_and_of_a_class_of_tasks(project):
    found = project(
        tasks_dot_py="""\
        from celery import Celery, Task, beat, platforms
        from celery.loaders.base import BaseLoader
        platforms.C_FORCE_ROOT = True
        app = Celery("a")
        app.control.election("id", "topic")
        app.control.purge()
        with app.amqp.producer_pool.acquire() as producer:
            print(app.amqp.queues)
        class Mine(Task):
            Strategy = "shop.batches:strategy"
            Request = "shop.requests:Loud"
        class Loader(BaseLoader): pass
        from celery.worker import state
        state.should_stop = True
        print(state.should_terminate)
        class Own(beat.Scheduler): pass
        """
    )
    assert of(found, "gone") == [
        (3, "celery.platforms.C_FORCE_ROOT"),
        (5, "Control.election"),
        (7, "app.amqp.producer_pool"),
        (10, "Task.Strategy"),
        (14, "celery.worker.state.should_stop"),
    ]
    assert of(found, "hand") == []


def test_call_options_and_loggers(project):
    found = project(
        tasks_dot_py="""\
        import logging
        from celery import shared_task
        log = logging.getLogger("celery.task")
        @shared_task(bind=True, acks_on_failure_or_timeout=False)
        def add(self, x): ...
        add.apply_async((1,), queue="mail", routing_key="mail.x", countdown=3)
        """
    )
    assert of(found, "gone") == [(4, "@task(acks_on_failure_or_timeout)"), (6, "apply_async(routing_key)")]
    assert (3, "logger celery") in of(found, "hand")


def test_texts_that_name_modules_and_tasks(project):
    found = project(
        tests_dot_py="""\
        pytest_plugins = ("celery.contrib.pytest",)
        handler = FileHandler("celery.log")
        patch("celery.app.task.Task.retry"), patch("celery.Celery.send_task"), "celery.utils.timer3.Timer"
        routes = {"celery.chord_unlock": "fast", "celery.security:setup_security": 1}
        """
    )
    assert of(found, "rename") == [
        (1, "'celery.contrib.pytest'"),
        (3, "'celery.Celery.send_task'"),
        (3, "'celery.app.task.Task.retry'"),
    ]
    assert of(found, "hand") == [(3, "'celery.utils.timer3.Timer'"), (4, "'celery.chord_unlock'")]
    assert of(found, "gone") == [(4, "'celery.security:setup_security'")]


def test_steps_are_here_but_those_that_read_a_broker(project):
    found = project(
        tasks_dot_py="""\
        from celery import bootsteps
        from celery.bootsteps import ConsumerStep, StartStopStep
        class One(bootsteps.StartStopStep): pass
        class Two(bootsteps.ConsumerStep): pass
        """
    )
    assert of(found, "gone") == [
        (2, "from celery.bootsteps import ConsumerStep"),
        (4, "celery.bootsteps.ConsumerStep"),
    ]


def test_parts_of_an_application_are_here_but_those_of_a_broker(project):
    found = project(
        tasks_dot_py="""\
        from celery import Celery
        app = Celery("a", broker="redis://", backend="rpc://", control="mine:Control", tasks={}, namespace="A")
        """
    )
    assert of(found, "gone") == [(2, "Celery(backend=)"), (2, "Celery(broker=)")]
    assert of(found, "hand") == [(2, "Celery(namespace=)")]


def test_members_of_parts_of_an_application_and_of_a_worker(project):
    found = project(
        tasks_dot_py="""\
        from celery import Celery, bootsteps
        app = Celery("a")
        app.amqp.send_task_message(None, "x"), app.conf.table(), app.backend.decode(b""), app.control.Mailbox
        def command(state):
            state.consumer.qos.increment_eventually(1), state.consumer.gossip, state.consumer.pool.grow(1)
        class Step(bootsteps.StartStopStep):
            requires = {"celery.worker.components:Hub", "celery.worker.components:Timer"}
        """
    )
    assert of(found, "gone") == [
        (3, "Control.Mailbox"),
        (3, "app.amqp.send_task_message"),
        (3, "app.backend.decode"),
        (5, "consumer.gossip"),
        (5, "consumer.qos.increment_eventually"),
        (7, "'celery.worker.components:Hub'"),
    ]


def test_a_rule_for_the_size_of_the_pool(project):
    found = project(scale_dot_py="from celery.worker.autoscale import Autoscaler\nclass Mine(Autoscaler):\n    pass\n")
    assert of(found, "hand") == [(2, "class Mine(Autoscaler)")]


def test_variables_of_unit_files(project):
    found = project(
        celery_dot_service="""\
        Environment=C_FORCE_ROOT=1
        Environment="CELERY_WORKER_REVOKES_MAX=3"
        Environment=REMAP_SIGTERM=SIGQUIT
        Environment=CELERYD_OPTS="-c 4"
        ExecStart=/bin/sh -c '${CELERY_BIN} -A $CELERY_APP multi start w1'
        ExecStop=/bin/sh -c '$CELERY_BIN amqp queue.purge celery'
        """
    )
    assert of(found, "gone") == [(1, "C_FORCE_ROOT"), (2, "CELERY_WORKER_REVOKES_MAX"), (6, "celery amqp")]
    assert of(found, "hand") == [(4, "CELERYD_OPTS")]
    assert (5, "celery multi") in of(found, "rename")


def test_a_file_without_celery_is_left_in_peace(project):
    found = project(
        models_dot_py="""\
        class Result:
            def __init__(self): self._cache = {}
        def task(acks_on_failure): ...
        task(acks_on_failure=1).backend.client
        x.apply_async(routing_key=3)
        """
    )
    assert found == []


def test_command_lines_and_requirements(project):
    found = project(
        Procfile="web: gunicorn shop\nworker: celery -A shop worker -l info -P gevent --without-gossip\n",
        **{
            "docker-compose_dot_yml": """\
            services:
              beat:
                command: ["celery", "-A", "shop", "beat", "-S", "django_celery_beat.schedulers:DatabaseScheduler"]
                environment:
                  CELERY_BROKER_URL: redis://redis
              flower:
                command: celery --app=shop flower
            """,
            "worker_dot_service": "ExecStart=/srv/venv/bin/celery -b redis:// -A shop worker\n",
            "requirements_dot_txt": "celery[redis]==5.4\n# celery\nflower>=2\ndjango-celery-results\nrequests\n",
            "README_dot_md": "run celery worker -P gevent",
        },
    )
    assert [(file, what) for file, _, level, what in found if level == "gone"] == [
        ("Procfile", "celery worker --without-gossip"),
        ("Procfile", "pool gevent"),
        ("docker-compose.yml", "CELERY_BROKER_URL"),
        ("docker-compose.yml", "celery flower"),
        ("requirements.txt", "requirement flower"),
        ("requirements.txt", "requirement django-celery-results"),
        ("worker.service", "celery -b"),
    ]
    assert [what for _, _, level, what in found if level == "rename"] == [
        "celery worker",
        "celery beat",
        "requirement celery",
        "celery worker",
    ]


def test_the_command_says_all_and_ends_with_one(project, tmp_path, capsys):
    project(tasks_dot_py="from celery.worker import strategy\n", bad_dot_py="def\n")
    assert main(["migrate", "check", str(tmp_path)]) == 1
    out = capsys.readouterr().out
    assert "tasks.py:1: from celery.worker import strategy: The worker has no exchangeable" in out
    assert "bad.py: cannot be read: invalid syntax" in out
    assert "1 have no meaning here" in out


def test_json_and_a_clean_project(project, tmp_path, capsys):
    project(tasks_dot_py="from celery import Celery\n")
    assert main(["migrate", "check", str(tmp_path), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["counts"] == {"rename": 1, "hand": 0, "gone": 0}
    assert answer["findings"][0]["line"] == 1


def test_links_that_lead_nowhere_are_passed_over(project, tmp_path):
    (tmp_path / "lost.py").symlink_to(tmp_path / "nowhere.py")
    assert project(tasks_dot_py="import celery\n") == [("tasks.py", 1, "rename", "import celery")]


def test_a_path_that_is_not_there_is_refused(capsys):
    with pytest.raises(ConfigurationError, match="there is no file or folder /nowhere"):
        check_project("/nowhere")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("from celery import Celery\n", "from ignitetasks import Celery\n"),
        (
            "from celery.result import (\n    AsyncResult,\n)\n",
            "from ignitetasks.result import (\n    AsyncResult,\n)\n",
        ),
        ("from .celery import app\n", "from .celery import app\n"),
        ("from celery import security\n", "from celery import security\n"),
        ("import celery as c\nc.Celery()\n", "import ignitetasks as c\nc.Celery()\n"),
        ("import os, celery\nx = 'é', celery.Celery()\n", "import os, ignitetasks\nx = 'é', ignitetasks.Celery()\n"),
        ("import celery\ncelery = celery.Celery()\n", "import ignitetasks as celery\ncelery = celery.Celery()\n"),
        ("import celery.result\ncelery.result\n", "import ignitetasks.result\nignitetasks.result\n"),
        ("pytest_plugins = ('celery.contrib.pytest',)\n", "pytest_plugins = ('ignitetasks.contrib.pytest',)\n"),
        ('x = "é", b"y", r"celery.app.task.Task.delay"\n', 'x = "é", b"y", r"ignitetasks.app.task.Task.delay"\n'),
        ('x = """\\\ncelery.result"""\n', 'x = """\\\ncelery.result"""\n'),
        ("x = 'celery.security', 'celery.log', 'celery.group', 'celery.result is'\n",) * 2,
        ("celery_app = 1  # celery\r\n", "celery_app = 1  # celery\r\n"),
    ],
)
def test_imports_are_renamed_and_nothing_else(old, new):
    assert rewrite_imports(old) == new


def test_apply_shows_first_and_writes_when_told(tmp_path, capsys):
    file = tmp_path / "tasks.py"
    file.write_text("from celery import Celery\n")
    assert main(["migrate", "apply", str(tmp_path)]) == 0
    assert "+from ignitetasks import Celery" in capsys.readouterr().out
    assert file.read_text() == "from celery import Celery\n"
    assert main(["migrate", "apply", str(tmp_path), "--write"]) == 0
    assert file.read_text() == "from ignitetasks import Celery\n"


def test_names_of_packages_beside_celery_that_are_here(project):
    found = project(
        tasks_dot_py="""\
        from kombu import Exchange, Queue
        from kombu.exceptions import OperationalError
        from billiard.einfo import ExceptionInfo
        from billiard.exceptions import WorkerLostError
        from billiard import current_process
        """
    )
    assert of(found, "hand") == [
        (1, "import of kombu.Exchange"),
        (1, "import of kombu.Queue"),
        (2, "import of kombu.exceptions.OperationalError"),
        (3, "import of billiard.einfo.ExceptionInfo"),
        (4, "import of billiard.exceptions.WorkerLostError"),
    ]
    assert of(found, "gone") == [(5, "import of billiard.current_process")]


def test_the_version_is_not_celerys(project):
    found = project(
        settings_dot_py="""\
        import celery
        from celery import __version__ as celery_version
        OLD = celery.__version__ < "5", celery.VERSION < (5,)
        """
    )
    assert of(found, "hand") == [(2, "from celery import __version__"), (3, "celery.__version__")]
