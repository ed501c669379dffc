"""What an embedded node shows to other users and to the network: loopback only, nothing that answers strangers."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from sockets import datagrams, listening
from support import EmbeddedNode, start_worker, until

from ignitetasks import IgniteTasks, jvm

pytestmark = pytest.mark.timeout(120)

HERE = Path(__file__).resolve().parent
_DISCOVERY_PORTS = range(47500, 47600)
_REST_PORT = 11211
_GARBAGE = {
    "text": b"GET / HTTP/1.0\r\n\r\n",
    "binary": bytes(range(256)) * 8,
    "py4j reflection": b"r\nu\njava.lang.Runtime\nrj\ne\n",
    "py4j shutdown": b"s\n" * 64,
    "wrong token": b"A\n" + b"0" * 64 + b"\nc\nt\nstatus\njAA==\ne\n",
}
_CLOSE_SECONDS = 15.0


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    with EmbeddedNode(tmp_path_factory.mktemp("exposure") / "data", heap_mb=256) as one:
        yield one


def _token(node):
    return jvm.find(node.settings).token


def test_it_listens_on_loopback_only_and_on_nothing_unknown(node):
    connection = jvm.find(node.settings)
    ports = listening(connection.pid)
    assert {host for host, _ in ports} == {"127.0.0.1"}
    assert (connection.host, connection.port) in ports
    # The gateway, and thin clients where they are on; none of Ignite's own for a node that is alone.
    expected = 1 + (connection.thin_port > 0)
    assert len(ports) == expected, ports
    assert not {port for _, port in ports} & {*_DISCOVERY_PORTS, _REST_PORT}
    assert datagrams(connection.pid) == set()


@pytest.mark.parametrize("garbage", _GARBAGE.values(), ids=_GARBAGE)
def test_every_port_closes_on_garbage(node, garbage):
    secret = _token(node).encode()
    for address in listening(node.pid):
        with socket.create_connection(address, timeout=_CLOSE_SECONDS) as stranger:
            stranger.settimeout(_CLOSE_SECONDS)
            said = b""
            try:
                stranger.sendall(garbage)
                while more := stranger.recv(4096):
                    said += more
            except ConnectionError:
                pass  # closed without reading all of it
            assert secret not in said
            assert len(said) < 512, (address, said)
    assert node.call("ping") == []


def test_a_silent_stranger_is_sent_away(node):
    connection = jvm.find(node.settings)
    with socket.create_connection((connection.host, connection.port)) as stranger:
        stranger.settimeout(_CLOSE_SECONDS)
        assert stranger.recv(64) in (b"", b"!x\n")


def _mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_private(node):
    run = node.data_dir / "run"
    assert _mode(run) == 0o700
    assert _mode(run / "connection.json") == 0o600
    assert _mode(run / "node.json") == 0o600
    assert _mode(run / "node.log") == 0o600
    secret = node.data_dir / "secret.json"
    assert not secret.exists() or _mode(secret) == 0o600
    assert _mode(node.data_dir / "store") == 0o700


def _everything_said(folder):
    """Returns what is in all small files below a folder, except the one whose purpose is to hold the token."""
    texts = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.name != "connection.json" and path.stat().st_size < 1 << 20:
            texts[path] = path.read_bytes()
    return texts


def _processes():
    """Returns command line and environment of every process of this user."""
    texts = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            for name in ("cmdline", "environ"):
                try:
                    texts[entry / name] = (entry / name).read_bytes()
                except OSError:
                    continue
    return texts


def test_the_token_is_in_no_log_and_on_no_command_line(node, processes, tmp_path, caplog):
    caplog.set_level("DEBUG")
    history = tmp_path / "history"
    history.mkdir()
    env = {**node.env, "CHAOS_HISTORY": str(history), "IGNITETASKS_LOG_LEVEL": "debug"}
    options = ["--loglevel", "debug"]
    worker = start_worker(processes, node.status, "chaos_app", name="w", options=options, env=env, path=[HERE])
    app = IgniteTasks("exposure", settings=node.settings)
    assert app.send_task("chaos_app.work", (7,)).get(timeout=30)[0] == 7
    # Also when something goes wrong: a node that dies under a client and a worker.
    node.kill()
    assert app.send_task("chaos_app.work", (8,)).get(timeout=60)[0] == 8
    token = _token(node).encode()
    until(lambda: node.worker_status("w"), "the worker to come back")
    places = {**_processes(), **_everything_said(node.data_dir), **_everything_said(tmp_path)}
    assert any(text for path, text in places.items() if path == worker.running.log)
    found = [str(path) for path, text in places.items() if token in text]
    assert found == []
    assert token.decode() not in caplog.text
    assert token.decode() not in repr(jvm.find(node.settings))
    assert os.environb.get(b"IGNITETASKS_TOKEN") is None
    app.close()
