"""An application with periodic tasks and rates, as a user would write one; imported by tests and by their workers."""

from __future__ import annotations

import os
import time

from support.executions import ExecutionLog

from ignitetasks import IgniteTasks, current_request

app = IgniteTasks("flow")
app.conf.beat_schedule = {
    "every half second": {
        "task": "flow_app.tick",
        "schedule": 0.5,
        "args": ("code",),
        "options": {"queue": "ticks"},
        "catch_up": 100,
    }
}


def log() -> ExecutionLog:
    """The file the tasks of this run count their executions in."""
    return ExecutionLog(os.environ["SUITE_LOG"])


@app.task
def tick(label: str) -> None:
    request = current_request()
    log().add("tick", label, request.headers["scheduled_at"])


@app.task(rate_limit="10/s")
def limited(label: str, number: int) -> None:
    log().add(label, "limited", number, time.time())


@app.task
def plain(label: str, number: int) -> None:
    log().add(label, "plain", number, time.time())


@app.task
def doze(label: str, seconds: float) -> str:
    log().add(label, "doze", os.getpid())
    time.sleep(seconds)
    return current_request().hostname
