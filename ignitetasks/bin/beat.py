"""The command ``ignitetasks beat``, of click, under Celery's module name."""

from ignitetasks.cli.beat import beat

__all__ = ["beat"]
