"""The command ``ignitetasks worker``: Celery's options, turned into what the worker runtime is asked.

Must not know how tasks are run; every rule about a value is checked where the value is used.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TextIO

import click

from ignitetasks import deferred
from ignitetasks.app import logsetup
from ignitetasks.beat import EmbeddedService
from ignitetasks.cli import celery_words, daemon
from ignitetasks.cli.appoptions import Command
from ignitetasks.cli.celery_words import no_effect
from ignitetasks.cli.options import (
    SERVICE,
    app_of,
    app_option,
    common,
    durability_option,
    instance_options,
    names_option,
    service_options,
    settings_arguments,
)
from ignitetasks.worker import asked, lifecycle

_POOLS = {"processes": "prefork", "thread": "threads"}
_NO_POOL = {
    "eventlet": "there is no eventlet pool: many waiting tasks run with -P threads, coroutines with -P asyncio",
    "gevent": "there is no gevent pool: many waiting tasks run with -P threads, coroutines with -P asyncio",
}
_NO_GOSSIP = "workers do not talk to each other: what they have to know is state of the cluster"
_WATCHED = "the node watches workers by their connection"


class _Pool(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "pool"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns a pool's name; what it may be is the worker's to say."""
        name = str(value).lower()
        if name in _NO_POOL:
            self.fail(_NO_POOL[name], param, ctx)
        return _POOLS.get(name, name)


class _Count(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "count"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Returns a number of tasks, or ``auto``."""
        if str(value).lower() == "auto":
            return "auto"
        try:
            return int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a whole number nor auto", param, ctx)


class _Bounds(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "max,min"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[int, int]:
        """Returns the largest and the smallest size of a pool."""
        most, _, least = str(value).partition(",")
        try:
            return int(most), int(least or 0)
        except ValueError:
            self.fail(f"{value!r} is not MAX,MIN", param, ctx)


def _quiet_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options that are accepted for Celery's sake."""
    for option in (
        no_effect("--without-gossip", why=_NO_GOSSIP, is_flag=True),
        no_effect("--without-mingle", why=_NO_GOSSIP, is_flag=True),
        no_effect("--heartbeat-interval", why=_WATCHED),
        no_effect("-O", "--optimization", why="a task always goes to a child that is free"),
        no_effect("-S", "--statedb", why="revokes are state of the cluster"),
        no_effect("-s", "--schedule", "--schedule-filename", why=celery_words.SCHEDULE_FILE),
        no_effect("--pool-start-method", why=celery_words.FORKED),
        no_effect("--executable", why=celery_words.FORKED),
    ):
        command = option(command)
    return command


def _pool_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--time-limit", type=float, metavar="SECONDS", help="Hard limit of tasks that have none."),
        click.option("--soft-time-limit", type=float, metavar="SECONDS", help="Soft limit of tasks that have none."),
        click.option("--max-memory-per-child", type=int, metavar="KIB", help="Replace a child that is so large."),
        click.option("--max-tasks-per-child", type=int, metavar="N", help="Replace a child after so many tasks."),
        click.option("--disable-prefetch", is_flag=True, help="One task in hand for each slot."),
        click.option("--prefetch-multiplier", type=int, metavar="N", help="Most tasks in hand for each slot."),
        click.option("--autoscale", type=_Bounds(), metavar="MAX,MIN", help="Size of the pool follows its work."),
        click.option("-P", "--pool", type=_Pool(), help="What runs tasks: prefork, threads, solo."),
        click.option(
            "-c", "--concurrency", type=_Count(), metavar="N", help="Tasks at a time; by default one a core, or auto."
        ),
    ):
        command = option(command)
    return command


@click.command(cls=Command, context_settings={"show_default": True})
@app_option
@click.option(
    "-n", "--hostname", "--name", "name", metavar="NAME", help="Its name; %h is the host, %n and %d are its parts."
)
@names_option("-Q", "--queues", help="Queues to take tasks from.")
@names_option("-X", "--exclude-queues", help="Queues not to take tasks from.")
@names_option("-I", "--include", help="Modules to import before.")
@_pool_options
@click.option("-E", "--task-events", "--events", "events", is_flag=True, help="Send events, see `ignitetasks events`.")
@click.option("--without-heartbeat", is_flag=True, help="Without -E: do not tell that it is there either.")
@click.option("-B", "--beat", "beat", is_flag=True, help="Also send periodic tasks, see `ignitetasks beat`.")
@click.option("--scheduler", metavar="MODULE:CLASS", help="With -B: a scheduler of your own.")
@click.option("--purge", "--discard", "purge", is_flag=True, help="Remove all waiting tasks first.")
@click.option("--reload", is_flag=True, help="Start anew when a source file changes (for development).")
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), metavar="PORT", help="Serve /metrics, /healthz, /readyz."
)
@click.option("--metrics-host", default="127.0.0.1", metavar="ADDRESS", help="Address of --metrics-port.")
@service_options
@_quiet_options
@durability_option
@instance_options
@settings_arguments
@click.pass_context
def worker(context: click.Context, /, place: str | None, words: tuple[str, ...], **given: Any) -> int:
    """Run tasks of an application until Ctrl-C or SIGTERM.

    The node is started where none runs; tasks that run at Ctrl-C are ended first, those that have not started go back.
    Words NAME=VALUE are settings for this worker alone, e.g. worker.send_task_events=1.
    """
    where = {name: given.pop(name) for name in ("cluster", "data_dir", "namespace", "durability")}
    service = daemon.Service(**{name: given.pop(name) for name in SERVICE})
    given["include"] = given["include"] or ()
    app = app_of(context, place, include=given.pop("include"))
    app.config_from_cmdline(words, namespace="worker")
    app.configure(**where)
    service = daemon.of_settings(service, app.conf, "worker")
    if given["name"]:
        given["name"] = daemon.expand(given["name"])
    with daemon.running(service, given["name"] or "") as stream:
        return _serve(app, given, stream, common(context).user_options)


def _serve(app: Any, given: dict[str, Any], stream: TextIO | None, mine: Mapping[str, Any]) -> int:
    runtime = deferred.load("worker_main")
    given["name"] = given["name"] or runtime.default_name(app)
    # Before anything is read from the settings: who is told may change them.
    lifecycle.begin(app, given["name"], {**given, **mine})
    _settle(app, given)
    beat: EmbeddedService | None = None
    scheduler = given.pop("scheduler")
    try:
        if given.pop("beat"):
            beat = EmbeddedService(
                app,
                prepare=lambda: logsetup.set_up(app, given["loglevel"], given["log_json"], stream),
                scheduler_cls=scheduler,
            )
            beat.start()
        code: int = runtime.run_worker(app, log_stream=stream, begun=True, **given)
        return code
    finally:
        if beat is not None:
            beat.stop()


def _settle(app: Any, given: dict[str, Any]) -> None:
    """Turns what the command line and the settings say into what the worker runtime is asked."""
    given["log_json"] = app.settings.log_json if given["log_json"] is None else given["log_json"]
    given["queues"] = asked.without(app, given.pop("queues"), given.pop("exclude_queues"))
    if given.pop("purge"):
        click.echo(f"{app.control.purge()} removed", err=True)
        app.close()
    bound = asked.prefetch(app, given["prefetch_multiplier"])
    given["prefetch_multiplier"] = 1 if given.pop("disable_prefetch") else bound
    given["heartbeats"] = not given.pop("without_heartbeat")
    asked.complete(app, given)
