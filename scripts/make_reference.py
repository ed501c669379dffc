#!/usr/bin/env python3
"""Writes docs/reference/*.md from the docstrings and the command line of this checkout.

    python scripts/make_reference.py            # write the pages
    python scripts/make_reference.py --check    # change nothing; exit 1 when a page is out of date

Docstrings are read by griffe without running the code; only the command line is imported, for its help texts.
Needs griffelib, and this checkout installed. Must not contain words about the package: those are in the docstrings.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import griffe

from ignitetasks.cli.main import cli

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "reference"
HEADER = "<!-- Written by scripts/make_reference.py from the docstrings. Do not edit. -->"

Kind = griffe.DocstringSectionKind
_TABLES = {
    Kind.parameters: "Arguments",
    Kind.other_parameters: "Further arguments",
    Kind.attributes: "Attributes",
    Kind.raises: "Raises",
}


@dataclass(frozen=True)
class Page:
    """One page.

    Attributes:
        name: File name without its end.
        title: Headline.
        objects: Dotted paths below ``ignitetasks``; a module stands for its public classes and functions.
    """

    name: str
    title: str
    objects: tuple[str, ...]


PAGES = (
    Page(
        "app",
        "The application",
        (
            "app.base.IgniteTasks",
            "app.dispatching.Dispatching",
            "app.registering.Registering",
            "app.configured.Configured",
            "app.running.Running",
            "app.conf.Conf",
            "worker.local.LocalWorker",
        ),
    ),
    Page(
        "task",
        "Tasks and calls",
        (
            "app.task.Task",
            "app.calling.Calls",
            "app.attributes.Attributes",
            "app.hooks.Hooks",
            "message.TaskOptions",
            "canvas.Signature",
        ),
    ),
    Page("result", "Results", ("result.handle.AsyncResult", "results.ResultList")),
    Page(
        "canvas",
        "Workflows",
        (
            "canvas.signature.Signature",
            "canvas.chains.chain",
            "canvas.groups.group",
            "canvas.chords.chord",
            "result.sets.GroupResult",
        ),
    ),
    Page(
        "schedules",
        "Schedules",
        ("schedules.schedule", "schedules.crontab", "schedules.solar", "agenda.Agenda", "periodic.ScheduleEntry"),
    ),
    Page("encodings", "Encodings of your own", ("encodings.register", "encodings.unregister")),
    Page("remote", "Remote control", ("app.control.Control",)),
    Page("testing", "Testing", ("contrib.testing.worker.start_worker",)),
    Page("context", "Inside a running task", ("context.current_request", "context.Request")),
    Page("settings", "Settings", ("config.Settings",)),
    Page("errors", "Errors", ("errors",)),
    Page("caches", "Your own Ignite caches", ("caches",)),
    Page("control", "Operating from Python", ("control.operations", "control.tasktable")),
)


def escape(text: str) -> str:
    """Returns text that may stand in a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|").replace("``", "`")


def code(value: object) -> str:
    """Returns code that may stand in a cell of a Markdown table."""
    text = escape(str(value)) if value is not None else ""
    return f"`{text}`" if text else ""


def signature(function: griffe.Function, name: str) -> str:
    """Returns a function's signature as code, broken into lines where it is long."""
    parts, star = [], False
    for one in function.parameters:
        if one.name in ("self", "cls"):
            continue
        kind = one.kind
        if kind is griffe.ParameterKind.keyword_only and not star:
            parts.append("*")
            star = True
        star = star or kind is griffe.ParameterKind.var_positional
        mark = {griffe.ParameterKind.var_positional: "*", griffe.ParameterKind.var_keyword: "**"}.get(kind, "")
        text = f"{mark}{one.name}" + (f": {one.annotation}" if one.annotation is not None else "")
        if one.default is not None and not mark:
            text += f" = {one.default}" if one.annotation is not None else f"={one.default}"
        parts.append(text)
        if kind is griffe.ParameterKind.positional_only:
            parts.append("/")
    parts = [part for at, part in enumerate(parts) if part != "/" or parts[at + 1 :].count("/") == 0]
    returns = f" -> {function.returns}" if function.returns is not None else ""
    line = f"{name}({', '.join(parts)}){returns}"
    if len(line) <= 100:
        return line
    body = "".join(f"    {part},\n" for part in parts)
    return f"{name}(\n{body}){returns}"


def rows(section: Any, holder: griffe.Object) -> Iterator[str]:
    """Yields the table of one section of a docstring."""
    title = _TABLES[section.kind]
    with_types = section.kind is not Kind.raises
    yield f"| {title} | " + ("Type | Default | " if with_types else "") + "Meaning |"
    yield "|---|" + ("---|---|" if with_types else "") + "---|"
    for item in section.value:
        meaning = escape(item.description)
        if not with_types:
            yield f"| {code(item.annotation)} | {meaning} |"
            continue
        name = getattr(item, "name", "")
        kind, default = item.annotation, getattr(item, "value", None)
        member = holder.members.get(name.lstrip("*"))
        if section.kind is Kind.attributes and isinstance(member, griffe.Attribute):
            kind, default = member.annotation or kind, member.value if "class-attribute" in member.labels else None
        if str(default).startswith("field("):
            default = None
        yield f"| {code(name)} | {code(kind)} | {code(default)} | {meaning} |"
    yield ""


def documented(thing: griffe.Object) -> Iterator[str]:
    """Yields an object's docstring as Markdown."""
    if thing.docstring is None:
        return
    for section in thing.docstring.parse("google", warnings=False):
        if section.kind is Kind.text:
            yield section.value.replace("``", "`")
            yield ""
        elif section.kind in _TABLES:
            yield from rows(section, thing)
        elif section.kind in (Kind.returns, Kind.yields):
            word = "Returns" if section.kind is Kind.returns else "Yields"
            meaning = " ".join(escape(item.description) for item in section.value)
            yield f"**{word}:** {meaning}"
            yield ""
        elif section.kind is Kind.examples:
            yield from ("```python", *(text for _, text in section.value), "```", "")


def constructor(cls: griffe.Class) -> Iterator[str]:
    """Yields how a class is made, where it has an ``__init__`` of its own."""
    init = cls.members.get("__init__")
    # The fields of a dataclass are its attributes, which are listed already.
    if isinstance(init, griffe.Function) and "dataclass" not in cls.labels:
        yield from ("```text", signature(init, cls.name).removesuffix(" -> None"), "```", "")
        if init.docstring is not None:
            yield from documented(init)


def public(members: Iterable[griffe.Object | griffe.Alias]) -> list[griffe.Object]:
    """Returns the members a page shows, in the order of the source."""
    shown = [
        one for one in members if isinstance(one, griffe.Object) and not one.name.startswith("_") and one.docstring
    ]
    return sorted(shown, key=lambda one: one.lineno or 0)


def class_text(cls: griffe.Class) -> Iterator[str]:
    """Yields a class with its public methods and properties."""
    bases = ", ".join(str(base) for base in cls.bases if not str(base).startswith(("Generic", "Protocol")))
    yield f"## {cls.name}"
    yield ""
    if bases and "errors" in cls.canonical_path:
        yield f"Based on `{bases}`."
        yield ""
    yield from documented(cls)
    yield from constructor(cls)
    for member in public(cls.members.values()):
        if isinstance(member, griffe.Function):
            yield from (f"### {cls.name}.{member.name}", "", "```text", signature(member, member.name), "```", "")
            yield from documented(member)
        elif isinstance(member, griffe.Attribute) and "property" in member.labels:
            kind = f": {code(member.annotation)}" if member.annotation is not None else ""
            yield from (f"### {cls.name}.{member.name}", "", f"Property{kind}", "")
            yield from documented(member)


def object_text(thing: griffe.Object) -> Iterator[str]:
    """Yields any documented object."""
    if isinstance(thing, griffe.Module):
        for member in public(thing.members.values()):
            if isinstance(member, (griffe.Class, griffe.Function)):
                yield from object_text(member)
    elif isinstance(thing, griffe.Class):
        yield from class_text(thing)
    elif isinstance(thing, griffe.Function):
        yield from (f"## {thing.name}", "", "```text", signature(thing, thing.name), "```", "")
        yield from documented(thing)


def module_text(package: griffe.Module, page: Page) -> str:
    """Returns one page of the Python reference."""
    lines = [HEADER, "", f"# {page.title}", ""]
    for path in page.objects:
        lines += list(object_text(package[path]))
    if page.name == "settings":
        lines += list(environment_text(package["config.Settings"]))
    return "\n".join(lines).rstrip() + "\n"


def environment_text(settings: griffe.Class) -> Iterator[str]:
    """Yields the environment variable of each setting."""
    yield from ("## Environment variables", "", "| Variable | Setting |", "|---|---|")
    for member in settings.members.values():
        if isinstance(member, griffe.Attribute) and member.annotation is not None and "property" not in member.labels:
            yield f"| `IGNITETASKS_{member.name.upper()}` | `{member.name}` |"


def commands(group: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, click.Context]]:
    """Yields every command with its context, parents first."""
    context = click.Context(group, info_name=" ".join(words), max_content_width=100, terminal_width=100)
    yield " ".join(words), context
    for name, command in sorted(getattr(group, "commands", {}).items()):
        yield from commands(command, (*words, name))


def command_text() -> str:
    """Returns the page of the command line, from its own help texts."""
    lines = [HEADER, "", "# The command line", ""]
    for name, context in commands(cli, ("ignitetasks",)):
        lines += [f"## {name}", "", "```text", context.get_help().rstrip(), "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def all_pages() -> dict[Path, str]:
    """Returns every page by its path."""
    package = griffe.load("ignitetasks", search_paths=[str(ROOT)], docstring_parser="google", allow_inspection=False)
    if not isinstance(package, griffe.Module):
        raise SystemExit("ignitetasks is not a package here")
    texts = {TARGET / f"{page.name}.md": module_text(package, page) for page in PAGES}
    texts[TARGET / "cli.md"] = command_text()
    index = [HEADER, "", "# Reference", ""]
    index += [f"- [{page.title}]({page.name}.md)" for page in PAGES]
    index += ["- [The command line](cli.md)"]
    texts[TARGET / "README.md"] = "\n".join(index) + "\n"
    return texts


def main() -> int:
    """Writes or compares the pages."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when a page is out of date")
    check = parser.parse_args().check
    stale = []
    for path, text in all_pages().items():
        if path.exists() and path.read_text("utf-8") == text:
            continue
        stale.append(path.relative_to(ROOT))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    for path in stale:
        sys.stdout.write(f"{'out of date' if check else 'written'}: {path}\n")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
