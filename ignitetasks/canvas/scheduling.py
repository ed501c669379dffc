"""What a schedule entry calls when it is made of a signature; a canvas is called through a task that it replaces.

A tick has one id, and a canvas has many. So a tick of a canvas is one small task, `LAUNCH`, whose end and the start of
the canvas are one write: the canvas begins once for each tick, however often the tick is sent and its task started.
This file must not know when: see ``periodic``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks.canvas.flow import Builder
from ignitetasks.canvas.launching import queue_of
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.signature import Signature, maybe_signature
from ignitetasks.canvas.steps import LAUNCH, calls_of, first_call
from ignitetasks.errors import RequestError, ScheduleError, ScheduleTypeError

#: Options of an entry that say when and how its small task starts; the others are those of the canvas.
_STARTING = frozenset({"queue", "routing_key", "exchange", "priority", "expires", "countdown", "eta"})
#: Of these, the canvas itself must not have: it would wait twice.
_ONCE = frozenset({"countdown", "eta"})
_LONGEST_NAME = 150


def entry_call(
    what: Any, args: Sequence[Any], kwargs: Mapping[str, Any] | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Returns ``task``, ``args``, ``kwargs`` and ``options`` of an entry.

    Args:
        what: A signature or canvas, a task, or a task's name.
        args: Put in front of the arguments of a signature.
        kwargs: Added to its keyword arguments.
        options: Win over its options.

    Raises:
        ScheduleError: It is none of these, is empty, or has ids already, which would be the same for each tick.
    """
    if isinstance(what, Mapping):
        sig = maybe_signature(what)
        if sig.subtask_type:
            return _canvas_call(sig, args, kwargs, options)
        own = sig.clone(args, kwargs, **options)
        return {"task": own.task, "args": own.args, "kwargs": own.kwargs, "options": own.options}
    name = what if isinstance(what, str) else getattr(what, "name", None)
    if not isinstance(name, str) or not (isinstance(what, str) or hasattr(what, "apply_async")):
        raise ScheduleTypeError(f"a schedule calls a signature, a task or the name of one, not {what!r}")
    return {"task": name, "args": args, "kwargs": kwargs or {}, "options": dict(options)}


def _canvas_call(
    canvas: Signature[Any], args: Sequence[Any], kwargs: Mapping[str, Any] | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    inner = {name: value for name, value in options.items() if name not in _ONCE}
    own = canvas.clone(args, kwargs, **inner)
    try:
        flow = Builder().build(own)
    except RequestError as error:
        raise ScheduleError(str(error)) from error
    if first_call(flow) is None:
        raise ScheduleError("a schedule cannot call an empty canvas")
    if any(call.id for call in calls_of(flow)):
        raise ScheduleError("the canvas has ids already, and each tick needs new ones: do not freeze it")
    starting = {name: value for name, value in options.items() if name in _STARTING}
    return {"task": LAUNCH, "args": (), "kwargs": {"canvas": own}, "options": starting}


def entry_name(what: Any) -> str:
    """Returns a name for an entry of a signature, a task or a task's name: how the call is written."""
    name = what if isinstance(what, str) else getattr(what, "name", "")
    text = repr(what) if isinstance(what, Mapping) else f"{name}()"
    if len(text) <= _LONGEST_NAME:
        return text
    return f"{text[:_LONGEST_NAME]}... {hashlib.blake2b(text.encode(), digest_size=4).hexdigest()}"


def queue_of_launch(app: Sender, kwargs: Mapping[str, Any]) -> str:
    """Returns the queue of the small task of a tick: that of the canvas's first call, which has workers.

    Args:
        app: Whose routes count.
        kwargs: Those of the entry.
    """
    return queue_of(Builder().build(kwargs["canvas"]), app)
