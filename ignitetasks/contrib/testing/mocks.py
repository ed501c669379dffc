"""Stand-ins for unit tests: the message of a task, and objects for ``with`` blocks.

There is no broker here whose message could be taken apart: a `TaskMessage` has the fields by which code that looks at
messages of Celery's protocol reads them. This file must not send anything.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from typing import Any
from unittest.mock import MagicMock, Mock

__all__ = ["ContextMock", "TaskMessage", "task_message_from_sig"]


def TaskMessage(  # Celery's name
    name: str,
    id: str | None = None,
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    callbacks: Sequence[Any] | None = None,
    errbacks: Sequence[Any] | None = None,
    chain: Sequence[Any] | None = None,
    shadow: str | None = None,
    utc: bool | None = None,
    **options: Any,
) -> Any:
    """Makes what looks like the message of a task: ``headers``, ``payload``, ``body`` and its content type.

    Args:
        name: Name of the task.
        id: Its id; None makes one.
        args: Its positional arguments.
        kwargs: Its keyword arguments.
        callbacks: What follows its success.
        errbacks: What follows its failure.
        chain: What follows it in its chain.
        shadow: Name to show instead.
        utc: Accepted; times are UTC.
        **options: Further headers.
    """
    task_id = id or str(uuid.uuid4())
    payload = (args, dict(kwargs or {}), {"callbacks": callbacks, "errbacks": errbacks, "chain": chain})
    message = Mock(name=f"TaskMessage-{task_id}")
    message.headers = {"id": task_id, "task": name, "shadow": shadow, **options}
    message.payload = payload
    message.body = json.dumps(payload)
    message.content_type, message.content_encoding = "application/json", "utf-8"
    return message


def task_message_from_sig(
    app: Any, sig: Any, utc: bool = True, TaskMessage: Callable[..., Any] = TaskMessage
) -> Any:  # Celery's names
    """Makes what looks like the message of a signature; gives the signature an id.

    Args:
        app: Accepted; times are of this machine.
        sig: The signature.
        utc: Passed on.
        TaskMessage: Makes the message.
    """
    sig.freeze()
    options = dict(sig.options)
    options.pop("task_id", None)
    links = {name: [dict(one) for one in options.pop(key, None) or ()] or None for name, key in _LINKS}
    countdown = options.pop("countdown", None)
    eta = options.pop("eta", None) if not countdown else _after(countdown)
    expires = options.pop("expires", None)
    if isinstance(expires, (int, float)):
        expires = _after(expires)
    return TaskMessage(
        sig.task, id=sig.id, args=sig.args, kwargs=sig.kwargs, utc=utc, eta=_text(eta), expires=_text(expires),
        **links, **options,
    )  # fmt: skip


_LINKS = (("callbacks", "link"), ("errbacks", "link_error"))


def _after(seconds: float) -> datetime:
    return datetime.now(timezone.utc) + timedelta(seconds=seconds)


def _text(moment: Any) -> Any:
    return moment.isoformat() if isinstance(moment, datetime) else moment


def ContextMock(*args: Any, **kwargs: Any) -> Any:  # Celery's name
    """Makes a mock that stands in a ``with`` statement for itself, and lets exceptions through."""
    made = MagicMock(*args, **kwargs)
    made.__enter__.return_value = made
    made.__exit__.return_value = None
    return made
