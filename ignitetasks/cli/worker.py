"""The command ``ignitetasks worker``: Celery's options, turned into what the worker runtime is asked.

Must not know how tasks are run; every rule about a value is checked where the value is used.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import click

from ignitetasks import deferred
from ignitetasks.beat import EmbeddedService
from ignitetasks.cli import daemon
from ignitetasks.cli.options import app_of, app_option, durability_option, instance_options, names_option
from ignitetasks.worker import asked, lifecycle

_LEVELS = ("debug", "info", "warning", "error", "critical", "fatal")
_POOLS = {"processes": "prefork", "thread": "threads"}
_NO_POOL = {
    "eventlet": "there is no eventlet pool: many waiting tasks run with -P threads, coroutines with -P asyncio",
    "gevent": "there is no gevent pool: many waiting tasks run with -P threads, coroutines with -P asyncio",
}

#: Options of Celery's that have nothing to switch here, and why.
_NO_EFFECT = {
    "without_gossip": "workers do not gossip: what they have to know is state of the cluster",
    "without_mingle": "workers do not mingle: what they have to know is state of the cluster",
    "without_heartbeat": "the node watches workers by their connection",
    "heartbeat_interval": "the node watches workers by their connection",
    "O": "a task always goes to a child that is free",
    "statedb": "revokes are state of the cluster",
}


class _Level(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "level"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns a level's name, given in letters of any size."""
        name = str(value).lower()
        if name not in _LEVELS:
            self.fail(f"{value!r} is not one of {', '.join(_LEVELS)}", param, ctx)
        return "critical" if name == "fatal" else name


class _Pool(click.ParamType):  # type: ignore[type-arg, unused-ignore]
    name = "pool"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Returns a pool's name; what it may be is the worker's to say."""
        name = str(value).lower()
        if name in _NO_POOL:
            self.fail(_NO_POOL[name], param, ctx)
        return _POOLS.get(name, name)


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
        click.option("--without-gossip", is_flag=True, hidden=True),
        click.option("--without-mingle", is_flag=True, hidden=True),
        click.option("--without-heartbeat", is_flag=True, hidden=True),
        click.option("--heartbeat-interval", type=int, hidden=True),
        click.option("-O", "O", hidden=True),
        click.option("-S", "--statedb", hidden=True),
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
        click.option("-c", "--concurrency", type=int, metavar="N", help="Tasks at a time; by default one a core."),
    ):
        command = option(command)
    return command


def _service_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--umask", metavar="OCTAL", help="Mask of new files of -D."),
        click.option("--gid", metavar="GROUP", help="Group to run as."),
        click.option("--uid", metavar="USER", help="User to run as (started by root)."),
        click.option("--pidfile", metavar="FILE", help="File that says which process this is."),
        click.option("-D", "--detach", "background", is_flag=True, help="Go into the background."),
        click.option("-f", "--logfile", metavar="FILE", help="Where to log; by default standard error."),
    ):
        command = option(command)
    return command


@click.command(context_settings={"show_default": True})
@app_option
@click.option(
    "-n", "--hostname", "--name", "name", metavar="NAME", help="Its name; %h is the host, %n and %d are its parts."
)
@names_option("-Q", "--queues", help="Queues to take tasks from.")
@names_option("-X", "--exclude-queues", help="Queues not to take tasks from.")
@names_option("-I", "--include", help="Modules to import before.")
@_pool_options
@click.option("-E", "--task-events", "events", is_flag=True, help="Send events, see `ignitetasks events`.")
@click.option("-B", "--beat", "beat", is_flag=True, help="Also send periodic tasks, see `ignitetasks beat`.")
@click.option("--purge", "--discard", "purge", is_flag=True, help="Remove all waiting tasks first.")
@click.option("--reload", is_flag=True, help="Start anew when a source file changes (for development).")
@click.option(
    "--metrics-port", type=click.IntRange(0, 65535), metavar="PORT", help="Serve /metrics, /healthz, /readyz."
)
@click.option("--metrics-host", default="127.0.0.1", metavar="ADDRESS", help="Address of --metrics-port.")
@click.option("-l", "--loglevel", type=_Level(), help=f"Lowest level that is logged: {', '.join(_LEVELS)}.")
@click.option("--log-json/--log-text", default=None, help="Log lines as JSON or text; by default text on a terminal.")
@_service_options
@_quiet_options
@durability_option
@instance_options
@click.pass_context
def worker(context: click.Context, /, place: str | None, **given: Any) -> int:
    """Run tasks of an application until Ctrl-C or SIGTERM.

    The node is started where none runs; tasks that run at Ctrl-C are ended first, those that have not started go back.
    """
    where = {name: given.pop(name) for name in ("cluster", "data_dir", "namespace", "durability")}
    useless = [name for name in _NO_EFFECT if given.pop(name)]
    service = {name: given.pop(name) for name in ("background", "logfile", "pidfile", "uid", "gid", "umask")}
    given["include"] = given["include"] or ()
    app = app_of(context, place, include=given.pop("include"))
    app.configure(**where)
    if given["name"]:
        given["name"] = daemon.expand(given["name"])
    given["log_json"] = app.settings.log_json if given["log_json"] is None else given["log_json"]
    given["queues"] = asked.without(app, given.pop("queues"), given.pop("exclude_queues"))
    if given.pop("purge"):
        click.echo(f"{app.control.purge()} removed", err=True)
        app.close()
    bound = asked.prefetch(app, given["prefetch_multiplier"])
    given["prefetch_multiplier"] = 1 if given.pop("disable_prefetch") else bound
    return _serve(app, given, service, useless)


def _serve(app: Any, given: dict[str, Any], service: dict[str, Any], useless: list[str]) -> int:
    asked.complete(app, given)
    name = given["name"] or ""
    logfile = service["logfile"] and daemon.expand(service["logfile"], name)
    pidfile = daemon.PidFile(daemon.expand(service["pidfile"], name)) if service["pidfile"] else None
    if pidfile is not None:
        pidfile.check()
    if service["uid"] or service["gid"]:
        daemon.become(service["uid"], service["gid"])
    if service["background"]:
        daemon.detach(logfile and os.path.abspath(logfile), service["umask"])
    beat: EmbeddedService | None = None
    stream = open(logfile, "a", encoding="utf-8") if logfile and not service["background"] else None  # noqa: SIM115
    try:
        if pidfile is not None:
            pidfile.write()
        for option in useless:
            click.echo(f"--{option.replace('_', '-')} has no effect: {_NO_EFFECT[option]}", err=True)
        if given.pop("beat"):
            beat = EmbeddedService(
                app, lambda: lifecycle.set_up_logging(app, given["loglevel"], given["log_json"], stream)
            )
            beat.start()
        code: int = deferred.load("worker_main").run_worker(app, log_stream=stream, **given)
        return code
    finally:
        if beat is not None:
            beat.stop()
        if pidfile is not None:
            pidfile.remove()
        if stream is not None:
            stream.close()
