"""The pytest plugin: fixtures for applications and workers of tests, under our own names and Celery's.

Installed, it is loaded by every run of pytest, also of projects that never use it; so it imports nothing of the package
before a fixture is asked for. What a project redefines, under either name, is put together where an app or a worker is
made: a fixture of the session that passed on another one would hand the answer of the first module to all of them.
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
def _app_for(request: Any, said: tuple[Mapping[str, Any], Mapping[str, Any], bool]) -> Iterator[Any]:
    kit = importlib.import_module("ignitetasks.contrib.testing.app")
    config, parameters, trap = said
    given = dict(config)
    for name in ("celery", "ignitetasks"):
        mark = request.node.get_closest_marker(name)
        given.update(mark.kwargs if mark else {})
    app = kit.TestApp(config=given, **parameters)
    with kit.setup_default_app(app, use_trap=trap):
        yield app


@contextmanager
def _worker_for(app: Any, said: tuple[Sequence[str], Sequence[Any], str, Mapping[str, Any]]) -> Iterator[Any]:
    if _NO_WORKER:
        yield None
        return
    includes, tasks, pool, parameters = said
    for module in includes:
        importlib.import_module(module)
    for task in tasks:
        app.register_task(task)
    with importlib.import_module("ignitetasks.contrib.testing.worker").start_worker(
        app, pool=pool, **parameters
    ) as worker:
        yield worker


# -- to be redefined, under either name; both together are what counts ----------------------------------------------


@pytest.fixture(scope="session")
def celery_config() -> Mapping[str, Any]:
    """Settings of the test's app, under Celery's names."""
    return {}


@pytest.fixture(scope="session")
def ignitetasks_config() -> Mapping[str, Any]:
    """Settings of the test's app, under Celery's names. These win over ``celery_config``."""
    return {}


@pytest.fixture(scope="session")
def celery_parameters() -> Mapping[str, Any]:
    """Arguments of the test's app."""
    return {}


@pytest.fixture(scope="session")
def ignitetasks_parameters() -> Mapping[str, Any]:
    """Arguments of the test's app. These win over ``celery_parameters``."""
    return {}


@pytest.fixture(scope="session")
def celery_enable_logging() -> bool:
    """Accepted: a worker inside a test never sets up logging by itself."""
    return False


@pytest.fixture(scope="session")
def ignitetasks_enable_logging() -> bool:
    """Accepted: a worker inside a test never sets up logging by itself."""
    return False


@pytest.fixture(scope="session")
def celery_includes() -> Sequence[str]:
    """Modules that are imported before a worker starts."""
    return ()


@pytest.fixture(scope="session")
def ignitetasks_includes() -> Sequence[str]:
    """Modules that are imported before a worker starts. They come after ``celery_includes``."""
    return ()


@pytest.fixture(scope="session")
def celery_worker_pool() -> str:
    """The worker's pool."""
    return "solo"


@pytest.fixture(scope="session")
def ignitetasks_worker_pool() -> str | None:
    """The worker's pool. None means ``celery_worker_pool``."""
    return None


@pytest.fixture(scope="session")
def celery_worker_parameters() -> Mapping[str, Any]:
    """Further arguments of ``start_worker``, e.g. ``{"queues": ["high"]}``."""
    return {}


@pytest.fixture(scope="session")
def ignitetasks_worker_parameters() -> Mapping[str, Any]:
    """Further arguments of ``start_worker``. These win over ``celery_worker_parameters``."""
    return {}


@pytest.fixture(scope="session")
def celery_class_tasks() -> Sequence[Any]:
    """Tasks as classes that are registered before a worker starts."""
    return []


@pytest.fixture(scope="session")
def ignitetasks_class_tasks() -> Sequence[Any]:
    """Tasks as classes that are registered before a worker starts."""
    return []


@pytest.fixture(scope="session")
def use_celery_app_trap() -> bool:
    """True fails a test that uses the current app instead of the one it was given."""
    return False


@pytest.fixture(scope="session")
def use_ignitetasks_app_trap() -> bool:
    """True fails a test that uses the current app instead of the one it was given."""
    return False


# -- both together; of each once for a test and once for the session, since a module may redefine for itself ----------


def _said_of_app(
    celery_config: Mapping[str, Any],
    ignitetasks_config: Mapping[str, Any],
    celery_parameters: Mapping[str, Any],
    ignitetasks_parameters: Mapping[str, Any],
    celery_enable_logging: bool,
    ignitetasks_enable_logging: bool,
    use_celery_app_trap: bool,
    use_ignitetasks_app_trap: bool,
) -> tuple[Mapping[str, Any], Mapping[str, Any], bool]:
    config = {**celery_config, **ignitetasks_config}
    return config, {**celery_parameters, **ignitetasks_parameters}, use_celery_app_trap or use_ignitetasks_app_trap


def _said_of_worker(
    celery_includes: Sequence[str],
    ignitetasks_includes: Sequence[str],
    celery_class_tasks: Sequence[Any],
    ignitetasks_class_tasks: Sequence[Any],
    celery_worker_pool: str,
    ignitetasks_worker_pool: str | None,
    celery_worker_parameters: Mapping[str, Any],
    ignitetasks_worker_parameters: Mapping[str, Any],
) -> tuple[Sequence[str], Sequence[Any], str, Mapping[str, Any]]:
    parameters = {**celery_worker_parameters, **ignitetasks_worker_parameters}
    tasks = [*celery_class_tasks, *ignitetasks_class_tasks]
    return (*celery_includes, *ignitetasks_includes), tasks, ignitetasks_worker_pool or celery_worker_pool, parameters


_app_said = pytest.fixture(name="_app_said")(_said_of_app)
_session_app_said = pytest.fixture(name="_session_app_said", scope="session")(_said_of_app)
_worker_said = pytest.fixture(name="_worker_said")(_said_of_worker)
_session_worker_said = pytest.fixture(name="_session_worker_said", scope="session")(_said_of_worker)


# -- apps and workers -----------------------------------------------------------------------------------------------


@pytest.fixture
def ignitetasks_app(request: Any, _app_said: Any) -> Iterator[Any]:
    """An application for one test; its tasks are kept in memory."""
    with _app_for(request, _app_said) as app:
        yield app


@pytest.fixture
def celery_app(ignitetasks_app: Any) -> Any:
    """An application for one test; its tasks are kept in memory."""
    return ignitetasks_app


@pytest.fixture(scope="session")
def ignitetasks_session_app(request: Any, _session_app_said: Any) -> Iterator[Any]:
    """An application for the whole run; the current one, unless the trap is set."""
    with _app_for(request, _session_app_said) as app:
        if not _session_app_said[-1]:
            app.set_default()
            app.set_current()
        yield app


@pytest.fixture(scope="session")
def celery_session_app(ignitetasks_session_app: Any) -> Any:
    """An application for the whole run; the current one, unless the trap is set."""
    return ignitetasks_session_app


# A worker under each name: a project may have a ``celery_app`` of its own.


@pytest.fixture
def ignitetasks_worker(ignitetasks_app: Any, _worker_said: Any) -> Iterator[Any]:
    """A worker inside the test's process, for one test."""
    with _worker_for(ignitetasks_app, _worker_said) as worker:
        yield worker


@pytest.fixture
def celery_worker(celery_app: Any, _worker_said: Any) -> Iterator[Any]:
    """A worker inside the test's process, for one test."""
    with _worker_for(celery_app, _worker_said) as worker:
        yield worker


@pytest.fixture(scope="session")
def ignitetasks_session_worker(ignitetasks_session_app: Any, _session_worker_said: Any) -> Iterator[Any]:
    """A worker inside the tests' process, for the whole run."""
    with _worker_for(ignitetasks_session_app, _session_worker_said) as worker:
        yield worker


@pytest.fixture(scope="session")
def celery_session_worker(celery_session_app: Any, _session_worker_said: Any) -> Iterator[Any]:
    """A worker inside the tests' process, for the whole run."""
    with _worker_for(celery_session_app, _session_worker_said) as worker:
        yield worker


@pytest.fixture
def depends_on_current_app(celery_app: Any) -> None:
    """Makes the test's app the current one."""
    celery_app.set_current()
