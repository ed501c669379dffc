"""The one place that imports by name, at first use: what most programs that send tasks never need.

Everything else imports at the top of its file. These parts are the exception because each would cost every
``import ignitetasks`` more than all the rest (a web server, an event loop's worth of structlog and rich), or is a
layer above its caller. This file must not grow a part that is needed by every send: that would only move the cost
to the first one.
"""

from __future__ import annotations

import importlib
from typing import Any, Literal

Part = Literal[
    "local_worker",
    "worker_main",
    "bug_report",
    "bar",
    "log_format",
    "exposition",
    "futures",
    "progress",
    "sun",
    "schedule",
    "memory",
    "sender",
    "catalog",
    "django",
    "yaml",
    "pydantic",
    "command_line",
    "asyncio",
    "worker_program",
    "beat_program",
    "zstd",
    "brotli",
    "rdb",
]

_MODULES: dict[Part, str] = {
    # The app is a layer below the worker, whose supervisor, pools and metrics endpoint come with it.
    "local_worker": "ignitetasks.worker.local",
    # The same for commands that run no tasks.
    "worker_main": "ignitetasks.worker.main",
    "worker_program": "ignitetasks.apps.worker",
    "beat_program": "ignitetasks.apps.beat",
    "bug_report": "ignitetasks.worker.report",
    # rich: only where a progress bar is asked for.
    "bar": "ignitetasks.bar",
    # structlog, which imports rich and asyncio: only where this package's log lines are to be formatted.
    "log_format": "ignitetasks.logformat",
    # prometheus_client, which imports http.server and ssl: only where somebody reads the metrics.
    "exposition": "ignitetasks.exposition",
    # asyncio: only where a result is awaited.
    "futures": "ignitetasks.awaiting",
    # The same, only where a coroutine listens to a running task.
    "progress": "ignitetasks.result.progress",
    # ephem: an optional library, only where a solar schedule is made.
    "sun": "ignitetasks.sun",
    # pdb: only where a signal opens a debugger in a worker.
    "rdb": "ignitetasks.contrib.rdb",
    # schedules with their time zones: only where somebody looks at the cluster's periodic tasks.
    "schedule": "ignitetasks.ticks",
    # Only where an app is told to keep everything in this process.
    "memory": "ignitetasks.transport.memory",
    # asyncio: only where a coroutine sends.
    "sender": "ignitetasks.asending",
    # Only where a setting is named that has no meaning here, or is spelled in an old way.
    "catalog": "ignitetasks.migration.catalog",
    # Only in a Django project.
    "django": "ignitetasks.contrib.django.fixup",
    # The command line is a layer above the app, for which it can be run.
    "command_line": "ignitetasks.cli.main",
    # Only where a coroutine is run here.
    "asyncio": "asyncio",
    # zstandard and brotli: optional libraries, only where values are compressed by them.
    "zstd": "ignitetasks.zstdcodec",
    "brotli": "ignitetasks.brotlicodec",
    # PyYAML: an optional library, only where values are sent as YAML.
    "yaml": "ignitetasks.yamlcodec",
    # pydantic: an optional library, only for tasks with pydantic=True.
    "pydantic": "ignitetasks.app.validating",
}


def load(part: Part) -> Any:
    """Imports a part, the first time, and returns its module.

    Args:
        part: Which one.
    """
    return importlib.import_module(_MODULES[part])
