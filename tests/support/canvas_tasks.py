"""The tasks that tests of the canvas use, on whatever app a test makes."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from ignitetasks import IgniteTasks
from ignitetasks.canvas import chain, group
from ignitetasks.transport.memory import home_of

_numbers = itertools.count()


def add_tasks(app: IgniteTasks) -> SimpleNamespace:  # noqa: C901  # a list of tasks, not a path through code
    """Registers the tasks; returns them by name, and what the errbacks of this process have seen."""
    seen: list[Any] = []

    @app.task(name="add")
    def add(x: Any, y: Any, z: Any = 0) -> Any:
        return x + y + z if z else x + y

    @app.task(name="identity")
    def identity(x: Any) -> Any:
        return x

    @app.task(name="tsum")
    def tsum(numbers: list[int]) -> int:
        return sum(numbers)

    @app.task(name="fail")
    def fail(*args: Any) -> None:
        raise ValueError("as asked")

    @app.task(name="add_to_all")
    def add_to_all(numbers: list[Any], value: Any) -> list[Any]:
        return [one + value for one in numbers]

    @app.task(name="ids", bind=True)
    def ids(self: Any, i: Any = None) -> Any:
        return self.request.root_id, self.request.parent_id, i

    @app.task(name="collect_ids", bind=True)
    def collect_ids(self: Any, before: Any, i: Any = None) -> Any:
        return before, (self.request.root_id, self.request.parent_id, i)

    @app.task(name="replaced_add", bind=True)
    def replaced_add(self: Any, x: Any, y: Any) -> Any:
        raise self.replace(add.s(x, y))

    @app.task(name="replaced_chain", bind=True)
    def replaced_chain(self: Any, *args: Any) -> Any:
        return self.replace(chain(identity.s(*args), identity.s()))

    @app.task(name="replaced_group", bind=True)
    def replaced_group(self: Any, numbers: list[int], value: int) -> Any:
        return self.replace(group(add.s(one, value) for one in numbers))

    @app.task(name="replaced_twice", bind=True)
    def replaced_twice(self: Any, x: Any) -> Any:
        return self.replace(replaced_chain.s(x) | nesting.s())

    @app.task(name="nesting", bind=True)
    def nesting(self: Any, x: Any) -> Any:
        return x, self.request.replaced_task_nesting

    @app.task(name="replaced_by_failure", bind=True)
    def replaced_by_failure(self: Any, *args: Any) -> Any:
        return self.replace(chain(identity.si(1), fail.s(), identity.s()))

    @app.task(name="replaced_by_nothing", bind=True)
    def replaced_by_nothing(self: Any, *args: Any) -> Any:
        return self.replace(chain())

    @app.task(name="adds_to_chord", bind=True)
    def adds_to_chord(self: Any, numbers: list[int], value: int) -> int:
        for one in numbers:
            self.add_to_chord(add.s(one, value))
        return 0

    @app.task(name="adds_chain_to_chord", bind=True)
    def adds_chain_to_chord(self: Any, value: int) -> int:
        self.add_to_chord(adds_to_chord.s([value], value) | add.s(100))
        return 0

    @app.task(name="old_errback")
    def old_errback(task_id: str) -> str:
        seen.append(("old", task_id))
        return task_id

    @app.task(name="new_errback")
    def new_errback(request: Any, exc: Any, traceback: Any) -> None:
        seen.append(("new", request.id, type(exc).__name__, bool(traceback)))

    @app.task(name="note")
    def note(*args: Any) -> Any:
        seen.append(("note", *args))
        return args

    @app.task(name="sends", bind=True)
    def sends(self: Any, n: int) -> str:
        for one in range(n):
            add.delay(one, one)
        return "sent"

    @app.task(name="waits", bind=True)
    def waits(self: Any) -> Any:
        return add.delay(1, 2).get(timeout=5)

    @app.task(name="stamps", bind=True)
    def stamps(self: Any, *args: Any) -> Any:
        return {"names": self.request.stamped_headers, "values": self.request.stamps}

    return SimpleNamespace(seen=seen, app=app, **{one.name: one for one in app.tasks.values() if "." not in one.name})


@contextmanager
def memory_app() -> Iterator[SimpleNamespace]:
    """An app of its own, whose home is in memory."""
    name = f"canvas-{os.getpid()}-{next(_numbers)}"
    app = IgniteTasks("canvas", transport=f"memory://{name}")
    try:
        yield add_tasks(app)
    finally:
        app.close()
        home_of(name).close()
