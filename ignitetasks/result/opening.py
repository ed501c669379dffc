"""What a completion means: a value, or an exception to raise; and the app that handles without one belong to.

This file must not wait for anything.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from ignitetasks import states
from ignitetasks.client import Client, ResultSource, shared_client
from ignitetasks.config import Settings
from ignitetasks.errors import ResultExpired, TaskRejectedError, TaskRevokedError, WorkerLostError
from ignitetasks.failure import Failure
from ignitetasks.message import COMPLETION_REF, EXPIRED_STATE, BlobRef, Completion, decode_result
from ignitetasks.serializers import Data


class _DefaultSource:
    """Used by handles that were made without an app: the settings of the environment."""

    task_modules: Collection[str] = ()

    @property
    def client(self) -> Client:
        return shared_client(Settings.from_env())


_default_source: ResultSource = _DefaultSource()


def set_default_source(source: ResultSource) -> None:
    """Names the app whose client is used by handles that were made without one."""
    global _default_source
    _default_source = source


def default_source() -> ResultSource:
    """Returns the app whose client is used by handles that were made without one."""
    return _default_source


def open_completion(client: Client, completion: Completion, modules: Collection[str]) -> tuple[bool, Any]:
    """Reads a completion.

    Args:
        client: Decodes, and fetches large values.
        completion: A terminal one.
        modules: Modules that may be imported to rebuild an exception.

    Returns:
        True and the value, or False and the exception to raise.
    """
    task_id, state, inline, flags = completion
    payload: Data | None = inline
    if state == EXPIRED_STATE:
        return False, ResultExpired(f"the result of task {task_id} was kept for its time and is gone")
    if payload is not None and flags & COMPLETION_REF:
        payload = client.transport.get_blob(BlobRef.unpack(payload))
    if state == states.SUCCESS_CODE:
        return True, decode_result(client.codecs, task_id, payload)
    if state == states.IGNORED_CODE:
        word = ignored_word(client, completion)
        return True, None if word is None else word[1]
    return False, _exception(task_id, state, payload, modules)


def ignored_word(client: Client, completion: Completion) -> tuple[str, Any] | None:
    """Returns what a task had told of itself, state and value, before it raised ``Ignore``; None where it had not.

    Args:
        client: Decodes it.
        completion: Of a task that ended as IGNORED.
    """
    if completion.payload is None:
        return None
    state, value = decode_result(client.codecs, completion.id, completion.payload)
    return str(state), value


def _exception(task_id: str, state: int, payload: Data | None, modules: Collection[str]) -> BaseException:
    if payload is None:
        kind = {states.REVOKED_CODE: TaskRevokedError, states.DEAD_CODE: WorkerLostError}.get(state, TaskRejectedError)
        return kind(f"task {task_id} ended as {states.name_of(state)}")
    failure = Failure.decode(payload)
    if state == states.REJECTED_CODE:
        return TaskRejectedError(failure.message)
    return failure.rebuild(modules)
