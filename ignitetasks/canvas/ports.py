"""What tasks and signatures need of an app, so that neither has to import it. This file must not contain behaviour."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Protocol

from ignitetasks.client import Client
from ignitetasks.config import Settings
from ignitetasks.message import TaskOptions
from ignitetasks.options import Plan
from ignitetasks.publishing import Published
from ignitetasks.result import AsyncResult
from ignitetasks.results import ResultList


class Sender(Protocol):
    """What tasks and signatures need of an app."""

    @property
    def settings(self) -> Settings:
        """The app's settings."""

    @property
    def client(self) -> Client:
        """The client that sends; made at the first use."""

    @property
    def tasks(self) -> Mapping[str, Any]:
        """The app's tasks by name."""

    @property
    def task_modules(self) -> Collection[str]:
        """Modules of the app's tasks."""

    @property
    def eager(self) -> bool:
        """Whether calls run here and now instead of being sent."""

    @property
    def sends_its_own_way(self) -> bool:
        """Whether something else stands in the place of `send_task`."""

    @property
    def plain(self) -> bool:
        """Whether the plan of a call without options depends on nothing but its task."""

    def plan(
        self,
        task: str,
        options: TaskOptions,
        call: Mapping[str, Any],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Plan:
        """Combines a task's options with those of one call."""

    def send_task(
        self, name: str, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> AsyncResult[Any]:
        """Sends a call by the name of its task."""

    def published(self, calls: Sequence[Published]) -> None:
        """Tells who wants to hear of it that calls were sent."""

    def bulk(self, signatures: Iterable[Any], *, progress: bool = False) -> ResultList[Any]:
        """Sends many calls."""
