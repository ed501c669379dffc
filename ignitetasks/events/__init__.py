"""Events of tasks and workers: a durable, ordered feed of the cluster, with the types and fields Celery documents.

This file only names what the package offers. Nothing is sent unless events are enabled.
"""

from __future__ import annotations

from ignitetasks.events.dispatcher import EventDispatcher
from ignitetasks.events.event import Event, group_from
from ignitetasks.events.receiver import NOW, OLDEST, EventReceiver

__all__ = ["NOW", "OLDEST", "Event", "EventDispatcher", "EventReceiver", "group_from"]
