"""``pydantic=True``: arguments become models before a task runs, and a returned model becomes a map.

The only file that imports pydantic; it is loaded for tasks that ask for it. This file must not know tasks.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping
from typing import Any

import pydantic


def _model_of(annotation: Any) -> type[pydantic.BaseModel] | None:
    """Returns the model that an annotation names, alone or beside None."""
    candidates = [one for one in typing.get_args(annotation) if one is not type(None)] or [annotation]
    if len(candidates) == 1 and isinstance(candidates[0], type) and issubclass(candidates[0], pydantic.BaseModel):
        return candidates[0]
    return None


def wrap(
    fn: Callable[..., Any],
    strict: bool = False,
    context: Mapping[str, Any] | None = None,
    dump_kwargs: Mapping[str, Any] | None = None,
) -> Callable[..., Any]:
    """Returns a function that takes maps where ``fn`` takes models.

    Args:
        fn: The function.
        strict: As for pydantic's ``model_validate``.
        context: As for pydantic's ``model_validate``.
        dump_kwargs: Arguments of ``model_dump`` for a returned model; ``mode`` is ``json`` unless they say otherwise.
    """
    signature = inspect.signature(fn)
    hints = typing.get_type_hints(fn)
    models = {name: model for name, hint in hints.items() if name != "return" and (model := _model_of(hint))}
    dump = {"mode": "json", **(dump_kwargs or {})}

    @functools.wraps(fn)
    def validated(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for name, model in models.items():
            value = bound.arguments.get(name)
            if value is not None and not isinstance(value, model):
                bound.arguments[name] = model.model_validate(value, strict=strict or None, context=context)
        answer = fn(*bound.args, **bound.kwargs)
        return answer.model_dump(**dump) if isinstance(answer, pydantic.BaseModel) else answer

    return validated
