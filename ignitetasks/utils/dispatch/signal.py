"""`Signal`: functions that want to know, told by whoever has something to tell.

A receiver that raises is logged and never stops the sender or the other receivers. A signal without receivers
costs one look at its list. This file must not know what any signal means (``signals.py`` does).
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Collection
from typing import Any

from ignitetasks import log
from ignitetasks.local import maybe_evaluate
from ignitetasks.utils.functional import fun_accepts_kwargs

__all__ = ["Group", "Signal"]

_log = log.get_logger("signals")
#: Pause before a receiver with ``retry`` is called again, and how much longer each further one is.
_FIRST_PAUSE_SECONDS = 2.0
_LONGEST_PAUSE_SECONDS = 30.0
#: Identity of a receiver, and of the sender it wants (None for all).
_Key = tuple[Any, Any]


class Group:
    """Counts the receivers of several signals, so that a hot loop has one number to look at.

    Attributes:
        receivers: How many there are.
    """

    def __init__(self) -> None:
        self.receivers = 0


def _identity(value: Any) -> Any:
    """Returns what tells one receiver or sender from another; texts are compared by value."""
    value = maybe_evaluate(value)
    if value is None or isinstance(value, (str, bytes)):
        return value
    function = getattr(value, "__func__", None)
    if function is not None:
        return id(value.__self__), id(function)
    return id(value)


def _weak(receiver: Callable[..., Any]) -> Callable[[], Callable[..., Any] | None]:
    if hasattr(receiver, "__func__") and hasattr(receiver, "__self__"):
        return weakref.WeakMethod(receiver)
    return weakref.ref(receiver)


def _strong(receiver: Callable[..., Any]) -> Callable[[], Callable[..., Any] | None]:
    return lambda: receiver


def _patient(receiver: Callable[..., Any]) -> Callable[..., Any]:
    """Returns a receiver that is called again until it does not raise."""

    def call(**named: Any) -> Any:
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return receiver(**named)
            except Exception:
                _log.exception("a receiver of a signal failed", receiver=repr(receiver), again_in_seconds=pause)
            time.sleep(pause)
            pause = min(pause + _FIRST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS)

    return call


class Signal:
    """One kind of news.

    Args:
        providing_args: Names of what receivers are told, for the reader.
        use_caching: Taken for Celery's sake.
        name: The signal's name.
        group: Counts its receivers together with those of others.
        replay: True tells a receiver that connects late what was sent last, at once; for what happens once in an
            app's life.

    Attributes:
        receivers: Who is connected; only whether it is empty is of use outside.
    """

    def __init__(
        self,
        providing_args: Collection[str] | None = None,
        use_caching: bool = False,
        name: str | None = None,
        *,
        group: Group | None = None,
        replay: bool = False,
    ) -> None:
        self.providing_args = frozenset(providing_args or ())
        self.name = name
        self.receivers: list[tuple[_Key, Callable[[], Callable[..., Any] | None]]] = []
        self._group = group
        self._replay = replay
        self._last: tuple[Any, dict[str, Any]] | None = None
        self._lock = threading.RLock()
        self._watchers: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Signal: {self.name} providing_args={sorted(self.providing_args)!r}>"

    def connect(
        self,
        fn: Callable[..., Any] | None = None,
        sender: Any = None,
        weak: bool = True,
        dispatch_uid: Any = None,
        retry: bool = False,
    ) -> Any:
        """Connects a receiver; also a decorator, with or without arguments.

        Args:
            fn: The receiver. It is called with ``sender`` and keyword arguments, and must accept ``**kwargs``.
            sender: Whose news it wants; None for everybody's. A text also matches a task of this name.
            weak: True forgets a receiver that nobody else keeps.
            dispatch_uid: Connected twice under one value, it is still called once.
            retry: True calls it again, after 2, 4, 6 ... 30 seconds, until it does not raise; who sends waits for it.
                It is kept then, whatever ``weak`` says.

        Returns:
            The receiver, or a decorator when none was given.

        Raises:
            TypeError: The receiver cannot be called.
            ValueError: It takes no keyword arguments it does not name.
        """

        def add(receiver: Callable[..., Any]) -> Callable[..., Any]:
            if not callable(receiver):
                raise TypeError(f"a receiver of {self.name} is a function, not {receiver!r}")
            if not fun_accepts_kwargs(receiver):
                raise ValueError(f"a receiver of {self.name} must accept **kwargs, which {receiver!r} does not")
            key = (_identity(receiver) if dispatch_uid is None else ("uid", dispatch_uid), _identity(sender))
            with self._lock:
                if all(known != key for known, _ in self._living()):
                    keep = _strong(_patient(receiver)) if retry else (_weak if weak else _strong)(receiver)
                    # A new list: whoever is calling the receivers goes on with the old one.
                    self._replace([*self._living(), (key, keep)])
            if self._replay and self._last is not None:
                self._tell(receiver, *self._last)
            return receiver

        return add if fn is None else add(fn)

    def disconnect(
        self,
        receiver: Callable[..., Any] | None = None,
        sender: Any = None,
        weak: bool | None = None,
        dispatch_uid: Any = None,
    ) -> bool:
        """Disconnects a receiver.

        Args:
            receiver: As connected; not needed with a ``dispatch_uid``.
            sender: As connected.
            weak: Accepted for callers of Celery; makes no difference.
            dispatch_uid: As connected.

        Returns:
            Whether it was connected.
        """
        key = (_identity(receiver) if dispatch_uid is None else ("uid", dispatch_uid), _identity(sender))
        with self._lock:
            kept = [one for one in self.receivers if one[0] != key]
            found = len(kept) < len(self.receivers)
            self._replace(kept)
        return found

    def watch(self, changed: Callable[[], None]) -> None:
        """Has a function called after each change of the receivers, in the thread that makes it.

        Args:
            changed: The function.
        """
        with self._lock:
            self._watchers = [*self._watchers, changed]

    def unwatch(self, changed: Callable[[], None]) -> None:
        """Takes back what `watch` asked for; harmless when repeated."""
        with self._lock:
            self._watchers = [one for one in self._watchers if one != changed]

    def has_listeners(self, sender: Any = None) -> bool:
        """Tells whether anybody would hear of news of a sender."""
        return bool(self.receivers) and bool(self._receivers_of(sender))

    def send(self, sender: Any, **named: Any) -> list[tuple[Callable[..., Any], Any]]:
        """Tells all receivers.

        Args:
            sender: Whose news it is.
            **named: The news.

        Returns:
            Each receiver with what it returned, or with the exception it raised.
        """
        if self._replay:
            self._last = (sender, named)
        if not self.receivers:
            return []
        return [(receiver, self._tell(receiver, sender, named)) for receiver in self._receivers_of(sender)]

    send_robust = send

    def _tell(self, receiver: Callable[..., Any], sender: Any, named: dict[str, Any]) -> Any:
        before = sys.exc_info()[1]
        try:
            return receiver(signal=self, sender=sender, **named)
        except Exception as error:
            if error.__context__ is before:
                error.__context__ = None  # what the sender is handling is not the receiver's, and may hold values
            _log.exception("a receiver of a signal failed", signal=self.name, receiver=repr(receiver))
            return error

    def _receivers_of(self, sender: Any) -> list[Callable[..., Any]]:
        wanted = {None, _identity(sender)}
        name = getattr(maybe_evaluate(sender), "name", None)
        if isinstance(name, str):
            wanted.add(name)
        found = [keep() for (_, only), keep in self.receivers if only in wanted]
        alive = [receiver for receiver in found if receiver is not None]
        if len(alive) < len(found):
            with self._lock:
                self._replace(self._living())
        return alive

    def _living(self) -> list[tuple[_Key, Callable[[], Callable[..., Any] | None]]]:
        return [one for one in self.receivers if one[1]() is not None]

    def _replace(self, receivers: list[tuple[_Key, Callable[[], Callable[..., Any] | None]]]) -> None:
        if self._group is not None:
            self._group.receivers += len(receivers) - len(self.receivers)
        self.receivers = receivers
        for changed in self._watchers:
            changed()
