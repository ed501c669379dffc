"""Shared fixtures. This folder is put on the path by pytest, so all test directories import `support`."""

from __future__ import annotations

import pytest
from support import Processes


@pytest.fixture
def processes(tmp_path):
    """Starts processes for one test and ends them with it."""
    started = Processes(tmp_path / "processes")
    yield started
    started.stop_all()
