"""The command ``ignitetasks beat``: sends the periodic tasks of an application until it is told to stop.

Must not know what a tick is: see ``ignitetasks.beat``.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import click

from ignitetasks.apps.beat import Beat
from ignitetasks.cli import celery_words, daemon
from ignitetasks.cli.appoptions import Command
from ignitetasks.cli.celery_words import no_effect
from ignitetasks.cli.options import (
    SERVICE,
    app_of,
    app_option,
    durability_option,
    instance_options,
    service_options,
    settings_arguments,
)


@click.command(cls=Command)
@app_option
@click.option("--max-interval", type=float, metavar="SECONDS", help="Longest pause between two looks.")
@click.option("-S", "--scheduler", metavar="MODULE:CLASS", help="A scheduler of your own.")
@service_options
@no_effect("-s", "--schedule", why=celery_words.SCHEDULE_FILE)
@no_effect("-n", "--hostname", why=celery_words.BEAT_NAME)
@no_effect("--enable-remote-control", why=celery_words.REMOTE_BEAT, is_flag=True)
@no_effect("--executable", why=celery_words.FORKED)
@durability_option
@instance_options
@settings_arguments
@click.pass_context
def beat(
    context: click.Context,
    /,
    place: str | None,
    max_interval: float | None,
    scheduler: str | None,
    loglevel: str | None,
    log_json: bool | None,
    words: tuple[str, ...],
    **given: Any,
) -> None:
    """Send periodic tasks until Ctrl-C or SIGTERM.

    Any number of beats may run: each tick fires once. The schedule is in the cluster and can be changed while they run,
    see `ignitetasks schedule`. A scheduler of your own sends its ticks once for each beat that has it.
    """
    service = daemon.Service(**{name: given.pop(name) for name in SERVICE})
    app = app_of(context, place, **given)
    app.config_from_cmdline(words, namespace="beat")
    service = daemon.of_settings(service, app.conf, "beat")
    logfile = None
    if service.logfile and not service.background:
        # What runs in the background has its log file as its standard error.
        logfile, service = daemon.expand(service.logfile), dataclasses.replace(service, logfile=None)
    with daemon.running(service):
        program = Beat(
            max_interval, app, loglevel=loglevel, logfile=logfile, log_json=log_json, scheduler_cls=scheduler
        )
        program.run()
