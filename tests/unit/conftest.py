"""Fixtures shared by the unit tests."""

from __future__ import annotations

import pytest
from lane_server import LaneServer

from ignitetasks.events import local


@pytest.fixture
def lane_server():
    server = LaneServer()
    yield server
    server.close()


@pytest.fixture(autouse=True)
def no_lane_for_events():
    """A child's loop sends its process's events over its lane; here many of them share one process, one by one."""
    yield
    local.send = None
