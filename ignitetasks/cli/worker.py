"""The command ``ignitetasks worker``: loads the application and hands it to the worker runtime.

Must not know how tasks are run; every rule about a value is checked where the value is used.
"""

from __future__ import annotations

from typing import Any

import click

from ignitetasks.cli.loading import load_app
from ignitetasks.cli.options import durability_option, instance_options
from ignitetasks.worker import run_worker

_LEVELS = ("debug", "info", "warning", "error", "critical")


def _queue_names(_context: click.Context, _option: click.Parameter, value: str | None) -> list[str] | None:
    return None if value is None else [name.strip() for name in value.split(",") if name.strip()]


@click.command(context_settings={"show_default": True})
@click.option("-A", "--app", "place", required=True, metavar="MODULE[:ATTRIBUTE]", help="Where the application is.")
@click.option("-Q", "--queues", callback=_queue_names, metavar="NAME,...", help="Queues to take tasks from.")
@click.option("-c", "--concurrency", type=int, metavar="N", help="Tasks at a time; the number of cores if not given.")
@click.option("--pool", type=click.Choice(("prefork", "threads", "solo")), default="prefork", help="What runs tasks.")
@click.option("-n", "--name", metavar="NAME", help="The worker's name, unique in the cluster.")
@click.option("--max-tasks-per-child", type=int, metavar="N", help="Replace a child after so many tasks.")
@click.option("--max-memory-per-child", type=int, metavar="KIB", help="Replace a child that has grown so large.")
@click.option("--soft-time-limit", type=float, metavar="SECONDS", help="Soft limit of tasks that have none.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Hard limit of tasks that have none.")
@click.option("--reload", is_flag=True, help="Start anew when a source file changes (for development).")
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), metavar="PORT", help="Serve /metrics, /healthz, /readyz."
)
@click.option("--metrics-host", default="127.0.0.1", metavar="ADDRESS", help="Address of --metrics-port.")
@click.option("--loglevel", type=click.Choice(_LEVELS, case_sensitive=False), help="Lowest level that is logged.")
@click.option("--log-json/--log-text", default=None, help="Log lines as JSON or text; by default text on a terminal.")
@durability_option
@instance_options
def worker(
    place: str,
    cluster: str | None,
    data_dir: str | None,
    namespace: str | None,
    durability: str | None,
    loglevel: str | None,
    log_json: bool | None,
    **plan: Any,
) -> int:
    """Run tasks of an application until Ctrl-C or SIGTERM.

    The node is started where none runs; tasks that run at Ctrl-C are ended first, those that have not started go back.
    """
    app = load_app(place)
    app.prepare()
    app.configure(cluster=cluster, data_dir=data_dir, namespace=namespace, durability=durability)
    settings = app.settings
    return run_worker(
        app,
        loglevel=loglevel or settings.log_level,
        log_json=settings.log_json if log_json is None else log_json,
        **plan,
    )
