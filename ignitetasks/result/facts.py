"""What can be asked about one task without waiting: its state, its result where there is one, and its record.

This file must not wait for a task's end.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any

from ignitetasks import envelope, states
from ignitetasks.client import ResultSource
from ignitetasks.errors import ResultExpired, SerializationError
from ignitetasks.failure import Failure
from ignitetasks.message import (
    BODY_REF,
    COMPLETION_REF,
    EXPIRED_STATE,
    BlobRef,
    Completion,
    decode_body,
    decode_result,
    is_terminal,
)
from ignitetasks.result import words
from ignitetasks.result.opening import ignored_word


def _retried(code: int, record: Mapping[str, Any] | None) -> Failure | None:
    """Returns what the last run of a task raised that is to run again."""
    if code != states.RETRY_CODE or record is None or record.get("note") or record.get("result") is None:
        return None
    return Failure.decode(record["result"])


class ResultBase:
    """What handles of one and of several tasks have in common."""

    __slots__ = ()


class Facts(ResultBase):
    """The half of a handle that looks."""

    __slots__ = ("_completion",)

    id: str
    task_name: str | None
    _completion: Completion | None
    _queue: str | None

    @property
    def source(self) -> ResultSource:
        """Where the result is asked for."""
        raise NotImplementedError

    def _look(self) -> Completion | None:
        raise NotImplementedError

    def _open(self) -> tuple[bool, Any]:
        raise NotImplementedError

    def info_map(self) -> Mapping[str, Any] | None:
        """Returns the task's record, or None for an id the cluster has never heard of.

        Raises:
            ResultExpired: The record was there and is swept.
        """
        record = self.source.client.transport.call("info", [self.id])[0]
        if record == "expired":
            raise ResultExpired(f"the result of task {self.id} was kept for its time and is gone")
        return record  # type: ignore[no-any-return]

    def exists(self) -> bool:
        """Tells whether the cluster knows the id: by a record, also one that has expired, or by a state it was told."""
        try:
            if self._completion is not None or self.info_map() is not None:
                return True
        except ResultExpired:
            return True
        return words.told(self.source.client, self.id) is not None

    def _state_code(self) -> int:
        return self._ask()[0]

    def _ask(self) -> tuple[int, Mapping[str, Any] | None]:
        """Returns the state's number, and the record of a task that has not ended."""
        if not self._look():
            self._completion = self.source.client.hub.claim(self.id)
        if self._completion is None:
            try:
                record = self.info_map()
            except ResultExpired:
                self._completion = Completion(self.id, EXPIRED_STATE, None)
                return EXPIRED_STATE, None
            if record is None:
                return 0, None
            code = int(record["state"])
            if not is_terminal(code):
                return code, record
            flags = COMPLETION_REF if record.get("result_ref") else 0
            self._completion = Completion(self.id, code, record.get("result"), flags)
        return self._completion.state, None

    @property
    def state(self) -> str:
        """The task's state, or what it calls its own while it runs, or what others call it (`Task.update_state`).

        ``PENDING`` also for an unknown id, and for one whose record has expired.
        """
        code, record = self._ask()
        if record is not None and record.get("note"):
            return str(record["note"])
        if code == EXPIRED_STATE:
            return states.PENDING
        if code == states.IGNORED_CODE and self._completion is not None:
            kept = ignored_word(self.source.client, self._completion)
            return states.IGNORED if kept is None else kept[0]
        word = None if is_terminal(code) else words.told(self.source.client, self.id)
        return word[0] if word is not None else states.name_of(code)

    status = state

    @property
    def result(self) -> Any:
        """The return value, the exception of a task that failed or is retried, what was told of one, or None."""
        code, record = self._ask()
        if is_terminal(code) or code == EXPIRED_STATE:
            return self._open()[1]
        failure = _retried(code, record)
        if failure is not None:
            return failure.rebuild(self.source.task_modules)
        if record is None or not record.get("note"):
            word = words.told(self.source.client, self.id, self.source.task_modules)
            return None if word is None else word[1]
        return decode_result(self.source.client.codecs, self.id, record.get("result"))

    @property
    def info(self) -> Any:
        """The same as `result`."""
        return self.result

    @property
    def traceback(self) -> str | None:
        """The remote traceback of a task that failed or is retried, else None."""
        code, record = self._ask()
        if not is_terminal(code) and code != EXPIRED_STATE:
            failure = _retried(code, record)
            if failure is not None:
                return failure.traceback or None
            word = words.told(self.source.client, self.id)
            return _traceback_of(word[1]) if word is not None else None
        good, value = self._open()
        return None if good else _traceback_of(value)

    def ready(self) -> bool:
        """Tells whether the task has ended."""
        if self._is_replaced():
            return self.state in states.READY_STATES
        code = self._state_code()
        return is_terminal(code) or code == EXPIRED_STATE

    def successful(self) -> bool:
        """Tells whether the task has ended well."""
        if self._is_replaced():
            return self.state == states.SUCCESS
        return self._state_code() == states.SUCCESS_CODE

    def failed(self) -> bool:
        """Tells whether the task has ended with an exception, was rejected, or was lost for good."""
        if self._is_replaced():
            return self.state in (states.FAILURE, states.DEAD, states.REJECTED)
        return self._state_code() in (states.FAILURE_CODE, states.DEAD_CODE, states.REJECTED_CODE)

    def _is_replaced(self) -> bool:
        """Tells whether a test has put something else in the place of `state`."""
        found: Any = type(self).state
        if found is _STATE:
            return False
        return not isinstance(found, property) or not str(found.fget.__module__).startswith("ignitetasks.")

    def _record(self, name: str) -> Any:
        try:
            record = self.info_map()
        except ResultExpired:
            return None
        return record.get(name) if record else None

    @property
    def queue(self) -> str | None:
        """The queue it was sent to."""
        return self._queue or self._record("queue")

    @property
    def name(self) -> str | None:
        """The task's name."""
        name: str | None = self.task_name or self._record("task")
        return name

    @property
    def worker(self) -> str | None:
        """The worker that ran it last."""
        worker: str | None = self._record("worker")
        return worker

    @property
    def retries(self) -> int | None:
        """How often it was retried."""
        count: int | None = self._record("attempt")
        return count

    def _call(self, record: Mapping[str, Any] | None = None) -> tuple[Any, Any]:
        try:
            record = self.info_map() if record is None else record
        except ResultExpired:
            record = None
        if not record or not record.get("body"):
            return None, None
        client, body = self.source.client, record["body"]
        if int(record.get("flags") or 0) & BODY_REF:
            body = client.transport.get_blob(BlobRef.unpack(body))
        return decode_body(client.codecs, str(record["task"]), body)

    @property
    def args(self) -> Any:
        """Its positional arguments; None once it has ended well, unless ``result_extended`` keeps them."""
        return self._call()[0]

    @property
    def kwargs(self) -> Any:
        """Its keyword arguments; None once it has ended well, unless ``result_extended`` keeps them."""
        return self._call()[1]

    @property
    def date_done(self) -> datetime | None:
        """When the task ended (UTC), or None."""
        try:
            return _date_done(self.info_map())
        except ResultExpired:
            return None

    def _get_task_meta(self) -> dict[str, Any]:
        """Returns what is known of the task as a map, under the names of a result backend."""
        state, result, traceback = self.state, self.result, self.traceback
        try:
            record = self.info_map() or {}
        except ResultExpired:
            record = {}
        args, kwargs = self._call(record)
        return {
            "task_id": self.id,
            "status": state,
            "result": result,
            "traceback": traceback,
            "date_done": _date_done(record),
            "name": record.get("task") or self.task_name,
            "args": args,
            "kwargs": kwargs,
            "worker": record.get("worker"),
            "retries": record.get("attempt"),
            "queue": record.get("queue") or self._queue,
            "parent_id": record.get("parent_id"),
            "group_id": record.get("group_id"),
            **self._stamps(record),
        }

    def _stamps(self, record: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the stamps of a record as lists by name, and their names; nothing where it has none (any more)."""
        try:
            stamps = envelope.decode(self.source.client.codecs, record.get("options")).get("S")
        except SerializationError:
            return {}  # of a code that is not accepted here
        if not stamps:
            return {}
        lists = {name: value if isinstance(value, list) else [value] for name, value in stamps.items()}
        return {"stamped_headers": list(stamps), **lists}


def _traceback_of(value: Any) -> str | None:
    text = getattr(getattr(value, "__cause__", None), "text", None)
    return str(text) if text is not None else None


def _date_done(record: Mapping[str, Any] | None) -> datetime | None:
    finished = record.get("finished_ms") if record else None
    return datetime.fromtimestamp(finished / 1000, timezone.utc) if finished else None


_STATE = Facts.state
