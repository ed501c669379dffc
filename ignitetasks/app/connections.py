"""`Connection`, `Producer`, `Pool`: an application's way to its node, as objects for those who check or hold it.

Tasks, control and events find their way by themselves. This is for what asks whether the cluster can be reached, such
as a health check or a monitor. There is one way for a process, so it is shared, and closing this object leaves it open.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ignitetasks import errors

_NO_BROKER = "there is no message broker, so no channel; see app.control.inspect() and ignitetasks.control.status"
_NO_MESSAGES = "there is no message broker, so nothing to publish to; tasks are sent with apply_async and send_task"
_INSTEAD = dict.fromkeys(
    ("Consumer", "Producer", "SimpleQueue", "channel", "default_channel", "drain_events", "manager", "transport"),
    _NO_BROKER,
)

T = TypeVar("T")


class Connection:
    """A way to the node of an application; a context manager.

    Args:
        app: The application.

    Attributes:
        connection_errors: What is raised when the node cannot be reached.
        channel_errors: Nothing: there are no channels.
        connected: Whether this object has reached the node.
    """

    connection_errors: tuple[type[Exception], ...] = (errors.NodeError, errors.OperationalError, errors.ResultTimeout)
    recoverable_connection_errors = connection_errors
    channel_errors: tuple[type[Exception], ...] = ()
    recoverable_channel_errors = channel_errors

    def __init__(self, app: Any) -> None:
        self._app = app
        self.connected = False

    def __getattr__(self, name: str) -> Any:
        instead = _INSTEAD.get(name)
        raise AttributeError(f"Connection has no {name!r}" + (f": {instead}" if instead else ""), name=name, obj=self)

    def __repr__(self) -> str:
        return f"<Connection: {self.as_uri()}>"

    def connect(self) -> Connection:
        """Asks the node for an answer, starting an embedded one where none runs; returns itself.

        Raises:
            NodeError: It cannot be started or found.
            OperationalError: It does not answer.
        """
        self._app.transport.call("status")
        self.connected = True
        return self

    def ensure_connection(
        self, errback: Callable[[Exception, float], Any] | None = None, max_retries: int | None = None, **_: Any
    ) -> Connection:
        """As `connect`; repeats are the transport's, for ``call_timeout_seconds``.

        Args:
            errback: Called with the error and 0 before it is raised.
            max_retries: Accepted; the deadline is a time and not a number.
        """
        try:
            return self.connect()
        except self.connection_errors as error:
            if errback is not None:
                errback(error, 0.0)
            raise

    def as_uri(self, include_password: bool = False, **_: Any) -> str:
        """Returns where the node is: its data directory, or the data nodes of a cluster."""
        settings = self._app.settings
        return f"ignite://{','.join(settings.cluster)}" if settings.cluster else f"ignite://{settings.data_dir}"

    def info(self) -> dict[str, Any]:
        """Returns what is known of the way without asking the node."""
        return {"transport": "ignite", "uri": self.as_uri(), "virtual_host": self._app.settings.namespace}

    def clone(self, **_: Any) -> Connection:
        """Returns another object for the same way."""
        return Connection(self._app)

    def release(self) -> None:
        """Lets this object go; the process's way to the node stays open."""
        self.connected = False

    close = release

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Producer:
    """What calls may be given as ``producer=``: a way to the node, which they share anyhow; a context manager.

    Args:
        connection: The way.

    Attributes:
        connection: The way.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"Producer has no {name!r}: {_NO_MESSAGES}", name=name, obj=self)

    def release(self) -> None:
        """Lets this object go; the process's way to the node stays open."""

    close = release

    def __enter__(self) -> Producer:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Pool(Generic[T]):
    """Gives what is asked for at once, and as often as is wanted: it is all one way to the node.

    Args:
        make: Makes one.
    """

    limit = None

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make

    def acquire(self, block: bool = False, timeout: float | None = None) -> T:
        """Returns one, for a ``with`` block.

        Args:
            block: Not needed: nobody waits.
            timeout: Not needed.
        """
        return self._make()

    def release(self, resource: T) -> None:
        """Takes one back."""

    def force_close_all(self) -> None:
        """Does nothing: the way to the node is the process's own."""
