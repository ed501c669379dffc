"""Times as text, under Celery's module name. This file must not know time zones by name."""

from __future__ import annotations

from datetime import datetime

__all__ = ["parse_iso8601"]


def parse_iso8601(datestring: str) -> datetime:
    """Returns the moment that an ISO 8601 text names.

    Raises:
        ValueError: It names none.
    """
    return datetime.fromisoformat(datestring)
