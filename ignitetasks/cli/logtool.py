"""The commands ``ignitetasks logtool ...``: what a worker's log says, counted and picked out.

Reads both shapes a log has: one JSON object a line, and text. Must not talk to a node.
"""

from __future__ import annotations

import fileinput
import json
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import click

from ignitetasks.errors import ConfigurationError

_TEXT = re.compile(r"(\d{4}-\d\d-\d\dT\S+) \[(\w+) *\] (.*?) +\[([\w.-]+)\](?: (.*))?$")
_FACT = re.compile(r"(\w+)=('(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|\S+)")
_FAILED = re.compile(r"Task \S+ raised (un)?expected\b")
_SUCCEEDED = re.compile(r"Task \S+ succeeded in ")
_files = click.argument("files", nargs=-1, type=click.Path(allow_dash=True))


class Line(NamedTuple):
    """One entry of a log.

    Attributes:
        event: What happened, in words.
        level: Its level.
        facts: Its keys.
        raw: As it stands in the file, with the lines of a traceback behind it.
    """

    event: str
    level: str
    facts: dict[str, Any]
    raw: str


def read(lines: Iterator[str]) -> Iterator[Line]:
    """Yields the entries of a log; what belongs to no entry is left out."""
    last: Line | None = None
    for line in lines:
        found = _parse(line.rstrip("\n"))
        if found is None:
            if last is not None:
                last = last._replace(raw=f"{last.raw}\n{line.rstrip()}")
            continue
        if last is not None:
            yield last
        last = found
    if last is not None:
        yield last


def _parse(line: str) -> Line | None:
    if line.startswith("{"):
        try:
            facts = json.loads(line)
            return Line(str(facts.pop("event")), str(facts.pop("level")), facts, line)
        except (ValueError, KeyError):
            return None
    found = _TEXT.match(line)
    if found is None:
        return None
    facts = {key: value.strip("'\"") for key, value in _FACT.findall(found[5] or "")}
    return Line(found[3], found[2], {**facts, "logger": found[4]}, line)


def _entries(files: Sequence[str]) -> Iterator[Line]:
    with fileinput.input(files or ("-",), encoding="utf-8") as opened:
        yield from read(opened)


def _traced(one: Line) -> bool:
    return "exception" in one.facts or "\n" in one.raw


@click.group()
def logtool() -> None:
    """Read workers' logs. Without files, standard input."""


@logtool.command()
@_files
def stats(files: tuple[str, ...]) -> int:
    """Count lines, tasks that succeeded (logged by `worker -l info`) and failed, and processes that died."""
    levels: Counter[str] = Counter()
    well: Counter[str] = Counter()
    tasks: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    deaths: Counter[str] = Counter()
    for one in _entries(files):
        levels[one.level] += 1
        if _FAILED.match(one.event):
            tasks[str(one.facts.get("task"))] += 1
            kinds[str(one.facts.get("error"))] += 1
        elif _SUCCEEDED.match(one.event):
            well[str(one.facts.get("task"))] += 1
        elif one.event == "child died":
            deaths[str(one.facts.get("reason"))] += 1
    for title, counts in (
        ("Lines", levels),
        ("Tasks that succeeded", well),
        ("Tasks that failed", tasks),
        ("Their errors", kinds),
        ("Processes that died", deaths),
    ):
        click.echo(f"{title}: {sum(counts.values())}")
        for name, count in counts.most_common():
            click.echo(f"  {name}: {count}")
    return 0


@logtool.command()
@_files
def errors(files: tuple[str, ...]) -> int:
    """Print the lines of tasks that failed."""
    return _print(one for one in _entries(files) if _FAILED.match(one.event))


@logtool.command()
@_files
def traces(files: tuple[str, ...]) -> int:
    """Print the lines that have a traceback, with it."""
    for one in _entries(files):
        if _traced(one):
            text = one.facts.get("exception")
            click.echo(f"{one.raw}\n{text}" if text else one.raw)
    return 0


@logtool.command()
@_files
def debug(files: tuple[str, ...]) -> int:
    """Print all other lines."""
    return _print(one for one in _entries(files) if not _FAILED.match(one.event) and not _traced(one))


@logtool.command()
@_files
def incomplete(files: tuple[str, ...]) -> int:
    """Say what knows the tasks that have not ended."""
    raise ConfigurationError(
        "a log does not tell which tasks have not ended; `ignitetasks status` and `ignitetasks inspect active` do, and "
        "`ignitetasks events --since oldest` tells what has happened"
    )


def _print(entries: Iterator[Line]) -> int:
    for one in entries:
        click.echo(one.raw)
    return 0
