"""The catalogue of Celery's public interface: looking a name up, and the older spellings of settings.

The lines are in `settings`, `calls`, `modules` and `surroundings`; this file must not hold any.
"""

from __future__ import annotations

import difflib

from ignitetasks.migration.calls import CALLS
from ignitetasks.migration.entry import Entry, Kind
from ignitetasks.migration.members import MEMBERS
from ignitetasks.migration.settings import SETTINGS
from ignitetasks.migration.surroundings import SURROUNDINGS
from ignitetasks.migration.variables import VARIABLES

ENTRIES: tuple[Entry, ...] = (*SETTINGS, *CALLS, *MEMBERS, *SURROUNDINGS, *VARIABLES)

_BY_NAME: dict[tuple[Kind, str], Entry] = {(entry.kind, entry.name): entry for entry in ENTRIES}

# Old names that do not follow from the new one by its prefix.
_IRREGULAR = {
    "CASSANDRA_COLUMN_FAMILY": "cassandra_table",
    "CELERY_EAGER_PROPAGATES_EXCEPTIONS": "task_eager_propagates",
    "CELERY_MAX_CACHED_RESULTS": "result_cache_max",
    "CELERY_MESSAGE_COMPRESSION": "task_compression",
    "CELERY_RESULT_DBURI": "database_url",
    "CELERY_RESULT_DB_SHORT_LIVED_SESSIONS": "database_short_lived_sessions",
    "CELERY_RESULT_DB_TABLENAMES": "database_table_names",
    "CELERY_RESULT_ENGINE_OPTIONS": "database_engine_options",
    "CELERY_SEND_EVENTS": "worker_send_task_events",
    "CELERY_SEND_TASK_SENT_EVENT": "task_send_sent_event",
    "CELERY_TASK_RESULT_EXPIRES": "result_expires",
    "CELERYD_WORKER_LOST_WAIT": "worker_lost_wait",
}
_SHORT = {"task_": ("CELERY_", "CELERYD_"), "worker_": ("CELERYD_", "CELERY_"), "beat_": ("CELERYBEAT_",)}


def find(kind: Kind, name: str) -> Entry | None:
    """Returns the entry of a name as Celery writes it, or None when Celery documents no such name."""
    return _BY_NAME.get((kind, name))


def setting_named(name: str) -> Entry | None:
    """Returns the entry of a setting by any of its spellings.

    Args:
        name: ``task_acks_late``, its upper-case form, Django's ``CELERY_TASK_ACKS_LATE``, or a name of the time
            before lower-case settings (``CELERYD_CONCURRENCY``, ``BROKER_URL``).

    Returns:
        The entry, whose name is the present one; None when no setting has such a name.
    """
    return _BY_NAME.get(("setting", name)) or _BY_NAME.get(("setting", _OLD_NAMES.get(name, "")))


def setting_near(name: str) -> str | None:
    """Returns the name of the setting that a name comes near to, where there is one."""
    close = difflib.get_close_matches(name.lower().removeprefix("celery_"), [one.name for one in SETTINGS], 1, 0.8)
    return close[0] if close else None


def _old_names() -> dict[str, str]:
    names: dict[str, str] = {}
    for entry in SETTINGS:
        full = entry.name.upper()
        for old in (full, f"CELERY_{full}", f"CELERYD_{full}"):
            names.setdefault(old, entry.name)
    # After the full names, so that a full name is never taken for the short one of another setting.
    for entry in SETTINGS:
        for prefix, starts in _SHORT.items():
            if entry.name.startswith(prefix):
                for start in starts:
                    names.setdefault(start + entry.name.removeprefix(prefix).upper(), entry.name)
    return names | _IRREGULAR


_OLD_NAMES = _old_names()
