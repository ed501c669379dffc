"""Gives settings of Celery's the names they have had since its version 4, in a file of settings.

Works on positions of the parsed file, so that every other byte stays as it is. Must not write files.
"""

from __future__ import annotations

import ast

from ignitetasks.migration.catalog import setting_named

#: What the names of settings begin with in a Django settings module.
_STARTS = ("CELERY_", "CELERYD_", "CELERYBEAT_", "BROKER_")


def new_name(name: str, django: bool) -> str | None:
    """Returns the present name of a setting; None for one that has it, and for what is no setting.

    Args:
        name: As the file has it.
        django: Names begin with ``CELERY_`` and are in capitals.
    """
    if django and not name.startswith(_STARTS):
        return None
    entry = setting_named(name) if name.isupper() else None
    if entry is None:
        return None
    chosen = f"CELERY_{entry.name.upper()}" if django else entry.name
    return None if chosen == name else chosen


def rename_settings(text: str, django: bool = False) -> tuple[str, dict[str, str]]:
    """Renames the settings that a file assigns, and their uses in it.

    Args:
        text: The file.
        django: It is one of Django's, with the namespace ``CELERY``.

    Returns:
        The file, and the new names by the old ones.

    Raises:
        SyntaxError: It is not Python.
    """
    tree = ast.parse(text)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    assigned = {node.id for node in found if isinstance(node.ctx, ast.Store)}
    names = {old: new for old in sorted(assigned) if (new := new_name(old, django)) is not None}
    lines = text.splitlines(keepends=True)
    places = [(node.lineno, node.col_offset, node.id) for node in found if node.id in names]
    for line, column, old in sorted(places, reverse=True):
        raw = lines[line - 1].encode()
        lines[line - 1] = (raw[:column] + names[old].encode() + raw[column + len(old.encode()) :]).decode()
    return "".join(lines), names
