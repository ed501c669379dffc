"""The pytest plugin: fixtures for applications and workers of tests, under our own names and Celery's.

Installed, it is loaded by every run of pytest, also of projects that never use it; so it imports nothing of the package
before a fixture is asked for. Each fixture of one name uses the one of the other: a project may redefine either.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

_NO_WORKER = os.environ.get("NO_WORKER")
_MARKER = "celery(**overrides): settings of the app of one test, under Celery's names; also as ignitetasks(...)"


def pytest_configure(config: pytest.Config) -> None:
    """Makes the markers known."""
    for line in (_MARKER, _MARKER.replace("celery(", "ignitetasks(", 1)):
        if line not in config.getini("markers"):
            config.addinivalue_line("markers", line)


@contextmanager
def _app_for(request: Any, config: Mapping[str, Any], parameters: Mapping[str, Any], trap: bool) -> Iterator[Any]:
    kit = importlib.import_module("ignitetasks.contrib.testing.app")
    given = dict(config)
    for name in ("celery", "ignitetasks"):
        mark = request.node.get_closest_marker(name)
        given.update(mark.kwargs if mark else {})
    app = kit.TestApp(config=given, **parameters)
    with kit.setup_default_app(app, use_trap=trap):
        yield app


@contextmanager
def _worker_for(
    app: Any, includes: Sequence[str], tasks: Sequence[Any], pool: str, parameters: Mapping[str, Any]
) -> Iterator[Any]:
    if _NO_WORKER:
        yield None
        return
    for module in includes:
        importlib.import_module(module)
    for one in tasks:
        app.register_task(one)
    with importlib.import_module("ignitetasks.contrib.testing.worker").start_worker(
        app, pool=pool, **parameters
    ) as worker:
        yield worker


# -- to be redefined: Celery's names give what is said there, ours take it from them -------------------------------


@pytest.fixture(scope="session")
def celery_config() -> Mapping[str, Any]:
    """Settings of the test's app, under Celery's names."""
    return {}


@pytest.fixture(scope="session")
def ignitetasks_config(celery_config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings of the test's app, under Celery's names."""
    return celery_config


@pytest.fixture(scope="session")
def celery_parameters() -> Mapping[str, Any]:
    """Arguments of the test's app."""
    return {}


@pytest.fixture(scope="session")
def ignitetasks_parameters(celery_parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Arguments of the test's app."""
    return celery_parameters


@pytest.fixture(scope="session")
def celery_enable_logging() -> bool:
    """Accepted: a worker inside a test never sets up logging by itself."""
    return False


@pytest.fixture(scope="session")
def ignitetasks_enable_logging(celery_enable_logging: bool) -> bool:
    """Accepted: a worker inside a test never sets up logging by itself."""
    return celery_enable_logging


@pytest.fixture(scope="session")
def celery_includes() -> Sequence[str]:
    """Modules that are imported before a worker starts."""
    return ()


@pytest.fixture(scope="session")
def ignitetasks_includes(celery_includes: Sequence[str]) -> Sequence[str]:
    """Modules that are imported before a worker starts."""
    return celery_includes


@pytest.fixture(scope="session")
def celery_worker_pool() -> str:
    """The worker's pool."""
    return "solo"


@pytest.fixture(scope="session")
def ignitetasks_worker_pool(celery_worker_pool: str) -> str:
    """The worker's pool."""
    return celery_worker_pool


@pytest.fixture(scope="session")
def celery_worker_parameters() -> Mapping[str, Any]:
    """Further arguments of ``start_worker``, e.g. ``{"queues": ["high"]}``."""
    return {}


@pytest.fixture(scope="session")
def ignitetasks_worker_parameters(celery_worker_parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """Further arguments of ``start_worker``, e.g. ``{"queues": ["high"]}``."""
    return celery_worker_parameters


@pytest.fixture(scope="session")
def celery_class_tasks() -> Sequence[Any]:
    """Tasks as classes that are registered before a worker starts."""
    return []


@pytest.fixture(scope="session")
def ignitetasks_class_tasks(celery_class_tasks: Sequence[Any]) -> Sequence[Any]:
    """Tasks as classes that are registered before a worker starts."""
    return celery_class_tasks


@pytest.fixture(scope="session")
def use_celery_app_trap() -> bool:
    """True fails a test that uses the current app instead of the one it was given."""
    return False


@pytest.fixture(scope="session")
def use_ignitetasks_app_trap(use_celery_app_trap: bool) -> bool:
    """True fails a test that uses the current app instead of the one it was given."""
    return use_celery_app_trap


# -- apps and workers -----------------------------------------------------------------------------------------------


@pytest.fixture
def ignitetasks_app(
    request: Any,
    ignitetasks_config: Mapping[str, Any],
    ignitetasks_parameters: Mapping[str, Any],
    ignitetasks_enable_logging: bool,
    use_ignitetasks_app_trap: bool,
) -> Iterator[Any]:
    """An application for one test; its tasks are kept in memory."""
    with _app_for(request, ignitetasks_config, ignitetasks_parameters, use_ignitetasks_app_trap) as app:
        yield app


@pytest.fixture
def celery_app(ignitetasks_app: Any) -> Any:
    """An application for one test; its tasks are kept in memory."""
    return ignitetasks_app


@pytest.fixture(scope="session")
def ignitetasks_session_app(
    request: Any,
    ignitetasks_config: Mapping[str, Any],
    ignitetasks_parameters: Mapping[str, Any],
    ignitetasks_enable_logging: bool,
    use_ignitetasks_app_trap: bool,
) -> Iterator[Any]:
    """An application for the whole run; the current one, unless the trap is set."""
    with _app_for(request, ignitetasks_config, ignitetasks_parameters, use_ignitetasks_app_trap) as app:
        if not use_ignitetasks_app_trap:
            app.set_default()
            app.set_current()
        yield app


@pytest.fixture(scope="session")
def celery_session_app(ignitetasks_session_app: Any) -> Any:
    """An application for the whole run; the current one, unless the trap is set."""
    return ignitetasks_session_app


@pytest.fixture
def ignitetasks_worker(
    ignitetasks_app: Any,
    ignitetasks_includes: Sequence[str],
    ignitetasks_class_tasks: Sequence[Any],
    ignitetasks_worker_pool: str,
    ignitetasks_worker_parameters: Mapping[str, Any],
) -> Iterator[Any]:
    """A worker inside the test's process, for one test."""
    tasks, parameters = ignitetasks_class_tasks, ignitetasks_worker_parameters
    with _worker_for(ignitetasks_app, ignitetasks_includes, tasks, ignitetasks_worker_pool, parameters) as worker:
        yield worker


@pytest.fixture
def celery_worker(
    celery_app: Any,
    ignitetasks_includes: Sequence[str],
    ignitetasks_class_tasks: Sequence[Any],
    ignitetasks_worker_pool: str,
    ignitetasks_worker_parameters: Mapping[str, Any],
) -> Iterator[Any]:
    """A worker inside the test's process, for one test."""
    # Not just the other one under another name: a project may have a ``celery_app`` of its own.
    tasks, parameters = ignitetasks_class_tasks, ignitetasks_worker_parameters
    with _worker_for(celery_app, ignitetasks_includes, tasks, ignitetasks_worker_pool, parameters) as worker:
        yield worker


@pytest.fixture(scope="session")
def ignitetasks_session_worker(
    ignitetasks_session_app: Any,
    ignitetasks_includes: Sequence[str],
    ignitetasks_class_tasks: Sequence[Any],
    ignitetasks_worker_pool: str,
    ignitetasks_worker_parameters: Mapping[str, Any],
) -> Iterator[Any]:
    """A worker inside the tests' process, for the whole run."""
    app, tasks, parameters = ignitetasks_session_app, ignitetasks_class_tasks, ignitetasks_worker_parameters
    with _worker_for(app, ignitetasks_includes, tasks, ignitetasks_worker_pool, parameters) as worker:
        yield worker


@pytest.fixture(scope="session")
def celery_session_worker(
    celery_session_app: Any,
    ignitetasks_includes: Sequence[str],
    ignitetasks_class_tasks: Sequence[Any],
    ignitetasks_worker_pool: str,
    ignitetasks_worker_parameters: Mapping[str, Any],
) -> Iterator[Any]:
    """A worker inside the tests' process, for the whole run."""
    app, tasks, parameters = celery_session_app, ignitetasks_class_tasks, ignitetasks_worker_parameters
    with _worker_for(app, ignitetasks_includes, tasks, ignitetasks_worker_pool, parameters) as worker:
        yield worker


@pytest.fixture
def depends_on_current_app(celery_app: Any) -> None:
    """Makes the test's app the current one."""
    celery_app.set_current()
