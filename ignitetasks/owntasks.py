"""Names of the tasks that every application has. This file must stay a leaf."""

from __future__ import annotations

from typing import Final

#: Packages that schedule for Celery send this one by its name; it has nothing to do: results expire by themselves.
CLEANUP: Final = "celery.backend_cleanup"


def is_own(name: str) -> bool:
    """Tells whether a task is one of this package's own, and none of the user's."""
    return name.startswith("ignitetasks.") or name == CLEANUP
