"""Runs one delivery of a task and says how it ended; the only place that turns exceptions into outcomes.

Everything known before a task's first delivery is worked out once per task (`Runner`), since this is the hot path
of a worker. This file must not touch sockets, processes or signals: large values and time limits are injected.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from ignitetasks import context, envelope, errors, message, signals, states
from ignitetasks.app import repeating, tasklog
from ignitetasks.app.trace import Watch, log_failed, log_rejected, running_request, tell
from ignitetasks.canvas.steps import task_of
from ignitetasks.context import Request
from ignitetasks.failure import failure_of
from ignitetasks.frames import FAILURE, IGNORE, OUTCOME_REF, REJECT, RETRY, SUCCESS
from ignitetasks.message import BlobRef
from ignitetasks.result import AsyncResult, GroupResult
from ignitetasks.serializers import PLAIN, Codecs, Data, compress
from ignitetasks.signals import running
from ignitetasks.worker import announced, continued
from ignitetasks.worker.coroutines import bridged, is_coroutine
from ignitetasks.worker.endings import capture, failed, type_name
from ignitetasks.worker.limits import SignalLimit, TimeLimit, milliseconds, over
from ignitetasks.worker.model import (
    ATTEMPT,
    BODY,
    FENCE,
    FLAGS,
    HARD_MS,
    ID,
    SEQ,
    SOFT_MS,
    TASK,
    Blobs,
    Delivery,
    Ending,
    ExecutorSettings,
    RunnableTask,
)
from ignitetasks.worker.seeing import options_of, request_of

_IGNORED: Final[Ending] = (IGNORE, None, 0, None, None)
#: Latest time a retry may be set to, in milliseconds since the epoch (the end of the year 9999).
_LATEST_MS: Final = 253_402_300_799_000


class WorkerShutdown(BaseException):
    """Raised in a task by the worker itself to stop at once; the only exception `Runner.run` lets through."""


class Executor:
    """The tasks of one child, ready to run."""

    def __init__(
        self,
        tasks: Mapping[str, RunnableTask],
        codecs: Codecs,
        blobs: Blobs,
        settings: ExecutorSettings,
        limit: TimeLimit | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Prepare.

        Args:
            tasks: The registry; looked up by name, also later.
            codecs: The process's encodings.
            blobs: Large values.
            settings: The child's settings.
            limit: Watches each limited execution; None for the timer signal.
            clock: Seconds since the epoch.
        """
        self._tasks = tasks
        self._runners: dict[str, Runner] = {}
        self.codecs = codecs
        self.blobs = blobs
        self.settings = settings
        self.limit: TimeLimit = limit or SignalLimit()
        self.clock = clock
        #: Tells the node how far a running task is: number of the delivery, name of the state, encoded result.
        self.report: Callable[[int, str, bytes], None] | None = None
        #: Class of the runners; a pool with an event loop has one of its own.
        self.make_runner: type[Runner] = Runner
        #: What runners tell events to, while these are on; see reporting.py.
        self.events: Any = None
        #: Whether the log tells of every run. Looked up for each batch of deliveries: a level may change at any time.
        self.talks = tasklog.heard()
        #: Tells of each delivery before it is run; None while nobody wants to hear of it. See announcing.py.
        self.announce: Callable[[Delivery], None] | None = None

    def use_runners(self, kind: type[Runner]) -> None:
        """Run tasks with another kind of runner from now on.

        Args:
            kind: The class.
        """
        self.make_runner = kind
        self._runners.clear()

    def runner(self, delivery: Delivery) -> Runner | None:
        """Find what runs a delivery.

        Args:
            delivery: As it came from the node.

        Returns:
            The task's runner; None when this process has no such task.
        """
        name = delivery[TASK]
        runner = self._runners.get(name)
        # A task registered again (a notebook cell run twice) replaces its runner.
        if runner is None or task_of(self._tasks, name) is not runner.task:
            task = task_of(self._tasks, name)
            if task is None:
                return None
            runner = self._runners[name] = self.make_runner(task, self)
        return runner


class Runner:
    """Runs the deliveries of one task.

    Attributes:
        task: The registered task.
        mean_us: Moving mean of its run time in this process, in microseconds; kept by the loop.
        soft_ms: Soft limit where the call has none, in milliseconds.
        hard_ms: Hard limit where the call has none, in milliseconds.
    """

    __slots__ = (
        "_codecs",
        "_compression",
        "_empty_body",
        "_executor",
        "_fn",
        "_hooked",
        "_inline",
        "_limit",
        "_name",
        "_none",
        "_quiet",
        "_serializer",
        "_ttl_ms",
        "_watch",
        "blobs",
        "codecs",
        "hard_ms",
        "mean_us",
        "soft_ms",
        "task",
    )

    def __init__(self, task: RunnableTask, executor: Executor) -> None:
        """Work out everything that is the same for all deliveries.

        Args:
            task: The registered task.
            executor: The child's executor.
        """
        options, settings = task.options, executor.settings
        self.task = task
        # Unknown counts as slow until the first run has shown otherwise.
        self.mean_us = 10_000.0
        self.soft_ms = milliseconds(options.soft_time_limit) or settings.soft_ms
        self.hard_ms = milliseconds(options.time_limit) or settings.hard_ms
        self._executor = executor
        self._limit = executor.limit
        self.codecs = self._codecs = executor.codecs
        self.blobs: Blobs = executor.blobs
        self._name = task.name
        target = task.target
        self._fn: Callable[..., Any] = bridged(target) if is_coroutine(task) else target
        self._watch = Watch(task)
        self._hooked = self._watch.wanted
        # It tells of another task's end, and nobody wants to hear of its own.
        self._quiet = task.name == message.SETTLE_TASK
        self._serializer = options.result_serializer or settings.result_serializer
        self._compression = settings.result_compression
        self._inline = settings.inline_limit
        # The commonest arguments and the commonest result always have the same bytes; only a signed pickle has not.
        self._empty_body = message.encode_body(PLAIN, self._name, (), {})
        self._none = message.encode_result(PLAIN, "", None) if self._serializer == "msgpack" else None
        self._ttl_ms = milliseconds(options.result_expires) or settings.result_ttl_ms

    def run(self, delivery: Delivery) -> Ending:
        """Run the task once.

        Args:
            delivery: As it came from the node.

        Returns:
            How it ended.

        Raises:
            NotConnected: The node went away while a large value was fetched or stored.
            WorkerShutdown: The worker stops at once.
        """
        self.announce(delivery)
        flags = delivery[FLAGS]
        if flags & message.CONTINUES:
            return continued.run(self, delivery)
        args: list[Any] = []
        kwargs: dict[str, Any] = {}
        try:
            if delivery[BODY] != self._empty_body:
                args, kwargs = self._decode(delivery[BODY], flags)
        except (errors.NotConnected, WorkerShutdown):
            raise
        except BaseException as error:
            signals.task_rejected.send(sender=self._executor.settings.hostname, message=None, exc=error)
            log_failed(self.request(delivery, [], {}), error, ())
            return failed(error)
        return self.execute(delivery, args, kwargs)

    def announce(self, delivery: Delivery) -> None:
        """Tell who wants to hear of it that a delivery is about to be run."""
        announce = self._executor.announce
        if announce is not None and not self._quiet:
            announce(delivery)

    def arguments(self, delivery: Delivery) -> tuple[list[Any], dict[str, Any]]:
        """Decode the positional and keyword arguments of a delivery."""
        return self._decode(delivery[BODY], delivery[FLAGS])

    def execute(
        self, delivery: Delivery, args: list[Any], kwargs: dict[str, Any], follow: continued.Continued | None = None
    ) -> Ending:
        """Run the task once with given arguments.

        Args:
            delivery: As it came from the node.
            args: Positional arguments.
            kwargs: Keyword arguments.
            follow: Says what follows the task, where something does. Asked while the run is the current one, and
                before anybody hears that it is over: what is sent then belongs to it.

        Returns:
            How it ended.
        """
        flags = delivery[FLAGS]
        soft_ms, hard_ms = delivery[SOFT_MS] or self.soft_ms, delivery[HARD_MS] or self.hard_ms
        token = context.enter((_make_request, (self, delivery, args, kwargs)))
        watch = self._watching()
        try:
            began = watch.started(running_request()) if watch is not None else 0.0
            limited = soft_ms or hard_ms
            value = self._limited(args, kwargs, soft_ms, hard_ms) if limited else self._fn(*args, **kwargs)
            payload = None if flags & message.IGNORE_RESULT else self._encode(value, delivery)
            if follow is not None:
                follow.succeeded(value)
            if watch is not None:
                watch.succeeded(running_request(), value, began)
            asks = context.made_request()
        except WorkerShutdown:
            raise
        except BaseException as error:
            ending = self._broken_off(error, delivery, watch, follow)
            asks = context.made_request()
            if follow is None and ending[0] == FAILURE and asks is not None and asks.asks:
                return continued.with_children(self, delivery, ending, asks)
            return ending
        finally:
            context.leave(token)
        ending = self._success(payload, delivery)
        if follow is not None:
            return follow.over(ending)
        if asks is not None and asks.asks:
            return continued.with_additions(self, delivery, ending, asks)
        return ending

    def _broken_off(
        self, error: BaseException, delivery: Delivery, watch: Watch | None, follow: continued.Continued | None
    ) -> Ending:
        """Return how a run ended that did not return, with what follows, and tell who wants to hear of it."""
        if follow is not None and follow.cut is error:
            raise error
        ending = self._ended_by(error, delivery)
        if follow is not None:
            ending = follow.ended(ending)
        if watch is not None:
            tell(watch, ending[0], ending[3], error)
        return ending

    def _watching(self) -> Watch | None:
        """Return who tells of a run; None where nobody wants to hear of it."""
        if self._hooked or ((running.receivers or self._executor.talks) and not self._quiet):
            return self._watch
        return None

    def _success(self, payload: Data | None, delivery: Delivery) -> Ending:
        if payload is not None and len(payload) > self._inline:
            return self._store(payload, delivery)
        return SUCCESS, payload, 0, None, None

    def request(self, delivery: Delivery, args: list[Any], kwargs: dict[str, Any]) -> Request:
        """Make the request that the running task sees.

        Args:
            delivery: As it came from the node.
            args: Its positional arguments.
            kwargs: Its keyword arguments.

        Returns:
            The request.
        """
        limits = delivery[SOFT_MS] or self.soft_ms, delivery[HARD_MS] or self.hard_ms
        hostname = self._executor.settings.hostname
        request = request_of(self.task, self._codecs, hostname, limits, delivery, args, kwargs)
        request.report = functools.partial(self._report, delivery)
        return request

    def _report(self, delivery: Delivery, state: str, meta: Any) -> None:
        payload = message.encode_result(self._codecs, delivery[ID], meta, self._serializer)
        if len(payload) > message.PROGRESS_LIMIT:
            raise errors.PayloadTooLarge(
                f"the progress of {self._name} has {len(payload)} bytes, at most {message.PROGRESS_LIMIT} are kept; "
                "tell where to find the rest"
            )
        if self._executor.report is not None:
            self._executor.report(delivery[SEQ], state, bytes(payload))

    def _encode(self, value: Any, delivery: Delivery) -> Data:
        if value is None and self._none is not None:
            return self._none
        if isinstance(value, (AsyncResult, GroupResult)) and self._serializer != "pickle":
            value = value.as_tuple()
        payload = message.encode_result(self._codecs, delivery[ID], value, self._serializer)
        return compress(payload, self._compression) if self._compression else payload

    def _decode(self, body: bytes, flags: int) -> tuple[list[Any], dict[str, Any]]:
        whole = self._executor.blobs.get(BlobRef.unpack(body)) if flags & message.BODY_REF else body
        return message.decode_body(self._codecs, self._name, whole)

    def _limited(self, args: list[Any], kwargs: dict[str, Any], soft_ms: int, hard_ms: int) -> Any:
        limit = self._limit
        token = None
        try:
            try:
                token = limit.enter(soft_ms, hard_ms)
                return self._fn(*args, **kwargs)
            finally:
                limit.leave(token)
        except BaseException as error:
            # The limit may strike in the moment of leaving, which then was not finished.
            limit.leave(token)
            if isinstance(error, errors.SoftTimeLimitExceeded) and not error.args:
                error.args = (over("soft", soft_ms),)
            elif isinstance(error, errors.TimeLimitExceeded) and not error.args:
                error.args = (over("hard", hard_ms),)
            raise

    def _store(self, payload: Data, delivery: Delivery) -> Ending:
        """Put a large result beside the lane."""
        limit = self._executor.settings.max_payload_bytes
        try:
            if len(payload) > limit:
                raise errors.PayloadTooLarge(
                    f"The result of {self._name} has {len(payload)} bytes; max_payload_bytes allows {limit}."
                )
            blob_id = message.result_blob_id(delivery[ID], delivery[FENCE])
            return SUCCESS, self._executor.blobs.put(blob_id, payload, self._ttl_ms).pack(), OUTCOME_REF, None, None
        except errors.NotConnected:
            raise
        except errors.IgniteTasksError as error:
            return failed(error)

    def _ended_by(self, error: BaseException, delivery: Delivery) -> Ending:
        """Map what a task raised."""
        try:
            if isinstance(error, errors.Retry):
                return self._retry(error, delivery)
            if isinstance(error, envelope.Replaced):
                return continued.replaced(self, delivery, error.sig)
            if isinstance(error, errors.Ignore):
                return self._ignored(delivery)
            if isinstance(error, errors.Reject):
                log_rejected(running_request(), error)
                return REJECT, capture(error), 0, bool(error.requeue), None
            policy = options_of(self.task, delivery).retry_policy
            if policy.matches(error) and error is not running_request().given_up:
                if getattr(self.task, "repeats_its_own_way", False):
                    return self._ended_by(repeating.by_itself(self.task, error), delivery)
                pause = policy.next_delay(delivery[ATTEMPT])
                if pause is not None:
                    return self._again(error, delivery, self._now_ms() + int(pause * 1000))
            log_failed(running_request(), error, self.task.options.throws)
            return failed(error)
        except (errors.NotConnected, WorkerShutdown):
            raise
        except BaseException as second:
            # New arguments of a retry that cannot be encoded, a metaclass whose isinstance fails: the first error
            # stays visible as the context of the second.
            return failed(second)

    def _ignored(self, delivery: Delivery) -> Ending:
        """Map an `Ignore`: to the end that the task has told before, where it has; a state of its own stays."""
        request = context.made_request()
        if request is None or request.told is None:
            return _IGNORED
        state, meta = request.told
        if state == states.FAILURE:
            failure = failure_of(meta)
            return FAILURE, failure.encode(), 0, failure.type_name, None
        if state != states.SUCCESS:
            return IGNORE, bytes(self._encode([state, meta], delivery)), 0, None, None
        return self._success(self._encode(meta, delivery), delivery)

    def _retry(self, retry: errors.Retry, delivery: Delivery) -> Ending:
        cause = retry.exc if isinstance(retry.exc, BaseException) else retry
        eta_ms = min(retry.due_ms(self._now_ms()), _LATEST_MS)
        body, flags = None, 0
        if retry.call is not None:
            args, kwargs = retry.call
            body, flags = self.encode_call(args, kwargs, delivery, eta_ms)
        priority = -1 if retry.priority is None else retry.priority
        expires_ms = -1 if retry.expires_ms is None else retry.expires_ms
        extra = [eta_ms, body, retry.queue, priority, type_name(cause), expires_ms, flags]
        return RETRY, capture(cause), 0, announced.repeat(self, delivery, extra, retry.call), None

    def _again(self, error: BaseException, delivery: Delivery, eta_ms: int) -> Ending:
        extra = [min(eta_ms, _LATEST_MS), None, None, -1, type_name(error), -1, 0]
        return RETRY, capture(error), 0, announced.repeat(self, delivery, extra, None), None

    def encode_call(self, args: Any, kwargs: Any, delivery: Delivery, eta_ms: int) -> tuple[Data, int]:
        """Encode a retry's new arguments; returns the body and its flags."""
        executor = self._executor
        serializer = self.task.options.serializer or executor.settings.task_serializer
        body = message.encode_body(self._codecs, self._name, args, kwargs, serializer)
        if len(body) <= self._inline:
            return body, 0
        blob_id = message.retry_blob_id(delivery[ID], delivery[ATTEMPT] + 1)
        # Needed at least until the retry is over, which can only start at its time.
        ttl_ms = self._ttl_ms + max(eta_ms - self._now_ms(), 0)
        return executor.blobs.put(blob_id, body, ttl_ms).pack(), message.BODY_REF

    def _now_ms(self) -> int:
        return int(self._executor.clock() * 1000)


def _make_request(parts: tuple[Runner, Delivery, list[Any], dict[str, Any]]) -> Request:
    runner, delivery, args, kwargs = parts
    return runner.request(delivery, args, kwargs)
