"""Ordinary Ignite caches beside the tasks, through the thin client port of a real node."""

from __future__ import annotations

import os
import socket
import time
from pathlib import Path

import pytest
from support import EmbeddedNode

from ignitetasks import IgniteTasks, jvm
from ignitetasks.caches import caches, open_caches
from ignitetasks.errors import ConfigurationError, NodeError

PATIENCE = 60


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@pytest.fixture(scope="module")
def opened(tmp_path_factory):
    """A node with an open port, and an application on it."""
    folder = tmp_path_factory.mktemp("caches") / "data"
    with EmbeddedNode(folder, thin_port=free_port()) as node, IgniteTasks("features", **node.overrides) as app:
        yield node, app


def test_the_program_and_its_tasks_share_a_cache(opened):
    _, app = opened

    @app.task(name="features.double")
    def double(key):
        cache = caches(app).get_cache("features")
        cache.put(key, 2 * cache.get(key))
        return os.getpid()

    with open_caches(app) as client:
        cache = client.get_or_create_cache("features")
        cache.put("a", 21)
        with app.local_worker(concurrency=2):
            pids = double.bulk([("a",)]).get(timeout=PATIENCE)
            assert os.getpid() not in pids
        assert cache.get("a") == 42


def test_bytes_come_back_as_they_were_and_fast(opened):
    _, app = opened
    data = os.urandom(5_000_000)
    before = time.monotonic()
    caches(app).get_or_create_cache("blobs").put("big", data)
    assert caches(app).get_cache("blobs").get("big") == data
    assert time.monotonic() - before < 20


def test_it_listens_on_the_loopback_interface_only(opened):
    node, _ = opened
    port = jvm.find(node.settings).thin_port
    rows = [
        line.split() for path in ("/proc/net/tcp", "/proc/net/tcp6") for line in Path(path).read_text().splitlines()[1:]
    ]
    addresses = {row[1].split(":")[0] for row in rows if row[1].endswith(f":{port:04X}") and row[3] == "0A"}
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F"}
    assert addresses


def test_a_port_that_is_taken_is_named(opened, tmp_path):
    node, _ = opened
    port = jvm.find(node.settings).thin_port
    other = EmbeddedNode(tmp_path / "data", thin_port=port)
    with pytest.raises(NodeError, match=rf"port {port} \(thin_port\) is taken") as caught:
        other.start()
    assert caught.value.code == "PORT_TAKEN"
    other.close()


def test_it_is_closed_unless_it_was_opened(node):
    assert jvm.find(node.settings).thin_port == 0
    with IgniteTasks("closed", **node.overrides) as app, pytest.raises(ConfigurationError, match="thin client port"):
        caches(app)
