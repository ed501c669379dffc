"""What `get` raises for a task that failed: the same class where it can be rebuilt, always the remote traceback."""

from __future__ import annotations

import traceback

import pytest
import suite_tasks as suite

from ignitetasks import RemoteError

pytestmark = pytest.mark.usefixtures("worker")
PATIENCE = 60


def failure(kind):
    result = suite.fail.delay(kind)
    error = result.get(timeout=PATIENCE, propagate=False)
    with pytest.raises(type(error)):
        result.get(timeout=PATIENCE)
    assert result.state == "FAILURE"
    return error


@pytest.mark.parametrize(
    ("kind", "cls", "text"),
    [
        ("shop", suite.ShopError, "(7, 'sold out')"),
        ("odd", suite.OddConstructor, "1 and 2"),
        ("anything", KeyError, "'anything'"),
        ("chained", LookupError, "no such number"),
        ("no-pickle", suite.NoPickle, "cannot travel"),
        ("unserialisable", ValueError, "Odd object"),
    ],
)
def test_the_same_class_comes_back(kind, cls, text):
    error = failure(kind)
    assert type(error) is cls
    assert text in str(error)


def test_arguments_and_attributes_come_back():
    error = failure("shop")
    assert error.args == (7, "sold out")
    assert (error.order, error.reason) == (7, "sold out")
    assert failure("odd").total == 3


@pytest.mark.parametrize(
    ("kind", "name"), [("local", "fail.<locals>.Local"), ("unimportable", "module_of_nobody.Secret")]
)
def test_a_class_that_cannot_be_found_is_a_remote_error(kind, name):
    error = failure(kind)
    assert type(error) is RemoteError
    assert name in str(error)


@pytest.mark.parametrize("kind", ["shop", "odd", "chained", "no-pickle", "local", "unimportable"])
def test_the_remote_traceback_is_shown(kind):
    error = failure(kind)
    shown = "".join(traceback.format_exception(error))
    assert "suite_tasks.py" in str(error.__cause__)
    assert "in fail" in shown


def test_the_cause_is_part_of_the_remote_traceback():
    assert "invalid literal for int()" in str(failure("chained").__cause__)


def test_a_process_without_the_code_gets_a_remote_error(node, workers):
    sent = suite.fail.delay("shop")
    script = (
        "import sys\n"
        "from ignitetasks import AsyncResult, IgniteTasks, RemoteError\n"
        "app = IgniteTasks('stranger')\n"
        "try:\n"
        "    AsyncResult(sys.argv[1], app=app).get(timeout=60)\n"
        "except RemoteError as error:\n"
        "    print(error.module, error.type_name, 'suite_tasks' in sys.modules)\n"
    )
    ended = workers.processes.run_python("-c", script, sent.id)
    assert ended.stdout.split() == ["suite_tasks", "ShopError", "False"], ended.stderr
