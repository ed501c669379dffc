"""The worker as an object, under Celery's module name."""

from ignitetasks.apps.worker import Worker as WorkController

__all__ = ["WorkController"]
