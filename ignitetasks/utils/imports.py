"""Names to objects and back, as programs written for Celery import them. This file must not know tasks or apps."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Any

__all__ = [
    "cwd_in_path",
    "find_module",
    "gen_task_name",
    "import_from_cwd",
    "instantiate",
    "qualname",
    "symbol_by_name",
]


def qualname(obj: Any) -> str:
    """Returns module and name of a class or function, or of the class of any other object."""
    named = obj if hasattr(obj, "__name__") else type(obj)
    return f"{named.__module__}.{getattr(named, '__qualname__', named.__name__)}"


def symbol_by_name(
    name: Any, aliases: dict[str, str] | None = None, default: Any = None, package: str | None = None, **_: Any
) -> Any:
    """Returns what a dotted name (``package.module.name`` or ``package.module:name``) stands for.

    Args:
        name: The name; anything but a text is returned as it is.
        aliases: Names for names.
        default: Returned where there is no such module or name; None raises instead.
        package: Where a name that begins with a dot is looked for.

    Raises:
        ImportError: There is no such module.
        AttributeError: There is no such name in it.
    """
    if not isinstance(name, str):
        return name
    name = (aliases or {}).get(name) or name
    module, colon, attribute = name.partition(":")
    if not colon:
        module, _, attribute = name.rpartition(".")
    try:
        if not module:
            return importlib.import_module(attribute, package)
        found: Any = importlib.import_module(module, package)
        for part in attribute.split("."):
            found = getattr(found, part)
        return found
    except (ImportError, AttributeError):
        if default is None:
            raise
        return default


def instantiate(name: Any, *args: Any, **kwargs: Any) -> Any:
    """Calls the class or function that a name stands for."""
    return symbol_by_name(name)(*args, **kwargs)


@contextmanager
def cwd_in_path() -> Iterator[None]:
    """Lets modules of the working directory be imported inside the block."""
    folder = os.getcwd()
    if folder in sys.path:
        yield
        return
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        if folder in sys.path:
            sys.path.remove(folder)


def import_from_cwd(
    module: str, imp: Callable[..., ModuleType] | None = None, package: str | None = None
) -> ModuleType:
    """Imports a module, also from the working directory.

    Args:
        module: Its name.
        imp: What imports it in place of Python's own.
        package: Where a name that begins with a dot is looked for.
    """
    with cwd_in_path():
        return (imp or importlib.import_module)(module, package=package)


def find_module(module: str, path: Any = None, imp: Any = None) -> Any:
    """Returns where a module is, also one of the working directory, or None."""
    with cwd_in_path():
        try:
            return importlib.util.find_spec(module)
        except ModuleNotFoundError:
            return None


def gen_task_name(app: Any, name: str, module_name: str) -> str:
    """Returns the name of a task by the names of its function and module."""
    found: str = app.gen_task_name(name, module_name)
    return found
