"""Every setting that has a meaning here: its name, its default, and what it may be.

Names are those of Celery; what became of its other settings stands in the catalogue (``migration/settings.py``). This
file must not read or keep any value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import timedelta, tzinfo
from typing import Any

from ignitetasks import rates
from ignitetasks.compression import COMPRESSIONS, missing
from ignitetasks.config import Settings
from ignitetasks.encodings import OWN as ENCODINGS
from ignitetasks.encodings import is_known, name_of

__all__ = ["DEFAULTS", "FIELDS", "INERT", "OWN", "RULES"]

#: What has a value although nobody set it.
DEFAULTS: Mapping[str, Any] = {
    "accept_content": ("msgpack", "json"),
    "beat_cron_starting_deadline": None,
    "beat_gid": None,
    "beat_logfile": None,
    "beat_max_loop_interval": 0,
    "beat_pidfile": None,
    "beat_schedule": {},
    "beat_scheduler": "ignitetasks.beat:PersistentScheduler",
    "beat_sync_every": 0,
    "beat_uid": None,
    "beat_umask": None,
    "enable_utc": True,
    "imports": (),
    "include": (),
    "result_accept_content": None,
    "result_compression": None,
    "result_expires": timedelta(days=1),
    "result_extended": False,
    "result_persistent": True,
    "result_serializer": "msgpack",
    "task_acks_late": True,
    "task_allow_error_cb_on_chord_header": False,
    "task_always_eager": False,
    "task_annotations": None,
    "task_compression": None,
    "task_create_missing_queues": True,
    "task_default_priority": None,
    "task_default_queue": Settings.default_queue,
    "task_default_rate_limit": None,
    "task_eager_propagates": False,
    "task_ignore_result": False,
    "task_inherit_parent_priority": False,
    "task_publish_retry": True,
    "task_publish_retry_policy": None,
    "task_queues": None,
    "task_reject_on_worker_lost": None,
    "task_remote_tracebacks": True,
    "task_retry_on_worker_lost": None,
    "task_routes": None,
    "task_send_sent_event": False,
    "task_serializer": "msgpack",
    "task_soft_time_limit": None,
    "task_store_eager_result": False,
    "task_store_errors_even_if_ignored": False,
    "task_time_limit": None,
    "task_track_started": False,
    "timezone": None,
    "worker_autoscaler": "ignitetasks.worker.autoscale:Autoscaler",
    "worker_concurrency": None,
    "worker_deduplicate_successful_tasks": True,
    "worker_disable_prefetch": False,
    "worker_disable_rate_limits": False,
    "worker_enable_remote_control": True,
    "worker_gid": None,
    "worker_hijack_root_logger": True,
    "worker_log_color": None,
    "worker_log_datefmt": None,
    "worker_log_format": None,
    "worker_logfile": None,
    "worker_max_memory_per_child": None,
    "worker_max_tasks_per_child": None,
    "worker_pidfile": None,
    "worker_pool": "prefork",
    "worker_pool_restarts": True,
    "worker_prefetch_multiplier": 4,
    "worker_redirect_stdouts": True,
    "worker_redirect_stdouts_level": "WARNING",
    "worker_send_task_events": False,
    "worker_soft_shutdown_timeout": 0.0,
    "worker_task_log_datefmt": None,
    "worker_task_log_format": None,
    "worker_uid": None,
    "worker_umask": None,
}

#: What programs read of settings that switch nothing here, where nobody set them; of any other such it is None.
INERT: Mapping[str, Any] = {
    "broker_transport_options": {},
    "result_backend_transport_options": {},
    "task_protocol": 2,
}

#: Settings of this package's own that have another name here.
FIELDS: Mapping[str, str] = {
    "accept_content": "accept_content",
    "result_accept_content": "result_accept_content",
    "result_compression": "result_compression",
    "result_expires": "result_expires_seconds",
    "result_serializer": "result_serializer",
    "task_default_queue": "default_queue",
    "task_serializer": "task_serializer",
}
_FIELD_NAMES = {field: name for name, field in FIELDS.items()}
#: Settings of this package's own, by the name they have in ``app.conf``.
OWN: Mapping[str, str] = {_FIELD_NAMES.get(one.name, one.name): one.name for one in fields(Settings)}

_Rule = tuple[Callable[[Any], bool], str]


def _optional(rule: _Rule) -> _Rule:
    return lambda value: value is None or rule[0](value), f"None or {rule[1]}"


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0


_BOOL: _Rule = (lambda value: isinstance(value, bool), "True or False")
_COUNT: _Rule = (lambda value: isinstance(value, int) and _is_number(value), "a whole number from 0")
_SECONDS: _Rule = (lambda value: _is_number(value) or isinstance(value, timedelta), "a number of seconds")
_TEXT: _Rule = (lambda value: isinstance(value, str), "a text")
_MAP: _Rule = (lambda value: isinstance(value, Mapping), "a map")
_NAMES: _Rule = (lambda value: isinstance(value, (list, tuple, set, frozenset, str)), "a list of names")
_CODEC: _Rule = (
    lambda value: is_known(name_of(value)),
    f"one of {list(ENCODINGS)}, or one registered with ignitetasks.serializers.register",
)
_COMPRESSION: _Rule = (
    lambda value: value is None or (value in COMPRESSIONS and missing(value) is None),
    f"None or one of {sorted(COMPRESSIONS)} (zstd and brotli where zstandard and brotli are installed)",
)

#: What a value may be, where not everything is allowed.
RULES: Mapping[str, _Rule] = {
    **{name: _BOOL for name, default in DEFAULTS.items() if isinstance(default, bool)},
    **dict.fromkeys(("imports", "include"), _NAMES),
    **dict.fromkeys(("task_serializer", "result_serializer"), _CODEC),
    **dict.fromkeys(("task_compression", "result_compression"), _COMPRESSION),
    **dict.fromkeys(("task_soft_time_limit", "task_time_limit", "result_expires"), _optional(_SECONDS)),
    **dict.fromkeys(("worker_max_memory_per_child", "worker_max_tasks_per_child"), _optional(_COUNT)),
    "accept_content": _NAMES,
    "beat_schedule": _MAP,
    "result_accept_content": _optional(_NAMES),
    "result_persistent": _optional(_BOOL),
    "task_default_priority": _optional(_COUNT),
    "task_default_rate_limit": (
        rates.is_rate,
        "such as '10/s', '10/m', '1/h', a number a second, or None",
    ),
    "task_publish_retry_policy": _optional(_MAP),
    "task_reject_on_worker_lost": _optional(_BOOL),
    "task_retry_on_worker_lost": _optional(_BOOL),
    "timezone": (lambda value: value is None or isinstance(value, (str, tzinfo)), "a name such as 'Europe/Berlin'"),
    "worker_autoscaler": (lambda value: isinstance(value, (str, type)), "a class, or its name"),
    "worker_concurrency": (
        lambda value: value is None or value == "auto" or (isinstance(value, int) and value >= 0),
        "None or a whole number",
    ),
    "worker_pool": _TEXT,
    "worker_prefetch_multiplier": _COUNT,
    "worker_soft_shutdown_timeout": _SECONDS,
}
