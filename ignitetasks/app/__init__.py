"""The application and what belongs to it: tasks, settings, routes, queues, control.

This file must not define anything: it names what users import from ``ignitetasks.app``.
"""

from ignitetasks._state import default_app
from ignitetasks.app.base import IgniteTasks
from ignitetasks.app.shared import app_or_default, bugreport, shared_task

#: Celery's name for the application.
Celery = IgniteTasks

__all__ = ["Celery", "IgniteTasks", "app_or_default", "bugreport", "default_app", "shared_task"]
