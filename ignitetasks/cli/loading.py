"""Finds the application that ``-A module[:attribute]`` names, and says what is wrong when there is none.

Where only a module is named: its attribute ``app`` or ``celery``, else the only application in it, else the same in
its submodule ``celery``. Must not create applications or guess between several.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from types import ModuleType

from ignitetasks.app import IgniteTasks
from ignitetasks.errors import ConfigurationError

#: Stands where a place would, for the application that runs the command line itself.
GIVEN = "@"
given: list[IgniteTasks] = []


def load_app(place: str) -> IgniteTasks:
    """Imports a module and finds its application; the current folder is on the path.

    Args:
        place: ``module`` with exactly one application in it, or ``module:attribute``.

    Returns:
        The application.

    Raises:
        ConfigurationError: The module cannot be imported (its own error is named), or has no application, or several.
    """
    if place == GIVEN and given:
        return given[-1]
    name, _, attribute = place.partition(":")
    if not name or name.endswith(".py") or "/" in name:
        suggestion = os.path.splitext(name.replace("/", "."))[0].strip(".") or "tasks"
        raise ConfigurationError(f"-A takes a module, not {place!r}: for example -A {suggestion}")
    find_here()
    module, attribute = _find(name, attribute)
    return _named(module, attribute) if attribute else _only(module)


def default_app() -> IgniteTasks:
    """Returns the application of a command line that names settings alone: its tasks are in the modules of these."""
    find_here()
    app = IgniteTasks("default", set_as_current=False)
    app.set_default()
    return app


def find_here() -> None:
    """Puts the current folder on the path."""
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())


def _find(name: str, attribute: str) -> tuple[ModuleType, str]:
    """Imports what a dotted name begins with: ``-A web.celery`` may mean the name ``celery`` in ``web.py``."""
    try:
        return import_module(name), attribute
    except ConfigurationError:
        parent, _, last = name.rpartition(".")
        if attribute or not parent or not _is_attribute(parent, last):
            raise
        return import_module(parent), last


def _is_attribute(parent: str, name: str) -> bool:
    try:
        return isinstance(getattr(import_module(parent), name, None), IgniteTasks)
    except ConfigurationError:
        return False


def import_module(name: str) -> ModuleType:
    """Imports a module of the user's.

    Args:
        name: Its name.

    Raises:
        ConfigurationError: It cannot be imported; says why and where.
    """
    try:
        return importlib.import_module(name)
    except KeyboardInterrupt:
        raise
    except ModuleNotFoundError as error:
        missing = error.name or ""
        if name == missing or name.startswith(missing + "."):
            raise ConfigurationError(
                f"there is no module {name} in {os.getcwd()} or on the Python path: "
                "start the command in the folder that holds it, or name another with -A"
            ) from error
        raise ConfigurationError(f"{name} cannot be imported: {_words(error)}") from error
    except BaseException as error:  # also SystemExit: a script without its __main__ guard
        raise ConfigurationError(f"{name} cannot be imported: {_words(error)}") from error


def _words(error: BaseException) -> str:
    """Says what happened and where, in the user's own code."""
    if isinstance(error, SyntaxError):
        return f"{type(error).__name__}: {error.msg} ({error.filename}, line {error.lineno})"
    words = traceback.format_exception_only(type(error), error)[-1].strip()
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and "importlib" not in frame.filename
    ]
    return f"{words} ({frames[-1].filename}, line {frames[-1].lineno})" if frames else words


def _named(module: ModuleType, attribute: str) -> IgniteTasks:
    value: object = module
    for part in attribute.split("."):
        if not hasattr(value, part):
            raise ConfigurationError(f"{module.__name__} has no {attribute!r}{_choices(module)}")
        value = getattr(value, part)
    if not isinstance(value, IgniteTasks):
        raise ConfigurationError(
            f"{module.__name__}:{attribute} is a {type(value).__name__}, not an IgniteTasks application"
            f"{_choices(module)}"
        )
    return value


def _only(module: ModuleType) -> IgniteTasks:
    found = _applications(module)
    for name in ("app", "celery"):
        if name in found:
            return found[name]
    if len({id(app) for app in found.values()}) == 1:
        return next(iter(found.values()))
    inner = f"{module.__name__}.celery"
    if not found and hasattr(module, "__path__") and importlib.util.find_spec(inner) is not None:
        return _only(import_module(inner))
    if not found:
        raise ConfigurationError(
            f"{module.__name__} ({module.__file__}) has no application: "
            'make one at its top level with app = IgniteTasks("name")'
        )
    places = " or ".join(f"-A {module.__name__}:{attribute}" for attribute in found)
    raise ConfigurationError(f"{module.__name__} has {len(found)} applications; name the one you mean: {places}")


def _applications(module: ModuleType) -> dict[str, IgniteTasks]:
    return {name: value for name, value in vars(module).items() if isinstance(value, IgniteTasks)}


def _choices(module: ModuleType) -> str:
    places = ", ".join(f"{module.__name__}:{attribute}" for attribute in _applications(module))
    return f"; it has {places}" if places else ""
