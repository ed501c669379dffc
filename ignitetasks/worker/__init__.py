"""The worker runtime: takes tasks from a node and runs them in child processes, threads, or right here.

`run_worker` is what the command line calls and `LocalWorker` what scripts and notebooks use; everything else in
this package may change.
"""

from __future__ import annotations

from ignitetasks.worker.local import LocalWorker
from ignitetasks.worker.main import run_worker

__all__ = ["LocalWorker", "run_worker"]
