"""A call that is not sent yet: task name, arguments and options as one frozen value.

This file also names what a task needs of its app (`Sender`), so that neither has to import the other. It must not
send anything itself.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, ParamSpec, Protocol, TypeVar

from ignitetasks.client import Client
from ignitetasks.config import Settings
from ignitetasks.errors import ConfigurationError
from ignitetasks.message import TaskOptions
from ignitetasks.options import Plan
from ignitetasks.result import AsyncResult
from ignitetasks.results import ResultList

P = ParamSpec("P")
R = TypeVar("R")


class Sender(Protocol):
    """What tasks and signatures need of an app."""

    @property
    def settings(self) -> Settings:
        """The app's settings."""

    @property
    def client(self) -> Client:
        """The client that sends; made at the first use."""

    @property
    def task_modules(self) -> Collection[str]:
        """Modules of the app's tasks."""

    def plan(self, task: str, options: TaskOptions, call: Mapping[str, Any]) -> Plan:
        """Combines a task's options with those of one call."""

    def send_task(
        self, name: str, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[Any]:
        """Sends a call by the name of its task."""

    def bulk(self, signatures: Iterable[Signature[Any]], *, progress: bool = False) -> ResultList[Any]:
        """Sends many calls."""


@dataclass(frozen=True)
class Signature(Generic[R]):
    """A call as a value; changing it makes another one.

    Attributes:
        task: Task name.
        args: Positional arguments.
        kwargs: Keyword arguments.
        options: Options of the call, as for ``apply_async``.
        immutable: True refuses further arguments (``si``).
        app: Who sends it; not part of its value.
    """

    task: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    immutable: bool = False
    app: Sender | None = field(default=None, compare=False, repr=False)

    def clone(self, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None, **options: Any) -> Signature[R]:
        """Returns a copy with further arguments in front and options added.

        Args:
            args: Put before its own, unless it is immutable.
            kwargs: Added to its own, unless it is immutable.
            **options: Added to its own.
        """
        if self.immutable:
            return replace(self, options={**self.options, **options})
        return replace(
            self,
            args=(*args, *self.args),
            kwargs={**self.kwargs, **(kwargs or {})},
            options={**self.options, **options},
        )

    def set(self, **options: Any) -> Signature[R]:
        """Returns a copy with options added."""
        return replace(self, options={**self.options, **options})

    def delay(self, *args: Any, **kwargs: Any) -> AsyncResult[R]:
        """Sends it, with further arguments."""
        return self.apply_async(args, kwargs)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[R]:
        """Sends it, with further arguments and options.

        Raises:
            ConfigurationError: It belongs to no app.
        """
        if self.app is None:
            raise ConfigurationError(f"the signature of {self.task} belongs to no app; make it with task.s(...)")
        call = self.clone(args or (), kwargs, **options)
        return self.app.send_task(call.task, call.args, call.kwargs, **call.options)
