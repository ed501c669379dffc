"""The registry of tasks under Celery's older module name; it lives in `ignitetasks.app.registry`."""

from ignitetasks.app.registry import TaskRegistry

__all__ = ["TaskRegistry"]
