"""The half of an application that starts programs: workers here, and the command line.

Also says of what an application of Celery's has beyond this what to use instead. This file must not send anything.
"""

from __future__ import annotations

import contextlib
import functools
import sys
from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any

from ignitetasks import deferred
from ignitetasks.app import utils
from ignitetasks.app.connections import Connection, Pool, Producer
from ignitetasks.errors import ConfigurationError

#: What an application of Celery's has and this one has not, and what to use instead.
_INSTEAD = {
    "setup_security": "pickles are signed with the instance's own key",
}


class Running:
    """Programs of an application."""

    def __getattr__(self, name: str) -> Any:
        if hasattr(type(self), name):
            # It is there and failed by an AttributeError of its own: that one is to be seen.
            return object.__getattribute__(self, name)
        instead = _INSTEAD.get(name)
        kind = type(self).__name__
        raise AttributeError(f"{kind} has no {name!r}" + (f": {instead}" if instead else ""), name=name, obj=self)

    def local_worker(
        self, concurrency: int = 2, pool: str = "prefork", queues: Sequence[str] | None = None
    ) -> AbstractContextManager[Any]:
        """Runs the app's tasks in children of this process for the length of a ``with`` block.

        Args:
            concurrency: How many tasks at a time.
            pool: ``prefork``, ``threads`` or ``solo``.
            queues: Queues to listen to; None means all the app's tasks name, and the default one.

        Raises:
            ConfigurationError: A value cannot be.
        """
        app: Any = self
        app.prepare()
        if queues is None:
            named = {task.options.queue for task in app.tasks.values() if task.options.queue}
            queues = sorted(named | {app.settings.default_queue})
        worker: AbstractContextManager[Any] = deferred.load("local_worker").LocalWorker(
            self, concurrency, pool, tuple(queues)
        )
        return worker

    @functools.cached_property
    def Worker(self) -> Any:  # Celery's name
        """Class of the app's workers: ``app.Worker(concurrency=4).start()``; see `ignitetasks.apps.worker.Worker`."""
        app: Any = self
        return app.subclass_with_self(deferred.load("worker_program").Worker)

    @property
    def WorkController(self) -> Any:  # Celery's name
        """The same as `Worker`."""
        return self.Worker

    @functools.cached_property
    def Beat(self) -> Any:  # Celery's name
        """Class of the app's beats: ``app.Beat().run()``; see `ignitetasks.apps.beat.Beat`."""
        app: Any = self
        return app.subclass_with_self(deferred.load("beat_program").Beat)

    def start(self, argv: Sequence[str] | None = None) -> int:
        """Runs the command line for this app; returns the exit code.

        Args:
            argv: The words after the program's name; None means those of this process.
        """
        code: int = deferred.load("command_line").run_for(self, argv)
        return code

    def worker_main(self, argv: Sequence[str] | None = None) -> int:
        """Runs a worker for this app as the command line would; returns the exit code.

        Args:
            argv: ``worker`` and its options; None means those of this process, and none at all a plain worker.

        Raises:
            ConfigurationError: The words do not name the command ``worker``; `start` runs any other.
        """
        words = list(sys.argv[1:] if argv is None else argv) or ["worker"]
        if "worker" not in words:
            raise ConfigurationError(
                f"worker_main runs the command 'worker', which {words!r} does not name; app.start runs any command"
            )
        return self.start(words)

    def connection(self, *_: Any, **__: Any) -> Connection:
        """Returns the app's way to its node, for those who check it or hand it on; see `Connection`."""
        return Connection(self)

    connection_for_read = connection
    connection_for_write = connection
    broker_connection = connection

    def connection_or_acquire(self, connection: Any = None, pool: bool = True, *_: Any, **__: Any) -> Any:
        """Returns a connection given, or one of the app's, for a ``with`` block.

        Args:
            connection: What to return where there is one.
            pool: Accepted: a process has one way to its node.
        """
        return contextlib.nullcontext(connection) if connection else self.connection()

    default_connection = connection_or_acquire

    @functools.cached_property
    def pool(self) -> Pool[Connection]:
        """Connections for those who take them from a pool: ``with app.pool.acquire() as connection``."""
        return Pool(self.connection)

    @functools.cached_property
    def producer_pool(self) -> Pool[Producer]:
        """Producers for those who take them from a pool; see `producer_or_acquire`."""
        return Pool(lambda: Producer(self.connection()))

    def producer_or_acquire(self, producer: Any = None) -> Any:
        """Returns a producer given, or one of the app's, for a ``with`` block.

        It is what calls take as ``producer=``, so code that sends many calls by one producer runs as it is.

        Args:
            producer: What to return where there is one.
        """
        return contextlib.nullcontext(producer) if producer else self.producer_pool.acquire(block=True)

    default_producer = producer_or_acquire

    def bugreport(self) -> str:
        """Returns what a report of a fault should say about versions and settings."""
        return utils.bugreport(self)
