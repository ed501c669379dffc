"""An application with periodic tasks of every kind, added as Celery's documentation does; imported by its workers."""

from __future__ import annotations

import os

from support.executions import ExecutionLog

from ignitetasks import IgniteTasks, chain, chord, current_request

app = IgniteTasks("periodic")
app.conf.task_routes = {"periodic_app.*": {"queue": "periodic"}}


@app.on_after_configure.connect
def add_entries(sender: IgniteTasks, **_: object) -> None:
    sender.add_periodic_task(1.0, note.s("signature"), name="a signature", catch_up=100)
    sender.add_periodic_task(1.0, chain(when.si(), note_after.s("chain")), name="a chain", catch_up=100)
    sender.add_periodic_task(1.0, chord([when.si(), when.si()], note_all.s("chord")), name="a chord", catch_up=100)


def add_line(label: str, tick: str) -> None:
    request = current_request()
    ExecutionLog(os.environ["SUITE_LOG"]).add("periodic", label, tick, request.id, os.getpid())


@app.task
def note(label: str) -> None:
    add_line(label, current_request().headers["scheduled_at"])


@app.task
def when() -> str:
    return current_request().headers["scheduled_at"]


@app.task
def note_after(tick: str, label: str) -> None:
    add_line(label, tick)


@app.task
def note_all(ticks: list[str], label: str) -> None:
    (tick,) = set(ticks)
    add_line(label, tick)
