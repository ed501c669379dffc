"""The tasks every app has: what a canvas needs of its own. This file must not hold anything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timezone
from typing import Any

from ignitetasks import context, owntasks, states
from ignitetasks.app.telling import tell_end
from ignitetasks.canvas import Sender, maybe_signature
from ignitetasks.canvas.launching import blobs_of, compiler_for
from ignitetasks.canvas.reusing import is_that_task, whole_call
from ignitetasks.canvas.steps import GATHER, LAUNCH, MAP, OUTCOME, STARMAP
from ignitetasks.context import Request
from ignitetasks.continuing import Continuing, Ended, ends_of
from ignitetasks.errors import IgniteTasksError
from ignitetasks.failure import Failure
from ignitetasks.message import BODY_REF, SETTLE_TASK, BlobRef, decode_body, decode_call_options, is_terminal
from ignitetasks.result import open_completion

#: Longest time between two looks at a task whose end another one is waiting for.
_LONGEST_WAIT_S = 60


def gather(value: Any = None) -> Any:
    """Returns what it is given: the results of a group, where no task of the user's takes them."""
    return value


def call_each(app: Sender, task: Mapping[str, Any], it: Iterable[Any]) -> list[Any]:
    """Calls a task with each value."""
    target = maybe_signature(task, app=app).type
    return [target(value) for value in it]


def call_each_star(app: Sender, task: Mapping[str, Any], it: Iterable[Any]) -> list[Any]:
    """Calls a task with each tuple of values."""
    target = maybe_signature(task, app=app).type
    return [target(*values) for values in it]


def outcome(app: Sender, task: Any, before: tuple[Any, ...], of: str, call: Mapping[str, Any]) -> Any:
    """Ends as another task has ended, or runs its call where that is another one, or the task is not known any more.

    Comes again, ever less often, while the other task has not ended.

    Args:
        app: Whose client asks.
        task: The running task.
        before: What it was given by those before it.
        of: Id of the other task.
        call: The call it stands for.

    Raises:
        Exception: What the other one has failed with.
    """
    own, client = whole_call(call, before), app.client
    end = ends_of(app, [of]).get(of)
    if end is None and client.transport.call("info", [of])[0] is not None:
        raise task.retry(countdown=min(_LONGEST_WAIT_S, 2**task.request.retries), max_retries=None)
    if end is None or not is_that_task(compiler_for(app, None, None), of, own):
        return task.replace(own)
    good, value = open_completion(client, end, app.task_modules)
    if good:
        return value
    raise value


def settle(app: Sender, ended_id: str) -> None:
    """Does what the end of a task brings about, where the node decided that end and not a child, and tells of it."""
    client = app.client
    record = client.transport.call("info", [ended_id])[0]
    request = context.current_request()
    if request is None or not isinstance(record, Mapping):
        return
    state = int(record["state"])
    if not is_terminal(state) or state == states.SUCCESS_CODE:
        return
    payload = record.get("result")
    if payload is not None and record.get("result_ref"):
        payload = bytes(client.transport.get_blob(BlobRef.unpack(payload)))
    root = record.get("root_id") or ended_id
    # The node gives this task the options of the one that ended, since it keeps those of no ended one.
    ended = Ended(ended_id, root, record.get("parent_id"), record.get("group_id"), request.canvas)
    args, kwargs = _arguments(app, record)
    seen = Request(
        id=ended_id, task=record["task"], args=args, kwargs=kwargs, retries=record["attempt"], root_id=root,
        parent_id=ended.parent_id, group=ended.group_id, queue=record["queue"], called_directly=False,
        deliveries=record["deliveries"], headers=decode_call_options(record.get("options"))[0],
        created=datetime.fromtimestamp(record["created_ms"] / 1000, timezone.utc), hostname=record.get("worker"),
        owner=app.tasks.get(record["task"]),
    )  # fmt: skip
    tell_end(app, seen, state, None if payload is None else Failure.decode(payload), request.hostname)

    request.spawn = Continuing(app, blobs_of(app), ended).failed(state, payload, record.get("error_type"), seen)


def launch(app: Any, canvas: Mapping[str, Any]) -> Any:
    """Puts a canvas in the place of the running task; its first calls get the task's headers."""
    sig = maybe_signature(canvas, app=app)
    request = context.current_request()
    told = dict(request.headers) if request is not None else {}
    sig["options"]["headers"] = {**(sig["options"].get("headers") or {}), **told}
    return app.tasks[LAUNCH].replace(sig)


def _arguments(app: Sender, record: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Returns what the task was sent with, or nothing where that cannot be read."""
    client, body = app.client, record.get("body")
    if not body:
        return [], {}
    try:
        if int(record.get("flags") or 0) & BODY_REF:
            body = client.transport.get_blob(BlobRef.unpack(body))
        return decode_body(client.codecs, str(record["task"]), body)
    except IgniteTasksError:
        return [], {}


def builtin_tasks(app: Any, make: Callable[..., Any]) -> dict[str, Any]:
    """Returns the tasks by name.

    Args:
        app: Whose they are.
        make: The class of tasks.
    """

    def run_settle(ended_id: str) -> None:
        settle(app, ended_id)

    def run_map(task: Any, it: Any) -> list[Any]:
        return call_each(app, task, it)

    def run_starmap(task: Any, it: Any) -> list[Any]:
        return call_each_star(app, task, it)

    def run_outcome(self: Any, *before: Any, of: str, call: Mapping[str, Any]) -> Any:
        return outcome(app, self, before, of, call)

    def run_launch(canvas: Any) -> Any:
        return launch(app, canvas)

    def run_cleanup() -> None:
        app.backend.cleanup()

    functions = {LAUNCH: run_launch, GATHER: gather, SETTLE_TASK: run_settle, MAP: run_map, STARMAP: run_starmap}
    tasks = {name: make(fn, name, app, {}) for name, fn in functions.items()}
    tasks[owntasks.CLEANUP] = make(run_cleanup, owntasks.CLEANUP, app, {})
    tasks[OUTCOME] = make(run_outcome, OUTCOME, app, {"bind": True, "max_retries": None})
    # It tells of another task's end, and nobody wants to hear of its own.
    tasks[SETTLE_TASK].send_events = False
    return tasks
