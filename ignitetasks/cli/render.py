"""What the commands show: tables for people, JSON and CSV for programs.

Names and values come from users and tasks, so nothing of them is taken for markup. Must not ask a node anything.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

import click
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from ignitetasks import control
from ignitetasks.states import READY_STATES

#: Width of tables that go into a file or pipe, where there is no terminal to ask.
_FILE_COLUMNS = 160
_STATE_STYLES = {
    "SUCCESS": "green",
    "FAILURE": "red",
    "DEAD": "bold red",
    "REVOKED": "yellow",
    "REJECTED": "yellow",
    "RUNNING": "cyan",
    "STARTED": "cyan",
}


def console() -> Console:
    """Makes a console for standard output as it is now."""
    return Console(width=None if sys.stdout.isatty() else _FILE_COLUMNS, highlight=False)


def show_status(status: control.Status) -> None:
    """Shows node, queues, workers and states."""
    out = console()
    out.print(node_table(status.node))
    queues = _table("Queues", "name", right=("pending", "delayed", "running", "oldest", "workers", "free slots"))
    for queue in status.queues:
        # Without a worker nothing of it will ever run: the one thing to see at a glance.
        style = "red" if queue.pending and not queue.workers else ""
        age = duration(queue.oldest_ms) if queue.pending else "-"
        numbers = (queue.pending, queue.delayed, queue.running, age, queue.workers, queue.free_slots)
        queues.add_row(*_texts(queue.name, *numbers), style=style)
    out.print(queues if status.queues else Text("no queue has been used yet", "dim"))
    out.print(_workers(status.workers))
    states = _table("Tasks", "state", right=("number",))
    for name, number in status.states.items():
        if not number and name in READY_STATES:
            continue
        states.add_row(Text(name, _STATE_STYLES.get(name, "")), Text(f"{number:,}"))
    out.print(states)


def node_table(node: control.NodeStatus) -> RichTable:
    """Describes the node that answered."""
    table = RichTable(title="Node", title_justify="left", show_header=False, title_style="bold")
    heap = f"{node.heap_used >> 20} of {node.heap_max >> 20} MiB"
    facts = {
        "name": f"{node.name} ({node.role}, ignitetasks {node.version})",
        "data": f"{node.data_dir} (durability {node.durability})",
        "up for": duration(node.uptime_ms),
        "heap": heap,
        "data nodes": str(node.nodes),
    }
    for name, value in facts.items():
        table.add_row(Text(name, "dim"), Text(value))
    if not node.active:
        table.add_row(Text("state", "dim"), Text("NOT ACTIVE: takes no tasks now", "bold red"))
    return table


def _workers(workers: Sequence[control.WorkerStatus]) -> RichTable | Text:
    if not workers:
        return Text("no worker is connected: start one with `ignitetasks worker -A MODULE`", "yellow")
    table = _table(
        "Workers",
        "name",
        "host",
        "pool",
        "queues",
        right=("slots", "free", "running", "done", "failed", "lost", "up for"),
    )
    now = time.time() * 1000
    for one in workers:
        table.add_row(
            *_texts(one.name, f"{one.host} ({one.pid})", one.pool, ", ".join(one.queues)),
            *_texts(one.concurrency, one.free, one.running, one.done, one.failed, one.lost),
            Text(duration(max(0, now - one.started_ms))),
        )
    return table


def state_text(state: str) -> Text:
    """Returns a task state's name in its colour."""
    return Text(state, _STATE_STYLES.get(state, ""))


def show_records(records: Sequence[control.TaskInfo], title: str) -> None:
    """Shows records as a table."""
    table = _table(title, "id", "task", "queue", "worker", "error", right=("deliveries", "ended"))
    for record in records:
        facts = record.facts
        table.add_row(
            *_texts(record.id, record.task, record.queue, facts.get("worker") or "-", facts.get("error_type") or "-"),
            *_texts(facts.get("deliveries", ""), moment(facts.get("finished_ms"))),
        )
    console().print(table)


def show_rows(rows: Sequence[Mapping[str, Any]], columns: Sequence[str], title: str) -> None:
    """Shows maps as a table.

    Args:
        rows: The maps.
        columns: Which of their values.
        title: What they are.
    """
    table = _table(title, *columns)
    for row in rows:
        table.add_row(*_texts(*("-" if row[name] is None else row[name] for name in columns)))
    console().print(table if rows else Text(f"{title}: nothing yet", "dim"))


def show_table(table: control.Table) -> None:
    """Shows the answer of a query as a table."""
    shown = _table(None, *table.columns)
    for row in table.rows:
        shown.add_row(*_texts(*("" if value is None else value for value in row)))
    out = console()
    out.print(shown)
    out.print(Text(f"{len(table.rows):,} row{'' if len(table.rows) == 1 else 's'}", "dim"))


def show_facts(facts: Mapping[str, Any]) -> None:
    """Shows names and values, one pair a line."""
    table = RichTable(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, value in facts.items():
        table.add_row(Text(name, "dim"), Text(str(value), _STATE_STYLES.get(str(value), "")))
    console().print(table)


def echo_json(value: Any) -> None:
    """Writes a value as JSON; what JSON does not know is written as text."""
    click.echo(json.dumps(value, indent=2, default=_plain, ensure_ascii=False))


def echo_csv(table: control.Table) -> None:
    """Writes the answer of a query as CSV with a header line."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(table.rows)
    click.echo(text.getvalue(), nl=False)


def _plain(value: Any) -> Any:
    if isinstance(value, (set, frozenset)):
        return sorted(value, key=repr)
    return str(value)


def duration(milliseconds: float) -> str:
    """Words a length of time: ``35 s``, ``4 min``, ``3.5 h``, ``12 d``."""
    seconds = milliseconds / 1000
    for unit, size, limit in (("s", 1, 120), ("min", 60, 7200), ("h", 3600, 172_800)):
        if seconds < limit:
            return f"{seconds / size:.1f} {unit}" if seconds / size < 10 else f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def moment(milliseconds: int | None) -> str:
    """Words a point in time, in local time; ``-`` for none."""
    if not milliseconds:
        return "-"
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(milliseconds / 1000))


def _table(title: str | None, *left: str, right: Sequence[str] = ()) -> RichTable:
    table = RichTable(title=title, title_justify="left", title_style="bold")
    for name in left:
        table.add_column(Text(name), overflow="fold")
    for name in right:
        table.add_column(Text(name), justify="right")
    return table


def _texts(*values: object) -> list[Text]:
    return [Text(f"{value:,}" if isinstance(value, int) else str(value)) for value in values]
