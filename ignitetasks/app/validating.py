"""``pydantic=True``: arguments become models before a task runs, and a returned model becomes a map.

So does a model that a call is given, where the task gets an equal one.

The only file that imports pydantic; it is loaded for tasks that ask for it. This file must not know tasks.
"""

from __future__ import annotations

import functools
import inspect
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pydantic


def _model_of(annotation: Any) -> type[pydantic.BaseModel] | None:
    """Returns the model that an annotation names, alone or beside None."""
    candidates = [one for one in typing.get_args(annotation) if one is not type(None)] or [annotation]
    if len(candidates) == 1 and isinstance(candidates[0], type) and issubclass(candidates[0], pydantic.BaseModel):
        return candidates[0]
    return None


def _models(fn: Callable[..., Any]) -> dict[str, type[pydantic.BaseModel]]:
    hints = typing.get_type_hints(fn)
    return {name: model for name, hint in hints.items() if name != "return" and (model := _model_of(hint))}


#: Arguments of a call to those that are sent.
Sent = Callable[[Sequence[Any], Mapping[str, Any]], tuple[Sequence[Any], Mapping[str, Any]]]


def sender(
    fn: Callable[..., Any],
    bound: bool,
    strict: bool = False,
    context: Mapping[str, Any] | None = None,
    dump_kwargs: Mapping[str, Any] | None = None,
) -> Sent:
    """Returns what makes maps of the models among the arguments of a call.

    A model is left as it is where the task would not get an equal one back.

    Args:
        fn: The function.
        bound: Its first parameter is the task.
        strict: As for `wrap`.
        context: As for `wrap`.
        dump_kwargs: As for `wrap`.
    """
    models = _models(fn)
    dump = {"mode": "json", **(dump_kwargs or {})}
    names = [
        one.name
        for one in inspect.signature(fn).parameters.values()
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
    ][int(bound) :]

    def sent(name: str, value: Any) -> Any:
        if name not in models or not isinstance(value, pydantic.BaseModel) or hasattr(value, "__json__"):
            return value
        try:
            plain = value.model_dump(**dump)
            again = models[name].model_validate(plain, strict=strict or None, context=context)
        except Exception:  # a validator of the project's own may raise anything; the serializer says what is wrong
            return value
        return plain if again == value else value

    def as_sent(args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[Sequence[Any], Mapping[str, Any]]:
        known = [sent(name, value) for name, value in zip(names, args, strict=False)]
        return [*known, *args[len(names) :]], {name: sent(name, value) for name, value in kwargs.items()}

    return as_sent


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
    models = _models(fn)
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
