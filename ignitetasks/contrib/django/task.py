"""`DjangoTask`: a task that can be sent when the database transaction around it has committed.

Tasks of an app in a Django project are of this class unless the app names another. Must not open connections.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, ParamSpec, TypeVar

from django.db import transaction

from ignitetasks.app.task import Task

P = ParamSpec("P")
R = TypeVar("R")


class DjangoTask(Task[P, R]):
    """A task whose calls can wait for the commit of the current transaction."""

    def delay_on_commit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Sends a call when the current transaction commits; at once when there is none.

        A transaction that is rolled back sends nothing. There is no handle: the task does not exist yet.
        """
        transaction.on_commit(functools.partial(self.delay, *args, **kwargs))

    def apply_async_on_commit(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        *,
        using: str | None = None,
        **options: Any,
    ) -> None:
        """Sends a call with options when the current transaction commits.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
            using: Alias of the database whose transaction is meant; None means the default one.
            **options: As for `apply_async`.
        """
        transaction.on_commit(functools.partial(self.apply_async, args, kwargs, **options), using=using)
