"""Steps of a worker: what a project does when a worker is made, starts and stops, besides running tasks.

    class Probe(bootsteps.StartStopStep):
        requires = {"ignitetasks.worker.components:Timer"}

        def start(self, worker):
            self.entry = worker.timer.call_repeatedly(5.0, touch, ("/tmp/alive",))

        def stop(self, worker):
            self.entry.cancel()

    app.steps["worker"].add(Probe)

They run in the worker's own process, not where tasks run. This file must not run any: see ``worker/steps.py``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ignitetasks import loaders
from ignitetasks.errors import ConfigurationError

__all__ = ["ConsumerStep", "StartStopStep", "Step", "StepsOf"]


class StepsOf(defaultdict[str, set[Any]]):
    """The steps of an application: classes, or their dotted names, under ``worker`` and ``consumer``.

    Attributes:
        options: What a worker of this process is to be, with the options that the application has added.
    """

    def __init__(self) -> None:
        super().__init__(set, {"worker": set(), "consumer": set()})
        self.options: Mapping[str, Any] = {}


class Step:
    """Something that is done with a worker when it is made.

    Args:
        parent: The worker; for steps of ``consumer`` what ``state.consumer`` is to control commands.
        **kwargs: What the worker is to be, as far as ``__init__`` names it.

    Attributes:
        name: Its name; None means that of the class.
        label: Its name in logs.
        requires: Steps that come before it: classes, or their names. Parts of the worker are always there before.
        conditional: Not needed.
        last: True for a step that comes after all others.
        enabled: False leaves it out.
    """

    name: str | None = None
    label: str | None = None
    requires: Collection[Any] = ()
    conditional: bool = False
    last: bool = False
    enabled: bool = True

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        """Made with the worker; to be overridden."""

    @property
    def alias(self) -> str:
        """Its name in logs."""
        return self.label or self.name or type(self).__name__

    def instantiate(self, name: Any, *args: Any, **kwargs: Any) -> Any:
        """Makes an object of a class, or of its dotted name."""
        return loaders.symbol_by_name(name)(*args, **kwargs)

    def include_if(self, parent: Any) -> bool:
        """Tells whether the step is to be used; to be overridden."""
        return self.enabled

    def include(self, parent: Any) -> bool:
        """Makes what the step makes, if it is to be used; tells whether it is."""
        if not self.include_if(parent):
            return False
        self.create(parent)
        return True

    def create(self, parent: Any) -> Any:
        """Makes what the step is about; to be overridden."""

    def info(self, obj: Any) -> Any:
        """Returns what it wants to tell; to be overridden."""

    def __repr__(self) -> str:
        return f"<step: {self.alias}>"


def requirements(kind: type[Step]) -> Iterator[tuple[Any, str]]:
    """Yields what a step requires, as it says it, and the name of that."""
    wanted = (kind.requires,) if isinstance(kind.requires, str) else kind.requires
    for one in wanted:
        yield one, one.__name__ if isinstance(one, type) else str(one).replace(":", ".").rpartition(".")[2]


class StartStopStep(Step):
    """A step that is started and stopped with the worker, as is what its `create` returns.

    Attributes:
        obj: What `create` has returned.
    """

    obj: Any = None

    def start(self, parent: Any) -> Any:
        """Called when the worker takes tasks; starts what `create` has returned."""
        return self._tell("start")

    def stop(self, parent: Any) -> Any:
        """Called when the worker has stopped; stops what `create` has returned."""
        return self._tell("stop")

    def close(self, parent: Any) -> Any:
        """Called before all steps are stopped; to be overridden."""

    def terminate(self, parent: Any) -> Any:
        """Called in place of `stop` when the worker was stopped at once."""
        return self._tell("terminate") if hasattr(self.obj, "terminate") else self.stop(parent)

    def include(self, parent: Any) -> bool:
        """Keeps what `create` returns."""
        if not self.include_if(parent):
            return False
        self.obj = self.create(parent)
        return True

    def _tell(self, what: str) -> Any:
        told = getattr(self.obj, what, None) if self.obj is not self else None
        return None if told is None else told()


class ConsumerStep(StartStopStep):
    """A reader of a message broker's queues, which is not there: making one says so."""

    def __init__(self, parent: Any, **kwargs: Any) -> None:
        raise ConfigurationError(
            f"{type(self).__name__} is a ConsumerStep, and no messages of a broker are consumed here: read them in a "
            "program of your own, with a client of that broker, which sends a task for each"
        )
