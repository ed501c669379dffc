"""Forked worker processes for unit tests, and the node's side of their connections."""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from lane_server import CODECS, PATIENCE, LaneServer, Peer
from worker_app import make_app

from ignitetasks import errors, frames
from ignitetasks.message import decode_result
from ignitetasks.utils.processes import die_with_parent
from ignitetasks.worker.main import make_plan
from ignitetasks.worker.node import NodeFinder
from ignitetasks.worker.solo import SoloWorker
from ignitetasks.worker.supervisor import Supervisor


class WorkerUnderTest:
    """A forked worker process, and the node's side of its connections."""

    def __init__(self, server: LaneServer, folder: Path, **options: Any):
        self.server = server
        self.folder = folder
        self.code: int | None = None
        self._options = options
        parent = os.getpid()
        self.pid = os.fork()
        if not self.pid:
            self._become_worker(parent)
        self.worker: Peer = server.next_peer("worker")
        processes = self.worker.info["concurrency"] if self.worker.info["pool"] == "prefork" else 1
        self.children = [server.next_peer("child", child=number) for number in range(processes)]

    def _become_worker(self, parent: int) -> None:
        code = 99
        try:
            faulthandler.disable()  # pytest's would describe the crashes that are wanted here
            die_with_parent(parent)
            os.setpgid(0, 0)
            output = os.open(self.folder / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            os.dup2(output, 1)
            os.dup2(output, 2)
            sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
            app = make_app(self.folder)
            if "conf" in self._options:
                app.conf = SimpleNamespace(**self._options.pop("conf"))
            plan = make_plan(app, **{"concurrency": 1, "name": "w1", **self._options})
            finder = NodeFinder(app.settings, self._find)
            kind = SoloWorker if plan.pool == "solo" else Supervisor
            code = kind(app, plan, finder, lambda: (self.folder / "ready").touch()).run()
        finally:
            os._exit(code)

    def _find(self, _settings: Any) -> Any:
        if not os.path.exists(self.server.address.lane):
            raise errors.NodeError("it is not there", "INTERNAL")
        return self.server.address

    @property
    def child(self) -> Peer:
        return self.children[0]

    def next_child(self, index: int = 0) -> Peer:
        child = self.server.next_peer("child", child=index)
        self.children[index] = child
        return child

    def died(self) -> list[Any]:
        return self.worker.expect(frames.CHILD_DIED)

    def signal(self, signum: int) -> None:
        os.kill(self.pid, signum)

    def turn(self) -> None:
        """Waits until the supervisor's loop has turned twice: what came to it before has been done."""
        for _ in range(2):
            self.worker.send(frames.CONTROL, [1, "ping", CODECS.encode({})])
            self.worker.expect(frames.CONTROL_REPLY)

    def join(self) -> int:
        deadline = time.monotonic() + PATIENCE
        while self.code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
            else:
                assert time.monotonic() < deadline, (self.folder / "output").read_text()
                time.sleep(0.005)
        return self.code

    def close(self) -> None:
        if self.code is None:
            self.signal(signal.SIGKILL)
            self.join()


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def value(outcome: list[Any]) -> Any:
    assert outcome[1] == frames.SUCCESS, outcome
    return decode_result(CODECS, "", outcome[2])


def run(child: Peer, *calls: Any) -> list[Any]:
    """Runs calls one after the other: of several sent at once, what waits behind a slow one goes back."""
    return [value(child.wait_for(*child.run(call))[0]) for call in calls]


def run_for_ever(one: WorkerUnderTest, child: Peer | None = None) -> list[int]:
    """Starts a task that ends with its process only, and waits until it runs."""
    path = one.folder / "begun"
    seqs = (child or one.child).run(("begin", (str(path),)))
    until(path.exists)
    return seqs


def run_until_open(one: WorkerUnderTest, door: Path) -> list[int]:
    """Starts a task that ends when a file appears, and waits until it runs: before that it could still go back."""
    begun = door.with_name(f"{door.name}.begun")
    seqs = one.child.run(("wait_for_file", (str(door), str(begun))))
    until(begun.exists)
    return seqs
