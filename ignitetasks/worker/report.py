"""What an application is, for bug reports and ``inspect conf``: versions and settings, with secrets hidden.

This file must not ask a node, and must not show a secret.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Mapping
from typing import Any, Final

from ignitetasks import jvm

_SECRETS: Final = ("key", "pass", "secret", "token", "api")


def bug_report(app: Any) -> str:
    """Returns a few lines that a bug report needs: versions, platform, settings without secrets."""
    own: Callable[[], str] | None = getattr(app, "bugreport", None)
    if own is not None:
        return own()
    facts = {
        "software": f"ignitetasks:{jvm.VERSION} python:{platform.python_version()}",
        "platform": f"{platform.system()} {platform.release()} {platform.machine()}",
        "app": f"{app.name} ({len(app.tasks)} tasks)",
        "settings": "",
    }
    lines = [f"{name} -> {value}" for name, value in facts.items()]
    return "\n".join([*lines, *(f"  {name}: {value!r}" for name, value in settings_of(app, False).items())])


def settings_of(app: Any, with_defaults: bool) -> dict[str, Any]:
    """Returns an application's settings by name, those that look like a secret hidden.

    Args:
        app: The application.
        with_defaults: Also those that nobody has set.
    """
    table: Any = getattr(getattr(app, "conf", None), "table", None)
    if table is not None:
        found: Mapping[str, Any] = table(with_defaults=with_defaults)
    else:
        settings, plain = app.settings, type(app.settings)()
        names = settings.__dataclass_fields__
        found = {
            name: getattr(settings, name)
            for name in names
            if with_defaults or getattr(settings, name) != getattr(plain, name)
        }
    return {name: _masked(name, value) for name, value in found.items() if not name.startswith("__")}


def _masked(name: str, value: Any) -> Any:
    if value and any(word in name.lower() for word in _SECRETS) and not isinstance(value, (bool, int, float)):
        return "********"
    return value if isinstance(value, (str, int, float, bool, list, tuple, dict, type(None))) else str(value)
