"""The form of a version, as ``celery.VERSION`` has it."""

from __future__ import annotations

from typing import NamedTuple


class version_info_t(NamedTuple):  # Celery's name
    """A version in parts.

    Attributes:
        major: Changes when callers must.
        minor: Changes with what is new.
        micro: Changes with what is mended.
        releaselevel: Such as ``rc1``; empty for a release.
        serial: Counts builds of one release; mostly empty.
    """

    major: int
    minor: int
    micro: int
    releaselevel: str
    serial: str
