"""Runs tasks that something follows, and adds to their outcomes what follows. Plain tasks never come here.

What follows is worked out in ``continuing``; this file only knows how a child runs a task and must not send anything.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

from ignitetasks import context, envelope, errors, log, signals, stamps, states
from ignitetasks.canvas.ports import Sender
from ignitetasks.context import Request
from ignitetasks.continuing import Continuing, Ended
from ignitetasks.failure import safe_text
from ignitetasks.frames import FAILURE, IGNORE, REJECT, REPLACED, REVOKED, SUCCESS
from ignitetasks.message import IGNORE_RESULT, BlobRef, Spawn
from ignitetasks.sending import BLOB_TTL_MS
from ignitetasks.serializers import Codecs, Data
from ignitetasks.worker.endings import failed
from ignitetasks.worker.model import (
    FLAGS,
    GROUP_ID,
    ID,
    OPTIONS,
    PARENT_ID,
    ROOT_ID,
    Blobs,
    Delivery,
    Ending,
    RunnableTask,
)

_log = log.get_logger("canvas")

_STATES: Final = {FAILURE: states.FAILURE_CODE, REJECT: states.REJECTED_CODE, IGNORE: states.IGNORED_CODE}
_REVOKED: Final[Ending] = (REVOKED, None, 0, None, None)


class ContinuedRunner(Protocol):
    """What this file needs of a runner."""

    task: RunnableTask

    @property
    def codecs(self) -> Codecs:
        """The process's encodings."""

    @property
    def blobs(self) -> Blobs:
        """Large values."""

    def arguments(self, delivery: Delivery) -> tuple[list[Any], dict[str, Any]]:
        """Decodes the arguments of a delivery."""

    def execute(
        self, delivery: Delivery, args: list[Any], kwargs: dict[str, Any], follow: Continued | None = None
    ) -> Ending:
        """Runs the task with given arguments."""

    def request(self, delivery: Delivery, args: list[Any], kwargs: dict[str, Any]) -> Request:
        """Makes the request that the running task sees."""


def _continuing(runner: ContinuedRunner, delivery: Delivery, canvas: dict[str, Any]) -> Continuing:
    app: Sender = runner.task.app  # type: ignore[attr-defined]
    blobs = runner.blobs

    def put_blob(name: str, data: Data) -> BlobRef:
        return blobs.put(name, data, BLOB_TTL_MS)

    root = delivery[ROOT_ID] or delivery[ID]
    trail = bool(getattr(runner.task, "trail", True)) and not delivery[FLAGS] & IGNORE_RESULT
    return Continuing(app, put_blob, Ended(delivery[ID], root, delivery[PARENT_ID], delivery[GROUP_ID], canvas, trail))


class Continued:
    """One run of a task that something follows: what it is given, and what its end brings about.

    Both steps may wait for large values, so an event loop does them in a thread; the task itself runs between them.

    Args:
        runner: Runs the task itself.
        delivery: As it came from the node.

    Attributes:
        args: Its positional arguments, once they are known.
        kwargs: Its keyword arguments.
        cut: What was raised because the node went away while it was worked out what follows: no end of the task.
    """

    def __init__(self, runner: ContinuedRunner, delivery: Delivery) -> None:
        self._runner = runner
        self._delivery = delivery
        self._canvas: dict[str, Any] = {}
        self._follow: Continuing | None = None
        self._spawn: Spawn | None = None
        self.args: list[Any] = []
        self.kwargs: dict[str, Any] = {}
        self.cut: BaseException | None = None

    def begin(self) -> Ending | None:
        """Work out the arguments.

        Returns:
            None where the task is to run; how it ended where it cannot.

        Raises:
            NotConnected: The node went away while a large value was fetched or stored.
        """
        runner, delivery = self._runner, self._delivery
        try:
            canvas = self._canvas = envelope.decode(runner.codecs, delivery[OPTIONS])
        except Exception as error:
            return failed(error)  # what follows cannot be known
        if _is_revoked(runner, canvas):
            request = runner.request(delivery, [], {})
            signals.task_revoked.send(sender=runner.task, request=request, terminated=False, signum=None, expired=False)
            return _REVOKED
        try:
            self._follow = _continuing(runner, delivery, canvas)
            self.args, self.kwargs = runner.arguments(delivery)
            results = self._follow.header()
            if results is not None and not canvas.get("i"):
                self.args = [results, *self.args]
        except errors.NotConnected:
            raise
        except Exception as error:
            return self._failed(failed(error))
        return None

    def succeeded(self, value: Any) -> None:
        """Work out what follows a result; the run is still the current one.

        Args:
            value: What the task returned.

        Raises:
            NotConnected: The node went away while a large value was stored; then it is also ``cut``.
            Exception: What follows cannot be encoded or sent: the task fails of that.
        """
        if self._follow is not None:
            try:
                self._spawn = self._follow.succeeded(value, context.made_request())
            except errors.NotConnected as error:
                self.cut = error
                raise

    def ended(self, ending: Ending) -> Ending:
        """Add what follows to an end that was no return; the run is still the current one.

        Args:
            ending: How the task itself ended.

        Raises:
            NotConnected: The node went away while a large value was fetched or stored.
        """
        if ending[0] == SUCCESS:
            try:
                self.succeeded(told_value())  # it has told its result, and asked to be ignored
                return self.over(ending)
            except errors.NotConnected:
                raise
            except Exception as error:
                ending = failed(error)
        return self._failed(ending)

    def over(self, ending: Ending) -> Ending:
        """Add what follows to the end of a run that has returned.

        Args:
            ending: How the task itself ended: not well where its result is too large.

        Raises:
            NotConnected: The node went away while a large value was fetched or stored.
        """
        return (*ending[:4], self._spawn) if ending[0] == SUCCESS else self._failed(ending)

    def _failed(self, ending: Ending) -> Ending:
        # Looked up, not made: the request that the run itself has seen, if it has looked at it.
        ran = context.made_request()
        return _failed(self._runner, self._delivery, self._canvas, ending, self.args, self.kwargs, ran)


def run(runner: ContinuedRunner, delivery: Delivery) -> Ending:
    """Run a task that waited for others, or that something follows.

    Args:
        runner: Runs the task itself.
        delivery: As it came from the node.

    Returns:
        How it ended, with what follows.
    """
    one = Continued(runner, delivery)
    ending = one.begin()
    if ending is not None:
        return ending
    return runner.execute(delivery, one.args, one.kwargs, one)


def _is_revoked(runner: ContinuedRunner, canvas: dict[str, Any]) -> bool:
    """Tells whether a task bears a stamp that is revoked; asks the cluster, and only for tasks with stamps."""
    borne = canvas.get("S")
    if not borne:
        return False
    app: Sender = runner.task.app  # type: ignore[attr-defined]
    return stamps.bears(borne, stamps.revoked(app.client.transport))


def _failed(
    runner: ContinuedRunner,
    delivery: Delivery,
    canvas: dict[str, Any],
    ending: Ending,
    args: list[Any],
    kwargs: dict[str, Any],
    ran: Request | None,
) -> Ending:
    kind, data, flags, extra, spawn = ending
    payload = None if data is None else bytes(data)
    state = _STATES.get(kind)
    if state is None or (kind == REJECT and extra):
        return ending  # it will run again, or another one stands in its place
    request = ran if ran is not None else runner.request(delivery, args, kwargs)
    error_type = extra if kind == FAILURE else None
    cause = None if kind == IGNORE else payload  # a state of its own is this task's alone
    try:
        spawn = _continuing(runner, delivery, canvas).failed(state, cause, error_type, request)
    except errors.NotConnected:
        raise
    except Exception as error:
        # The task has failed in any case; what waits for it must hear of that.
        task_id = delivery[ID]
        _log.error(f"errbacks of task {task_id} could not be sent: {safe_text(error)}")
        spawn = _continuing(runner, delivery, {**canvas, "e": []}).failed(state, cause, error_type, request)
    return kind, payload, flags, extra, spawn


def with_additions(runner: ContinuedRunner, delivery: Delivery, ending: Ending, request: Request) -> Ending:
    """Add to the outcome of a plain task what it has asked for while it ran.

    Args:
        runner: Ran the task.
        delivery: As it came from the node.
        ending: How it ended.
        request: What the task saw.

    Returns:
        The outcome; a failure where what was to follow cannot be encoded or sent.
    """
    try:
        if request.spawn is not None:
            return (*ending[:4], request.spawn)
        canvas = envelope.decode(runner.codecs, delivery[OPTIONS])
        return (*ending[:4], _continuing(runner, delivery, canvas).succeeded(None, request))
    except errors.NotConnected:
        raise
    except Exception as error:
        # As in `run`: the task has failed, not its process.
        return failed(error)


def with_children(runner: ContinuedRunner, delivery: Delivery, ending: Ending, request: Request) -> Ending:
    """Add to the failure of a plain task what it has sent.

    Args:
        runner: Ran the task.
        delivery: As it came from the node.
        ending: How it ended.
        request: What the task saw.

    Returns:
        The outcome.
    """
    try:
        return (*ending[:4], _continuing(runner, delivery, {}).noted(request))
    except errors.NotConnected:
        raise
    except Exception as error:
        task_id = delivery[ID]
        _log.error(f"the children of task {task_id} could not be noted: {safe_text(error)}")
        return ending


def replaced(runner: ContinuedRunner, delivery: Delivery, sig: Any) -> Ending:
    """Make the outcome of a task in whose place another canvas stands.

    Args:
        runner: Ran the task.
        delivery: As it came from the node.
        sig: The canvas.

    Returns:
        The outcome.
    """
    canvas = envelope.decode(runner.codecs, delivery[OPTIONS])
    return REPLACED, None, 0, None, _continuing(runner, delivery, canvas).replaced(sig)


def told_value() -> Any:
    """Return the result that the running task has told of itself before it asked to be ignored."""
    request = context.made_request()
    return None if request is None or request.told is None else request.told[1]
