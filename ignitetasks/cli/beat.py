"""The command ``ignitetasks beat``: sends the periodic tasks of an application until it is told to stop.

Must not know what a tick is: see ``ignitetasks.beat``.
"""

from __future__ import annotations

from typing import Any

import click

from ignitetasks.apps.beat import Beat
from ignitetasks.cli.options import app_of, app_option, durability_option, instance_options

_LEVELS = ("debug", "info", "warning", "error", "critical")


@click.command()
@app_option
@click.option("--max-interval", type=float, metavar="SECONDS", help="Longest pause between two looks.")
@click.option("-s", "--schedule", metavar="FILE", hidden=True)
@click.option("-S", "--scheduler", metavar="CLASS", hidden=True)
@click.option("-l", "--loglevel", type=click.Choice(_LEVELS, case_sensitive=False), help="Lowest level that is logged.")
@click.option("--log-json/--log-text", default=None, help="Log lines as JSON or text; by default text on a terminal.")
@durability_option
@instance_options
@click.pass_context
def beat(
    context: click.Context,
    /,
    place: str | None,
    max_interval: float | None,
    schedule: str | None,
    scheduler: str | None,
    loglevel: str | None,
    log_json: bool | None,
    **where: Any,
) -> None:
    """Send periodic tasks until Ctrl-C or SIGTERM.

    Any number of beats may run: each tick fires once. The schedule is in the cluster and can be changed while they run,
    see `ignitetasks schedule`.
    """
    app = app_of(context, place, **where)
    for option, value in (("--schedule", schedule), ("--scheduler", scheduler)):
        if value:
            click.echo(f"{option} {value} has no effect: entries and runs are in the cluster", err=True)
    Beat(max_interval, app, loglevel=loglevel, log_json=log_json).run()
