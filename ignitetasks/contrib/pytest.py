"""The pytest plugin under Celery's module name: ``pytest_plugins = ("ignitetasks.contrib.pytest",)``.

Needed only where the package is not installed: an installed one brings the plugin along. This file must not define
a fixture of its own.
"""

from __future__ import annotations

from pytest_ignitetasks import (
    celery_app,
    celery_class_tasks,
    celery_config,
    celery_enable_logging,
    celery_includes,
    celery_parameters,
    celery_session_app,
    celery_session_worker,
    celery_worker,
    celery_worker_parameters,
    celery_worker_pool,
    depends_on_current_app,
    ignitetasks_app,
    ignitetasks_class_tasks,
    ignitetasks_config,
    ignitetasks_enable_logging,
    ignitetasks_includes,
    ignitetasks_parameters,
    ignitetasks_session_app,
    ignitetasks_session_worker,
    ignitetasks_worker,
    ignitetasks_worker_parameters,
    ignitetasks_worker_pool,
    pytest_configure,
    use_celery_app_trap,
    use_ignitetasks_app_trap,
)

__all__ = [
    "celery_app",
    "celery_class_tasks",
    "celery_config",
    "celery_enable_logging",
    "celery_includes",
    "celery_parameters",
    "celery_session_app",
    "celery_session_worker",
    "celery_worker",
    "celery_worker_parameters",
    "celery_worker_pool",
    "depends_on_current_app",
    "ignitetasks_app",
    "ignitetasks_class_tasks",
    "ignitetasks_config",
    "ignitetasks_enable_logging",
    "ignitetasks_includes",
    "ignitetasks_parameters",
    "ignitetasks_session_app",
    "ignitetasks_session_worker",
    "ignitetasks_worker",
    "ignitetasks_worker_parameters",
    "ignitetasks_worker_pool",
    "pytest_configure",
    "use_celery_app_trap",
    "use_ignitetasks_app_trap",
]
