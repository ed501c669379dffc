"""Fixtures of the fault tests. Every process a test starts is gone when it ends, however it ends."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest


@pytest.fixture
def place():
    """A folder with a short path: Unix sockets live below it."""
    folder = Path(tempfile.mkdtemp(prefix="igt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
