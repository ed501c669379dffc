"""Real nodes and workers for the integration and acceptance tests: started as users start them, stopped by pid.

Nothing here may stop a process it did not start, or leave one behind, also when a test fails half way.
"""

from support.executions import ExecutionLog
from support.node import EmbeddedNode, GivenNode, leftovers
from support.polling import until
from support.processes import Processes, Running, python_path
from support.worker import WorkerProcess, start_worker

__all__ = [
    "EmbeddedNode",
    "ExecutionLog",
    "GivenNode",
    "Processes",
    "Running",
    "WorkerProcess",
    "leftovers",
    "python_path",
    "start_worker",
    "until",
]
