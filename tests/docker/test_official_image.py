"""What the integration suite asks of an embedded node, asked of the official Ignite image."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from support import python_path

from ignitetasks import IdempotencyConflict

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]
PATIENCE = 60
TESTS = Path(__file__).resolve().parent.parent
#: Whole modules; those left out stop, kill or start the node itself, or look at its files and processes.
SUITE = [
    "test_bulk",
    "test_calls",
    "test_task_errors",
    "test_idempotency",
    "test_results",
    "test_retries",
    "test_values",
]


@pytest.fixture
def task(app):
    """A task of an app whose worker is a copy of this process."""

    @app.task(name="image.add")
    def add(x: int, y: int) -> int:
        return x + y

    return add


def test_it_is_the_image_s_own_ignite_that_runs(node):
    connection = node.start()
    assert connection.role == "embedded"
    assert Path(f"/proc/{connection.pid}/cmdline").read_bytes().startswith(b"/opt/java17/bin/java\0@")


def test_submit_and_get(app, task):
    with app.local_worker(concurrency=2):
        assert task.delay(2, 3).get(timeout=PATIENCE) == 5


def test_bulk(app, task):
    with app.local_worker(concurrency=2):
        assert task.bulk((one, 1) for one in range(2000)).get(timeout=PATIENCE) == list(range(1, 2001))


def test_one_key_is_one_task(app, task):
    first = task.apply_async((1, 2), idempotency_key="one")
    again = task.apply_async((1, 2), idempotency_key="one")
    assert (first.id, first.created, again.created) == (again.id, True, False)
    with pytest.raises(IdempotencyConflict):
        task.apply_async((1, 3), idempotency_key="one")
    with app.local_worker(concurrency=1):
        assert again.get(timeout=PATIENCE) == 3


@pytest.mark.parametrize("module", SUITE)
def test_the_integration_suite(node, module):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", str(TESTS / "integration" / f"{module}.py")],
        env={**os.environ, "PYTHONPATH": python_path(), "IGNITETASKS_TEST_DIR": str(node.data_dir)},
        cwd=TESTS.parent,
        capture_output=True,
        text=True,
        timeout=800,
    )
    assert done.returncode == 0, done.stdout[-5000:]
