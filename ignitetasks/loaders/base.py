"""`BaseLoader`: what imports the modules of an application, and is told of the life of its workers.

``app.loader`` is one. This file must not know tasks or settings, but as its application names them.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from types import ModuleType
from typing import Any

from ignitetasks.loaders import autodiscover
from ignitetasks.utils import imports

__all__ = ["BaseLoader"]


class BaseLoader:
    """Imports the modules of an application; a class of your own may override how, and the methods ``on_...``.

    Args:
        app: The application.
        **kwargs: Taken for Celery's sake.

    Attributes:
        app: The application.
        task_modules: Names of the modules imported for their tasks.
        worker_initialized: Whether a worker has begun here.
        told_by: What tells it of runs.
    """

    #: Modules that are imported before those of the settings.
    builtin_modules: frozenset[str] = frozenset()

    def __init__(self, app: Any, **kwargs: Any) -> None:
        self.app = app
        self.task_modules: set[str] = set()
        self.worker_initialized = False
        self.told_by: Any = None

    # -- to be overridden -----------------------------------------------------------------------------------------

    def on_task_init(self, task_id: str, task: Any) -> None:
        """Called before each run of a task."""

    def on_process_cleanup(self) -> None:
        """Called after each run of a task."""

    def on_worker_init(self) -> None:
        """Called when a worker starts, after the imports."""

    def on_worker_process_init(self) -> None:
        """Called when a worker's child starts."""

    def on_worker_shutdown(self) -> None:
        """Called when a worker has stopped."""

    # -- settings and time ----------------------------------------------------------------------------------------

    @property
    def conf(self) -> Any:
        """The application's settings."""
        return self.app.conf

    @property
    def configured(self) -> bool:
        """Whether the configuration object was read."""
        return bool(self.app.configured)

    def now(self, utc: bool = True) -> datetime:
        """Returns the time, with its zone where it is UTC."""
        return datetime.now(timezone.utc) if utc else datetime.now()

    # -- imports --------------------------------------------------------------------------------------------------

    @property
    def default_modules(self) -> tuple[str, ...]:
        """Modules that a worker imports: those of ``imports`` and ``include``."""
        conf = self.app.conf
        return (*self.builtin_modules, *conf.imports, *conf.include)

    def import_module(self, module: str, package: str | None = None) -> ModuleType:
        """Imports a module by name."""
        return importlib.import_module(module, package)

    def import_from_cwd(
        self, module: str, imp: Callable[..., ModuleType] | None = None, package: str | None = None
    ) -> ModuleType:
        """Imports a module, also from the working directory."""
        with imports.cwd_in_path():
            return (imp or self.import_module)(module, package=package)

    def import_task_module(self, module: str) -> ModuleType:
        """Imports a module for its tasks."""
        self.task_modules.add(module)
        return self.import_from_cwd(module)

    def import_default_modules(self) -> list[ModuleType]:
        """Imports what the settings name, and what `autodiscover_tasks` waits to find; sends ``import_modules``."""
        found: list[ModuleType] = self.app.import_tasks()
        return found

    def find_module(self, module: str) -> Any:
        """Returns where a module is, or None."""
        with imports.cwd_in_path():
            return importlib.util.find_spec(module)

    def autodiscover_tasks(
        self, packages: Iterable[str] | Callable[[], Iterable[str]], related_name: str | None = "tasks"
    ) -> list[ModuleType]:
        """Imports the task modules of packages now, and returns those that there are."""
        found = autodiscover(packages, related_name)
        self.task_modules.update(module.__name__ for module in found)
        return found

    # -- the life of a worker -------------------------------------------------------------------------------------

    def init_worker(self) -> None:
        """Makes ready for a worker, the first time: imports, then `on_worker_init`."""
        if not self.worker_initialized:
            self.worker_initialized = True
            self.app.prepare()
            self.on_worker_init()

    def shutdown_worker(self) -> None:
        """Calls `on_worker_shutdown`."""
        self.on_worker_shutdown()

    def init_worker_process(self) -> None:
        """Calls `on_worker_process_init`."""
        self.on_worker_process_init()
