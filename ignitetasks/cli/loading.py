"""Finds the application that ``-A module[:attribute]`` names, and says what is wrong when there is none.

Must not create applications or guess between several.
"""

from __future__ import annotations

import importlib
import os
import sys
import traceback
from types import ModuleType

from ignitetasks.app import IgniteTasks
from ignitetasks.errors import ConfigurationError


def load_app(place: str) -> IgniteTasks:
    """Imports a module and finds its application; the current folder is on the path.

    Args:
        place: ``module`` with exactly one application in it, or ``module:attribute``.

    Returns:
        The application.

    Raises:
        ConfigurationError: The module cannot be imported (its own error is named), or has no application, or several.
    """
    name, _, attribute = place.partition(":")
    if not name or name.endswith(".py") or "/" in name:
        suggestion = os.path.splitext(name.replace("/", "."))[0].strip(".") or "tasks"
        raise ConfigurationError(f"-A takes a module, not {place!r}: for example -A {suggestion}")
    if "" not in sys.path and os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    module = _import(name)
    return _named(module, attribute) if attribute else _only(module)


def _import(name: str) -> ModuleType:
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
    if len({id(app) for app in found.values()}) == 1:
        return next(iter(found.values()))
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
