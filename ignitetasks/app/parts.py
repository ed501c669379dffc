"""What an application is made of: control, events, log, queues, results, loader; each may be a class of your own.

An application's class, or an argument of it, names another class as ``control_cls`` and the like. This file must not
send or start anything.
"""

from __future__ import annotations

import functools
import os
import threading
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from ignitetasks import _state, context, deferred, loaders, signals
from ignitetasks.app.control import Control
from ignitetasks.app.events import Events
from ignitetasks.app.log import Logging
from ignitetasks.app.queues import AMQP
from ignitetasks.backends.base import Backend
from ignitetasks.bootsteps import StepsOf
from ignitetasks.loaders.app import AppLoader
from ignitetasks.loaders.base import BaseLoader

#: Celery's short names of loaders.
_ALIASES = dict.fromkeys(("app", "default"), "ignitetasks.loaders.app:AppLoader")
#: Arguments of an application that name the class of one of its parts.
PARTS = ("amqp", "control", "events", "loader", "log")


def django(app: Any) -> None:
    """Fits an application into the Django project of this process, where there is one."""
    if "DJANGO_SETTINGS_MODULE" in os.environ:
        deferred.load("django").install(app)


class Parts:
    """Parts of an application.

    Attributes:
        amqp_cls: Class of ``app.amqp``, or its dotted name; as for all of these.
        backend_cls: Class of ``app.backend``.
        control_cls: Class of ``app.control``.
        events_cls: Class of ``app.events``.
        loader_cls: Class of ``app.loader``.
        log_cls: Class of ``app.log``.
        builtin_fixups: Functions, or their dotted names, that fit an application into its surroundings; the argument
            ``fixups`` names others in their place.
    """

    amqp_cls: Any = AMQP
    backend_cls: Any = Backend
    control_cls: Any = Control
    events_cls: Any = Events
    loader_cls: Any = AppLoader
    log_cls: Any = Logging
    builtin_fixups: Sequence[Any] = (django,)

    _chosen_queues: Mapping[str, Any] | None = None
    _oid: str | None = None

    def _fit(self, fixups: Sequence[Any] | None) -> None:
        """Fits the app into its surroundings."""
        chosen = self.builtin_fixups if fixups is None else fixups
        # Kept for as long as the app lives: what they connect to signals may be held weakly.
        self.fixups = [loaders.symbol_by_name(one)(self) for one in chosen]

    def _choose(self, given: Mapping[str, Any]) -> None:
        """Takes the classes that arguments of the application name."""
        for part, kind in given.items():
            setattr(self, f"{part}_cls", kind)

    def _part(self, name: str) -> Any:
        return loaders.symbol_by_name(getattr(self, f"{name}_cls"), _ALIASES)(self)

    # Kept, and open to be replaced: tests of programs put something else in the place of a part or of its methods.

    @functools.cached_property
    def amqp(self) -> AMQP:
        """The queues the app knows, as ``app.amqp.queues``."""
        amqp: AMQP = self._part("amqp")
        amqp.queues.choose(self._chosen_queues)
        return amqp

    def _forget_queues(self) -> None:
        """Forgets the queues that settings name, and keeps which of them are chosen."""
        amqp = self.__dict__.get("amqp")
        if isinstance(amqp, AMQP):
            self._chosen_queues = amqp.queues.chosen
            del self.__dict__["amqp"]

    @functools.cached_property
    def backend(self) -> Backend:
        """Where results are, under the methods of a result backend."""
        backend: Backend = self._part("backend")
        return backend

    @functools.cached_property
    def control(self) -> Control:
        """Remote control of the workers, and what the cluster keeps of tasks: see `Control`."""
        control: Control = self._part("control")
        return control

    @functools.cached_property
    def user_options(self) -> defaultdict[str, set[Any]]:
        """Options of click that commands have beside their own, by the command's name; ``preload`` for all commands."""
        return defaultdict(set)

    @functools.cached_property
    def steps(self) -> StepsOf:
        """Steps that workers have, classes under ``worker`` and ``consumer``; see `ignitetasks.bootsteps`."""
        return StepsOf()

    @functools.cached_property
    def log(self) -> Logging:
        """What a task may do with its process's log: see `Logging`."""
        log: Logging = self._part("log")
        return log

    @functools.cached_property
    def events(self) -> Events:
        """The cluster's feed of events: see `Events`."""
        events: Events = self._part("events")
        return events

    @functools.cached_property
    def loader(self) -> BaseLoader:
        """What imports the app's modules, and is told of the life of its workers: see `BaseLoader`."""
        loader: BaseLoader = self._part("loader")
        _connect_runs(loader)
        return loader

    def select_queues(self, queues: str | Sequence[str] | None = None) -> None:
        """Lets workers that are told nothing else take from these queues alone.

        Args:
            queues: Their names, or one text with commas.
        """
        self.amqp.queues.select(queues)

    # -- which one it is ------------------------------------------------------------------------------------------

    @property
    def oid(self) -> str:
        """A text that tells this app from all others, in this process and in others."""
        if self._oid is None:
            self._oid = str(uuid.uuid4())
        return self._oid

    @property
    def thread_oid(self) -> str:
        """The same for the app in this thread."""
        return str(uuid.uuid5(uuid.UUID(self.oid), str(threading.get_ident())))

    @property
    def current_task(self) -> Any:
        """The task that runs here, or None."""
        return _state.get_current_task()

    @property
    def current_worker_task(self) -> Any:
        """The task that a worker runs here, or None."""
        request = context.current_request()
        return None if request is None or request.called_directly else request.owner

    # -- help for classes of one's own ----------------------------------------------------------------------------

    def either(self, default_key: str, *defaults: Any) -> Any:
        """Returns the first of some values that is not None, else a setting."""
        given = next((one for one in defaults if one is not None), None)
        app: Any = self
        return app.conf[default_key] if given is None else given

    def subclass_with_self(
        self, Class: Any, name: str | None = None, attribute: str = "app", **attributes: Any
    ) -> type[Any]:
        """Returns a class like another one, which has this app as an attribute.

        Args:
            Class: The class, or its dotted name.
            name: Its new name.
            attribute: Name of the attribute.
            **attributes: Further attributes.
        """
        kind = loaders.symbol_by_name(Class)
        more = {attribute: self, "__module__": kind.__module__, "__doc__": kind.__doc__, **attributes}
        return type(name or kind.__name__, (kind,), more)


def _connect_runs(loader: BaseLoader) -> None:
    """Has a loader told of each run of its app's tasks, where its class wants to know."""
    kind = type(loader)

    def before(task_id: str, task: Any, **_: Any) -> None:
        if getattr(task, "app", None) is loader.app:
            loader.on_task_init(task_id, task)

    def after(task: Any, **_: Any) -> None:
        if getattr(task, "app", None) is loader.app:
            loader.on_process_cleanup()

    # Kept by the loader alone, so that they go with it.
    loader.told_by = (before, after)
    if kind.on_task_init is not BaseLoader.on_task_init:
        signals.task_prerun.connect(before)
    if kind.on_process_cleanup is not BaseLoader.on_process_cleanup:
        signals.task_postrun.connect(after)
