"""The commands ``ignitetasks upgrade settings`` and ``ignitetasks graph``, which Celery's users know.

Must not judge a name itself: see `ignitetasks.migration`.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from pathlib import Path

import click

from ignitetasks import control, loaders
from ignitetasks.bootsteps import requirements
from ignitetasks.cli.options import common, instance_options, settings_of
from ignitetasks.errors import ConfigurationError
from ignitetasks.migration.upgrade import rename_settings


@click.group()
def upgrade() -> None:
    """Bring old files up to date."""


@upgrade.command()
@click.argument("filename", type=click.Path(exists=True, dir_okay=False))
@click.option("--django", "--compat", "django", is_flag=True, help="Names begin with CELERY_, as in Django's settings.")
@click.option("--no-backup", is_flag=True, help="Keep no copy of the file as it was.")
def settings(filename: str, django: bool, no_backup: bool) -> int:
    """Give the settings in a file their present names. A copy of the file is kept beside it, as FILENAME.orig."""
    path = Path(filename)
    try:
        with path.open(encoding="utf-8", newline="") as opened:
            old = opened.read()
        new, names = rename_settings(old, django)
    except (SyntaxError, ValueError) as error:
        raise ConfigurationError(f"{filename} cannot be read: {error}") from error
    if not names:
        click.echo("nothing to change")
        return 0
    if not no_backup:
        shutil.copy2(path, f"{filename}.orig")
    with path.open("w", encoding="utf-8", newline="") as opened:
        opened.write(new)
    for before, after in names.items():
        click.echo(f"{before} -> {after}")
    return 0


@click.group()
def graph() -> None:
    """Draw what there is, as text for Graphviz."""


@graph.command(context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
@click.pass_context
def bootsteps(context: click.Context) -> int:
    """Draw the steps that an application adds to its workers (`-A`), and what they require."""
    chosen = common(context).app.steps
    click.echo("digraph bootsteps {\n  rankdir=LR;")
    for part, steps in sorted(chosen.items()):
        for step in sorted(map(loaders.symbol_by_name, steps), key=lambda one: str(one.__name__)):
            click.echo(f'  "{step.__name__}" [shape=box, label="{step.__name__}\\n{part}"];')
            for _, name in requirements(step):
                click.echo(f'  "{name}" -> "{step.__name__}";')
    click.echo("}")
    return 0


@graph.command()
@instance_options
def workers(**where: str | None) -> int:
    """Draw the workers that live, and the queues they take tasks from."""
    chosen = settings_of(**where)
    with closing(control.connect(chosen, start=not chosen.embedded)) as transport:
        found = control.status(transport)
    click.echo("digraph workers {\n  rankdir=LR;")
    for queue in found.queues:
        click.echo(f'  "{queue.name}" [shape=box, label="{queue.name}\\n{queue.pending} pending"];')
    for worker in found.workers:
        click.echo(f'  "{worker.name}" [label="{worker.name}\\n{worker.pool} x {worker.concurrency}"];')
        for name in worker.queues:
            click.echo(f'  "{name}" -> "{worker.name}";')
    click.echo("}")
    return 0
