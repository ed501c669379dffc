"""Fixtures shared by the unit tests."""

from __future__ import annotations

import pytest
from lane_server import LaneServer


@pytest.fixture
def lane_server():
    server = LaneServer()
    yield server
    server.close()
