"""What a task can be made part of: signatures, maps, chunks; and what a running task can put in its own place.

The half of `Task` that knows the canvas. This file must not send anything itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, overload

from ignitetasks import context
from ignitetasks.canvas import Signature, chunks, launching, maybe_signature, xmap, xstarmap
from ignitetasks.continuing import added_id, flow_end, replacement
from ignitetasks.envelope import Replaced
from ignitetasks.errors import ArgumentError, ConfigurationError, Ignore
from ignitetasks.result import AsyncResult, allow_join_result

P = ParamSpec("P")
R = TypeVar("R")
Rest = ParamSpec("Rest")

#: Options that make a call part of a canvas.
TIES = ("link", "link_error", "stamped_headers", "replaced_task_nesting")


class Composing(Generic[P, R]):
    """The canvas side of a task."""

    name: Any
    trail: Any

    @property
    def app(self) -> Any:
        """Who sends its calls."""
        raise NotImplementedError

    @property
    def request(self) -> context.Request:
        """What is known about the running call."""
        raise NotImplementedError

    # Empty, whole, or without the first argument, which the step before gives: what a chain puts together.
    @overload
    def s(self) -> Signature[R]: ...
    @overload
    def s(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]: ...
    @overload
    def s(self: Composing[Concatenate[Any, Rest], R], *args: Rest.args, **kwargs: Rest.kwargs) -> Signature[R]: ...
    def s(self, *args: Any, **kwargs: Any) -> Signature[Any]:
        """Returns a call of this task as a value."""
        return Signature(self.name, args, kwargs, type=self, app=self.app)

    def si(self, *args: P.args, **kwargs: P.kwargs) -> Signature[R]:
        """Returns a call of this task as a value that takes no further arguments."""
        return Signature(self.name, args, kwargs, type=self, immutable=True, app=self.app)

    def signature(
        self,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        *,
        immutable: bool = False,
        **more: Any,
    ) -> Signature[R]:
        """Returns a call of this task with options as a value.

        Args:
            args: Positional arguments.
            kwargs: Keyword arguments.
            options: Options as for ``apply_async``.
            immutable: True takes no further arguments.
            **more: Further options.
        """
        if args is not None and not isinstance(args, (list, tuple)):
            raise ArgumentError(f"args must be a list or tuple of positional arguments, not {type(args).__name__}")
        merged = {**(options or {}), **more}
        return Signature(self.name, args, kwargs, merged, type=self, immutable=immutable, app=self.app)

    def subtask(self, *args: Any, **kwargs: Any) -> Signature[R]:
        """Does what `signature` does."""
        return self.signature(*args, **kwargs)

    def map(self, it: Iterable[Any]) -> xmap:
        """Returns one call that runs this task for each value."""
        return xmap(self, it, app=self.app)

    def starmap(self, it: Iterable[Any]) -> xstarmap:
        """Returns one call that runs this task for each tuple of arguments."""
        return xstarmap(self, it, app=self.app)

    def chunks(self, it: Iterable[Any], n: int) -> chunks:
        """Returns calls that run this task for n tuples of arguments each."""
        return chunks(self, it, n, app=self.app)

    def replace(self, sig: Any) -> Any:
        """Puts a canvas in the place of the running task: its result becomes the task's own.

        Raises:
            ConfigurationError: The canvas is empty, or belongs to a chord.
            Ignore: Told to the worker; do not catch it.
        """
        canvas = maybe_signature(sig, app=self.app)
        if "chord" in canvas.options:
            raise ConfigurationError("A signature replacing a task must not be part of a chord")
        replacement(canvas)  # what is wrong with it is said here, where it was made
        return self.on_replace(canvas)

    def on_replace(self, sig: Any) -> Any:
        """Is called with the canvas that replaces the running task.

        A direct call of the task runs the canvas and returns its result. Where nothing runs, as in a test that calls
        the method ``run``, the canvas is sent.
        """
        request = self.request
        if not request.called_directly:
            raise Replaced(sig)
        if request.id is None and request is context.current_request():
            with allow_join_result():
                return sig.apply().get()
        sig.delay()
        raise Ignore(f"replaced by {sig.task}")

    def add_to_chord(self, sig: Any, lazy: bool = False) -> Any:
        """Adds a call to the chord the running task is a member of; the body waits for it too.

        It is sent together with the task's success.

        Args:
            sig: The call, or any canvas.
            lazy: True returns the signature, False its handle.

        Raises:
            ValueError: The task is not a member of a chord.
        """
        request = self.request
        if not request.chord:
            raise ValueError("Current task is not member of any chord")
        copy = maybe_signature(sig, app=self.app).clone()
        end, left = flow_end(self.app, str(request.id), request.canvas)
        handle = launching.freeze_as(copy, self.app, added_id(end, left, len(request.additions)))
        request.additions.append(copy)
        return copy if lazy else handle

    def add_trail(self, result: AsyncResult[Any]) -> AsyncResult[Any]:
        """Notes a handle among those of the tasks the running task has sent, unless ``trail`` is off."""
        if self.trail:
            self.request.children.append(result)
        return result

    def signature_from_request(
        self,
        request: context.Request | None = None,
        args: Sequence[Any] | None = None,
        kwargs: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> Signature[R]:
        """Returns the running call as a value, to be made again."""
        request = self.request if request is None else request
        borne = request.stamped_headers or ()
        stamps = {name: value for name, value in (request.stamps or {}).items() if name in borne}
        kept = {
            "task_id": request.id,
            "priority": request.priority or (request.delivery_info or {}).get("priority"),
            "queue": request.queue,
            "shadow": request.shadow,
            "headers": request.headers or None,
            **stamps,
            "stamped_headers": list(stamps) or None,
            **options,
        }
        chosen = {name: value for name, value in kept.items() if value is not None}
        return self.signature(
            list(request.args) if args is None else args, request.kwargs if kwargs is None else kwargs, chosen
        )

    subtask_from_request = signature_from_request


def is_tied(call: Mapping[str, Any]) -> bool:
    """Tells whether a call's options make it part of a canvas."""
    return any(call.get(name) is not None for name in TIES)
