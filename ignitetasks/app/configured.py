"""The half of an application that has to do with settings: where they come from, and what is imported because of them.

This file must not know tasks; `base` does.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime, timezone, tzinfo
from types import ModuleType
from typing import Any
from zoneinfo import ZoneInfo

from ignitetasks import log, signals
from ignitetasks.app import conf as configuration
from ignitetasks.app.conf import Conf
from ignitetasks.app.parts import Parts
from ignitetasks.app.reading import read_object
from ignitetasks.config import Settings
from ignitetasks.errors import ConfigurationError
from ignitetasks.utils.dispatch import Signal

_log = log.get_logger("app")
_FIELDS = frozenset(one.name for one in fields(Settings))


class Configured(Parts):
    """Settings of an application.

    Attributes:
        on_configure: Sent before the configuration object is read.
        on_after_configure: Sent once it was read, and at once to who connects later.
        on_after_finalize: Sent once all tasks are known, and at once to who connects later.
        on_after_fork: Sent in each child of a worker.
        finalized: Whether all tasks are known.
        namespace: What the names of settings begin with in its configuration object.
    """

    def __init__(self, base: Settings) -> None:
        self._conf = Conf(base, self._forget)
        self._settings: Settings | None = base
        self._imports: list[Callable[[], Any]] = []
        self._lock = threading.RLock()
        self._configured = self._prepared = False
        self.finalized = False
        self.namespace: str | None = None
        self.on_configure = Signal(name="app.on_configure")
        self.on_after_configure = Signal(name="app.on_after_configure", providing_args={"source"}, replay=True)
        self.on_after_finalize = Signal(name="app.on_after_finalize", replay=True)
        self.on_after_fork = Signal(name="app.on_after_fork")

    @property
    def conf(self) -> Conf:
        """All settings, under Celery's names and our own; see docs/app.md."""
        return self._conf

    @conf.setter
    def conf(self, given: Mapping[str, Any]) -> None:
        self._conf.change(given)

    @property
    def _preconf(self) -> Conf:
        # Extensions of Flask give settings under this name while they make an app.
        return self._conf

    @property
    def configured(self) -> bool:
        """Whether the configuration object was read."""
        return self._configured

    @property
    def settings(self) -> Settings:
        """The settings of the instance that are in force."""
        settings = self._settings
        if settings is None:
            settings = self._settings = self._conf.settings()
        return settings

    def _forget(self) -> None:
        """Forgets what was derived from settings."""
        self._settings = None

    def configure(self, **changes: Any) -> None:
        """Changes settings of the instance, e.g. from a command line; what is sent from now on uses them.

        Raises:
            ConfigurationError: A setting does not exist or has a value it cannot have.
        """
        given = {name: value for name, value in changes.items() if value is not None}
        for name in given:
            if name not in _FIELDS:
                raise ConfigurationError(f"unknown setting {name!r}; the settings are: {', '.join(sorted(_FIELDS))}")
        before = dict(self._conf.changes)
        self._conf.change(given, "configure")
        try:
            _ = self.settings
        except ConfigurationError:
            self._conf.changes.clear()
            self._conf.changes.update(before)
            self._forget()
            raise

    def config_from_object(
        self, obj: Any, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> None:
        """Takes settings from an object; they are read when one is first asked for.

        Args:
            obj: A module, its name, ``module:attribute``, any object with attributes, or a map.
            silent: True leaves the defaults in force when the module cannot be imported.
            force: True reads it now.
            namespace: Only names that start with it are meant, e.g. ``CELERY`` for ``CELERY_TASK_ACKS_LATE``.
        """
        self.namespace = namespace or self.namespace
        told: list[Any] = []

        def read() -> tuple[Mapping[str, Any], str]:
            if not told:
                told.append(self.on_configure.send(sender=self))
            where = obj if isinstance(obj, str) else getattr(obj, "__name__", type(obj).__name__)
            try:
                source = _import_object(obj)
            except ImportError:
                if not silent:
                    raise
                return {}, where
            self._conf.look_in(source, namespace)
            return self.prepare_config(read_object(source, namespace, configuration.is_setting)), where

        self._conf.use_source(read, namespaced=bool(namespace))
        if force:
            self._conf._load()

    def prepare_config(self, c: Mapping[str, Any]) -> Mapping[str, Any]:
        """Returns what a configuration object says, before it is checked and taken; to be overridden."""
        return c

    def config_from_envvar(
        self, variable_name: str, silent: bool = False, force: bool = False, namespace: str | None = None
    ) -> bool:
        """Takes settings from the object that an environment variable names.

        Returns:
            Whether the variable is set.

        Raises:
            ConfigurationError: It is not, and ``silent`` is False.
        """
        name = os.environ.get(variable_name)
        if not name:
            if silent:
                return False
            raise ConfigurationError(
                f"the environment variable {variable_name!r} is not set; it has to name a module with settings"
            )
        self.config_from_object(name, silent=silent, force=force, namespace=namespace)
        return True

    def config_from_cmdline(self, argv: Sequence[str], namespace: str = "") -> None:
        """Takes settings from words such as ``task_acks_late=yes``, or ``worker.concurrency=4``.

        Args:
            argv: The words.
            namespace: Put before names that are no setting by themselves, or that begin with a dot.

        Raises:
            ConfigurationError: A word has no ``=``, or a name or value is wrong.
        """
        given: dict[str, Any] = {}
        for word in argv:
            name, equals, text = word.partition("=")
            if not equals:
                raise ConfigurationError(f"a setting on the command line is written name=value, not {word!r}")
            name = name.strip().lstrip(".").replace(".", "_").lower()
            if namespace and not configuration.is_setting(name):
                name = f"{namespace}_{name}"
            given[name] = configuration.from_text(name, text.strip())
        self._conf.change(given, "the command line")

    def add_defaults(self, fun: Mapping[str, Any] | Callable[[], Mapping[str, Any]]) -> None:
        """Adds values for settings that nobody sets.

        Args:
            fun: The values, or a function that returns them, which is called once settings are read.
        """
        if not callable(fun):
            self._conf.add_defaults(fun)
            return
        make = fun
        self._conf.once_read(lambda: self._conf.add_defaults(make()))

    # -- time -----------------------------------------------------------------------------------------------------

    @property
    def timezone(self) -> tzinfo:
        """The time zone of schedules and of naive datetimes: ``conf.timezone``, else UTC."""
        chosen = self._conf.timezone
        if isinstance(chosen, tzinfo):
            return chosen
        if chosen:
            try:
                return ZoneInfo(chosen)
            except (KeyError, ValueError, OSError) as error:
                raise ConfigurationError(f"timezone names no time zone of this system: {chosen!r}") from error
        return timezone.utc if self._conf.enable_utc else datetime.now().astimezone().tzinfo or timezone.utc

    @timezone.setter
    def timezone(self, chosen: str | tzinfo | None) -> None:
        self._conf.change({"timezone": chosen}, "app.timezone")

    @timezone.deleter
    def timezone(self) -> None:
        """Forgets what was set; the setting decides again."""
        self._conf.changes.pop("timezone", None)

    def now(self) -> datetime:
        """Returns the present in the app's time zone."""
        return datetime.now(self.timezone)

    def uses_utc_timezone(self) -> bool:
        """Tells whether the app's time zone is UTC."""
        return self.timezone is timezone.utc or str(self.timezone) == "UTC"

    # -- imports --------------------------------------------------------------------------------------------------

    def autodiscover_tasks(
        self,
        packages: Iterable[str] | Callable[[], Iterable[str]] | None = None,
        related_name: str | None = "tasks",
        force: bool = False,
    ) -> None:
        """Imports the task modules of packages, when a worker starts or tasks are asked for.

        Args:
            packages: Their names, or a function that returns these; None means Django's installed apps, and nothing
                where Django is not set up.
            related_name: Name of the module in each; None for the packages themselves.
            force: True imports now.
        """
        names = _installed_apps if packages is None else packages

        def discover() -> list[ModuleType]:
            return self._autodiscover_tasks(names, related_name)

        if force:
            discover()
        else:
            self._imports.append(discover)
            if self._prepared:
                self.import_tasks()

    def _autodiscover_tasks(
        self, packages: Iterable[str] | Callable[[], Iterable[str]], related_name: str | None
    ) -> list[ModuleType]:
        # A loader of the project's own may look elsewhere, and need not say what it has found.
        return self.loader.autodiscover_tasks(packages() if callable(packages) else packages, related_name) or []

    def import_tasks(self) -> list[ModuleType]:
        """Imports what ``imports``, ``include`` and `autodiscover_tasks` name; each once.

        Returns:
            The modules.

        Raises:
            Exception: A receiver of ``import_modules`` or a module has failed.
        """
        # First: who connects to it makes ready what the modules need, e.g. Django's models.
        for _, answer in signals.import_modules.send(sender=self):
            if isinstance(answer, Exception):
                raise answer
        with self._lock:
            pending, self._imports = self._imports, []
            found = [self.loader.import_task_module(name) for name in self.loader.default_modules]
            for discover in pending:
                found += discover()
        return found

    def _configure_once(self) -> None:
        """Reads the configuration object, where there is one, and tells who waits for it."""
        if not self._configured:
            self._configured = True
            if self._conf._reader is None:
                self.on_configure.send(sender=self)
            self._conf._load()
            self.on_after_configure.send(sender=self, source=self._conf)


def _import_object(obj: Any) -> Any:
    if not isinstance(obj, str):
        return obj
    module, colon, attribute = obj.partition(":")
    try:
        found: Any = importlib.import_module(module)
    except ModuleNotFoundError as error:
        parent, _, name = module.rpartition(".")
        if colon or not parent or error.name != module:
            raise
        return getattr(importlib.import_module(parent), name)  # "package.module.Class"
    for part in attribute.split(".") if attribute else ():
        found = getattr(found, part)
    return found


def _installed_apps() -> Iterable[str]:
    """Returns the names of Django's installed apps; none in a program that does not use Django."""
    try:
        settings = importlib.import_module("django.conf").settings
    except ImportError:
        settings = None
    if settings is None or not (settings.configured or os.environ.get("DJANGO_SETTINGS_MODULE")):
        _log.warning("autodiscover_tasks without packages finds nothing: they are Django's, and Django is not set up")
        return []
    apps = importlib.import_module("django.apps").apps
    return [config.name for config in apps.get_app_configs()]
