"""The way to ordinary Ignite caches: which port, whose client, and what is said when there is none."""

from __future__ import annotations

import os
import socket
import threading
from types import SimpleNamespace

import pytest

from ignitetasks import caches as module
from ignitetasks.config import Settings
from ignitetasks.errors import ConfigurationError, NotConnected


class FakeClient:
    def __init__(self, port):
        self.port = port
        self.closed = False

    def close(self):
        self.closed = True


@pytest.fixture
def node(monkeypatch):
    """The node's answer; clients are fakes that know their port."""
    running = SimpleNamespace(pid=1, thin_port=10800)
    monkeypatch.setattr(module, "ensure_running", lambda _settings: running)
    monkeypatch.setattr(module, "_connected", lambda port, _timeout: FakeClient(port))
    monkeypatch.setattr(module, "_own", threading.local())
    return running


def app(**settings):
    return SimpleNamespace(settings=Settings(**settings))


def test_a_block_has_a_client_of_its_own(node):
    with module.open_caches(app()) as client:
        assert client.port == 10800
        assert not client.closed
    assert client.closed


def test_a_thread_keeps_its_client_until_the_node_is_another(node):
    first = module.caches(app())
    assert module.caches(app()) is first
    elsewhere = []
    thread = threading.Thread(target=lambda: elsewhere.append(module.caches(app())))
    thread.start()
    thread.join()
    assert elsewhere[0] is not first
    node.pid = 2
    assert module.caches(app()) is not first
    assert first.closed


def test_a_forked_process_opens_its_own_and_leaves_the_parent_s_alone(node):
    first = module.caches(app())
    pid = os.fork()
    if not pid:
        code = 1
        try:
            code = 0 if module.caches(app()) is not first and not first.closed else 2
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert module.caches(app()) is first


def test_a_forked_block_does_not_close_the_parent_s_client(node):
    block = module.open_caches(app())
    client = block.__enter__()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            block.__exit__(None, None, None)
            code = 2 if client.closed else 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    block.__exit__(None, None, None)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "IGNITETASKS_THIN_PORT=10800 and stop the node once"),
        ({"thin_port": 10800}, "was started without thin_port=10800; stop it with `ignitetasks node stop`"),
        ({"cluster": ("a:47500",)}, "start a data node on this machine with IGNITETASKS_THIN_PORT=10800"),
    ],
)
def test_a_closed_port_says_how_to_open_it(node, settings, words):
    node.thin_port = 0
    with pytest.raises(ConfigurationError, match=words):
        module.caches(app(**settings))


def test_a_cluster_is_reached_through_a_data_node_of_this_machine(node):
    with module.open_caches(app(cluster=("a:47500",), thin_port=10900)) as client:
        assert client.port == 10900


def test_nobody_at_the_port_is_an_error_that_names_it():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with (
        pytest.raises(NotConnected, match=f"127.0.0.1:{port}"),
        module.open_caches(app(cluster=("a:47500",), thin_port=port)),
    ):
        pass
