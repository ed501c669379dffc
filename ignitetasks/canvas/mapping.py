"""`xmap`, `xstarmap` and `chunks`: one task over many arguments, in one call or in chunks. Sends nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ignitetasks.canvas import launching
from ignitetasks.canvas.groups import group
from ignitetasks.canvas.ports import Sender
from ignitetasks.canvas.signature import Signature, maybe_signature
from ignitetasks.canvas.steps import MAP, STARMAP


def _named(task: Any) -> Any:
    """Returns the signature of a task, so that it can be sent as plain data."""
    return maybe_signature(task) if isinstance(task, (Mapping, str)) else Signature(task)


def _short(values: Iterable[Any]) -> str:
    text = repr(list(values))
    return text if len(text) <= 100 else text[:97] + "..."


class _Mapping(Signature[Any]):
    """One call that runs a task once for each value."""

    _task_name = ""
    _kind = ""

    def __init__(self, task: Any, it: Iterable[Any], app: Sender | None = None, **options: Any) -> None:
        super().__init__(
            self._task_name, (), {"task": _named(task), "it": list(it)}, options, subtask_type=self._kind,
            immutable=True, app=app or getattr(task, "app", None),
        )  # fmt: skip

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Sender | None = None) -> Any:
        """Makes one of its map."""
        made = cls(d["kwargs"]["task"], d["kwargs"]["it"], app=app)
        made["options"] = d.get("options") or {}
        return made

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Sends it as one call."""
        return launching.launch(self, self.app, (), {}, options)

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Runs it here and now."""
        return self.type.apply((), {"task": self.kwargs["task"], "it": list(self.kwargs["it"])}, **options)


@Signature.register_type()
class xmap(_Mapping):
    """One call that runs ``task(x)`` for each x, one after the other; its result is the list of results."""

    _task_name = MAP
    _kind = "xmap"

    def __repr__(self) -> str:
        return f"[{self.kwargs['task']['task']}(x) for x in {_short(self.kwargs['it'])}]"


@Signature.register_type()
class xstarmap(_Mapping):
    """One call that runs ``task(*x)`` for each x, one after the other; its result is the list of results."""

    _task_name = STARMAP
    _kind = "xstarmap"

    def __repr__(self) -> str:
        return f"[{self.kwargs['task']['task']}(*x) for x in {_short(self.kwargs['it'])}]"


@Signature.register_type()
class chunks(Signature[Any]):
    """Many argument tuples in calls of n each; its result is a list of lists.

    Args:
        task: The task.
        it: Argument tuples.
        n: How many a call takes.
        **options: Options of the calls.
    """

    def __init__(self, task: Any, it: Iterable[Any], n: int, app: Sender | None = None, **options: Any) -> None:
        super().__init__(
            "ignitetasks.chunks", (), {"task": _named(task), "it": list(it), "n": n}, options,
            subtask_type="chunks", immutable=True, app=app or getattr(task, "app", None),
        )  # fmt: skip

    @classmethod
    def from_dict(cls, d: Mapping[str, Any], app: Sender | None = None) -> Any:
        """Makes one of its map."""
        made = cls(d["kwargs"]["task"], d["kwargs"]["it"], d["kwargs"]["n"], app=app)
        made["options"] = d.get("options") or {}
        return made

    def __call__(self, **options: Any) -> Any:
        """Sends it."""
        return self.apply_async(**options)

    def apply_async(
        self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any
    ) -> Any:
        """Sends it and returns the `GroupResult` of its calls."""
        return launching.launch(self, self.app, (), {}, options)

    def apply(self, args: Sequence[Any] | None = None, kwargs: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """Runs it here and now."""
        return self.group().apply(**options)

    def group(self) -> group:
        """Returns the group of its calls."""
        values, size = list(self.kwargs["it"]), self.kwargs["n"]
        parts = (values[start : start + size] for start in range(0, len(values), size))
        return group([xstarmap(self.kwargs["task"], part, app=self._app) for part in parts], app=self._app)

    @classmethod
    def apply_chunks(cls, task: Any, it: Iterable[Any], n: int, app: Sender | None = None) -> Any:
        """Sends a task over argument tuples in chunks."""
        return cls(task, it, n, app=app)()
