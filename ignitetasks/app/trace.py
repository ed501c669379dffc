"""What happens around a task's run: the hooks of its class, and the signals that have receivers.

A worker and eager execution use the same `Watch`. What a hook raises before a run is the task's own failure; what it
raises after a run is logged and changes nothing. This file must not decide how a task ends.
"""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic, time
from typing import Any

from ignitetasks import context, log, signals, states
from ignitetasks.app import tasklog
from ignitetasks.app.hooks import HOOKS, Hooks, request_class
from ignitetasks.context import Request
from ignitetasks.errors import Ignore, Retry
from ignitetasks.failure import ExceptionInfo
from ignitetasks.frames import REJECT, RETRY
from ignitetasks.utils.log import get_logger

#: Layouts of what a worker logs of each run; a program sets its own here, as it did in Celery's module of this name.
LOG_RECEIVED = tasklog.RECEIVED
LOG_SUCCESS = tasklog.SUCCESS
LOG_FAILURE = tasklog.FAILURE
LOG_IGNORED = tasklog.IGNORED
LOG_REJECTED = tasklog.REJECTED
LOG_RETRY = tasklog.RETRY

_log = log.get_logger("task")
#: For programs that log as what is told of runs.
logger = get_logger(__name__)


def overridden(task: Any) -> frozenset[str]:
    """Returns the names of the hooks that a task's class has of its own."""
    found = set()
    for name in HOOKS:
        own = getattr(type(task), name, None)
        if name in getattr(task, "__dict__", {}) or own not in (None, getattr(Hooks, name)):
            found.add(name)
    return frozenset(found)


def log_failed(request: Request, error: BaseException, expected: tuple[type[BaseException], ...]) -> None:
    """Logs that a run failed; see `tasklog.failed`."""
    tasklog.failed(request, error, expected, LOG_FAILURE)


def log_rejected(request: Request, error: BaseException) -> None:
    """Logs that a run ended by ``Reject``."""
    tasklog.rejected(request, error, LOG_REJECTED)


def running_request() -> Request:
    """Returns the request of the run that is under way; there is one."""
    request = context.current_request()
    assert request is not None  # noqa: S101  # entered by the caller
    return request


def as_retry(error: BaseException, seconds: float) -> Retry:
    """Returns what an error that is repeated by itself would have been, had the task asked for it.

    Args:
        error: What the run raised.
        seconds: Until it is run again.
    """
    shown = round(max(seconds, 0.0), 1)
    retry = Retry(exc=error, when=int(shown) if shown.is_integer() else shown)
    return retry.with_traceback(error.__traceback__)


def tell(watch: Watch, kind: int, extra: Any, error: BaseException) -> None:
    """Tells hooks and signals how a run ended that did not return.

    Args:
        watch: The task's watch.
        kind: Kind of the outcome, as the node is told it.
        extra: What the outcome has besides: of a repeat first its time, in milliseconds since the epoch.
        error: What the run raised.
    """
    request = running_request()
    if isinstance(error, Ignore):
        # Whatever end it has told of itself: its hooks are not called.
        watch.refused(request, states.IGNORED, error)
    elif kind == RETRY:
        watch.retried(request, error if isinstance(error, Retry) else as_retry(error, extra[0] / 1000 - time()))
    elif kind == REJECT:
        if not getattr(error, "requeue", False):
            watch.report_failure(request, error, ExceptionInfo(error))
        watch.refused(request, states.REJECTED, error)
    else:
        watch.failed(request, error)


class Watch:
    """Tells hooks and signals of the runs of one task.

    Args:
        task: The task.

    Attributes:
        hooks: Names of the hooks its class has of its own.
    """

    __slots__ = ("_eager", "_handlers", "hooks", "task")

    def __init__(self, task: Any, eager: bool = False) -> None:
        self.task = task
        self.hooks = overridden(task)
        self._eager = eager
        # A request class is the worker's: nothing of it is called where no worker runs the task.
        self._handlers = None if eager else request_class(task)

    @property
    def wanted(self) -> bool:
        """Whether anything of this task wants to know of each run, apart from signals."""
        return bool(self.hooks) or self._handlers is not None

    def started(self, request: Request) -> float:
        """Tells that a run begins; returns when, on the monotonic clock.

        Raises:
            BaseException: What ``before_start`` raised; the run must not take place.
        """
        task, task_id, args, kwargs = self.task, request.id, request.args, request.kwargs
        if not self._eager:
            tasklog.received(request, LOG_RECEIVED)
        if self._handlers is not None:
            request.handler = self._handlers(request, task=task)
            request.handler.execute_using_pool(None)
        if signals.task_prerun.receivers:
            signals.task_prerun.send(sender=task, task_id=task_id, task=task, args=args, kwargs=kwargs)
        began = monotonic()
        if "before_start" in self.hooks:
            task.before_start(task_id, args, kwargs)
        return began

    def succeeded(self, request: Request, value: Any, began: float) -> None:
        """Tells that a run returned."""
        task, task_id, args, kwargs = self.task, request.id, request.args, request.kwargs
        runtime = monotonic() - began
        if "on_success" in self.hooks:
            self._call(request, task.on_success, value, task_id, args, kwargs)
        if signals.task_success.receivers:
            signals.task_success.send(sender=task, result=value, runtime=runtime)
        tasklog.succeeded(task, request, value, runtime, LOG_SUCCESS)
        if "after_return" in self.hooks:
            self._call(request, task.after_return, states.SUCCESS, value, task_id, args, kwargs, None)
        self._over(request, states.SUCCESS, value)
        self._tell_handler(request, False, value, runtime)

    def failed(self, request: Request, error: BaseException) -> None:
        """Tells that a run failed."""
        self._fail(request, error)
        self._over(request, states.FAILURE, error)
        self._tell_handler(request, True, ExceptionInfo(error))

    def lost(self, request: Request, error: BaseException) -> None:
        """Tells that a task failed without a run that could say so: no run is over by this."""
        self._fail(request, error)
        self.killed(request, error)

    def killed(self, request: Request, error: BaseException) -> None:
        """Tells the request class alone of a run that ended with its process."""
        if self._handlers is not None:
            handler = self._handlers(request, task=self.task)
            self._call(request, handler.lost, ExceptionInfo(error))

    def _fail(self, request: Request, error: BaseException) -> None:
        task, task_id, args, kwargs = self.task, request.id, request.args, request.kwargs
        einfo = ExceptionInfo(error)
        if "on_failure" in self.hooks:
            self._call(request, task.on_failure, error, task_id, args, kwargs, einfo)
        self.report_failure(request, error, einfo)
        if "after_return" in self.hooks:
            self._call(request, task.after_return, states.FAILURE, error, task_id, args, kwargs, einfo)

    def report_failure(self, request: Request, error: BaseException, einfo: ExceptionInfo) -> None:
        """Sends the signal of a run that has failed, or was rejected for good."""
        if signals.task_failure.receivers:
            signals.task_failure.send(
                sender=self.task,
                task_id=request.id,
                exception=error,
                args=request.args,
                kwargs=request.kwargs,
                traceback=error.__traceback__,
                einfo=einfo,
            )

    def retried(self, request: Request, reason: Retry) -> None:
        """Tells that a run asked to be repeated.

        Args:
            request: The run's request.
            reason: When it is repeated, and why.
        """
        task, task_id, args, kwargs = self.task, request.id, request.args, request.kwargs
        cause = reason.exc or reason
        einfo = ExceptionInfo(reason)
        if "on_retry" in self.hooks:
            self._call(request, task.on_retry, cause, task_id, args, kwargs, einfo)
        if signals.task_retry.receivers:
            signals.task_retry.send(sender=task, request=request, reason=reason, einfo=einfo)
        tasklog.retried(request, reason, LOG_RETRY)
        self._over(request, states.RETRY, reason)
        self._tell_handler(request, True, einfo)

    def refused(self, request: Request, state: str, error: BaseException) -> None:
        """Tells that a run ended by ``Ignore`` or ``Reject``."""
        if state == states.IGNORED:
            tasklog.ignored(request, LOG_IGNORED)
        self._over(request, state, error)
        self._tell_handler(request, True, ExceptionInfo(error))

    def _tell_handler(self, request: Request, failed: bool, value: Any, runtime: float | None = None) -> None:
        """Tells the request class of a run that is over: with what it returned, or an `ExceptionInfo`."""
        if request.handler is not None:
            self._call(request, request.handler.ended, failed, value, runtime)

    def _over(self, request: Request, state: str, value: Any) -> None:
        if signals.task_postrun.receivers:
            signals.task_postrun.send(
                sender=self.task,
                task_id=request.id,
                task=self.task,
                args=request.args,
                kwargs=request.kwargs,
                retval=value,
                state=state,
            )

    def _call(self, request: Request, hook: Callable[..., Any], *args: Any) -> None:
        try:
            hook(*args)
        except Exception as error:
            if self._eager:
                raise
            name = getattr(hook, "__name__", repr(hook))
            _log.exception("a hook failed", task=self.task.name, task_id=request.id, hook=name)
            signals.task_internal_error.send(
                sender=self.task,
                task_id=request.id,
                args=request.args,
                kwargs=request.kwargs,
                request=request,
                exception=error,
                traceback=error.__traceback__,
                einfo=ExceptionInfo(error, internal=True),
            )
