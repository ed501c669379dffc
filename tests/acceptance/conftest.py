"""Fixtures of the fault tests. Every process a test starts is gone when it ends, however it ends."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

#: Seconds of load per fault test; a longer soak is asked for by the environment.
LOAD_SECONDS = float(os.environ.get("IGNITETASKS_SOAK_SECONDS", "0"))


@pytest.fixture
def place():
    """A folder with a short path: Unix sockets live below it."""
    folder = Path(tempfile.mkdtemp(prefix="igt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def soak_seconds():
    """How long a load should go on, or 0 for the usual short run."""
    return LOAD_SECONDS
