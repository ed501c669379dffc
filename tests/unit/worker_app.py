"""An application and its tasks for tests of the worker, without a node: only what the worker needs of one."""

from __future__ import annotations

import ctypes
import functools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ignitetasks import errors
from ignitetasks.config import Settings
from ignitetasks.context import current_request
from ignitetasks.message import TaskOptions


@dataclass
class PlainTask:
    name: str
    fn: Callable[..., Any]
    options: TaskOptions = field(default_factory=TaskOptions)

    @property
    def target(self) -> Callable[..., Any]:
        return functools.partial(self.fn, self) if self.options.bind else self.fn


class NoTransport:
    """Stands for the way to a node that is not there."""

    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        raise errors.NotConnected("no node in this test")

    def address(self) -> None:
        return None


class PlainApp:
    """Tasks by name, and settings."""

    conf: Any = None

    def __init__(self, data_dir: Path, **settings: Any) -> None:
        self.name = "testing"
        self.settings = Settings(data_dir=data_dir, **settings)
        self.tasks: dict[str, PlainTask] = {}
        self.transport: Any = NoTransport()

    def configure(self, **changes: Any) -> None:
        self.settings = replace(self.settings, **changes)

    def task(self, fn: Callable[..., Any], **options: Any) -> PlainTask:
        task = PlainTask(fn.__name__, fn, TaskOptions(**options))
        self.tasks[task.name] = task
        return task


def noop() -> None:
    return None


def add(x: int, y: int) -> int:
    return x + y


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def wait_for_file(path: str, begun: str | None = None) -> str:
    if begun is not None:
        Path(begun).touch()
    while not os.path.exists(path):
        time.sleep(0.002)
    return path


def spin(path: str) -> None:
    while not os.path.exists(path):
        pass


def touch(path: str) -> None:
    Path(path).touch()


def fail(text: str = "wrong") -> None:
    raise ValueError(text)


def leave(code: int = 3) -> None:
    sys.exit(code)


def interrupt() -> None:
    raise KeyboardInterrupt


def unserialisable() -> Any:
    return {"rows": [1, object()]}


def segfault() -> None:
    ctypes.string_at(0)


def exit_at_once() -> None:
    os._exit(0)


def kill_self(*_args: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def chatter(lines: int) -> int:
    for number in range(lines):
        print("line", number)
    return lines


def close_standard_streams() -> list[int]:
    for fd in range(3):
        os.close(fd)
    return [os.open(os.devnull, os.O_RDWR) for _ in range(3)]


def grandchild(path: str) -> None:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    Path(path).write_text(str(process.pid))
    time.sleep(600)


def fork_quietly() -> int:
    pid = os.fork()
    if not pid:
        os._exit(0)
    return os.waitpid(pid, 0)[1]


def fork_and_go_on(how: str) -> str:
    pid = os.fork()
    if pid:
        os.waitpid(pid, 0)
    elif how == "raise":
        raise RuntimeError("the copy")
    elif how == "exit":
        sys.exit(1)
    return "the task" if pid else "the copy"


def begin(path: str) -> None:
    Path(path).touch()
    time.sleep(600)


def stubborn(path: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Path(path).touch()
    while True:
        time.sleep(1)


def deaf() -> None:
    while True:
        try:
            time.sleep(1)
        except errors.SoftTimeLimitExceeded:
            continue


def soft(path: str) -> str:
    try:
        time.sleep(60)
    except errors.SoftTimeLimitExceeded:
        Path(path).touch()
        return "cleaned up"
    return "never"


def big(size: int) -> bytes:
    return b"x" * size


def size_of(value: bytes) -> int:
    return len(value)


def request_fields() -> dict[str, Any]:
    request = current_request()
    assert request is not None
    return {
        "id": request.id,
        "hostname": request.hostname,
        "retries": request.retries,
        "same": request is current_request(),
    }


def pid() -> int:
    return os.getpid()


def eat_memory(mib: int) -> int:
    return len(bytearray(mib << 20))


_arrived: dict[str, int] = {}
_arriving = threading.Lock()


def meet(place: str, others: int) -> str:
    """Waits until so many threads of this process are at a place, and returns the name of its own."""
    with _arriving:
        _arrived[place] = _arrived.get(place, 0) + 1
    while _arrived[place] < others:
        time.sleep(0.002)
    return threading.current_thread().name


FUNCTIONS = (
    noop, add, sleep, wait_for_file, spin, touch, fail, leave, interrupt, unserialisable, segfault, exit_at_once,
    kill_self, chatter, close_standard_streams, grandchild, fork_quietly, fork_and_go_on, begin, stubborn, deaf, soft,
    big, size_of, request_fields, pid, eat_memory, meet,
)  # fmt: skip


def make_app(data_dir: Path, **settings: Any) -> PlainApp:
    app = PlainApp(data_dir, **settings)
    for function in FUNCTIONS:
        app.task(function)
    return app
