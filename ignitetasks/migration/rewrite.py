"""Changes ``celery`` to ``ignitetasks`` in the imports of a file, and in texts that name what could be imported.

Works on positions of the parsed file, so that every other byte stays as it is. A statement that imports anything
that needs a hand is left alone, so that nothing that is reported disappears. Must not write files.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass

from ignitetasks.migration.names import is_place, module_fate, name_fate, text_fate
from ignitetasks.migration.python_reader import BUILTIN_TASKS, is_celery

_OLD, _NEW = "celery", "ignitetasks"


@dataclass(frozen=True, slots=True, order=True)
class _Edit:
    """A place where the old name stands: line from 1, column in bytes."""

    line: int
    column: int
    text: str = _NEW


def rewrite_imports(text: str) -> str:
    """Returns a Python file with its imports renamed.

    Args:
        text: The file.

    Raises:
        SyntaxError: It is not Python.
    """
    tree = ast.parse(text)
    edits: list[_Edit] = []
    lines = text.splitlines(keepends=True)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and is_celery(node.module or ""):
            if all(name_fate(node.module or "", alias.name)[0] == "rename" for alias in node.names):
                edits.append(_Edit(node.lineno, _position(lines[node.lineno - 1], node.col_offset)))
        elif isinstance(node, ast.Import):
            edits += _plain(node)
        elif isinstance(node, ast.Constant) and _names_a_place(node.value):
            edits += _in_text(node, lines[node.lineno - 1])
    edits += _uses(tree, {(edit.line, edit.column) for edit in edits})
    return _apply(lines, edits)


def _names_a_place(value: object) -> bool:
    """Tells whether a text names a module of Celery's, or something in it, that is here in the same place."""
    return (
        isinstance(value, str)
        and value.startswith("celery.")
        and value.replace(".", "_").isidentifier()
        and value not in BUILTIN_TASKS
        and is_place(value)
        and text_fate(value)[0] == "rename"
    )


def _in_text(node: ast.Constant, line: str) -> list[_Edit]:
    """Returns the old name behind the quote; none where the text does not stand there as it is."""
    raw, value = line.encode(), str(node.value).encode()
    start = raw.find(value, node.col_offset)
    return [_Edit(node.lineno, start)] if 0 <= start <= node.col_offset + 5 else []


def _position(line: str, start: int) -> int:
    """Returns the byte column of the old name behind ``from``."""
    return line.encode().index(_OLD.encode(), start + len("from"))


def _plain(node: ast.Import) -> list[_Edit]:
    ours = [alias for alias in node.names if is_celery(alias.name)]
    if not all(module_fate(alias.name)[0] == "rename" for alias in ours):
        return []
    return [_Edit(alias.lineno, alias.col_offset) for alias in ours]


def _uses(tree: ast.Module, renamed: set[tuple[int, int]]) -> list[_Edit]:
    """Returns the uses of the name that a plain import binds; none when something else binds it, too.

    Where it is not safe to rename the uses, the import keeps the old name: ``import ignitetasks as celery``.
    """
    plain = [
        alias
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if is_celery(alias.name) and alias.asname is None
    ]
    if not plain:
        return []
    if not all((alias.lineno, alias.col_offset) in renamed for alias in plain):
        return []
    uses = [node for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == _OLD]
    if any(not isinstance(node.ctx, ast.Load) for node in uses) or _bound_otherwise(tree):
        return [
            _Edit(alias.lineno, alias.col_offset + len(_OLD.encode()), f" as {_OLD}")
            for alias in plain
            if alias.name == _OLD
        ]
    return [_Edit(node.lineno, node.col_offset) for node in uses]


def _bound_otherwise(tree: ast.Module) -> bool:
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and node.name == _OLD:
            return True
        if isinstance(node, ast.arg) and node.arg == _OLD:
            return True
        if isinstance(node, ast.ImportFrom) and any((alias.asname or alias.name) == _OLD for alias in node.names):
            return True
    return False


def _apply(lines: list[str], edits: list[_Edit]) -> str:
    for edit in sorted(set(edits), reverse=True):
        raw = lines[edit.line - 1].encode()
        old = len(_OLD) if edit.text == _NEW else 0
        lines[edit.line - 1] = (raw[: edit.column] + edit.text.encode() + raw[edit.column + old :]).decode()
    return "".join(lines)
