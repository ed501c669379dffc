"""Imports what an application names: task modules of packages, configuration objects, symbols by their text.

This file must not know tasks or settings.
"""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import Any

from ignitetasks.errors import ConfigurationError
from ignitetasks.utils import imports

__all__ = ["autodiscover", "find_related_module", "get_loader_cls", "import_module", "symbol_by_name"]

_LOADERS = {"app": "ignitetasks.loaders.app:AppLoader", "default": "ignitetasks.loaders.app:AppLoader"}


def import_module(name: str) -> ModuleType:
    """Imports a module by name."""
    return importlib.import_module(name)


def find_related_module(package: str, related_name: str | None) -> ModuleType | None:
    """Imports the module of a name inside a package.

    Args:
        package: The package; a text such as ``app.apps.AppConfig`` stands for the package of that class.
        related_name: Name of the module; empty or None for the package itself.

    Returns:
        The module; None when there is none. An error inside it is raised.
    """
    try:
        found = importlib.import_module(package)
    except ModuleNotFoundError as error:
        parent = package.rpartition(".")[0]
        if not parent or not _is_about(error, package):
            raise
        return find_related_module(parent, related_name)
    if not related_name:
        return found
    whole = f"{package}.{related_name}"
    try:
        if importlib.util.find_spec(whole) is None:
            return None
    except ModuleNotFoundError:
        return None  # the package is a plain module
    return importlib.import_module(whole)


def _is_about(error: ModuleNotFoundError, name: str) -> bool:
    """Tells whether the missing module is the one that was asked for, and not one that it imports."""
    missing = error.name or ""
    return name == missing or name.startswith(f"{missing}.") or missing.startswith(name)


def autodiscover(
    packages: Iterable[str] | Callable[[], Iterable[str]], related_name: str | None = "tasks"
) -> list[ModuleType]:
    """Imports the task modules of packages.

    Args:
        packages: Their names, or a function that returns these.
        related_name: Name of the module in each.

    Returns:
        The modules that there are.
    """
    names = packages() if callable(packages) else packages
    found = (find_related_module(package, related_name) for package in names)
    return [module for module in found if module is not None]


def symbol_by_name(name: Any, aliases: dict[str, str] | None = None, package: str | None = None) -> Any:
    """Returns what a dotted text names: ``module.Class`` or ``module:Class``; anything else is returned as it is.

    Raises:
        ConfigurationError: There is nothing of this name.
    """
    try:
        return imports.symbol_by_name(name, aliases, package=package)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigurationError(f"{name!r} names nothing that can be imported: {error}") from error


def get_loader_cls(loader: Any) -> Any:
    """Returns the class of a loader, by the class, its text, or ``app``.

    Raises:
        ConfigurationError: There is nothing of this name.
    """
    return symbol_by_name(loader, _LOADERS)


def symbols(value: Any) -> Sequence[Any]:
    """Returns one value or several as a list, texts among them imported."""
    if value is None:
        return []
    many = value if isinstance(value, (list, tuple)) else [value]
    return [symbol_by_name(one) for one in many]
