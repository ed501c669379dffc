"""Remote control through a real node: a played supervisor on the lane, a client at the gateway."""

from __future__ import annotations

import contextlib
import threading
import time

import pytest
import suite_tasks as suite
from support import EmbeddedNode, until

from ignitetasks import frames, jvm


class PlayedSupervisor:
    """A worker's connection that answers every command with what it was sent."""

    def __init__(self, node, name):
        connection = jvm.find(node.settings)
        info = {
            "name": name,
            "host": "h",
            "pid": 1,
            "queues": [f"{name}-q"],
            "concurrency": 1,
            "pool": "prefork",
            "tasks": [],
            "version": jvm.VERSION,
        }
        self.lane = frames.LaneConnection.open(connection.lane, connection.token, "worker", info)
        self.commands = []
        self.silent = False
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self):
        with contextlib.suppress(frames.LaneError, OSError):
            while True:
                kind, payload = self.lane.recv()
                if kind != frames.CONTROL:
                    continue
                number, command, body = frames.unpack(payload)
                self.commands.append(command)
                if number and not self.silent:
                    self.lane.send(frames.CONTROL_REPLY, [number, command.encode() + b":" + body])

    def close(self):
        self.lane.finish()
        self._thread.join()


@pytest.fixture
def played(node):
    made = []

    def play(name, on=node):
        made.append(PlayedSupervisor(on, name))
        until(lambda: on.worker_status(name), "it has joined")
        return made[-1]

    yield play
    for one in made:
        one.close()


def control(node, command, names=None, timeout_ms=20_000, limit=0):
    answers = node.call("control", command, b"x", names, timeout_ms, limit)
    return {name: bytes(answer) for name, answer in answers}


def test_the_answers_come_as_soon_as_all_have_answered(node, played):
    played("one"), played("two")
    start = time.monotonic()
    assert control(node, "echo", ["one", "two", "nobody"]) == {"one": b"echo:x", "two": b"echo:x"}
    assert time.monotonic() - start < 15
    assert len(control(node, "echo", ["one", "two"], limit=1)) == 1


def test_one_that_does_not_answer_is_waited_for_as_long_as_asked(node, played):
    played("quiet").silent = True
    played("loud")
    assert control(node, "echo", ["quiet", "loud"], timeout_ms=2_000) == {"loud": b"echo:x"}


def test_nobody_is_waited_for_where_nobody_asks_for_answers(node, played):
    supervisor = played("told")
    assert control(node, "note", ["told"], timeout_ms=0) == {}
    until(lambda: supervisor.commands == ["note"], "the command has arrived")


def test_one_that_goes_is_not_waited_for(node, played):
    supervisor = played("going")
    supervisor.silent = True

    def go():
        until(lambda: supervisor.commands, "it is asked")
        supervisor.close()

    going = threading.Thread(target=go)
    going.start()
    start = time.monotonic()
    assert control(node, "echo", ["going"]) == {}
    assert time.monotonic() - start < 15
    going.join()


def test_queues_change_while_the_worker_lives(app, node, played, label):
    supervisor = played(f"mover-{label}")
    until(lambda: node.worker_status(f"mover-{label}"), "it has joined")
    supervisor.lane.send(frames.QUEUES, [f"{label}-a", f"{label}-b"])
    until(
        lambda: node.worker_status(f"mover-{label}")["queues"] == [f"{label}-a", f"{label}-b"],
        "its queues have changed",
    )
    assert node.call("listening", [f"{label}-a", f"mover-{label}-q"]) == {f"{label}-a": 1, f"mover-{label}-q": 0}
    suite.add.apply_async((1, 2), queue=f"{label}-a")
    assert node.queue_status(f"{label}-a")["workers"] == 1


def test_control_works_on_a_node_that_was_killed_and_restarted(tmp_path, played):
    with EmbeddedNode(tmp_path / "data") as node:
        played("before", node)
        assert control(node, "echo") == {"before": b"echo:x"}
        node.kill()
        node.start()
        # A command is not repeated after a cut: the first call after the restart is one that may be.
        assert node.status()["workers"] == []
        assert control(node, "echo", timeout_ms=2_000) == {}
        played("after", node)
        assert control(node, "echo") == {"after": b"echo:x"}
