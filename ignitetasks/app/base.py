"""`IgniteTasks`: the registry of an application's tasks, and their way to a cluster.

Making an app starts nothing; the first send connects. This file knows all of the client library and nothing of
workers: whoever runs tasks is handed the app.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks import _state, context, deferred
from ignitetasks.app import conf, naming
from ignitetasks.app.control import Control
from ignitetasks.app.dispatching import Dispatching
from ignitetasks.app.events import Events
from ignitetasks.app.log import Logging
from ignitetasks.app.periodic import Periodic
from ignitetasks.app.running import Running
from ignitetasks.client import Client, shared_client
from ignitetasks.config import Settings
from ignitetasks.errors import ConfigurationError
from ignitetasks.result import set_default_source
from ignitetasks.transport.base import Transport

#: Arguments of Celery's application whose parts do not exist here, and what to do instead.
_NO_PARTS = {
    "amqp": "queues are names; see app.amqp.queues",
    "control": "app.control is always there",
    "events": "app.events is always there",
    "fixups": "Django is found by itself",
    "loader": "use config_from_object, imports and autodiscover_tasks",
    "log": "use the signals setup_logging and after_setup_logger",
    "tasks": "use register_task",
}


class IgniteTasks(Periodic, Running, Dispatching):
    """An application: named tasks and the settings they are sent with.

    Args:
        main: The application's name, used in messages and for tasks of a script without a file.
        broker: Accepted from projects of Celery: ``memory://`` and ``ignite://host,host`` are understood, any other
            URL is named once in the log, since there is no broker.
        backend: Accepted, and named once in the log: results are kept with their tasks.
        include: Modules a worker imports.
        changes: Settings under Celery's names, as for ``app.conf``.
        config_source: As for `config_from_object`.
        task_cls: Class of tasks whose decorator names no ``base``.
        set_as_current: False leaves `current_app` as it is.
        strict_typing: False sends calls without checking their arguments.
        settings: Complete settings of the instance; None means those of the environment.
        **overrides: Single settings that win over the environment, e.g. ``data_dir=...``, ``cluster=...``, and settings
            under Celery's names, e.g. ``task_routes=...``.

    Attributes:
        name: As given.
        main: Task names of functions in ``__main__`` start with this: the script's file name without its end.
    """

    def __init__(
        self,
        main: str | None = None,
        *,
        broker: str | None = None,
        backend: Any = None,
        include: Sequence[str] | None = None,
        changes: Mapping[str, Any] | None = None,
        config_source: Any = None,
        task_cls: Any = None,
        set_as_current: bool = True,
        autofinalize: bool = True,
        strict_typing: bool = True,
        settings: Settings | None = None,
        **overrides: Any,
    ) -> None:
        given_name = overrides.pop("name", main)
        name = "app" if given_name is None else given_name
        if not naming.is_name(name):
            raise ConfigurationError(f"an app's name is a text that is not empty, not {name!r}")
        for part, instead in _NO_PARTS.items():
            if overrides.pop(part, None) is not None:
                raise ConfigurationError(f"an app takes no {part}=: {instead}")
        own = {key: value for key, value in overrides.items() if key in Settings.__dataclass_fields__}
        named = {key: value for key, value in overrides.items() if key not in own}
        conf.refuse_unknown(named)
        if settings is not None and own:
            raise ConfigurationError("give either settings= or single settings, not both")
        self._client: Client | None = None
        super().__init__(name, settings or Settings.from_env(**own))
        self._is_named = given_name is not None
        self.autofinalize = autofinalize
        self.strict_typing = strict_typing
        if task_cls is not None:
            self.task_cls = task_cls
        given = {"broker_url": broker, "result_backend": backend, "include": include, **(changes or {}), **named}
        given = {key: value for key, value in given.items() if value is not None}
        if given:
            self._conf.change(given, f"the app {name!r}")
        if config_source is not None:
            self.config_from_object(config_source)
        _state.register_app(self, set_as_current)
        set_default_source(self)
        if "DJANGO_SETTINGS_MODULE" in os.environ:
            deferred.load("django").install(self)
        self.on_init()

    def on_init(self) -> None:
        """Called when the app is made; to be overridden."""

    def __repr__(self) -> str:
        return f"<IgniteTasks {self.name!r}: {len(self._tasks.regular())} tasks>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle_app, (type(self), self.name, self.settings, dict(self._conf.changes))

    # -- which app is meant ---------------------------------------------------------------------------------------

    def set_current(self) -> None:
        """Makes it the current app of this thread."""
        _state.set_current_app(self)

    def set_default(self) -> None:
        """Makes it the current app of threads that have not chosen one."""
        _state.set_default_app(self)

    @property
    def current_task(self) -> Any:
        """The task that runs here, or None."""
        return _state.get_current_task()

    @property
    def current_worker_task(self) -> Any:
        """The task that a worker runs here, or None."""
        request = context.current_request()
        return None if request is None or request.called_directly else request.owner

    def close(self) -> None:
        """Closes the app's connections; a later send opens new ones."""
        client, self._client = self._client, None
        if client is not None:
            client.close()
        _state.set_current_app(None)

    def __enter__(self) -> IgniteTasks:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- what belongs to it ---------------------------------------------------------------------------------------

    def _forget(self) -> None:
        super()._forget()
        self._client = None

    @property
    def client(self) -> Client:
        """The client that sends; made at the first use, shared by apps with equal settings."""
        client = self._client
        if client is None:
            client = self._client = shared_client(self.settings)
        return client

    @property
    def transport(self) -> Transport:
        """The way to the node; connects at the first call, and again in each process."""
        return self.client.transport

    @property
    def control(self) -> Control:
        """Remote control of the workers, and what the cluster keeps of tasks: see `Control`."""
        return Control(self)

    @property
    def log(self) -> Logging:
        """What a task may do with its process's log: see `Logging`."""
        return Logging(self)

    @property
    def events(self) -> Events:
        """The cluster's feed of events: see `Events`."""
        return Events(self)

    def use_transport(self, transport: Transport) -> Client:
        """Sends through a given transport from now on, e.g. one made for a test or for a worker's own node."""
        self._client = Client(self.settings, transport)
        return self._client


def _unpickle_app(kind: type[IgniteTasks], name: str, settings: Settings, changes: Mapping[str, Any]) -> IgniteTasks:
    """Makes an app like one of another process; that of this process where there is one of its name."""
    for app in (_state.get_current_app(), *_state.all_apps()):
        if type(app) is kind and app.name == name:
            return app
    return kind(name, settings=settings, changes=changes, set_as_current=False)


def _default_app() -> IgniteTasks:
    return IgniteTasks("default", set_as_current=False)


_state.makers.app = _default_app
_state.makers.task = context.current_task
