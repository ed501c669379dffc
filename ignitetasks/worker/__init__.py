"""The worker runtime: takes tasks from a node and runs them in child processes, threads, or right here.

`main.run_worker` is what the command line calls and `local.LocalWorker` what scripts and notebooks use; everything else
in this package may change. Nothing is imported here: most commands need one part of it.
"""

from __future__ import annotations

from typing import Any

from ignitetasks import deferred

__all__ = ["WorkController"]


def __getattr__(name: str) -> Any:
    if name == "WorkController":
        return deferred.load("worker_program").Worker
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
