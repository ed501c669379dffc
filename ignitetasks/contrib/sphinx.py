"""Documents tasks with Sphinx: ``extensions = ["ignitetasks.contrib.sphinx"]`` in its ``conf.py``.

``automodule`` then finds tasks and shows them as what they are called with, and ``.. autotask::`` documents one;
``:task:`` refers to it. What stands before a task's name is the value of ``celery_task_prefix``. This file must not
be imported by anything but Sphinx.
"""

from __future__ import annotations

import inspect
from typing import Any

import sphinx
from docutils import nodes
from sphinx.domains.python import PyFunction, PyXRefRole
from sphinx.ext.autodoc import FunctionDocumenter

from ignitetasks.app.task import Task

__all__ = ["TaskDirective", "TaskDocumenter", "setup"]


def _is_task(obj: Any) -> bool:
    # A task of a project's own class that defines no `run` has nothing to show.
    return isinstance(obj, Task) and getattr(obj, "__wrapped__", None) is not None


class TaskDocumenter(FunctionDocumenter):  # type: ignore[misc, unused-ignore]
    """Finds tasks, and describes each as its function."""

    object: Any
    objtype = "task"
    member_order = 11

    @classmethod
    def can_document_member(cls, member: Any, membername: str, isattr: bool, parent: Any) -> bool:
        """Tells whether something is a task."""
        return _is_task(member)

    def import_object(self, raiseerror: bool = False) -> bool:
        """Finds the task, also behind the stand-in of a shared one."""
        found = bool(super().import_object(raiseerror))
        if found:
            self.object = getattr(self.object, "_get_current_object", lambda: self.object)()
        return found

    def format_args(self, **kwargs: Any) -> str:
        """Returns what the task is called with: without the task that a bound function is given."""
        return str(inspect.signature(self.object.__wrapped__))

    def document_members(self, all_members: bool = False) -> None:
        """Does nothing: a task is shown without its methods."""

    def check_module(self) -> bool:
        """Tells whether the task's function is of the module that is documented."""
        return bool(self.object.__wrapped__.__module__ == self.modname)


class TaskDirective(PyFunction):  # type: ignore[misc, unused-ignore]
    """``.. py:task::``: a function with the prefix of tasks."""

    def get_signature_prefix(self, sig: str) -> list[nodes.Node]:
        """Returns what stands before the name."""
        return [nodes.Text(f"{self.env.config.celery_task_prefix} ")]


def autodoc_skip_member_handler(app: Any, what: str, name: str, obj: Any, skip: bool, options: Any) -> bool | None:
    """Keeps tasks that Sphinx would leave out because their class has the same description."""
    return False if skip and _is_task(obj) else None


def setup(app: Any) -> dict[str, bool]:
    """Tells Sphinx of it all.

    Args:
        app: Sphinx's application.
    """
    app.setup_extension("sphinx.ext.autodoc")
    if sphinx.version_info >= (9,):
        app.config.autodoc_use_legacy_class_based = True  # the other autodoc has no documenters to add to
    app.add_autodocumenter(TaskDocumenter)
    app.add_directive_to_domain("py", "task", TaskDirective)
    app.add_role_to_domain("py", "task", PyXRefRole())
    app.add_config_value("celery_task_prefix", "(task)", "env")
    app.connect("autodoc-skip-member", autodoc_skip_member_handler)
    return {"parallel_read_safe": True}
