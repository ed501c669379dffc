"""Runs the steps of an application (``app.steps``) with a worker's life. This file must not know what one does."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ignitetasks import loaders, log
from ignitetasks.bootsteps import Step, requirements
from ignitetasks.errors import ConfigurationError

_logger = log.get_logger("worker")
_NO_LOOP = "there is no event loop to be added to; use worker.timer, or a thread of your own"
_NO_GOSSIP = "workers do not talk to each other; signals and the event feed tell of workers that come and go"
#: Parts of Celery's worker that are not here.
_GONE = {
    "Hub": _NO_LOOP,
    "Gossip": _NO_GOSSIP,
    "Mingle": _NO_GOSSIP,
    "StateDB": "revokes are state of the cluster",
    "Statedb": "revokes are state of the cluster",
    "Autoreloader": "use worker --reload",
}


class Steps:
    """The steps of one worker, made.

    Args:
        worker: The worker.
        chosen: Classes of steps under ``worker`` and ``consumer``.
        options: What the worker is to be.

    Raises:
        ConfigurationError: A step is no step, requires what is not there, or requires itself.
    """

    def __init__(self, worker: Any, chosen: Mapping[str, Iterable[Any]], options: Mapping[str, Any]) -> None:
        self._steps = [
            (step, parent, kind)
            for kind in ("worker", "consumer")
            for step, parent in _made(worker if kind == "worker" else worker.consumer, chosen.get(kind, ()), options)
        ]
        self._started: list[tuple[Any, Any, str]] = []

    def start(self) -> None:
        """Starts them, once."""
        if not self._started:
            for step, parent, kind in self._steps:
                self._started.append((step, parent, kind))
                if hasattr(step, "start"):
                    step.start(parent)

    def stop(self, at_once: bool) -> None:
        """Stops those that were started, the last first; what one raises is logged, so that all are stopped.

        Args:
            at_once: Terminate them.
        """
        started, self._started = self._started[::-1], []
        for word in ("close", "terminate" if at_once else "stop"):
            for step, parent, _ in started:
                _tell(step, word, parent)
        for step, parent, kind in started:
            if kind == "consumer":
                _tell(step, "shutdown", parent)


def _tell(step: Any, word: str, parent: Any) -> None:
    try:
        getattr(step, word, _nothing)(parent)
    except Exception as error:
        _logger.error("a step of the worker failed", step=repr(step), call=word, error=repr(error))


def _nothing(_parent: Any) -> None:
    pass


def _made(parent: Any, chosen: Iterable[Any], options: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    kinds = [loaders.symbol_by_name(one) for one in chosen]
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, Step)):
            raise ConfigurationError(f"app.steps has {kind!r}, which is no class based on bootsteps.Step")
    for kind in _ordered(sorted(kinds, key=lambda one: (one.last, one.__module__, one.__qualname__))):
        step = kind(parent, **_fitting(kind, options))
        if step.include(parent):
            yield step, parent


def _fitting(kind: type, options: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the options that a step takes."""
    taken = inspect.signature(kind).parameters
    if any(one.kind is inspect.Parameter.VAR_KEYWORD for one in taken.values()):
        return dict(options)
    return {name: value for name, value in options.items() if name in taken}


def _ordered(kinds: list[type[Step]]) -> list[type[Step]]:
    """Returns steps behind those that they require."""
    found: list[type[Step]] = []

    def add(kind: type[Step], above: tuple[type[Step], ...]) -> None:
        if kind in above:
            way = " -> ".join(one.__name__ for one in (*above, kind))
            raise ConfigurationError(f"these steps require each other: {way}")
        if kind in found:
            return
        for one in _required(kind, kinds):
            add(one, (*above, kind))
        found.append(kind)

    for kind in kinds:
        add(kind, ())
    return found


def _required(kind: type[Step], kinds: list[type[Step]]) -> Iterator[type[Step]]:
    for one, name in requirements(kind):
        if name in _GONE:
            raise ConfigurationError(f"the step {kind.__name__} requires {name}: {_GONE[name]}")
        if isinstance(one, type):
            yield from (other for other in kinds if other is one)
        else:
            yield from (other for other in kinds if name in (other.name, other.__name__))
