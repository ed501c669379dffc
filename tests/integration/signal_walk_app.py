"""An application that writes down every signal it hears, from any of its processes."""

from __future__ import annotations

import os
import sys
from datetime import timedelta
from typing import Any

from ignitetasks import IgniteTasks, Reject, Task, signals

app = IgniteTasks(
    "walk",
    task_default_queue="walk",
    beat_schedule={"tick": {"task": "signal_walk_app.fine", "schedule": timedelta(hours=1), "args": (1,)}},
)


def note(signal: Any, sender: Any = None, **given: Any) -> None:
    path = os.environ.get("WALK_LOG")
    if path:
        words = [signal.name, os.environ.get("WALK_ROLE", "client"), str(os.getpid()), *sorted(given)]
        with open(path, "a", encoding="utf-8") as file:
            file.write(" ".join(words) + "\n")


for name in signals.__all__:
    # With a receiver of this one nothing else sets up logging, so that the two after it would not be sent.
    if name != "setup_logging" or os.environ.get("WALK_ROLE") == "own":
        getattr(signals, name).connect(note)


class BadHook(Task):
    def on_success(self, *_: Any) -> None:
        raise RuntimeError("the hook's own fault")


@app.task
def fine(x: int) -> int:
    return x


@app.task(base=BadHook)
def badly_hooked() -> None:
    """Succeeds, and its hook does not."""


@app.task(max_retries=1, bind=True)
def again(self: Any) -> None:
    if not self.request.retries:
        raise self.retry(countdown=0)


@app.task
def bad() -> None:
    raise ValueError("bad")


@app.task
def reject() -> None:
    raise Reject("no", requeue=False)


if os.environ.get("WALK_ROLE") == "knows":

    @app.task
    def elsewhere() -> None:
        """Known to one worker only."""


@signals.worker_process_init.connect
def forget(**_: Any) -> None:
    """Makes this child the only one that does not know a task of its worker."""
    if os.environ.get("WALK_ROLE") == "knows":
        app.tasks.pop("signal_walk_app.elsewhere", None)
        sys.stdout.flush()
