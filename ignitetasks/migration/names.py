"""Whether a name of Celery's is here: asked of this package itself, so that the answer is never out of date.

Only modules of this package are imported, never those of the project that is read.
"""

from __future__ import annotations

import functools
import importlib
from typing import Any

from ignitetasks.migration.catalog import find
from ignitetasks.migration.entry import Entry, Kind
from ignitetasks.migration.finding import Level

_UNDOCUMENTED = "is not part of what Celery documents, and not here; find the documented way to what it is used for."
#: What tests replace in the package itself, as in ``mock.patch("celery.Celery.send_task")``.
_TOP = frozenset(
    {"Celery", "Task", "current_app", "current_task", "shared_task", "signature", "group", "chain", "chord"}
)
#: Names of packages beside Celery that are here under the same name.
_HOMES = {
    "kombu": {
        "Exchange": "ignitetasks.app.queues",
        "Queue": "ignitetasks.app.queues",
        "binding": "ignitetasks.app.queues",
        "register": "ignitetasks.serializers",
        "unregister": "ignitetasks.serializers",
        "DecodeError": "ignitetasks.exceptions",
        "EncodeError": "ignitetasks.exceptions",
        "OperationalError": "ignitetasks.exceptions",
        "SerializationError": "ignitetasks.exceptions",
        "uuid": "ignitetasks.utils",
    },
    "billiard": {
        "ExceptionInfo": "ignitetasks.failure",
        "SoftTimeLimitExceeded": "ignitetasks.exceptions",
        "Terminated": "ignitetasks.exceptions",
        "TimeLimitExceeded": "ignitetasks.exceptions",
        "WorkerLostError": "ignitetasks.exceptions",
    },
}


def module_fate(module: str) -> tuple[Level, str]:
    """Tells what an import of one of Celery's modules becomes.

    Args:
        module: Dotted name that starts with ``celery``.

    Returns:
        The level, and what to do.
    """
    gone = parent_entry("module", module)
    if gone is not None and gone.verdict == "gone":
        return "gone", gone.text
    if _module(module) is not None:
        return "rename", ""
    return "hand", f"{module} {_UNDOCUMENTED}"


def name_fate(module: str, name: str) -> tuple[Level, str]:
    """Tells what ``from module import name`` becomes.

    Args:
        module: Dotted name that starts with ``celery``.
        name: The imported name, or ``*``.
    """
    inner = f"{module}.{name}"
    entry = find("module", inner)
    if entry is not None:
        return module_fate(inner)
    if inner == "celery.__version__":
        return "hand", "This package has versions of its own: VERSION says which interface of Celery's is here."
    level, text = module_fate(module)
    if level != "rename" or name == "*":
        return level, text
    signal = find("signal", name)
    if module == "celery.signals" and signal is not None and signal.verdict == "gone":
        return "gone", signal.text
    home = _module(module)
    try:
        getattr(home, name)
    except AttributeError:
        return ("rename", "") if _module(inner) is not None else ("hand", f"{inner} {_UNDOCUMENTED}")
    except Exception as error:  # names without a meaning here say what to use instead
        return "gone", str(error)
    return "rename", ""


def text_fate(dotted: str) -> tuple[Level, str]:
    """Tells what a text that names a module of Celery's, or something in it, becomes.

    Args:
        dotted: The text; it starts with ``celery.``.

    Returns:
        The level, and what to do; ``rename`` where the same place exists here.
    """
    level, text = module_fate(dotted)
    if level == "gone":
        return level, text
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        found = _module(".".join(parts[:end]))
        if found is None:
            continue
        try:
            for name in parts[end:]:
                found = getattr(found, name)
        except AttributeError:
            break
        except Exception as error:  # names without a meaning here say what to use instead
            return "gone", str(error)
        return "rename", ""
    return "hand", f"{dotted} {_UNDOCUMENTED}"


def is_place(dotted: str) -> bool:
    """Tells whether a text names a module of Celery's, or something in it: file names and loggers begin so, too.

    Args:
        dotted: The text; it starts with ``celery.``.
    """
    return parent_entry("module", dotted) is not None or dotted.split(".")[1] in _TOP


def package_entry(module: str) -> Entry | None:
    """Returns the entry of a package beside Celery that a module belongs to."""
    return parent_entry("package", module)


def beside_text(package: Entry, name: str) -> str:
    """Returns what to do about one name of a package beside Celery."""
    home = _HOMES.get(package.name, {}).get(name)
    return f"Import {name} from {home}." if home and hasattr(_module_named(home), name) else package.text


def parent_entry(kind: Kind, name: str) -> Entry | None:
    """Returns the entry of a dotted name, or of the nearest package around it; ``celery`` itself stands for nothing."""
    while name:
        entry = find(kind, name)
        if entry is not None:
            return entry if name != "celery" else None
        name = name.rpartition(".")[0]
    return None


def _module(name: str) -> object | None:
    return _module_named("ignitetasks" + name.removeprefix("celery"))


@functools.cache
def _module_named(name: str) -> object | None:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        return None if (error.name or "").startswith("ignitetasks") else _Unread()


class _Unread:
    """A module whose library is not installed here: nobody can say that it lacks a name."""

    def __getattr__(self, name: str) -> Any:
        return None
