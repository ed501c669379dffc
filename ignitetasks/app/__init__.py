"""The application and what belongs to it: tasks, settings, routes, queues, control.

This file must not define anything: it names what users import from ``ignitetasks.app``.
"""

from ignitetasks.app.base import IgniteTasks

#: Celery's name for the application.
Celery = IgniteTasks

__all__ = ["Celery", "IgniteTasks"]
