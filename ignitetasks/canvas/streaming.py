"""Sends a group or a chord whose calls are still being generated: what there is goes while the rest is made.

The body of such a chord is promised with the first calls, and filled in when the last one is known: so members run,
end and are counted meanwhile. A generator that takes no time is read whole and sent as any other canvas.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ignitetasks.canvas import launching
from ignitetasks.canvas.asking import ask
from ignitetasks.canvas.compiling import Line
from ignitetasks.canvas.flow import Builder
from ignitetasks.canvas.members import Members
from ignitetasks.canvas.naming import handle_of, name_fan, name_flow
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.reusing import promise_later, stand_ins
from ignitetasks.canvas.steps import Call, Fan, Flow, calls_of, first_call, put_in_front

#: A generator that takes longer for one call has what there is sent.
_PAUSE_S = 0.05
#: No call waits longer for those after it.
_LONGEST_WAIT_S = 1.0
#: Nor for more of them.
_MOST = 10_000


def launch(sig: Any, app: Sender, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """Sends a group or a chord; see `launching.launch`.

    Args:
        sig: The canvas.
        app: Who sends.
        args: Put in front of the arguments of its first calls.
        kwargs: Added to theirs.
        options: Options of this sending.

    Returns:
        The handle of its end.
    """
    tasks = sig.tasks
    if app.eager or not isinstance(tasks, Members):
        return launching.launch(sig, app, args, kwargs, options)
    parts = _parts(tasks)
    first = next(parts, None)
    if first is None or tasks.complete:
        return launching.launch(sig, app, args, kwargs, options)
    given, root, parent = launching.tied_to_task(sig, options)
    stream = _Stream(sig, app, args, kwargs, given)
    return launching.note_sent(stream.send(first, parts, root, parent))


def _parts(tasks: Members) -> Iterator[list[Any]]:
    """Yields the calls in lists, each as soon as the next call lets wait for itself."""
    part: list[Any] = []
    began = asked = time.monotonic()
    for one in tasks:
        part.append(one)
        now = time.monotonic()
        if now - asked > _PAUSE_S or now - began > _LONGEST_WAIT_S or len(part) >= _MOST:
            yield part
            part = []
            began = time.monotonic()
        asked = time.monotonic()
    if part:
        yield part


class _Stream:
    """One canvas on its way.

    Args:
        sig: A group or a chord.
        app: Who sends.
        args: Put in front of the arguments of its members.
        kwargs: Added to theirs.
        options: Options of this sending.
    """

    def __init__(
        self, sig: Any, app: Sender, args: Sequence[Any], kwargs: Mapping[str, Any], options: Mapping[str, Any]
    ) -> None:
        self._sig, self._app, self._options = sig, app, options
        self._args, self._kwargs = args, kwargs
        self._place = 0

    def send(self, first: Sequence[Any], parts: Iterator[Sequence[Any]], root: str | None, parent: str | None) -> Any:
        """Sends it part by part and returns the handle of its end.

        Args:
            first: The calls that are known.
            parts: Those that are not.
            root: First task of the workflow it belongs to; None where it is one.
            parent: The task that sends it.
        """
        app, flow = self._app, self._flow(first)
        self._place = launching.place_of(flow, app)
        name_flow(flow, self._place)
        stand_ins(flow, launching.compiler_for(app, root, parent))
        fan, body = flow[0], flow[1] if len(flow) > 1 else None
        assert isinstance(fan, Fan)  # noqa: S101  # the flow of a group starts with one
        if isinstance(body, Call):
            head = first_call(flow)
            root = root or (head.id if head is not None else None)
        ask(flow, app, root, parent)
        launching.name_links(flow, app, self._place)
        promised = [one for one in dict.fromkeys((body, flow[-1])) if isinstance(one, Call)]
        self._submit(flow, root, parent, promised)
        promised += [one for one in calls_of(flow[1:]) if one.promised and one not in promised]
        try:
            for part in parts:
                more = self._more(part, fan, body)
                stand_ins([more], launching.compiler_for(app, root, parent), body is not None)
                ask([more], app, root, parent)
                launching.name_links([more], app, self._place)
                self._submit([more, *flow[1:2]], root, parent)
                fan.members += more.members
        except BaseException:
            if promised:
                # It would wait for a call that never comes.
                app.client.transport.call("revoke", [one.id for one in promised], False, "SIGTERM")
            raise
        if isinstance(body, Call):
            compiler = launching.compiler_for(app, root, parent)
            compiler.body(Line(app.client.codecs, flow), 0, None, parent)
            launching.submit(compiler)
        return handle_of(flow, app)

    def _flow(self, part: Sequence[Any]) -> Flow:
        """Returns the flow of the canvas with some of its members."""
        sig = self._sig
        kwargs = dict(sig["kwargs"])
        header = kwargs.get("header")
        if "tasks" in kwargs:
            kwargs["tasks"] = part
        else:
            kwargs["header"] = {**header, "kwargs": {"tasks": part}} if isinstance(header, Mapping) else part
        flow = Builder().build({**sig, "kwargs": kwargs}, self._options)
        if self._args or self._kwargs:
            put_in_front(flow, self._args, self._kwargs)
        return flow

    def _more(self, part: Sequence[Any], fan: Fan, body: Any) -> Fan:
        """Returns further members as a group of the same id, whose places go on from those before."""
        flow = self._flow(part)
        more = flow[0]
        assert isinstance(more, Fan)  # noqa: S101  # as the first part
        more.id = fan.id
        name_fan(more, body, self._place, len(fan.members))
        return more

    def _submit(self, flow: Flow, root: str | None, parent: str | None, promised: Sequence[Call] = ()) -> None:
        compiler = launching.compiler_for(self._app, root, parent)
        launching.check(flow, self._app)
        for call in promised:
            compiler.promise(call)
        promise_later(flow, compiler, but=promised)
        fan, body = flow[0], flow[1] if len(flow) > 1 else None
        assert isinstance(fan, Fan)  # noqa: S101  # the flow of a group starts with one
        compiler.members(fan, body.id if body is not None else None, parent)
        launching.submit(compiler)
