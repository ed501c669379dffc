"""Commands about the node itself: start, stop and look at the embedded one, run a data node in the foreground.

Must not know how a JVM is started: see ``ignitetasks.jvm``.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import click

from ignitetasks import control, jvm
from ignitetasks.cli import render
from ignitetasks.cli.options import durability_option, instance_options, settings_of
from ignitetasks.config import ENV_PREFIX, Settings, state_home
from ignitetasks.errors import IgniteTasksError, NodeError

_STOP_SECONDS = 30.0
# One that hangs is to be stopped all the same.
_QUESTION_SECONDS = 2.0


@click.group()
def node() -> None:
    """The Ignite node behind the tasks."""


@node.command()
@durability_option
@instance_options
def start(**given: str | None) -> None:
    """Start the embedded node of a data directory, where none runs, and leave it running."""
    settings = settings_of(**given)
    running = jvm.find(settings)
    connection = running or jvm.ensure_running(settings)
    click.echo(f"{'already running' if running else 'ready'}: {_line(connection)}")
    idle = settings.idle_exit_seconds
    click.echo(
        "stop it with: ignitetasks node stop"
        + (f"; it ends by itself after {render.duration(idle * 1000)} without clients and workers" if idle else "")
    )


@node.command()
@instance_options
def stop(**where: str | None) -> None:
    """Stop the node of a data directory. Nothing acknowledged is lost."""
    settings = settings_of(**where)
    workers = _workers(settings)
    stopped = jvm.stop(settings, _STOP_SECONDS)
    click.echo("stopped" if stopped else f"no node is running for {settings.instance_dir}")
    if stopped and workers:
        click.echo(f"a worker that still runs starts it again: {', '.join(workers)}", err=True)


def _workers(settings: Settings) -> list[str]:
    """Returns the names of the workers that run on a node; none where it cannot be asked."""
    try:
        with closing(control.connect(settings, start=False)) as transport:
            answer = transport.call("status", timeout=_QUESTION_SECONDS)
        return sorted(str(one["name"]) for one in answer.get("workers", ()))
    except IgniteTasksError:
        return []


@node.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@instance_options
def status(as_json: bool, **where: str | None) -> None:
    """Show the node that runs; exit code 1 when none does."""
    settings = settings_of(**where)
    with closing(control.connect(settings, start=False)) as transport:
        answer = control.status(transport).node
    connection = jvm.find(settings)
    if as_json:
        render.echo_json({**vars(answer), "pid": connection.pid if connection else None})
        return
    render.console().print(render.node_table(answer))
    if connection:
        click.echo(_line(connection))


def _line(connection: jvm.Connection) -> str:
    return (
        f"node {connection.node}, process {connection.pid}, gateway {connection.host}:{connection.port}, "
        f"data in {connection.data_dir} (durability {connection.durability})"
    )


@node.command()
@click.option("--name", required=True, metavar="NAME", help="Its name: unique in the cluster, the same at each start.")
@click.option("--cluster", metavar="HOST:PORT,...", help="All data nodes of the cluster; without: this node alone.")
@click.option("--data-dir", metavar="DIR", type=click.Path(), help="Where its data lives.")
@durability_option
@click.option("--backups", type=int, help="Copies of each record on other nodes; 1 with --cluster.")
@click.option("--local-host", metavar="ADDRESS", help="Address the cluster's ports listen on.")
@click.option("--discovery-port", type=int, help="Its port in --cluster.")
@click.option("--communication-port", type=int, help="Port for the other nodes' messages.")
@click.option("--thin-port", type=int, help="Port for thin clients.")
@click.option("--gateway-port", type=int, help="Port of its gateway.")
@click.option("--heap-mb", type=int, help="Largest Java heap in MiB.")
@click.option("--region-max-mb", type=int, help="Largest data region in MiB.")
@click.option("--namespace", metavar="NAME", help="Namespace of the application.")
def run(name: str, data_dir: str | None, **given: Any) -> int:
    """Run a data node of a cluster in the foreground, until Ctrl-C or SIGTERM.

    \b
    ignitetasks node run --name n1 --cluster 127.0.0.1:47500,127.0.0.1:47510 --discovery-port 47500
    ignitetasks node run --name n2 --cluster 127.0.0.1:47500,127.0.0.1:47510 --discovery-port 47510
    """  # noqa: D301 \b is click's mark for text that is not to be wrapped
    settings = _data_node_settings(name, data_dir, given)
    stopped = threading.Event()
    process, connection = jvm.own(settings, foreground=True, role=jvm.DATA)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    click.echo(f"ready: {_line(connection)}; stop it with Ctrl-C", err=True)
    while not stopped.wait(0.2):
        code = process.process.poll()
        if code is not None:
            raise NodeError(f"the node ended by itself with exit code {code}: what it said last is above", "ENDED")
    click.echo("stopping", err=True)
    return 0 if process.stop(_STOP_SECONDS) in (0, 128 + signal.SIGTERM) else 1


def _data_node_settings(name: str, data_dir: str | None, given: dict[str, Any]) -> Settings:
    # Two nodes of one machine must not meet in the default directory, which is the embedded node's.
    folder = data_dir or os.environ.get(f"{ENV_PREFIX}DATA_DIR") or state_home() / "nodes" / name
    return settings_of(node_name=name, data_dir=Path(folder), instance=Path(folder), **given)
