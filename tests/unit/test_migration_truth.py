"""What the catalogue calls the same or better is here: names resolve, options are taken, commands exist.

Must not judge behaviour: that is what the tests of each part do.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import pytest

import ignitetasks
from ignitetasks import IgniteTasks, beat, canvas, result, schedules, signals
from ignitetasks.app.control import Control, Inspect
from ignitetasks.cli.main import cli
from ignitetasks.events import snapshot, state
from ignitetasks.migration import ENTRIES
from ignitetasks.migration.names import module_fate, name_fate
from ignitetasks.worker import control as panel
from ignitetasks.worker.consumer import Consumer, Qos
from ignitetasks.worker.supervisor import Supervisor

KEPT = [entry for entry in ENTRIES if entry.verdict != "gone"]
TASK_OPTIONS: dict[str, Any] = {
    "name": "named", "bind": False, "base": ignitetasks.Task, "shared": True, "typing": True, "pydantic": False,
    "pydantic_strict": False, "pydantic_context": {}, "pydantic_dump_kwargs": {}, "autoretry_for": (ValueError,),
    "dont_autoretry_for": (KeyError,), "retry_kwargs": {"max_retries": 2}, "max_retries": 2, "default_retry_delay": 3,
    "retry_backoff": True, "retry_backoff_max": 10, "retry_jitter": False, "throws": (KeyError,), "rate_limit": "10/m",
    "time_limit": 10, "soft_time_limit": 5, "ignore_result": True, "store_errors_even_if_ignored": True,
    "track_started": True, "acks_late": True, "reject_on_worker_lost": True, "serializer": "json",
    "compression": "zlib", "queue": "mail", "priority": 3, "expires": 10, "send_events": True, "trail": True,
    "resultrepr_maxsize": 100,
}  # fmt: skip
CALL_OPTIONS: dict[str, Any] = {
    "args": (1,), "kwargs": {"x": 1}, "task_id": "an-id", "headers": {"a": 1}, "countdown": 3,
    "eta": datetime.now(timezone.utc) + timedelta(minutes=1), "expires": 10, "queue": "mail", "serializer": "json",
    "compression": "zlib", "priority": 3, "link": [], "link_error": [], "time_limit": 10, "soft_time_limit": 5,
    "ignore_result": True, "retry": False, "retry_policy": {"max_retries": 1}, "shadow": "other", "argsrepr": "(1,)",
    "kwargsrepr": "{}", "root_id": "r", "parent_id": "p", "group_id": "g", "add_to_parent": False,
}  # fmt: skip


def names(kind: str, start: str = "") -> Iterator[str]:
    """Yields the names of one kind that are said to be here, without their start."""
    for entry in KEPT:
        if entry.kind == kind and entry.name.startswith(start):
            yield entry.name.removeprefix(start)


def missing(holder: Any, wanted: Iterator[str]) -> list[str]:
    return [name for name in wanted if not hasattr(holder, name)]


@pytest.fixture
def app() -> Iterator[IgniteTasks]:
    made = IgniteTasks("truth", transport="memory")
    yield made
    made.close()


@pytest.fixture
def task(app: IgniteTasks) -> Any:
    @app.task
    def one(x: int = 0) -> int:
        return x

    return one


def test_members_of_the_application(app: IgniteTasks) -> None:
    assert missing(app, names("call", "Celery.")) == []


def test_members_of_a_task(task: Any) -> None:
    assert missing(task, names("call", "Task.")) == []


def test_members_of_a_request(task: Any) -> None:
    assert missing(task.request, names("call", "request.")) == []


def test_members_of_everything_else(app: IgniteTasks, task: Any) -> None:
    holders: dict[str, Any] = {
        "AsyncResult": app.AsyncResult("id"),
        "ResultSet": result.ResultSet([]),
        "GroupResult": result.GroupResult("id", []),
        "Signature": task.s(),
        "chain": canvas.chain(task.s(), task.s()),
        "group": canvas.group([task.s()]),
        "chord": canvas.chord([task.s()], task.s()),
        "chunks": task.chunks([(1,)], 1),
        "StampingVisitor": canvas.StampingVisitor,
        "schedule": schedules.schedule(1.0),
        "crontab": schedules.crontab(),
        "Scheduler": beat.Scheduler(app),
        "PersistentScheduler": beat.PersistentScheduler,
        "ScheduleEntry": beat.ScheduleEntry("a", task.name, schedule=schedules.schedule(1.0), app=app),
        "Service": beat.Service(app),
        "events.state.Worker": state.Worker("w@h"),
        "events.state.Task": state.Task("id"),
        "app.events.State": app.events.State(),
        "app.events.Receiver": app.events.Receiver(handlers={}),
        "app.events.Dispatcher": app.events.Dispatcher(),
        "app.amqp.queues": app.amqp.queues,
        **{f"app.{name}": getattr(app, name) for name in ("amqp", "backend", "conf", "events", "log", "tasks")},
        "AMQP": app.amqp,
        "Polaroid": snapshot.Polaroid,
        "Control": Control,
        "Inspect": Inspect(app=app),
        "worker": Supervisor,
        "consumer": Consumer(app, SimpleNamespace(plan=SimpleNamespace(name="w@h"))),  # type: ignore[arg-type]
        "consumer.qos": Qos,
    }
    of_members = {name.rpartition(".")[0] for name in names("call") if "." in name}
    assert of_members - set(holders) == {"Celery", "Task", "request", "xmap"} & of_members
    lost = [
        name
        for name in names("call")
        if "." in name and (holder := holders.get(name.rpartition(".")[0])) is not None
        if name.rpartition(".")[2] not in dir(holder) and not hasattr(holder, name.rpartition(".")[2])
    ]
    assert lost == []


def test_plain_names() -> None:
    homes = (ignitetasks, canvas, result, schedules, panel)
    plain = [name for name in names("call") if name.isidentifier()]
    assert len(plain) > 20
    assert [name for name in plain if not any(hasattr(home, name) for home in homes)] == []


@pytest.mark.parametrize("option", [name[:-1] for name in names("call", "@task(")])
def test_options_of_a_task_are_taken(app: IgniteTasks, option: str) -> None:
    def one(x: int = 0) -> int:
        return x

    made = app.task(**{option: TASK_OPTIONS[option]})(one)
    assert made.name


@pytest.mark.parametrize("option", [name[:-1] for name in names("call", "apply_async(")])
def test_options_of_a_call_are_taken(task: Any, option: str) -> None:
    assert task.apply_async(**{option: CALL_OPTIONS[option]}).id


def test_signals() -> None:
    assert missing(signals, names("signal")) == []


@pytest.mark.parametrize("module", list(names("module", "celery")))
def test_modules(module: str) -> None:
    if module == ".contrib.sphinx":
        pytest.importorskip("sphinx")
    importlib.import_module(f"ignitetasks{module}")


@pytest.mark.parametrize("name", list(names("setting")))
def test_settings_are_taken(app: IgniteTasks, name: str) -> None:
    assert name in app.conf
    _ = app.conf[name]


def _options(command: click.Command) -> set[str]:
    return {option for one in command.params for option in (*one.opts, *one.secondary_opts)}


def test_commands_and_their_options() -> None:
    lost = []
    for name in names("command", "celery "):
        command: click.Command = cli
        for word in name.split():
            if word.startswith("-"):
                if word not in _options(command):
                    lost.append(name)
            elif isinstance(command, click.Group) and word in command.commands:
                command = command.commands[word]
            else:
                lost.append(name)
    assert lost == []


def test_every_sample_is_used() -> None:
    check: Callable[[str], set[str]] = lambda start: {name[:-1] for name in names("call", start)}  # noqa: E731
    assert set(TASK_OPTIONS) == check("@task(")
    assert set(CALL_OPTIONS) == check("apply_async(")


REFERENCE = (Path(__file__).parent / "celery_reference.txt").read_text("utf-8").splitlines()


@pytest.mark.parametrize("line", REFERENCE, ids=lambda line: line.partition(":")[0])
def test_every_name_of_celerys_reference_is_here_or_explained(line: str) -> None:
    module, _, documented = line.partition(":")
    fates = {module: module_fate(module), **{name: name_fate(module, name) for name in documented.split()}}
    assert [name for name, (level, text) in fates.items() if level == "hand" or (level == "gone" and not text)] == []
