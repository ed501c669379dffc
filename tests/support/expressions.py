"""Expressions that are both workflows and plain computations: what a canvas must give, Python says.

An expression takes a value and gives one: ``("add", n)``, ``("chain", [...])``, ``("chord", [...], body)`` where the
body starts with a sum of the (possibly nested) list it is given.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from ignitetasks.canvas import chain, chord, group

Expression = tuple[Any, ...]


def _deeper(inner: st.SearchStrategy[Expression]) -> st.SearchStrategy[Expression]:
    members = st.lists(inner, min_size=1, max_size=3)
    return st.one_of(
        st.tuples(st.just("chain"), st.lists(inner, min_size=1, max_size=4)),
        st.tuples(st.just("chord"), members, inner),
        st.tuples(st.just("fan"), members),
    )


def expressions() -> st.SearchStrategy[Expression]:
    """Random expressions, nested a few levels."""
    leaf = st.tuples(st.sampled_from(["add", "replaced"]), st.integers(-9, 9))
    return st.recursive(leaf, _deeper, max_leaves=8)


def value_of(expression: Expression, value: Any) -> Any:
    """Computes an expression in plain Python."""
    kind = expression[0]
    if kind in ("add", "replaced"):
        return value + expression[1]
    if kind == "chain":
        for one in expression[1]:
            value = value_of(one, value)
        return value
    total = sum(value_of(one, value) for one in expression[1])
    return value_of(expression[2], total) if kind == "chord" else total


def canvas_of(t: Any, expression: Expression) -> Any:
    """Makes the canvas of an expression of the tasks of ``canvas_tasks``."""
    kind = expression[0]
    if kind == "add":
        return t.add.s(expression[1])
    if kind == "replaced":
        return t.replaced_add.s(expression[1])
    if kind == "chain":
        return chain([canvas_of(t, one) for one in expression[1]])
    header = group([canvas_of(t, one) for one in expression[1]])
    if kind == "chord":
        return chord(header, chain(t.tsum.s(), canvas_of(t, expression[2])))
    return chord(header, t.tsum.s())
