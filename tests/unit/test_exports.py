"""The public names, and what importing costs."""

from __future__ import annotations

import subprocess
import sys

import pytest

import ignitetasks
from ignitetasks import deferred, errors, exceptions


def test_all_is_complete_and_sorted():
    public = {
        name
        for name, value in vars(ignitetasks).items()
        if name[0].isupper() and name != "VERSION" and getattr(value, "__module__", "").startswith("ignitetasks.")
    }
    assert public <= set(ignitetasks.__all__)
    assert list(ignitetasks.__all__) == sorted(ignitetasks.__all__)
    assert all(hasattr(ignitetasks, name) for name in ignitetasks.__all__)


def test_celery_names():
    assert (
        ignitetasks.VERSION.major == 5
        and ignitetasks.VERSION >= (5, 0)
        and ignitetasks.app.base.Celery is ignitetasks.Celery
    )
    assert all(hasattr(exceptions, name) for name in exceptions.__all__)
    assert exceptions.TimeoutError is errors.ResultTimeout
    assert issubclass(exceptions.TimeoutError, TimeoutError)
    assert issubclass(exceptions.NotRegistered, KeyError)


@pytest.mark.parametrize("module", ["ignitetasks", "ignitetasks.app", "ignitetasks.control"])
def test_import_leaves_out_what_most_programs_never_use(module):
    heavy = [
        "asyncio",
        "http.server",
        "ssl",
        "structlog",
        "rich",
        "prometheus_client",
        "pyignite",
        "ignitetasks.worker",
    ]
    code = f"import sys, {module}; print([one for one in {heavy} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


#: Libraries that the development environment does not have.
OPTIONAL = {"zstd": "zstandard", "brotli": "brotli"}


@pytest.mark.parametrize("part", list(deferred._MODULES))
def test_what_is_left_out_can_be_loaded(part):
    if part in OPTIONAL:
        pytest.importorskip(OPTIONAL[part])
    assert deferred.load(part).__name__ == deferred._MODULES[part]


def test_import_starts_nothing_and_reads_no_settings():
    code = (
        "import threading, subprocess; subprocess.Popen = None; import ignitetasks; "
        "assert threading.active_count() == 1; print('ok')"
    )
    env = {"PATH": "", "IGNITETASKS_HEAP_MB": "nonsense"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, cwd=".", check=False)
    assert done.stdout.strip() == "ok", done.stderr
