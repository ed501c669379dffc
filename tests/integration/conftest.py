"""One embedded node and one worker for the whole directory; tests that need more start it on the same node.

The worker listens to the queue ``celery`` with two children. Tests that look at order, limits or ends use queues
and workers of their own, so that no test depends on what another one has left behind.
"""

from __future__ import annotations

import itertools
import os
from pathlib import Path

import flow_app
import pytest
import suite_tasks
from support import EmbeddedNode, ExecutionLog, GivenNode, Processes, leftovers, start_worker

HERE = Path(__file__).resolve().parent
_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def suite_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    yield folder
    left = leftovers(folder)
    for pid in left:
        os.kill(pid, 9)
    assert not left, f"JVMs were left behind: {left}"


@pytest.fixture(scope="session")
def log(suite_folder):
    """What the tasks have written about their executions."""
    os.environ["SUITE_LOG"] = str(suite_folder / "executions.log")
    yield ExecutionLog(os.environ["SUITE_LOG"])
    del os.environ["SUITE_LOG"]


@pytest.fixture(scope="session")
def node(suite_folder, log):
    """The embedded node all tests share; with IGNITETASKS_TEST_DIR, one that somebody else has started there."""
    given = os.environ.get("IGNITETASKS_TEST_DIR")
    with GivenNode(Path(given)) if given else EmbeddedNode(suite_folder / "data") as started:
        yield started


@pytest.fixture(scope="session")
def app(node):
    """The application of `suite_tasks`, connected to the shared node; no worker is started for it."""
    suite_tasks.app.configure(**node.overrides)
    yield suite_tasks.app
    suite_tasks.app.close()


@pytest.fixture(scope="session")
def workers(app, node, suite_folder):
    """Starts workers of `suite_tasks` on the shared node: ``workers(name, queues=[...], ...)``."""
    processes = Processes(suite_folder / "processes", node.env)

    def start(name=None, module="suite_tasks", **options):
        options.setdefault("path", [HERE])
        return start_worker(processes, node.status, module, name=name or f"w{next(_numbers)}", **options)

    start.processes = processes
    yield start
    processes.stop_all()


@pytest.fixture(scope="module")
def flow_on_node(node, log):
    """The application of `flow_app`, connected to the shared node."""
    flow_app.app.configure(**node.overrides)
    yield flow_app.app
    flow_app.app.close()


@pytest.fixture(scope="session")
def worker(workers):
    """The worker of the default queue."""
    return workers("main", concurrency=2)


@pytest.fixture
def queue():
    """The name of a queue that no other test uses."""
    return f"q{next(_numbers)}"


@pytest.fixture
def label():
    """A word for the execution log that no other test uses."""
    return f"label{next(_numbers)}"


@pytest.fixture
def door(tmp_path):
    """A file that opens gates: ``door.touch()``."""
    return tmp_path / "open"


@pytest.fixture
def command(workers, node):
    """Runs ``ignitetasks ...`` against the shared node and returns the ended process."""

    def run(*words, **options):
        return workers.processes.run(*words, **options)

    return run
