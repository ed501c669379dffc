"""The tasks of an application by name. This file must not make or run tasks."""

from __future__ import annotations

from typing import Any

from ignitetasks.errors import InvalidTaskError, NotRegistered
from ignitetasks.owntasks import is_own

__all__ = ["TaskRegistry"]


class TaskRegistry(dict[str, Any]):
    """Tasks by name; a name that is not there is told by `NotRegistered`."""

    NotRegistered = NotRegistered

    def __missing__(self, key: str) -> Any:
        raise NotRegistered(f"there is no task {key!r}; import the module that defines it, or check its name")

    def register(self, task: Any) -> None:
        """Adds a task.

        Raises:
            InvalidTaskError: It has no name.
        """
        if isinstance(task, type):
            task = task()
        if not getattr(task, "name", None):
            raise InvalidTaskError(f"{task!r} has no name; set the attribute name, or use app.register_task")
        self[task.name] = task

    def unregister(self, name: Any) -> None:
        """Removes a task, given by name or itself.

        Raises:
            NotRegistered: There is none.
        """
        key = getattr(name, "name", name)
        if key not in self:
            raise NotRegistered(f"there is no task {key!r}")
        del self[key]

    def regular(self) -> dict[str, Any]:
        """Returns all tasks but those of this package's own, and those of the type ``periodic``."""
        return {name: task for name, task in self.filter_types("regular").items() if not is_own(name)}

    def periodic(self) -> dict[str, Any]:
        """Returns tasks whose attribute ``type`` says ``periodic``."""
        return self.filter_types("periodic")

    def filter_types(self, type: str) -> dict[str, Any]:
        """Returns the tasks whose attribute ``type`` says so; ``regular`` where they have none."""
        return {name: task for name, task in self.items() if getattr(task, "type", "regular") == type}
