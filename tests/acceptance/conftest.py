"""Fixtures of the fault tests. Every process a test starts is gone when it ends, however it ends."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from cluster import Cluster
from drill import Drill
from support import Processes


def _folder():
    """A folder with a short path: Unix sockets live below it."""
    folder = Path(tempfile.mkdtemp(prefix="igt-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


place = pytest.fixture(_folder, name="place")
folder = pytest.fixture(_folder, name="folder", scope="module")


@pytest.fixture(scope="module")
def started(folder):
    """The processes of one file of tests."""
    all_of_them = Processes(folder / "processes")
    yield all_of_them
    all_of_them.stop_all()


@pytest.fixture(scope="module")
def cluster(request, folder, started):
    """The cluster of one file of tests: as many data nodes as its ``DATA_NODES`` says."""
    one = Cluster(folder, started, size=request.module.DATA_NODES)
    try:
        one.start(*one.names)
        yield one
    finally:
        started.stop_all()
        one.close()


@pytest.fixture(scope="module")
def drill(folder, started, cluster):
    """Two workers with one slot each at the cluster, and what watches them."""
    one = Drill(folder, started, cluster.settings("client"), cluster.env)
    for name in ("w1", "w2"):
        one.start_worker(name, concurrency=1)
    one.wait_for_workers("w1", "w2")
    yield one
    one.close()
