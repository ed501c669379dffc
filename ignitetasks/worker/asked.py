"""What a worker is asked to be, completed from the settings of its application.

This file must not start anything, or check values: ``make_plan`` does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from ignitetasks.errors import ConfigurationError
from ignitetasks.utils.cpus import usable_cpus

#: What is asked of a worker, and the setting that says it where nobody does.
_FROM_SETTINGS: Final = {
    "pool": "worker_pool",
    "concurrency": "worker_concurrency",
    "max_tasks_per_child": "worker_max_tasks_per_child",
    "max_memory_per_child": "worker_max_memory_per_child",
    "soft_time_limit": "task_soft_time_limit",
    "time_limit": "task_time_limit",
}


def setting(app: Any, name: str) -> Any:
    """Return one of Celery's settings of an application, or None."""
    return getattr(getattr(app, "conf", None), name, None)


def complete(app: Any, given: dict[str, Any]) -> None:
    """Fill in from the application's settings what nobody says.

    Args:
        app: The application.
        given: Arguments of ``make_plan``; changed in place.
    """
    for name, key in _FROM_SETTINGS.items():
        if given.get(name) is None:
            given[name] = setting(app, key)
    given["pool"] = given["pool"] or "prefork"
    if given["concurrency"] == "auto":
        # Processes are as many as can be kept busy; threads and coroutines mostly wait.
        given["concurrency"] = usable_cpus() if given["pool"] == "prefork" else None
    given["concurrency"] = given["concurrency"] or None  # 0, as settings for Celery have it, is no number of one's own
    given["events"] = bool(given.get("events") or setting(app, "worker_send_task_events"))
    if given["pool"] == "solo" and given["concurrency"] == setting(app, "worker_concurrency"):
        given["concurrency"] = 1
    if given.get("queues") is None:
        given["queues"] = listened(app)


def listened(app: Any) -> list[str]:
    """Return the queues a worker of an application listens to by default: those it declares, or its default one."""
    chosen = getattr(getattr(getattr(app, "amqp", None), "queues", None), "chosen", None)
    if chosen is not None:
        return list(chosen)
    declared = setting(app, "task_queues") or ()
    names = [getattr(one, "name", one) for one in declared]
    return [str(name) for name in names] or [app.settings.default_queue]


def without(app: Any, chosen: Sequence[str] | None, excluded: Sequence[str] | None) -> list[str] | None:
    """Return the queues that are left, or None where nobody says anything about queues.

    Args:
        app: The application.
        chosen: Names of queues to listen to; None for those of `listened`.
        excluded: Names of queues not to listen to.

    Raises:
        ConfigurationError: None is left.
    """
    if not excluded:
        return None if chosen is None else list(chosen)
    left = [name for name in chosen or listened(app) if name not in excluded]
    if not left:
        raise ConfigurationError(f"-X {','.join(excluded)} leaves no queue to take tasks from")
    return left


def prefetch(app: Any, multiplier: int | None) -> int | None:
    """Return the bound somebody set; the default of the setting is none."""
    if setting(app, "worker_disable_prefetch"):
        return 1
    if multiplier is None and app.conf.value_set_for("worker_prefetch_multiplier"):
        return app.conf.worker_prefetch_multiplier  # type: ignore[no-any-return]
    return multiplier
