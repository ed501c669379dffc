"""Small helpers under the names Celery's users know them by.

This file must not know tasks or apps, and must stay cheap to import.
"""

from __future__ import annotations

from uuid import uuid4

__all__ = ["gen_unique_id", "uuid"]


def uuid() -> str:
    """Returns a new random id as text, e.g. to send a task under an id that is known beforehand."""
    return str(uuid4())


gen_unique_id = uuid
