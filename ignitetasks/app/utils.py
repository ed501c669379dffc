"""What a report of a fault says. This file must not change anything."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import Any

from ignitetasks.app.conf import Conf as Settings

__all__ = ["Settings", "appstr", "bugreport"]

_LIBRARIES = ("py4j", "pyignite", "msgpack", "structlog", "tenacity", "click")


def appstr(app: Any) -> str:
    """Returns what tells an app from others in a message."""
    return f"{app.name} at {id(app):#x}"


def bugreport(app: Any) -> str:
    """Returns versions and settings of an app as text; passwords and keys are left out."""
    libraries = " ".join(f"{name}:{_version(name)}" for name in _LIBRARIES)
    settings = app.settings
    where = f"cluster {','.join(settings.cluster)}" if settings.cluster else f"data_dir {settings.data_dir}"
    lines = [
        f"software -> ignitetasks:{_version('ignitetasks')} py:{platform.python_version()}",
        f"            {libraries}",
        f"platform -> system:{platform.system()} arch:{platform.machine()} kernel:{platform.release()}",
        f"            imp:{platform.python_implementation()} executable:{sys.executable}",
        f"app      -> {app.name} tasks:{len(app.tasks.regular())}",
        f"settings -> {where} durability:{settings.effective_durability} namespace:{settings.namespace}",
        "",
        app.conf.humanize(),
    ]
    return "\n".join(lines) + "\n"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "not installed"
