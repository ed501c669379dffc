"""Sends a canvas from a client: ids for everything, the first calls and what follows them, in a handful of submits.

This file must not know the kinds of a canvas: `flow` makes all of them calls and fans.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ignitetasks import context, metrics
from ignitetasks.bulk import CHUNK_BYTES, CHUNK_GROUPS, CHUNK_ITEMS
from ignitetasks.canvas.asking import ask
from ignitetasks.canvas.compiling import Compiler, Line
from ignitetasks.canvas.flow import MAX_NESTING, Builder
from ignitetasks.canvas.naming import handle_of, keep_ids, name_flow
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.reusing import promise_later, stand_ins
from ignitetasks.canvas.steps import Call, Flow, calls_of, close, first_call, put_in_front
from ignitetasks.errors import IdempotencyConflict, RequestError
from ignitetasks.ids import id_text, locator, new_id, queue_locator
from ignitetasks.message import CHECK_EXISTS, CONFLICT, IGNORE_RESULT, BlobRef, Group
from ignitetasks.result import AsyncResult, GroupResult, allow_join_result
from ignitetasks.sending import BLOB_TTL_MS, note_child
from ignitetasks.serializers import Data

_USED = "id {!r} was already used for another call; give this one an id of its own"


def place_of(flow: Flow, app: Sender) -> int:
    """Returns the locator of a flow's ids: that of its first task."""
    first = first_call(flow)
    if first is not None and first.id:
        return locator(first.id)
    return queue_locator(queue_of(flow, app))


def queue_of(flow: Flow, app: Sender) -> str:
    """Returns the queue of a flow's first task."""
    first = first_call(flow)
    if first is None or not first.task:
        return app.settings.default_queue
    return Compiler(app, _no_blobs).plan(first)[0].template.queue


def _no_blobs(name: str, data: Data) -> BlobRef:
    """Stands for a store of large values where a call is only looked at."""
    raise AssertionError("a place needs no values")


def new_group_id(app: Sender) -> str:
    """Returns a new id for a group."""
    return new_id(app.settings.default_queue)


def name_links(flow: Flow, app: Sender, place: int, path: tuple[str, ...] = ()) -> None:
    """Gives the callbacks and errbacks of a flow ids, so that they are the same however often a task is run.

    Args:
        flow: Changed in place.
        app: Who sends.
        place: Locator of the ids.
        path: Where the flow is itself a callback: the way there.

    Raises:
        RequestError: Callbacks of callbacks are nested too deeply, or contain themselves.
    """
    if len(path) > MAX_NESTING:
        raise RequestError(
            f"callbacks are nested deeper than {MAX_NESTING} levels, or contain themselves, "
            f"at {'.'.join(path)[:200]}; use a chain"
        )
    for call in calls_of(flow):
        if not call.links and not call.errbacks:
            continue
        call.links = [_named("link", one, app, place, (*path, f"{call.task}.link")) for one in call.links]
        call.errbacks = [
            _named("link_error", one, app, place, (*path, f"{call.task}.link_error")) for one in call.errbacks
        ]


def _named(option: str, sig: Any, app: Sender, place: int, path: tuple[str, ...]) -> Any:
    flow = Builder().build(sig, place=option)
    first = first_call(flow)
    if first is not None and first.id:
        return sig
    if len(flow) == 1 and isinstance(flow[0], Call):
        call = flow[0]
        name_flow(flow, place)
        name_links(flow, app, place, path)
        ties = {"link": call.links, "link_error": call.errbacks}
        own = sig.get("options") or {}
        options = {**own, **{name: value for name, value in ties.items() if value}, "task_id": call.id}
        return {**sig, "options": options}
    copy = sig.clone() if hasattr(sig, "clone") else sig
    named = Builder().build(copy, place=option)
    name_flow(named, place)
    keep_ids(named)
    return copy


def freeze(sig: Any, app: Sender, task_id: str | None = None) -> Any:
    """Gives a canvas its ids, in place, and returns the handle of what it will be.

    Args:
        sig: The canvas.
        app: Whose client the handle asks.
        task_id: Id of its end, where that has none.
    """
    flow = Builder(sent=False).build(sig)
    if not flow:
        return None
    if task_id and not flow[-1].id:
        flow[-1].id = id_text(task_id)
    name_flow(flow, place_of(flow, app))
    keep_ids(flow)
    return handle_of(flow, app)


def freeze_as(sig: Any, app: Sender, task_id: str) -> Any:
    """Gives a canvas its ids, and its one end a given one; returns the handle of its end.

    Args:
        sig: The canvas; its ids are written into it.
        app: Whose client the handle asks.
        task_id: Id of its end.
    """
    flow = close(Builder().build(sig))
    flow[-1].id = task_id
    name_flow(flow, locator(task_id))
    keep_ids(flow)
    return handle_of(flow, app)


def launch(
    sig: Any,
    app: Sender,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    options: Mapping[str, Any],
    asked: bool = False,
    sent: bool = False,
) -> Any:
    """Sends a canvas; when it returns, all that starts it is durable.

    Args:
        sig: The canvas.
        app: Who sends.
        args: Put in front of the arguments of its first calls.
        kwargs: Added to theirs.
        options: Options of this sending.
        asked: True where it is one call, whose task has been asked already.
        sent: True sends it also where calls run in the caller's process.

    Returns:
        The handle of its end.
    """
    if app.eager and not sent:
        with allow_join_result():
            return sig.apply(args, kwargs, **_given(options))
    given, root, parent = tied_to_task(sig, options)
    flow = Builder().build(sig, given)
    if args or kwargs:
        put_in_front(flow, args, kwargs)
    return note_sent(send(flow, app, root, parent, asked))


def _given(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}


def tied_to_task(sig: Any, options: Mapping[str, Any]) -> tuple[dict[str, Any], str | None, str | None]:
    """Returns the options of a sending, the first task of the workflow it belongs to, and the task that sends it."""
    given = _given(options)
    request = context.current_request()
    for name in ("root_id", "parent_id"):
        if sig["options"].get(name):
            given.setdefault(name, sig["options"][name])
    given.setdefault("root_id", request.root_id or request.id if request is not None else None)
    given.setdefault("parent_id", request.id if request is not None else None)
    return given, id_text(given.pop("root_id")), id_text(given.pop("parent_id"))


def note_sent(sent: Any) -> Any:
    """Notes what was sent as children of the running task, if there is one; returns it."""
    if sent is not None and context.current_request() is not None:
        note_child(sent)
    return sent


def send(flow: Flow, app: Sender, root: str | None = None, parent: str | None = None, asked: bool = False) -> Any:
    """Sends a flow and returns the handle of its end.

    Args:
        flow: What to send; it is given ids.
        app: Who sends.
        root: First task of the workflow it belongs to; None where it is one.
        parent: The task that sends it.
        asked: True where the task of its first call has been asked already.
    """
    place = place_of(flow, app)
    name_flow(flow, place)
    compiler = compiler_for(app, root, parent)
    stand_ins(flow, compiler)
    handle, head = handle_of(flow, app), first_call(flow)
    if head is None:
        return handle
    first = flow[0]
    if isinstance(first, Call) or len(flow) > 1:
        compiler.root_id = root = root or head.id
    if not asked:
        ask(flow, app, root, parent)
    name_links(flow, app, place)
    check(flow, app)
    _note_callbacks(flow[-1], handle, app)
    serializer = compiler.plan(first)[0].serializer if isinstance(first, Call) else "msgpack"
    line = Line(app.client.codecs, flow, serializer=serializer)
    promise_later(flow, compiler)
    promised = len(compiler.groups)
    compiler.start(line, parent=parent)
    if len(compiler.groups) == promised:
        return handle
    last = flow[-1]
    submitted = {item[0] for group in compiler.groups for item in group.items}
    if isinstance(last, Call) and last.id not in submitted:
        compiler.promise(last)
        submitted.add(last.id)
    _submit(app, compiler.groups, handle, submitted, last.id if isinstance(last, Call) else None)
    app.published(compiler.published)
    return handle


def _note_callbacks(last: Any, handle: Any, app: Sender) -> None:
    """Makes what runs after a flow's success children of its handle."""
    if isinstance(last, Call) and isinstance(handle, AsyncResult):
        handle.led_to += tuple(handle_of(Builder().build(one), app) for one in last.links)


def compiler_for(app: Sender, root: str | None, parent: str | None) -> Compiler:
    """Returns a compiler for one submit of a client."""
    return Compiler(app, blobs_of(app), root, parent)


def blobs_of(app: Sender) -> Callable[[str, Data], BlobRef]:
    """Returns what stores a large value of a client."""
    transport = app.client.transport
    return lambda name, data: transport.put_blob(name, data, BLOB_TTL_MS)


def submit(compiler: Compiler) -> None:
    """Submits what a compiler has collected of a canvas whose handle comes later, and tells of it."""
    _submit(compiler.app, compiler.groups, None, set(), None)
    compiler.app.published(compiler.published)


def check(flow: Flow, app: Sender) -> None:
    """Checks the arguments of those calls whose arguments are all known."""
    step = flow[0]
    if isinstance(step, Call):
        task = app.tasks.get(step.task)
        if task is not None:
            task._check(step.args, step.kwargs)
        return
    for member in step.members:
        check(member, app)


def _submit(app: Sender, groups: Sequence[Group], handle: Any, submitted: set[str], end: str | None) -> None:
    client = app.client
    epochs = set()
    existing: set[str] = set()
    # Other ids are ours alone: one that is there already comes from an earlier try of this very submit.
    chosen = {item[0] for group in groups if group.template.flags & CHECK_EXISTS for item in group.items}
    chunks = list(split(groups, client.settings.inline_limit))
    for chunk in chunks:
        answer = client.transport.submit(chunk, 0, None)
        epochs.add(client.hub.epoch(answer.session))
        ids = [item[0] for group in chunk for item in group.items] if answer.exceptions else []
        for index, code, _state in answer.exceptions:
            if code == CONFLICT:
                raise IdempotencyConflict(_USED.format(ids[index]))
            existing.add(ids[index])
        metrics.submitted.inc(sum(len(group.items) for group in chunk) - len(answer.exceptions))
    foreign = existing & chosen
    if foreign and len(chunks) == 1 and end in submitted and end not in existing:
        # What is there already goes on with its own flow; the end of this one would wait for ever.
        client.transport.call("revoke", [end], False, "SIGTERM")
        raise IdempotencyConflict(_USED.format(min(foreign)))
    epoch = epochs.pop() if len(epochs) == 1 else None
    quiet = any(group.template.flags & IGNORE_RESULT for group in groups)
    for one in _handles(handle):
        if one.id in existing:
            one.created = one.id not in chosen
        elif epoch is not None and not quiet and one.id in submitted:
            one._epoch = epoch


def _handles(handle: Any) -> Iterator[AsyncResult[Any]]:
    while handle is not None:
        if isinstance(handle, GroupResult):
            for one in handle.results:
                yield from _handles(one)
        else:
            yield handle
        handle = handle.parent


def split(groups: Sequence[Group], inline: int) -> Iterator[list[Group]]:
    """Cuts a submit into pieces the gateway takes, in order."""
    chunk: list[Group] = []
    count = size = 0
    for template, items in groups:
        start = 0
        weight = len(template.options or b"") + 200
        for index, item in enumerate(items):
            cost = min(len(item[1]), inline) + 64
            if index > start or chunk:
                full = count + 1 > CHUNK_ITEMS or size + cost + weight > CHUNK_BYTES or len(chunk) + 1 > CHUNK_GROUPS
                if full:
                    if index > start:
                        chunk.append(Group(template, items[start:index]))
                    yield chunk
                    chunk, count, size, start = [], 0, 0, index
            count += 1
            size += cost
        chunk.append(Group(template, items[start:]))
        size += weight
    if chunk:
        yield chunk
