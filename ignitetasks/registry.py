"""The registry of tasks under Celery's older module name; it lives in `ignitetasks.app.registry`."""

from typing import Any

from ignitetasks._state import get_current_app
from ignitetasks.app.registry import TaskRegistry
from ignitetasks.local import Proxy

__all__ = ["TaskRegistry", "tasks"]

#: Stands for the tasks of the application that is meant here.
tasks: Any = Proxy(lambda: get_current_app().tasks, name="tasks")
