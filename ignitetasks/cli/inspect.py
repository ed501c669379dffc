"""Commands that look at tasks and put them in order: status, result, dead, purge, sql.

``status`` never starts an embedded node. The others do when none runs: what they are asked about is on the disk.
Must not talk to the node other than by ``control``.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any

import click

from ignitetasks import control
from ignitetasks.cli import render
from ignitetasks.cli.appoptions import Command
from ignitetasks.cli.celery_words import no_effect
from ignitetasks.cli.options import UNAVAILABLE, instance_options, names_option, reached, settings_of
from ignitetasks.config import Settings
from ignitetasks.errors import RequestError

_JSON = click.option("-j", "--json", "as_json", is_flag=True, help="Print JSON.")


@click.command(cls=Command)
@_JSON
@names_option("-d", "--destination", help="Of the workers only these.")
@no_effect("-t", "--timeout", why="the node knows its workers, so nobody is waited for")
@instance_options
@click.pass_context
def status(context: click.Context, /, as_json: bool, destination: list[str] | None, **where: str | None) -> int:
    """Show node, queues, workers and tasks at a glance; exit code 69 without a node, or without a worker."""
    return reached(context, lambda: _status(as_json, destination, settings_of(**where)))


def _status(as_json: bool, destination: list[str] | None, settings: Settings) -> int:
    # A cluster is looked at through a client JVM of our own, which holds no data: starting that changes nothing.
    with closing(control.connect(settings, start=not settings.embedded)) as transport:
        answer = control.status(transport)
    if destination:
        answer = replace(answer, workers=tuple(one for one in answer.workers if one.name in destination))
    if as_json:
        render.echo_json(asdict(answer))
    else:
        render.show_status(answer)
    if answer.workers:
        return 0
    click.echo("Error: No nodes replied within time constraint", err=True)
    return UNAVAILABLE


@click.command(cls=Command)
@names_option("-Q", "--queues", "--queue", help="Only these queues.")
@names_option("-X", "--exclude-queues", help="All queues but these.")
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@instance_options
def purge(queues: list[str] | None, exclude_queues: list[str] | None, force: bool, **where: str | None) -> None:
    """Remove the tasks that wait. Those that run go on."""
    settings = settings_of(**where)
    if not force:
        what = f"queue {', '.join(queues)}" if queues else "all queues"
        what += f" but {', '.join(exclude_queues)}" if exclude_queues else ""
        click.confirm(f"Remove all waiting tasks of {what} of {settings.instance_dir}?", abort=True)
    with closing(control.connect(settings, start=True)) as transport:
        chosen: Sequence[str | None] = queues or [None]
        if exclude_queues:
            known = queues or [one.name for one in control.status(transport).queues]
            chosen = [name for name in known if name not in exclude_queues]
        click.echo(f"{sum(control.purge(transport, name) for name in chosen)} removed")


@click.command(cls=Command)
@click.argument("task_id", metavar="ID")
@_JSON
@click.option("--traceback", "only_traceback", is_flag=True, help="Show only the traceback of its error.")
@no_effect("-t", "--task", why="a result is found by its id alone")
@instance_options
def result(task_id: str, as_json: bool, only_traceback: bool, **where: str | None) -> None:
    """Show a task's state, and its result or error."""
    settings = settings_of(**where)
    with closing(control.connect(settings, start=True)) as transport:
        record = control.info(transport, task_id)
        ended = control.outcome(transport, settings, record)
    failure = ended.failure
    if only_traceback:
        click.echo((failure.traceback if failure else None) or "no traceback")
        return
    if as_json:
        answer: dict[str, Any] = {**record.facts, "state": record.state, "result": ended.value}
        answer["error"] = asdict(failure) if failure else None
        render.echo_json(answer)
        return
    facts = {"id": record.id, "task": record.task, "queue": record.queue, "state": record.state}
    for name in ("created", "eta", "started", "finished"):
        if record.facts.get(f"{name}_ms"):
            facts[name] = render.moment(record.facts[f"{name}_ms"])
    facts |= {name: record.facts[name] for name in ("worker", "attempt", "deliveries") if record.facts.get(name)}
    if failure:
        facts["error"] = f"{failure.type_name}: {failure.message}"
    elif record.state == "SUCCESS":
        facts["result"] = repr(ended.value)
    render.show_facts(facts)
    if failure and failure.traceback:
        click.echo(f"\n{failure.traceback.rstrip()}")


@click.group()
def dead() -> None:
    """Dead letters: tasks whose processes died more often than allowed."""


@dead.command("list")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, 10_000), help="Most to show.")
@_JSON
@instance_options
def dead_list(limit: int, as_json: bool, **where: str | None) -> None:
    """List dead letters."""
    with closing(control.connect(settings_of(**where), start=True)) as transport:
        letters = control.dead_list(transport, limit)
    if as_json:
        render.echo_json([{**record.facts, "state": record.state} for record in letters])
    elif letters:
        render.show_records(letters, "Dead letters")
    else:
        click.echo("no dead letters")


@dead.command("retry")
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@instance_options
def dead_retry(ids: tuple[str, ...], everything: bool, **where: str | None) -> None:
    """Put dead letters back into their queues, with their starts counted anew."""
    chosen = _chosen(ids, everything)
    with closing(control.connect(settings_of(**where), start=True)) as transport:
        _tell(control.dead_retry(transport, chosen), "put back", chosen)


@dead.command("drop")
@click.argument("ids", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="All dead letters.")
@instance_options
def dead_drop(ids: tuple[str, ...], everything: bool, **where: str | None) -> None:
    """Remove dead letters for good."""
    chosen = _chosen(ids, everything)
    with closing(control.connect(settings_of(**where), start=True)) as transport:
        _tell(control.dead_drop(transport, chosen), "removed", chosen)


def _chosen(ids: Sequence[str], everything: bool) -> list[str] | None:
    if bool(ids) == everything:
        raise click.UsageError("name the ids, or say --all")
    return None if everything else list(ids)


def _tell(count: int, done: str, chosen: list[str] | None) -> None:
    click.echo(f"{count} {done}")
    if chosen is not None and count < len(set(chosen)):
        raise RequestError(f"{len(set(chosen)) - count} of these ids are no dead letters: see `ignitetasks dead list`")


@click.command(cls=Command)
@click.argument("statement")
@_JSON
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV.")
@instance_options
def sql(statement: str, as_json: bool, as_csv: bool, **where: str | None) -> None:
    """Run a SELECT over a snapshot of the table TASKS.

    \b
    ignitetasks sql "select state, count(*) from tasks group by state"
    ignitetasks sql "select id, error_type, finished from tasks where state = 'FAILURE' limit 10"

    Columns: id, task, queue, state, priority, created_ms, eta_ms, started_ms, finished_ms, attempt, deliveries, worker,
    error_type, run_us, root_id, parent_id, group_id; and created, eta, started, finished as text in UTC.
    """  # noqa: D301 \b is click's mark for text that is not to be wrapped
    if as_json and as_csv:
        raise click.UsageError("choose one of --json and --csv")
    with closing(control.connect(settings_of(**where), start=True)) as transport:
        table = control.sql(transport, statement)
    if as_json:
        render.echo_json([dict(zip(table.columns, row, strict=True)) for row in table.rows])
    elif as_csv:
        render.echo_csv(table)
    else:
        render.show_table(table)
