"""``ignitetasks multi``: starts, stops and restarts several workers of one machine, each with its pid file.

Each worker is ``ignitetasks worker --detach`` with its own name, log and pid file. Must not know what a worker does.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from ignitetasks import platforms
from ignitetasks.cli import daemon
from ignitetasks.cli.options import common
from ignitetasks.errors import ConfigurationError

_POLL_SECONDS = 0.05
_START_SECONDS = 60.0
_ACTIONS = (
    "start", "restart", "stop", "stopwait", "stop_verify", "kill", "show", "names", "get", "expand",
)  # fmt: skip
#: Options of multi itself, not of its workers.
_OWN_FLAGS = ("--nosplash", "--quiet", "-q", "--verbose", "--no-color")
#: Options that stand before the word ``worker``.
_BEFORE = ("--workdir", "--config", "--broker", "-b", "--result-backend", "--loader", "--skip-checks", "-C")


@dataclass
class Node:
    """One worker to be.

    Attributes:
        name: Its name.
        words: Its command line behind ``ignitetasks``.
        pidfile: Where its process number is.
        python: What runs it.
    """

    name: str
    words: list[str]
    pidfile: str
    python: str = sys.executable

    @property
    def pid(self) -> int:
        """Its process; 0 when it does not run."""
        pid = platforms.read_pid(self.pidfile)
        return pid if pid and platforms.is_running(pid) else 0


@dataclass
class Words:
    """A command line of multi, taken apart.

    Attributes:
        names: Names of workers, or one number.
        options: Option and value (None for a flag) of all workers, in order.
        chosen: Pairs of workers' numbers or names, as written, and an option of theirs.
        prefix: What numbered workers are called.
        suffix: Host part of names that have none.
        signum: Signal of `kill` and `stop`, or None.
        settings: What stands behind ``--``: settings of all workers.
    """

    names: list[str] = field(default_factory=list)
    options: list[tuple[str, str | None]] = field(default_factory=list)
    chosen: list[tuple[str, tuple[str, str | None]]] = field(default_factory=list)
    prefix: str = "celery"
    suffix: str = ""
    signum: int | None = None
    settings: list[str] = field(default_factory=list)


def parse(words: Sequence[str]) -> Words:
    """Takes a command line apart.

    Args:
        words: Behind the action: names and options, ``-c:1-3 10`` or ``-c:name 10`` for some workers.
    """
    found = Words()
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            found.settings = rest
            break
        if not word.startswith("-") or word == "-":
            found.names.append(word)
            continue
        if word in _OWN_FLAGS:
            continue
        option, equals, value = word.partition("=") if word.startswith("--") else (word, "", "")
        given: str | None = value if equals else None
        if not equals and not word.startswith("--") and rest and not rest[0].startswith("-"):
            given = rest.pop(0)
        _place(found, option, given)
    return found


def _place(found: Words, option: str, value: str | None) -> None:
    name, colon, nodes = option.partition(":")
    if name == "--range-prefix":
        found.prefix = value or found.prefix
    elif name in ("--suffix", "--hostname", "-n") and not colon:
        found.suffix = daemon.expand((value or "").strip('"')).rpartition("@")[2]
    elif re.fullmatch(r"-[A-Z]{3,}|-\d+", name) and value is None:
        found.signum = _signal(name[1:])
    elif colon:
        found.chosen.append((nodes, (name, value)))
    else:
        found.options.append((name, value))


def _signal(word: str) -> int:
    try:
        return signal.Signals(int(word)) if word.isdigit() else signal.Signals[f"SIG{word.removeprefix('SIG')}"]
    except (KeyError, ValueError):
        raise click.UsageError(f"there is no signal {word!r}") from None


def nodes_of(words: Words, place: str | None) -> list[Node]:
    """Returns the workers that a command line means.

    Args:
        words: The command line.
        place: The application, where it stands before the command.
    """
    names = words.names
    if len(names) == 1 and names[0].isdigit():
        names = [f"{words.prefix}{number}" for number in range(1, int(names[0]) + 1)]
    if not names:
        raise click.UsageError("name the workers, or say how many: ignitetasks multi start 3 -A tasks")
    host = words.suffix or socket.gethostname()
    nodes = []
    for number, name in enumerate(names, 1):
        whole = daemon.expand(name) if "@" in name else f"{name}@{host}"
        options = dict(words.options)
        for which, (option, value) in words.chosen:
            if _means(which, number, name):
                options[option] = value
        nodes.append(_node(whole, options, place, words.settings))
    return nodes


def _means(which: str, number: int, name: str) -> bool:
    for part in which.split(","):
        first, dash, last = part.partition("-")
        if dash and first.isdigit() and last.isdigit():
            if int(first) <= number <= int(last):
                return True
        elif part in (str(number), name):
            return True
    return False


def _node(name: str, options: dict[str, str | None], place: str | None, settings: Sequence[str]) -> Node:
    pidfile = options.pop("--pidfile", None) or options.pop("-p", None) or "%n.pid"
    logfile = options.pop("--logfile", None) or options.pop("-f", None) or "%n%I.log"
    pidfile, logfile = (os.path.abspath(os.path.expanduser(daemon.expand(path, name))) for path in (pidfile, logfile))
    options = {option: value and _filled(option, value, name) for option, value in options.items()}
    if place is not None and not {"-A", "--app"} & options.keys():
        options = {"-A": place, **options}
    python = options.pop("--executable", None) or sys.executable
    before: list[str] = []
    words = ["worker", "-n", name, "--detach", f"--pidfile={pidfile}", f"--logfile={logfile}"]
    for option, value in options.items():
        chosen = before if option in _BEFORE else words
        if option.startswith("--"):
            chosen.append(option if value is None else f"{option}={value}")
        else:
            chosen += [option] if value is None else [option, value]
    return Node(name, [*before, *words, *settings], pidfile, python)


def _filled(option: str, value: str, name: str) -> str:
    """Returns the value of an option with the worker's name, and whose home ``~`` is, filled in."""
    value = os.path.expanduser(value) if option == "--workdir" else value
    try:
        return daemon.expand(value, name)
    except ConfigurationError:
        return value  # a percent sign that means something else


def _command(node: Node) -> list[str]:
    return [node.python, "-m", "ignitetasks", *node.words]


def _start(nodes: Sequence[Node], _words: Words) -> int:
    failed = 0
    for node in nodes:
        if node.pid:
            click.echo(f"> {node.name}: runs already (process {node.pid})")
            continue
        ended = subprocess.run(_command(node), check=False)
        # The command returns when it has gone into the background; it runs when its pid file is there.
        started = ended.returncode == 0 and _wait(lambda node=node: bool(node.pid), _START_SECONDS)  # type: ignore[misc]
        failed += not started
        click.echo(f"> {node.name}: {'OK' if started else 'FAILED: see its log'}")
    return 1 if failed else 0


def _stop(nodes: Sequence[Node], words: Words) -> int:
    _signal_all(nodes, words.signum or signal.SIGTERM)
    return 0


def _stop_wait(nodes: Sequence[Node], words: Words) -> int:
    pids = _signal_all(nodes, words.signum or signal.SIGTERM)
    for node in nodes:
        pid = pids.get(node.name)
        if pid:
            _wait(lambda pid=pid: not platforms.is_running(pid), None)  # type: ignore[misc]
            click.echo(f"> {node.name}: stopped")
    return 0


def _restart(nodes: Sequence[Node], words: Words) -> int:
    _stop_wait(nodes, words)
    return _start(nodes, words)


def _kill(nodes: Sequence[Node], words: Words) -> int:
    _signal_all(nodes, words.signum or signal.SIGKILL)
    return 0


def _signal_all(nodes: Sequence[Node], signum: int) -> dict[str, int]:
    found = {}
    for node in nodes:
        pid = node.pid
        if not pid:
            click.echo(f"> {node.name}: does not run")
            continue
        os.kill(pid, signum)
        found[node.name] = pid
        click.echo(f"> {node.name}: {signal.Signals(signum).name} -> {pid}")
    return found


def _wait(condition: Callable[[], bool], seconds: float | None) -> bool:
    deadline = None if seconds is None else time.monotonic() + seconds
    while not condition():
        if deadline is not None and time.monotonic() >= deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _show(nodes: Sequence[Node], _words: Words) -> int:
    for node in nodes:
        click.echo(shlex.join(_command(node)))
    return 0


def _names(nodes: Sequence[Node], _words: Words) -> int:
    for node in nodes:
        click.echo(node.name)
    return 0


_DO: Mapping[str, Callable[[Sequence[Node], Words], int]] = {
    "start": _start,
    "restart": _restart,
    "stop": _stop,
    "stopwait": _stop_wait,
    "stop_verify": _stop_wait,
    "kill": _kill,
    "show": _show,
    "names": _names,
}


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("action", type=click.Choice(_ACTIONS))
@click.argument("words", nargs=-1, type=click.UNPROCESSED)
@click.pass_context
def multi(context: click.Context, /, action: str, words: tuple[str, ...]) -> int:
    """Start, stop and restart several workers of this machine, in the background.

    \b
    ignitetasks multi start 3 -A tasks -c 4          celery1, celery2, celery3
    ignitetasks multi start mail video -A tasks -Q:mail mail -Q:video video
    ignitetasks multi restart mail -A tasks --pidfile=/run/%n.pid --logfile=/var/log/%n.log
    ignitetasks multi stopwait mail --pidfile=/run/%n.pid
    """  # noqa: D301 \b is click's mark for text that is not to be wrapped
    place: Any = common(context).place
    if action == "expand":
        template, found = words[0], parse(words[1:])
        for node in nodes_of(found, place):
            click.echo(daemon.expand(template, node.name))
        return 0
    if action == "get":
        wanted, found = words[0], parse(words[1:])
        chosen = [node for node in nodes_of(found, place) if wanted in (node.name, node.name.partition("@")[0])]
        return _show(chosen, found)
    found = parse(words)
    return _DO[action](nodes_of(found, place), found)
