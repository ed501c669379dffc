"""One helper object for each key and process: made at the first use, and anew in a forked child.

A child has no thread of its parent's, and may find a lock of its parent's taken for ever: it starts from nothing. This
file must not know what the objects do.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class PerProcess(Generic[K, V]):
    """Finds the object of a key; made once for each module that needs it, since it is never let go.

    Args:
        make: Makes the object of a key.
    """

    def __init__(self, make: Callable[[K], V]) -> None:
        self._make = make
        self._renew()
        os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()
        self._made: weakref.WeakKeyDictionary[K, V] = weakref.WeakKeyDictionary()

    def of(self, key: K) -> V:
        """Returns the object of a key, which is made where there is none in this process."""
        found = self._made.get(key)
        if found is None:
            with self._lock:
                found = self._made.get(key)
                if found is None:
                    found = self._made[key] = self._make(key)
        return found
