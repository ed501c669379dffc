"""`Backend`: results and states under the methods of a result backend; ``app.backend`` and ``task.backend``.

There is no separate store: a result is in the record of its task. So what reads works for any task, and nothing that
is written from outside changes what becomes of a task. This file must not talk to a node but by its operations.
"""

from __future__ import annotations

from typing import Any

from ignitetasks import _state, envelope, states
from ignitetasks.errors import InvalidTaskError, PayloadTooLarge, TaskRevokedError
from ignitetasks.failure import failure_of
from ignitetasks.message import KEEP_BODY, PROGRESS_LIMIT, Template, encode_result, make_spawn
from ignitetasks.result import words

__all__ = ["Backend"]


class Backend:
    """Results of an application.

    Args:
        app: The application.
    """

    READY_STATES = states.READY_STATES
    UNREADY_STATES = states.UNREADY_STATES
    EXCEPTION_STATES = states.EXCEPTION_STATES
    #: Results outlive every process.
    persistent = True
    supports_native_join = True

    def __init__(self, app: Any) -> None:
        self.app = app

    def ensure_chords_allowed(self) -> None:
        """Does nothing: chords need no backend that is able to count."""

    def __repr__(self) -> str:
        return f"<Backend of {self.app!r}>"

    def as_uri(self, include_password: bool = False) -> str:
        """Returns where results are, as a URL."""
        settings = self.app.settings
        if settings.transport is not None:
            return str(settings.transport)
        return f"ignite://{','.join(settings.cluster)}" if settings.cluster else f"ignite://{settings.data_dir}"

    def get_state(self, task_id: str) -> str:
        """Returns the state of a task."""
        return str(self.app.AsyncResult(task_id).state)

    get_status = get_state

    def get_result(self, task_id: str) -> Any:
        """Returns the result of a task, its exception, or what it told of itself while it runs."""
        return self.app.AsyncResult(task_id).result

    def get_traceback(self, task_id: str) -> str | None:
        """Returns the traceback of a task that failed, as text, or None."""
        found: str | None = self.app.AsyncResult(task_id).traceback
        return found

    def get_task_meta(self, task_id: str, cache: bool = True) -> dict[str, Any]:
        """Returns what is known of a task as a map: state, result, traceback, name, arguments, stamps and so on."""
        handle = self.app.AsyncResult(task_id)
        return {**handle._get_task_meta(), "children": handle.children}

    def get_children(self, task_id: str) -> list[Any]:
        """Returns handles of the tasks that a task has sent."""
        children: list[Any] = self.app.AsyncResult(task_id).children
        return children

    def task_result_exists(self, task_id: str) -> bool:
        """Tells whether a task is in another state than ``PENDING``."""
        return self.get_state(task_id) != states.PENDING

    def get_many(self, task_ids: list[str], timeout: float | None = None, **_: Any) -> list[tuple[str, dict[str, Any]]]:
        """Waits for tasks and returns the id and the map of each; see `get_task_meta`."""
        for task_id in task_ids:
            self.app.AsyncResult(task_id).get(timeout=timeout, propagate=False)
        return [(task_id, self.get_task_meta(task_id)) for task_id in task_ids]

    def wait_for(self, task_id: str, timeout: float | None = None, **_: Any) -> dict[str, Any]:
        """Waits for the end of a task and returns its map; see `get_task_meta`."""
        self.app.AsyncResult(task_id).get(timeout=timeout, propagate=False)
        return self.get_task_meta(task_id)

    def forget(self, task_id: str) -> None:
        """Removes the record of a task that has ended."""
        self.app.AsyncResult(task_id).forget()

    def store_result(
        self, task_id: str, result: Any, state: str, traceback: str | None = None, request: Any = None, **_: Any
    ) -> Any:
        """Stores the state of a task, and what belongs to it.

        A task that runs here tells its own state, as by `Task.update_state`. For any other id, a state of your own is
        shown until the task says something of itself or ends; an end (``SUCCESS``, ``FAILURE``, ``REVOKED``) can be
        stored for an id that nobody has sent, and is then the end of a task that never ran.

        Args:
            task_id: Any id.
            result: What belongs to the state; for ``FAILURE`` an exception, or a map with ``exc_type`` and
                ``exc_message``.
            state: ``SUCCESS``, ``FAILURE``, ``REVOKED``, or one of your own, such as ``PROGRESS``.
            traceback: Formatted traceback of a failure.
            request: The request of the call; tells the task's name and queue.

        Raises:
            InvalidTaskError: The task is known to the cluster, and only its run decides its end.
            PayloadTooLarge: The value has more than 64 KiB.
        """
        task = _state.get_current_task()
        if task is not None and task.request.id == task_id and task.request.report is not None:
            task.update_state(task_id, state, result)
        elif state in states.READY_STATES:
            self._store_end(task_id, result, state, traceback, request)
        else:
            settings = self.app.settings
            kept, serializer = settings.result_expires_seconds, settings.result_serializer
            words.tell(self.app.client, task_id, state, result, serializer, kept, traceback)
        return result

    def _store_end(self, task_id: str, result: Any, state: str, traceback: str | None, request: Any) -> None:
        transport = self.app.client.transport
        payload, kind = self._encoded_end(task_id, result, state, traceback)
        options = self._stamps_of(request)
        template = Template(
            task=getattr(request, "task", None) or "unknown",
            queue=getattr(request, "queue", None) or self.app.settings.default_queue,
            result_ttl_ms=int(self.app.settings.result_expires_seconds * 1000),
            root_id=getattr(request, "root_id", None),
            parent_id=getattr(request, "parent_id", None),
            group_id=getattr(request, "group", None),
            options=options,
            flags=KEEP_BODY if options else 0,
        )
        if transport.call("info", [task_id])[0] is None:
            transport.call("end", make_spawn(end=[(task_id, states.CODES[state], payload, kind, template)]))
            # Somebody may have sent the task meanwhile: then that record stands.
            found = transport.call("info", [task_id])[0]
            if isinstance(found, dict) and found.get("result") == payload:
                return
        raise InvalidTaskError(
            f"{state} cannot be stored for task {task_id}, which the cluster knows: its run alone decides its end; "
            "return a value, raise an error, or revoke it"
        )

    def _stamps_of(self, request: Any) -> bytes | None:
        stamps = getattr(request, "stamps", None)
        return envelope.attach(self.app.client.codecs, None, {"S": stamps}) if stamps else None

    def _encoded_end(self, task_id: str, result: Any, state: str, traceback: str | None) -> tuple[bytes, str | None]:
        if state == states.SUCCESS:
            payload = encode_result(self.app.client.codecs, task_id, result, self.app.settings.result_serializer)
            kind = None
        elif state in (states.FAILURE, states.REVOKED):
            failure = failure_of(result, traceback)
            payload, kind = failure.encode(), failure.type_name
        else:
            raise InvalidTaskError(
                f"{state} cannot be stored for task {task_id}: give SUCCESS, FAILURE, REVOKED or a state of your own"
            )
        if len(payload) > PROGRESS_LIMIT:
            raise PayloadTooLarge(
                f"the result stored for {task_id} has {len(payload)} bytes, at most {PROGRESS_LIMIT} are kept"
            )
        return bytes(payload), kind

    def mark_as_started(self, task_id: str, **meta: Any) -> Any:
        """Tells that the task that runs here has started; see `store_result`."""
        return self.store_result(task_id, meta, states.STARTED)

    def mark_as_done(
        self, task_id: str, result: Any, request: Any = None, store_result: bool = True, state: str = states.SUCCESS
    ) -> None:
        """Stores the success of a task that nobody has sent; see `store_result`."""
        if store_result and not getattr(request, "ignore_result", False):
            self.store_result(task_id, result, state, request=request)

    def mark_as_failure(
        self,
        task_id: str,
        exc: Any,
        traceback: str | None = None,
        request: Any = None,
        store_result: bool = True,
        call_errbacks: bool = True,
        state: str = states.FAILURE,
    ) -> None:
        """Stores the failure of a task that nobody has sent; see `store_result`.

        Args:
            task_id: Its id.
            exc: The exception.
            traceback: Its formatted traceback.
            request: The request of the call; tells the task's name and queue.
            store_result: False stores nothing.
            call_errbacks: Taken for Celery's sake: errbacks are called by the end of a task that was sent.
            state: Its state.
        """
        if store_result:
            self.store_result(task_id, exc, state, traceback, request)

    def mark_as_revoked(
        self,
        task_id: str,
        reason: str = "",
        request: Any = None,
        store_result: bool = True,
        state: str = states.REVOKED,
    ) -> None:
        """Stores that a task which nobody has sent was revoked; `Control.revoke` is for those that were sent."""
        if store_result:
            self.store_result(task_id, TaskRevokedError(reason), state, request=request)

    def mark_as_retry(
        self,
        task_id: str,
        exc: Any,
        traceback: str | None = None,
        request: Any = None,
        store_result: bool = True,
        state: str = states.RETRY,
    ) -> Any:
        """Shows a task as one that is to be repeated, until it says something of itself; see `store_result`."""
        return self.store_result(task_id, exc, state, traceback, request) if store_result else None

    def cleanup(self) -> None:
        """Does nothing: the node removes what has expired."""

    def process_cleanup(self) -> None:
        """Does nothing: there is nothing to release after a task."""


class DisabledBackend(Backend):
    """What Celery has where no result backend is set; no application here has one, since results are always kept."""


#: Celery's other name for it.
BaseBackend = Backend
