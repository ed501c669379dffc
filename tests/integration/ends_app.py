"""Tasks whose ends the node decides, and everybody who wants to hear of an end: hooks, signals, errbacks."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from ignitetasks import IgniteTasks, Task, signals
from ignitetasks.worker.request import Request

app = IgniteTasks("ends", task_default_queue="ends")


def note(*words: Any) -> None:
    """Writes down what was heard, one line each."""
    path = os.environ.get("ENDS_LOG")
    if path:
        with open(path, "a", encoding="utf-8") as file:
            file.write(" ".join(map(str, words)) + "\n")


class NotedRequest(Request):
    """Writes down what it is told of runs that ended with their process."""

    def on_timeout(self, soft, timeout):
        note("request.on_timeout", self.id, soft, timeout)

    def on_failure(self, exc_info, send_failed_event=True, return_ok=False):
        note("request.on_failure", self.id, exc_info.type.__name__, return_ok)


class Noted(Task):
    """Writes down which of its hooks were called."""

    Request = NotedRequest

    def on_failure(self, exc, task_id, args, kwargs, einfo):
        note("on_failure", task_id, type(exc).__name__, args, kwargs, self.request.id == task_id)

    def after_return(self, status, retval, task_id, args, kwargs, einfo):
        note("after_return", task_id, status)


@signals.task_failure.connect
def failed(sender, task_id, exception, args, kwargs, einfo, **_):
    note("task_failure", task_id, sender.name, type(exception).__name__, einfo.type.__name__)


@signals.task_revoked.connect
def revoked(sender, request, terminated, signum, expired, **_):
    note("task_revoked", request.id, sender.name, request.args, terminated, signum, expired)


@signals.task_prerun.connect
def begins(sender, task_id, **_):
    note("task_prerun", task_id, sender.name)


@app.task(base=Noted, max_deliveries=1)
def die(code: int, why: str = "") -> None:
    os._exit(code)


@app.task(base=Noted, time_limit=0.5)
def hang(seconds: float) -> None:
    time.sleep(seconds)


@app.task(base=Noted)
def wait(door: str) -> str:
    Path(f"{door}.running").touch()
    while not os.path.exists(door):
        time.sleep(0.02)
    return "opened"
