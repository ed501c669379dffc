"""Tasks that a test's worker answers with."""

from __future__ import annotations

from ignitetasks.app.shared import shared_task

__all__ = ["ping"]


@shared_task(name="ignitetasks.ping")
def ping() -> str:
    """Answers ``pong``: the worker takes tasks, and their results come back."""
    return "pong"
