"""`IgniteTasks`: the registry of an application's tasks, and their way to a cluster.

Making an app starts nothing; the first send connects. This file knows all of the client library and nothing of
workers: whoever runs tasks is handed the app.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks import _state, context
from ignitetasks.app import conf, naming
from ignitetasks.app.dispatching import Dispatching
from ignitetasks.app.parts import PARTS
from ignitetasks.app.periodic import Periodic
from ignitetasks.app.running import Running
from ignitetasks.client import Client, shared_client
from ignitetasks.config import Settings
from ignitetasks.errors import ConfigurationError
from ignitetasks.result import set_default_source
from ignitetasks.transport.base import Transport
from ignitetasks.utils.log import get_logger

#: For programs that log as an application does.
logger = get_logger(__name__)


class IgniteTasks(Periodic, Running, Dispatching):
    """An application: named tasks and the settings they are sent with.

    Args:
        main: The application's name, used in messages and for tasks of a script without a file.
        broker: Accepted from projects of Celery: ``memory://`` and ``ignite://host,host`` are understood, any other
            URL is named once in the log, since there is no broker.
        backend: Accepted, and named once in the log: results are kept with their tasks.
        tasks: Tasks it has from the start, by name; a `TaskRegistry` becomes its own.
        include: Modules a worker imports.
        changes: Settings under Celery's names, as for ``app.conf``.
        config_source: As for `config_from_object`.
        task_cls: Class of tasks whose decorator names no ``base``.
        set_as_current: False leaves `current_app` as it is.
        autofinalize: False refuses its tasks until somebody calls `finalize`.
        strict_typing: False sends calls without checking their arguments.
        fixups: Functions, or their dotted names, that are called with the app to fit it into its surroundings; None
            means that of Django, where there is one.
        settings: Complete settings of the instance; None means those of the environment.
        **overrides: Single settings that win over the environment, e.g. ``data_dir=...``, ``cluster=...``; settings
            under Celery's names, e.g. ``task_routes=...``; and ``amqp``, ``control``, ``events``, ``loader`` and
            ``log``, classes of these parts (see `Parts`).

    Attributes:
        name: As given.
        main: The name too. Where it is changed, names of tasks of functions in ``__main__`` start with it, else with
            the script's file name without its end.
    """

    def __init__(
        self,
        main: str | None = None,
        *,
        broker: str | None = None,
        backend: Any = None,
        tasks: Mapping[str, Any] | None = None,
        include: Sequence[str] | None = None,
        changes: Mapping[str, Any] | None = None,
        config_source: Any = None,
        task_cls: Any = None,
        set_as_current: bool = True,
        autofinalize: bool = True,
        strict_typing: bool = True,
        fixups: Sequence[Any] | None = None,
        settings: Settings | None = None,
        **overrides: Any,
    ) -> None:
        given_name = overrides.pop("name", main)
        name = "app" if given_name is None else given_name
        if not naming.is_name(name):
            raise ConfigurationError(f"an app's name is a text that is not empty, not {name!r}")
        self._choose({part: kind for part in PARTS if (kind := overrides.pop(part, None)) is not None})
        own = {key: value for key, value in overrides.items() if key in Settings.__dataclass_fields__}
        named = {key: value for key, value in overrides.items() if key not in own}
        conf.refuse_unknown(named)
        if settings is not None and own:
            raise ConfigurationError("give either settings= or single settings, not both")
        self._client: Client | None = None
        super().__init__(name, settings or Settings.from_env(**own))
        self._is_named = given_name is not None
        self.autofinalize = autofinalize
        self.set_as_current = set_as_current
        self.strict_typing = strict_typing
        if task_cls is not None:
            self.task_cls = task_cls
        if tasks is not None:
            self._take(tasks)
        given = {"broker_url": broker, "result_backend": backend, "include": include, **(changes or {}), **named}
        given = {key: value for key, value in given.items() if value is not None}
        if given:
            self._conf.change(given, f"the app {name!r}")
        if config_source is not None:
            self.config_from_object(config_source)
        _state.register_app(self, set_as_current)
        set_default_source(self)
        self._fit(fixups)
        self.on_init()

    def on_init(self) -> None:
        """Called when the app is made; to be overridden."""

    def __repr__(self) -> str:
        return f"<IgniteTasks {self.name!r}: {len(self._tasks.regular())} tasks>"

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickle_app, (type(self), self.name, self.settings, dict(self._conf.changes), self.oid)

    # -- which app is meant ---------------------------------------------------------------------------------------

    def set_current(self) -> None:
        """Makes it the current app of this thread."""
        _state.set_current_app(self)

    def set_default(self) -> None:
        """Makes it the current app of threads that have not chosen one."""
        _state.set_default_app(self)

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

    def use_transport(self, transport: Transport) -> Client:
        """Sends through a given transport from now on, e.g. one made for a test or for a worker's own node."""
        self._client = Client(self.settings, transport)
        return self._client


def _unpickle_app(
    kind: type[IgniteTasks], name: str, settings: Settings, changes: Mapping[str, Any], oid: str
) -> IgniteTasks:
    """Makes an app like one of another process; that of this process where it, or one of its name, is here."""
    here = [app for app in (_state.get_current_app(), *_state.all_apps()) if type(app) is kind and app.name == name]
    for app in here:
        if app.oid == oid:
            return app
    return here[0] if here else kind(name, settings=settings, changes=changes, set_as_current=False)


def _default_app() -> IgniteTasks:
    return IgniteTasks("default", set_as_current=False)


#: Celery's name for the application.
Celery = IgniteTasks

_state.makers.app = _default_app
_state.makers.task = context.current_task
