"""Reads command lines, environment variables and requirements out of files that are not Python.

Procfiles, compose files, Dockerfiles, unit files, supervisor and cron files, shell scripts, Makefiles, lists of
requirements. Lines are read one by one; nothing is run or resolved.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePath

from ignitetasks.migration.catalog import find, setting_named
from ignitetasks.migration.finding import Finding, Level
from ignitetasks.migration.variables import SCRIPTS

_REQUIREMENTS = re.compile(
    r"(requirements|constraints)[\w.-]*\.(txt|in)|pyproject\.toml|setup\.(cfg|py)|Pipfile|pdm\.lock"
)
_SUFFIXES = {".yml", ".yaml", ".service", ".conf", ".ini", ".sh", ".env", ".toml", ".cfg", ".txt", ".in", ".mk", ".cmd"}
_NAMES = ("Procfile", "Dockerfile", "Makefile", "docker-compose", "compose", ".env", "crontab", "Pipfile", "justfile")
#: ``celery`` as a program, or the variable in unit files, where a command can stand, before an option or a command.
_COMMAND = re.compile(r"(?:^|[\s/\"'=(&|;,\[])(?:celery|\$\{?CELERY_BIN\}?)(?:[\"']?,\s*[\"']?|\s+)(?=[-\w])(.*)")
_VARIABLE = re.compile(r"\b((?:CELERY|CELERYD|CELERYBEAT|BROKER|C|REMAP)_[A-Z0-9_]+)\s*[:=]")
_PACKAGE = re.compile(r"(?:^\s*|[\"'])([A-Za-z][\w.-]*)\s*(?:\[[^\]]*\])?\s*(?:[=<>!~;,\"'@ ]|$)")
_WITH_VALUE = {"-A", "--app", "-b", "--broker", "--result-backend", "--loader", "--config", "--workdir"}
_SUBCOMMANDS = {
    "worker", "beat", "inspect", "control", "status", "call", "result", "purge", "events", "list", "report", "shell",
    "multi", "amqp", "migrate", "graph", "logtool", "upgrade", "flower",
}  # fmt: skip


def is_text_of_interest(path: PurePath) -> bool:
    """Tells whether a file may hold command lines, variables or requirements."""
    return path.suffix in _SUFFIXES or path.name.startswith(_NAMES) or path.suffix == ".service"


def read_text(file: str, path: PurePath, text: str) -> list[Finding]:
    """Returns the findings of one file.

    Args:
        file: How the file is called in findings.
        path: Tells what kind of file it is.
        text: What it holds.
    """
    requirements = bool(_REQUIREMENTS.fullmatch(path.name))
    found: set[Finding] = set()
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith(("#", "//", ";")):
            continue
        if requirements:
            found |= {Finding(file, number, *fact) for fact in _requirement(line)}
        found |= {Finding(file, number, *fact) for fact in _command(line)}
        found |= {Finding(file, number, *fact) for fact in _variable(line)}
    return sorted(found)


def _requirement(line: str) -> Iterator[tuple[Level, str, str]]:
    for written in _PACKAGE.findall(line):
        name = written.lower().replace("-", "_")
        if name == "celery":
            yield "rename", "requirement celery", "Name ignitetasks instead, without Celery's extras for brokers."
        entry = find("package", name)
        if entry is not None:
            yield "gone", f"requirement {written}", entry.text


def _variable(line: str) -> Iterator[tuple[Level, str, str]]:
    for name in _VARIABLE.findall(line):
        entry = setting_named(name)
        if entry is not None and entry.verdict == "gone":
            yield "gone", name, entry.text
            continue
        variable = find("variable", name)
        if variable is not None and variable.verdict == "gone":
            yield "gone", name, variable.text
        elif variable is not None and variable.text == SCRIPTS:
            yield "hand", name, SCRIPTS


def _command(line: str) -> Iterator[tuple[Level, str, str]]:
    match = _COMMAND.search(line)
    if match is None:
        return
    words = re.sub(r"[\[\]\"',]", " ", match.group(1)).split()
    command = _subcommand(words)
    if command is None:
        return
    if command == "flower":
        entry = find("package", "flower")
        yield "gone", "celery flower", entry.text if entry else ""
        return
    entry = find("command", f"celery {command}")
    if entry is not None and entry.verdict == "gone":
        yield "gone", entry.name, entry.text
        return
    yield "rename", f"celery {command}", "Call ignitetasks instead of celery."
    yield from _options(words, command)


def _subcommand(words: list[str]) -> str | None:
    skip = False
    for word in words:
        if skip:
            skip = False
        elif word in _WITH_VALUE:
            skip = True
        elif not word.startswith("-"):
            return word if word in _SUBCOMMANDS else None
    return None


def _options(words: list[str], command: str) -> Iterator[tuple[Level, str, str]]:
    before = True
    for at, word in enumerate(words):
        if word == command:
            before = False
        if not word.startswith("-"):
            continue
        option = word.partition("=")[0]
        entry = find("command", f"celery {option}" if before else f"celery {command} {option}")
        entry = entry or find("command", f"celery {option}")
        if entry is not None and entry.verdict == "gone":
            yield "gone", entry.name, entry.text
        value = word.partition("=")[2] or (words[at + 1] if at + 1 < len(words) else "")
        if option in ("-P", "--pool") and value in ("gevent", "eventlet", "processes"):
            gone = find("module", f"celery.concurrency.{value}")
            yield "gone", f"pool {value}", gone.text if gone else "Use `--pool prefork`."
