"""Fixtures shared by the unit tests."""

from __future__ import annotations

from typing import Any

import pytest
from lane_server import LaneServer
from worker_process import WorkerUnderTest

from ignitetasks import _state
from ignitetasks.events import local
from ignitetasks.transport.memory import transport


@pytest.fixture
def lane_server():
    server = LaneServer()
    yield server
    server.close()


@pytest.fixture
def start(lane_server, tmp_path):
    """Forks workers: ``start(concurrency=2, ...)``."""
    started: list[WorkerUnderTest] = []

    def make(**options: Any) -> WorkerUnderTest:
        started.append(WorkerUnderTest(lane_server, tmp_path, **options))
        return started[-1]

    yield make
    for one in started:
        one.close()


@pytest.fixture(autouse=True)
def no_lane_for_events():
    """A child's loop sends its process's events over its lane; here many of them share one process, one by one."""
    yield
    local.send = None


@pytest.fixture(autouse=True)
def apps_of_one_test():
    """What a test shares with all applications, and which of them it makes the current one, ends with it."""
    with _state.kept():
        yield


@pytest.fixture(scope="module", autouse=True)
def homes_in_memory_of_one_module():
    """A task that one module left waiting would be run by the next module's workers."""
    yield
    for name in list(transport._homes):
        transport.forget_home(name)
