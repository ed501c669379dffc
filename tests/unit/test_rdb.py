"""A task is looked at from another process: a debugger on a port."""

from __future__ import annotations

import io
import queue
import socket
import threading

import pytest

from ignitetasks.contrib import rdb
from ignitetasks.errors import ConfigurationError


class Told(io.StringIO):
    """Hands on where the debugger listens."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: queue.Queue[int] = queue.Queue()

    def write(self, text: str) -> int:
        if "telnet" in text:
            self.ports.put(int(text.rsplit(" ", 1)[1]))
        return len(text)


@pytest.fixture
def session(monkeypatch):
    """Runs a function that stops in the debugger, and hands it what is typed; returns the answers and the result."""
    told, found = Told(), []

    def run(function, typed):
        monkeypatch.setattr("sys.stderr", told)
        thread = threading.Thread(target=lambda: found.append(function()))
        thread.start()
        with socket.create_connection(("127.0.0.1", told.ports.get(timeout=20)), 20) as client:
            client.sendall(typed.encode())
            shown = "".join(client.makefile())
        thread.join(20)
        return shown, found

    return run


def stops(y):
    rdb.set_trace()
    x = y + 1
    return x


@pytest.mark.parametrize(
    ("typed", "result"), [("p y\nn\np x\nc\n", 4), ("p y\ny = 5\nn\np x\nq\n", 6), ("b 1\np y\nn\np x\nq\n", 4)]
)
def test_a_task_is_looked_at_and_goes_on(session, typed, result):
    shown, found = session(lambda: stops(3), typed)
    assert f"{result}\n" in shown and "3\n" in shown and "(rdb " in shown
    assert found == [result] and not rdb._open


def test_a_port_of_ones_own(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv("IGNITETASKS_RDB_PORT", str(port))
        with pytest.raises(ConfigurationError, match=f"ports {port} to {port} "):
            rdb.Rdb(port_search_limit=1)
