"""The command ``ignitetasks worker``, of click, under Celery's module name."""

from ignitetasks.cli.worker import worker

__all__ = ["worker"]
