"""SQL over the records of all tasks: a snapshot in a table TASKS of an SQLite database that lives for one query.

Must not print, and must let no statement change anything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ignitetasks import states
from ignitetasks.errors import RequestError
from ignitetasks.transport.base import Transport

_PAGE_ROWS = 5_000
#: SQLite virtual machine steps between two looks for Ctrl-C.
_INTERRUPT_STEPS = 200_000

#: Columns of the TASKS table in the order of the node's ``scan`` rows, with their SQL types.
TASK_COLUMNS: tuple[tuple[str, str], ...] = (
    ("id", "TEXT"),
    ("task", "TEXT"),
    ("queue", "TEXT"),
    ("state", "TEXT"),
    ("priority", "INTEGER"),
    ("created_ms", "INTEGER"),
    ("eta_ms", "INTEGER"),
    ("started_ms", "INTEGER"),
    ("finished_ms", "INTEGER"),
    ("attempt", "INTEGER"),
    ("deliveries", "INTEGER"),
    ("worker", "TEXT"),
    ("error_type", "TEXT"),
    ("run_us", "INTEGER"),
    ("root_id", "TEXT"),
    ("parent_id", "TEXT"),
    ("group_id", "TEXT"),
)
_STATE_COLUMN = 3
_TIME_COLUMNS = ("created", "eta", "started", "finished")


@dataclass(frozen=True)
class Table:
    """Answer of a query.

    Attributes:
        columns: Names.
        rows: Values.
    """

    columns: Sequence[str]
    rows: Sequence[Sequence[Any]]


def records(transport: Transport) -> Iterator[Sequence[Any]]:
    """Reads all records, page by page; what changes meanwhile may be seen before or after its change.

    Args:
        transport: To the node, see ``control.connect``.

    Yields:
        Values in the order of :data:`TASK_COLUMNS`; the state is its name.
    """
    cursor: str | None = None
    while True:
        cursor, rows = transport.call("scan", cursor, _PAGE_ROWS)
        for row in rows:
            values = list(row)
            values[_STATE_COLUMN] = states.name_of(values[_STATE_COLUMN])
            yield values
        if cursor is None:
            return


def sql(transport: Transport, statement: str) -> Table:
    """Runs one SELECT over a snapshot of all records, in a table TASKS.

    Columns are those of :data:`TASK_COLUMNS` and, for reading, ``created``, ``eta``, ``started``, ``finished`` as
    ISO 8601 text in UTC. The snapshot is taken page by page while tasks run, so it is not one instant.

    Args:
        transport: To the node, see ``control.connect``.
        statement: In SQLite's dialect; reading only.

    Raises:
        RequestError: The statement is wrong or would change something; nothing was sent then.
    """
    _try(statement)
    database = _task_table()
    try:
        slots = ", ".join("?" for _ in TASK_COLUMNS)
        names = ", ".join(name for name, _ in TASK_COLUMNS)
        database.executemany(f"INSERT INTO tasks ({names}) VALUES ({slots})", records(transport))  # noqa: S608 constants
        return _select(database, statement)
    finally:
        database.close()


def _try(statement: str) -> None:
    # On the empty table first: a million records are not fetched for a misspelt column.
    database = _task_table()
    try:
        _select(database, f"EXPLAIN {statement}")
    finally:
        database.close()


def _task_table() -> sqlite3.Connection:
    # The empty name is a temporary file that SQLite fills only when the rows outgrow its cache.
    database = sqlite3.connect("", isolation_level=None)
    columns = [f"{name} {kind}" for name, kind in TASK_COLUMNS]
    columns += [
        f"{name} TEXT GENERATED ALWAYS AS (CASE WHEN {name}_ms > 0 THEN "
        f"strftime('%Y-%m-%dT%H:%M:%fZ', {name}_ms / 1000.0, 'unixepoch') END) VIRTUAL"
        for name in _TIME_COLUMNS
    ]
    database.execute("PRAGMA journal_mode = OFF")
    database.execute(f"CREATE TABLE tasks ({', '.join(columns)})")
    return database


_ALLOWED = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)  # fmt: skip


def _authorize(action: int, *_names: str | None) -> int:
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _select(database: sqlite3.Connection, statement: str) -> Table:
    database.set_authorizer(_authorize)
    # SQLite would run an endless query to its end before Python sees Ctrl-C.
    database.set_progress_handler(lambda: 0, _INTERRUPT_STEPS)
    try:
        cursor = database.execute(statement)
        rows = cursor.fetchall()
    except (sqlite3.Error, sqlite3.Warning) as error:
        if "prohibited" in str(error) or "not authorized" in str(error):
            raise RequestError("only one SELECT statement is allowed here: nothing can be changed by SQL") from error
        raise RequestError(f"the statement was not understood: {error}") from error
    if cursor.description is None:
        raise RequestError("only one SELECT statement is allowed here: nothing can be changed by SQL")
    return Table([column[0] for column in cursor.description], rows)
