"""The picture of workers and tasks that events paint: feed `State.event` to a receiver and look at it at any time.

Bounded: the tasks that were heard of longest ago are forgotten. This file must not read events from anywhere.
"""

from __future__ import annotations

import itertools
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from ignitetasks import states
from ignitetasks.events import records
from ignitetasks.events.records import Task, Worker, heartbeat_expires

__all__ = ["State", "Task", "Worker", "heartbeat_expires"]

_T = TypeVar("_T")


class _Recent(OrderedDict[str, _T]):
    """A map of at most so many: what was put in first goes first.

    Attributes:
        limit: How many.
    """

    def __init__(self, limit: int, known: Mapping[str, _T] | None = None) -> None:
        super().__init__()
        self.limit = limit
        self.update(known or {})

    def __setitem__(self, key: str, value: _T) -> None:
        super().__setitem__(key, value)
        while len(self) > self.limit:
            self.popitem(last=False)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.limit, dict(self))


class _Index:
    """Tasks by one of their properties: ``index[value]`` is a set, ``index(value, limit)`` yields them by time."""

    def __init__(self, state: State, value_of: Callable[[Task], Any]) -> None:
        self._state = state
        self._value_of = value_of

    def __getitem__(self, value: Any) -> set[Task]:
        return {task for task in self._state.tasks.values() if self._value_of(task) == value}

    def __call__(self, value: Any, limit: int | None = None, reverse: bool = True) -> Iterator[tuple[str, Task]]:
        found = (pair for pair in self._state.tasks_by_time(reverse=reverse) if self._value_of(pair[1]) == value)
        return itertools.islice(found, limit)


class State:
    """Workers and tasks, as far as events have told of them.

    Args:
        callback: Called with this object and each event before it is taken in.
        workers: Workers known already.
        tasks: Tasks known already.
        taskheap: Taken for Celery's sake: tasks are kept in order.
        max_workers_in_memory: Most workers that are kept.
        max_tasks_in_memory: Most tasks that are kept; those longest unheard of go first.
        on_node_join: Called with a worker that is new or online again.
        on_node_leave: Called with a worker that goes.

    Attributes:
        workers: Workers by name.
        tasks: Tasks by id, the one heard of last at the end.
        handlers: Functions for groups of your own: ``handlers["order"] = fn(subject, event)``.
        event_count: Events taken in.
        task_count: Receptions of tasks among them.
        tasks_by_type: Tasks by name: ``[name]`` is a set, ``(name, limit)`` yields pairs by time.
        tasks_by_worker: The same by worker.
    """

    Worker: ClassVar[type[records.Worker]] = Worker
    Task: ClassVar[type[records.Task]] = Task

    def __init__(
        self,
        callback: Callable[[State, dict[str, Any]], Any] | None = None,
        workers: Mapping[str, records.Worker] | None = None,
        tasks: Mapping[str, records.Task] | None = None,
        taskheap: Any = None,
        max_workers_in_memory: int = 5000,
        max_tasks_in_memory: int = 10000,
        on_node_join: Callable[[records.Worker], Any] | None = None,
        on_node_leave: Callable[[records.Worker], Any] | None = None,
    ) -> None:
        self.event_callback = callback
        self.workers = _Recent(max_workers_in_memory, workers)
        self.tasks = _Recent(max_tasks_in_memory, tasks)
        self.max_workers_in_memory = max_workers_in_memory
        self.max_tasks_in_memory = max_tasks_in_memory
        self.on_node_join = on_node_join
        self.on_node_leave = on_node_leave
        self.handlers: dict[str, Callable[[str, dict[str, Any]], Any]] = {}
        self.event_count = 0
        self.task_count = 0
        self.tasks_by_type = _Index(self, lambda task: task.name)
        self.tasks_by_worker = _Index(self, lambda task: task.worker.hostname if task.worker else None)
        self._mutex = threading.RLock()
        self._types: set[str] = set()
        for task in self.tasks.values():
            task.cluster_state = self
            if task.name is not None:
                self._types.add(task.name)

    def __reduce__(self) -> tuple[Any, ...]:
        # A class of one's own makes what it adds by itself, as it did the first time.
        known = (self.event_callback, dict(self.workers), dict(self.tasks), None)
        args = (*known, self.max_workers_in_memory, self.max_tasks_in_memory, self.on_node_join, self.on_node_leave)
        kept = {"event_count": self.event_count, "task_count": self.task_count, "handlers": self.handlers}
        return type(self), args, kept

    def __repr__(self) -> str:
        return f"<State: events={self.event_count} tasks={self.task_count}>"

    def event(self, event: dict[str, Any]) -> Any:
        """Takes an event in.

        Args:
            event: As a receiver hands it out.

        Returns:
            A pair: the worker or task and whether it is new, and the type without its group; None for other groups.
        """
        with self._mutex:
            self.event_count += 1
            if self.event_callback is not None:
                self.event_callback(self, event)
            group, _, subject = event["type"].partition("-")
            handler = self.handlers.get(group)
            if handler is not None:
                return handler(subject, event), subject
            if group == "worker" and event.get("hostname"):
                return self._on_worker(subject, event), subject
            if group == "task" and event.get("uuid"):
                return self._on_task(subject, event), subject
            return None

    def _on_worker(self, subject: str, event: dict[str, Any]) -> tuple[records.Worker, bool]:
        known = event["hostname"] in self.workers
        worker, _ = self.get_or_create_worker(event["hostname"])
        worker.event(subject, event.get("timestamp"), event.get("local_received"), event)
        offline = subject == "offline"
        if self.on_node_join is not None and not offline and (not known or subject == "online"):
            self.on_node_join(worker)
        if self.on_node_leave is not None and offline:
            self.on_node_leave(worker)
            self.workers.pop(event["hostname"], None)
        return worker, not known and not offline

    def _on_task(self, subject: str, event: dict[str, Any]) -> tuple[records.Task, bool]:
        task, created = self.get_or_create_task(event["uuid"])
        self.tasks.move_to_end(event["uuid"])
        if subject == "sent":
            task.client = event.get("hostname")
        elif event.get("hostname"):
            task.worker, _ = self.get_or_create_worker(event["hostname"])
            task.worker.event(None, event.get("timestamp"), event.get("local_received"))
        if subject == "received":
            self.task_count += 1
        task.event(subject, event.get("timestamp"), event.get("local_received"), event)
        if task.name is not None:
            self._types.add(task.name)
        return task, created

    def worker_event(self, type_: str, fields: dict[str, Any]) -> Any:
        """Takes in the event of a worker whose type has no group yet."""
        return self.event({**fields, "type": f"worker-{type_}"})[0]

    def task_event(self, type_: str, fields: dict[str, Any]) -> Any:
        """Takes in the event of a task whose type has no group yet."""
        return self.event({**fields, "type": f"task-{type_}"})[0]

    def get_or_create_worker(self, hostname: str, **fields: Any) -> tuple[records.Worker, bool]:
        """Returns a worker, and whether it was made just now."""
        worker = self.workers.get(hostname)
        created = worker is None
        if worker is None:
            worker = self.workers[hostname] = self.Worker(hostname)
        worker.update(fields)
        return worker, created

    def get_or_create_task(self, uuid: str) -> tuple[records.Task, bool]:
        """Returns a task, and whether it was made just now."""
        task = self.tasks.get(uuid)
        if task is not None:
            return task, False
        task = self.tasks[uuid] = self.Task(uuid, cluster_state=self)
        return task, True

    def itertasks(self, limit: int | None = None) -> Iterator[tuple[str, records.Task]]:
        """Yields ids and tasks."""
        return itertools.islice(list(self.tasks.items()), limit)

    def tasks_by_time(self, limit: int | None = None, reverse: bool = True) -> Iterator[tuple[str, records.Task]]:
        """Yields ids and tasks, the one heard of last first, or last when ``reverse`` is False."""
        pairs = list(self.tasks.items())
        return itertools.islice(reversed(pairs) if reverse else iter(pairs), limit)

    tasks_by_timestamp = tasks_by_time

    def task_types(self) -> list[str]:
        """Returns the names of all tasks seen."""
        return sorted(self._types)

    def alive_workers(self) -> Iterator[records.Worker]:
        """Yields the workers that were heard of lately."""
        return (worker for worker in list(self.workers.values()) if worker.alive)

    def freeze_while(self, fun: Callable[..., Any], *args: Any, clear_after: bool = False, **kwargs: Any) -> Any:
        """Calls a function while no event is taken in.

        Args:
            fun: The function.
            *args: Its arguments.
            clear_after: Forget what has ended, afterwards.
            **kwargs: Its keyword arguments.
        """
        with self._mutex:
            try:
                return fun(*args, **kwargs)
            finally:
                if clear_after:
                    self.clear()

    def clear_tasks(self, ready: bool = True) -> None:
        """Forgets the tasks that have ended, or with ``ready=False`` all."""
        with self._mutex:
            self._clear_tasks(ready)

    def _clear_tasks(self, ready: bool = True) -> None:
        kept = [pair for pair in self.tasks.items() if ready and pair[1].state not in states.READY_STATES]
        self.tasks.clear()
        self.tasks.update(kept)

    def clear(self, ready: bool = True) -> None:
        """Forgets all workers, and tasks as `clear_tasks` does."""
        with self._mutex:
            self.workers.clear()
            self.clear_tasks(ready)
            self.event_count = self.task_count = 0

    def rebuild_taskheap(self) -> None:
        """Does nothing: the order of the tasks is kept as they come."""
