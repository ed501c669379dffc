"""The commands ``upgrade settings``, ``graph`` and ``logtool``."""

from __future__ import annotations

import ast
import io
import logging

import pytest
from test_cli import modules  # noqa: F401  # a fixture

from ignitetasks import log
from ignitetasks.app import tasklog
from ignitetasks.cli.main import main
from ignitetasks.context import Request
from ignitetasks.migration.upgrade import rename_settings

OLD = """# settings of a shop
from os import environ

CELERYD_CONCURRENCY = 4
CELERY_ACKS_LATE = CELERYD_CONCURRENCY > 2  # ä
CELERY_TASK_RESULT_EXPIRES = 60
BROKER_URL = environ["CELERY_ACKS_LATE"]
NAME = "shop"
task_serializer = "json"
"""


def test_settings_get_their_present_names():
    new, names = rename_settings(OLD)
    assert names == {
        "BROKER_URL": "broker_url",
        "CELERYD_CONCURRENCY": "worker_concurrency",
        "CELERY_ACKS_LATE": "task_acks_late",
        "CELERY_TASK_RESULT_EXPIRES": "result_expires",
    }
    assert "task_acks_late = worker_concurrency > 2  # ä\n" in new
    assert 'broker_url = environ["CELERY_ACKS_LATE"]' in new and 'NAME = "shop"' in new
    ast.parse(new)
    assert rename_settings(new) == (new, {})


def test_names_of_django_keep_their_namespace():
    new, names = rename_settings("CELERYD_CONCURRENCY = 4\nCELERY_TASK_ACKS_LATE = True\nTASK_ACKS_LATE = 1\n", True)
    assert names == {"CELERYD_CONCURRENCY": "CELERY_WORKER_CONCURRENCY"}
    assert new == "CELERY_WORKER_CONCURRENCY = 4\nCELERY_TASK_ACKS_LATE = True\nTASK_ACKS_LATE = 1\n"


def test_the_command_keeps_a_copy(tmp_path, capsys):
    path = tmp_path / "celeryconfig.py"
    path.write_text(OLD, "utf-8")
    assert main(["upgrade", "settings", str(path)]) == 0
    assert "CELERYD_CONCURRENCY -> worker_concurrency" in capsys.readouterr().out
    assert (tmp_path / "celeryconfig.py.orig").read_text("utf-8") == OLD
    assert main(["upgrade", "settings", str(path)]) == 0
    assert capsys.readouterr().out == "nothing to change\n"
    path.write_text("not Python (", "utf-8")
    assert main(["upgrade", "settings", str(path)]) == 2
    assert "cannot be read" in capsys.readouterr().err


def test_what_has_no_meaning_says_so(capsys):
    assert main(["logtool", "incomplete"]) == 2
    assert "inspect active" in capsys.readouterr().err


STEPS = """
from ignitetasks import IgniteTasks, bootsteps
class First(bootsteps.StartStopStep):
    requires = ("ignitetasks.worker.components:Timer",)
class Second(bootsteps.StartStopStep):
    requires = {First}
app = IgniteTasks("drawn")
app.steps["worker"].update([First, Second])
"""


def test_the_steps_of_an_application_are_drawn(modules, capsys):  # noqa: F811
    (modules / "drawn_app.py").write_text(STEPS)
    assert main(["-A", "drawn_app", "graph", "bootsteps", "worker"]) == 0
    shown = capsys.readouterr().out
    assert '"Timer" -> "First";' in shown and '"First" -> "Second";' in shown and "Second\\nworker" in shown
    assert main(["graph", "bootsteps"]) == 2


@pytest.fixture(params=[True, False], ids=["json", "text"])
def logged(request, tmp_path):
    stream, root = io.StringIO(), logging.getLogger(log.ROOT)
    before = list(root.handlers), root.level, root.propagate
    log.configure(json=request.param, level="info", stream=stream)
    task, worker = log.get_logger("task"), log.get_logger("worker")
    tasklog.succeeded(None, Request(id="id-9", task="shop.sell"), "the [result]", 0.5)
    for number, error in enumerate([ValueError("no"), KeyError("gone")]):
        tasklog.failed(Request(id=f"id-{number}", task="shop.pay"), error, ())
    worker.info("worker became ready", worker="w1")
    worker.warning("child died", reason="exit", seq=3, child_pid=1, detail="signal SIGKILL")
    try:
        raise RuntimeError("the hook's own fault")
    except RuntimeError:
        task.exception("a hook failed", task="shop.pay")
    root.handlers[:], root.level, root.propagate = before
    path = tmp_path / "worker.log"
    path.write_text(stream.getvalue(), "utf-8")
    return str(path)


def test_a_log_is_counted(logged, capsys):
    assert main(["logtool", "stats", logged]) == 0
    text = capsys.readouterr().out
    assert "Lines: 6\n" in text and "  error: 3\n" in text
    assert "Tasks that succeeded: 1\n  shop.sell: 1\n" in text
    assert "Tasks that failed: 2\n  shop.pay: 2\n" in text
    assert "  ValueError: 1\n" in text and "  KeyError: 1\n" in text
    assert "Processes that died: 1\n  exit: 1\n" in text


def test_lines_of_a_log_are_picked_out(logged, capsys):
    main(["logtool", "errors", logged])
    assert capsys.readouterr().out.count("Task shop.pay[id-") == 2
    main(["logtool", "traces", logged])
    text = capsys.readouterr().out
    assert "the hook's own fault" in text and "unexpected" not in text
    main(["logtool", "debug", logged])
    text = capsys.readouterr().out
    assert "worker became ready" in text and "child died" in text and "failed" not in text
