"""Small helpers under the names Celery's users know them by.

This file must not know tasks or apps, and must stay cheap to import.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from itertools import islice
from typing import TypeVar
from uuid import uuid4

from ignitetasks.utils.functional import memoize, noop
from ignitetasks.utils.imports import gen_task_name, import_from_cwd, instantiate
from ignitetasks.utils.nodenames import nodename, nodesplit

__all__ = [
    "cached_property",
    "chunks",
    "gen_task_name",
    "gen_unique_id",
    "import_from_cwd",
    "instantiate",
    "memoize",
    "nodename",
    "nodesplit",
    "noop",
    "uuid",
]

T = TypeVar("T")


def chunks(it: Iterable[T], n: int) -> Iterator[list[T]]:
    """Yields the items in lists of ``n``; the last one may be shorter."""
    items = iter(it)
    while chunk := list(islice(items, n)):
        yield chunk


def uuid() -> str:
    """Returns a new random id as text, e.g. to send a task under an id that is known beforehand."""
    return str(uuid4())


gen_unique_id = uuid
