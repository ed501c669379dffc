"""An exception across processes: captured as plain bytes where it happened, rebuilt where its result is asked for.

The bytes are the codec byte ``m`` and a msgpack map ``{type, module, message, args, traceback}`` (plus ``state``,
the exception's attributes); the node writes the same format for failures of its own. This file must never import
a module because a message says so: a class is taken from what is loaded, or from modules the caller vouches for.
"""

from __future__ import annotations

import importlib
import sys
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ignitetasks.errors import RemoteError, SerializationError
from ignitetasks.serializers import PLAIN, Data

MAX_MESSAGE_CHARS = 16_384
MAX_TRACEBACK_CHARS = 65_536
MAX_ARGS_BYTES = 65_536
_PLAIN_ATTRIBUTES = ("__notes__",)


class RemoteTraceback(Exception):
    """The traceback of the process where a task failed; shown as the cause of the rebuilt exception.

    Attributes:
        text: The formatted remote traceback.
    """

    def __init__(self, text: str = "") -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text.rstrip()}\n"""'


@dataclass(frozen=True)
class Failure:
    """An exception as plain data.

    Attributes:
        type_name: Qualified name of its class.
        module: Module of its class.
        message: Its text.
        args: Its arguments where they are plain data, else None.
        traceback: Formatted traceback of the process where it happened.
        state: Its attributes where they are plain data.
    """

    type_name: str
    module: str
    message: str
    args: list[Any] | None
    traceback: str
    state: dict[str, Any] | None = None

    @classmethod
    def from_exception(cls, error: BaseException, tb: TracebackType | None = None, text: str | None = None) -> Failure:
        """Describes an exception; never fails, whatever the exception's own methods do.

        Args:
            error: The exception.
            tb: Where its traceback starts; None means its own.
            text: A ready traceback text to use instead.
        """
        kind = type(error)
        args, state = _plain_list(error), _plain_state(error)
        return cls(
            type_name=_cut(str(kind.__qualname__), 512),
            module=_cut(str(kind.__module__), 512),
            message=_cut(safe_text(error), MAX_MESSAGE_CHARS),
            args=args,
            traceback=_cut(_format(error, tb) if text is None else text, MAX_TRACEBACK_CHARS),
            state=state,
        )

    @classmethod
    def capture(cls, error: BaseException, tb: TracebackType | None = None, text: str | None = None) -> bytes:
        """Describes an exception and encodes it; never fails.

        Args:
            error: The exception.
            tb: Where its traceback starts; None means its own.
            text: A ready traceback text to use instead.
        """
        return cls.from_exception(error, tb, text).encode()

    def encode(self) -> bytes:
        """Returns the wire bytes."""
        fields: dict[str, Any] = {
            "type": self.type_name,
            "module": self.module,
            "message": self.message,
            "args": self.args,
            "traceback": self.traceback,
        }
        if self.state:
            fields["state"] = self.state
        return PLAIN.encode(fields)

    @classmethod
    def decode(cls, data: Data) -> Failure:
        """Reads wire bytes.

        Raises:
            SerializationError: They are no failure.
        """
        value = PLAIN.decode(data, what="the failure")
        if not isinstance(value, dict):
            raise SerializationError("the failure is no map; a newer version may have written it")
        args, state = value.get("args"), value.get("state")
        return cls(
            type_name=str(value.get("type", "Exception")),
            module=str(value.get("module", "")),
            message=str(value.get("message", "")),
            args=args if isinstance(args, list) else None,
            traceback=str(value.get("traceback", "") or ""),
            state=state if isinstance(state, dict) else None,
        )

    def rebuild(self, modules: Collection[str] = ()) -> BaseException:
        """Makes an exception of the same class where that is possible and safe, else a `RemoteError`.

        Args:
            modules: Modules that may be imported to find the class (those of registered tasks).

        Returns:
            The exception, with the remote traceback as its ``__cause__``.
        """
        error = self._instance(self._find_class(modules))
        if error is None:
            error = RemoteError(self.message, self.type_name, self.module)
        if self.traceback:
            error.__cause__ = RemoteTraceback(self.traceback)
        return error

    def _find_class(self, modules: Collection[str]) -> type[Exception] | None:
        module = sys.modules.get(self.module)
        if module is None and self.module in modules:
            try:
                module = importlib.import_module(self.module)
            except Exception:
                return None
        found: Any = module
        for part in self.type_name.split("."):
            found = getattr(found, part, None)
        # SystemExit and its like would end the client's process instead of telling it about a failed task.
        return found if isinstance(found, type) and issubclass(found, Exception) else None

    def _instance(self, cls: type[Exception] | None) -> Exception | None:
        if cls is None:
            return None
        args = [self.message] if self.args is None else self.args
        makers: tuple[Callable[..., Any], ...] = (cls, lambda *args: cls.__new__(cls, *args))
        for make in makers:
            try:
                error: Any = make(*args)
                if not isinstance(error, cls):  # a __new__ of the class's own can return anything
                    return None
                if self.state:
                    error.__dict__.update(self.state)
                str(error)
            except Exception:  # noqa: S112  # the class's own code: any failure means "not this way"
                continue
            found: Exception = error
            return found
        return None


class ExceptionInfo:
    """An exception as hooks and signals are told of it; as text it is the formatted traceback.

    Attributes:
        exception: The exception.
        type: Its class.
        traceback: Its formatted traceback.
        tb: Its traceback.
        internal: True when it was raised by this package and not by the task.
    """

    def __init__(self, exception: BaseException, internal: bool = False) -> None:
        self.exception = exception
        self.type = type(exception)
        self.tb = exception.__traceback__
        self.traceback = _format(exception, None)
        self.internal = internal

    def __str__(self) -> str:
        return self.traceback

    def __repr__(self) -> str:
        return f"<ExceptionInfo: {self.exception!r}>"

    @property
    def exc_info(self) -> tuple[type[BaseException], BaseException, TracebackType | None]:
        """What ``sys.exc_info`` would say."""
        return self.type, self.exception, self.tb


def failure_of(value: Any, traceback_text: str | None = None) -> Failure:
    """Describes what a program calls a failure.

    Args:
        value: An exception, a map with ``exc_type`` and ``exc_message``, or anything else, which becomes the text.
        traceback_text: A formatted traceback.
    """
    if isinstance(value, BaseException):
        return Failure.from_exception(value, text=traceback_text)
    kind, module, message = "Exception", "builtins", value
    if isinstance(value, Mapping) and "exc_type" in value:
        kind, module = str(value["exc_type"]), str(value.get("exc_module") or "builtins")
        message = value.get("exc_message", "")
    if isinstance(message, (list, tuple)) and len(message) == 1:
        message = message[0]
    text = _cut(str(message), MAX_MESSAGE_CHARS)
    return Failure(kind, module, text, [text], traceback_text or "")


def rebuild(data: Data, modules: Collection[str] = ()) -> BaseException:
    """Makes an exception from wire bytes; see `Failure.rebuild`.

    Args:
        data: Failure bytes.
        modules: Modules that may be imported to find the class.
    """
    return Failure.decode(data).rebuild(modules)


def safe_text(error: BaseException) -> str:
    """Returns ``str(error)``, or words instead when that itself fails."""
    try:
        return str(error)
    except Exception:
        return f"<{type(error).__name__} whose text cannot be made>"


def _cut(text: str, limit: int) -> str:
    """Keeps head and tail of a long text, and makes it encodable as UTF-8."""
    if len(text) > limit:
        half = limit // 2
        text = f"{text[:half]}\n... {len(text) - 2 * half} characters left out ...\n{text[-half:]}"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _format(error: BaseException, tb: TracebackType | None) -> str:
    try:
        return "".join(traceback.format_exception(type(error), error, tb or error.__traceback__))
    except Exception:
        lines = traceback.format_tb(tb or error.__traceback__)
        last = f"{type(error).__name__}: {safe_text(error)}\n"
        return "".join(["Traceback (most recent call last):\n", *lines, last])


def _is_plain(value: Any) -> bool:
    try:
        return len(PLAIN.encode(value)) <= MAX_ARGS_BYTES
    except Exception:
        return False


def _plain_list(error: BaseException) -> list[Any] | None:
    args = getattr(error, "args", None)
    return list(args) if isinstance(args, tuple) and _is_plain(args) else None


def _plain_state(error: BaseException) -> dict[str, Any] | None:
    state = {
        name: value
        for name, value in getattr(error, "__dict__", {}).items()
        if isinstance(name, str) and (not name.startswith("__") or name in _PLAIN_ATTRIBUTES) and _is_plain(value)
    }
    return state if state and _is_plain(state) else None
