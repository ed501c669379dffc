"""Finds settings of Celery in parsed Python: Django settings, configuration modules and classes, maps.

Must not decide what a setting means: that is in the catalogue.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ignitetasks.migration.catalog import setting_named, setting_near
from ignitetasks.migration.finding import Finding

#: What the names of settings begin with in a Django settings module; each project may choose another namespace.
_STARTS = ("CELERY_", "CELERYD_", "CELERYBEAT_", "BROKER_")
_MODULE_NAMES = {"celeryconfig", "celery_config", "celery_settings", "celeryconf"}


def setting_finding(file: str, line: int, name: str) -> Finding | None:
    """Returns what is to be said of one setting; None when it works as it is.

    Args:
        file: Where it stands.
        line: Where it stands.
        name: In any of Celery's spellings.
    """
    entry = setting_named(name)
    if entry is None:
        near = setting_near(name)
        if name.isupper() and near is None:
            return None  # a constant of the project's own
        text = f"Celery documents no such setting{f' (is {near} meant?)' if near else ''}: find out what reads it."
        return Finding(file, line, "hand", name, text)
    if entry.verdict == "gone":
        return Finding(file, line, "gone", name, entry.text)
    if name.lower() != entry.name and name.upper() != f"CELERY_{entry.name.upper()}":
        return Finding(file, line, "hand", name, f"An old spelling: call it {entry.name}.")
    return None


def mapping_settings(node: ast.Call) -> Iterator[tuple[str, ast.AST]]:
    """Yields the settings that are given to ``conf.update(...)``, by keywords or as a map."""
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value
        elif isinstance(keyword.value, ast.Dict):
            yield from _keys(keyword.value)
    for arg in node.args:
        if isinstance(arg, ast.Dict):
            yield from _keys(arg)


def read_settings(file: str, stem: str, tree: ast.Module, sources: frozenset[str]) -> list[Finding]:
    """Returns the findings about settings that a module or a class holds as plain assignments.

    Args:
        file: How the file is called in findings.
        stem: The module's own name.
        tree: The parsed file.
        sources: Last parts of the names that the project gives to ``config_from_object``.
    """
    found: list[Finding | None] = []
    whole = stem in _MODULE_NAMES or stem in sources
    for name, line in _assigned(tree.body):
        if name.startswith(_STARTS) or (whole and setting_named(name) is not None):
            found.append(setting_finding(file, line, name))
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            held = node.name in sources
            for name, line in _assigned(node.body):
                if name.startswith(_STARTS) or (held and not name.startswith("_")):
                    found.append(setting_finding(file, line, name))
    return [one for one in found if one is not None]


def config_sources(tree: ast.Module) -> set[str]:
    """Returns the last parts of what a file gives to ``config_from_object``: modules and classes."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        if isinstance(node.func, ast.Attribute) and node.func.attr == "config_from_object":
            source = node.args[0]
            if isinstance(source, ast.Constant) and isinstance(source.value, str):
                found |= set(source.value.replace(":", ".").split(".")[-2:]) - {"django", "conf", "settings"}
            elif isinstance(source, ast.Name):
                found.add(source.id)
            elif isinstance(source, ast.Attribute):
                found.add(source.attr)
    return found


def _assigned(body: list[ast.stmt]) -> Iterator[tuple[str, int]]:
    for node in body:
        if isinstance(node, ast.Assign):
            for target in node.targets:
                if isinstance(target, ast.Name):
                    yield target.id, node.lineno
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.target.id, node.lineno
        elif isinstance(node, (ast.If, ast.Try)):
            yield from _assigned(node.body)
            yield from _assigned(node.orelse)


def _keys(node: ast.Dict) -> Iterator[tuple[str, ast.AST]]:
    for key in node.keys:
        if isinstance(key, ast.Constant) and isinstance(key.value, str):
            yield key.value, key
