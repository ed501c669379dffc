"""Signals: see ``signal.py``, whose name is Celery's."""

from ignitetasks.utils.dispatch.signal import Group, Signal

__all__ = ["Group", "Signal"]
