"""The commands ``ignitetasks migrate check`` and ``migrate apply``: what a project of Celery's needs to run here.

Must not judge a line itself: see `ignitetasks.migration`.
"""

from __future__ import annotations

import difflib
from dataclasses import asdict
from pathlib import Path

import click

from ignitetasks.cli import celery_words, render
from ignitetasks.migration.finding import LEVELS, Report
from ignitetasks.migration.project import check_project, project_files
from ignitetasks.migration.rewrite import rewrite_imports

_HEADLINES = {
    "gone": "Has no meaning here",
    "hand": "Needs a hand",
    "rename": "Works once celery is called ignitetasks",
}


@click.group(cls=celery_words.Group)
def migrate() -> None:
    """Move a project from Celery: see what it needs, and change its imports."""


@migrate.command()
@click.argument("path", default=".", type=click.Path())
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--all", "everything", is_flag=True, help="List also what works by the change of the name alone.")
def check(path: str, as_json: bool, everything: bool) -> int:
    """Read a project and list what needs a hand. Nothing of it is imported or run.

    The exit code is 0 when changing the imports is all there is to do, and 1 when something needs a hand.
    """
    report = check_project(path)
    if as_json:
        render.echo_json(
            {
                "files": report.files,
                "counts": {level: report.count(level) for level in LEVELS},
                "findings": [asdict(finding) for finding in report.findings],
                "unreadable": [{"file": file, "reason": reason} for file, reason in report.unreadable],
            }
        )
    else:
        _show(report, everything)
    return 0 if report.clean else 1


@migrate.command()
@click.argument("path", default=".", type=click.Path(exists=True))
@click.option("--dry-run/--write", default=True, show_default=True, help="Show the changes, or make them.")
def apply(path: str, dry_run: bool) -> int:
    """Change celery to ignitetasks in the imports of a project's Python files.

    So in texts that name a place, such as those of pytest_plugins and of mock.patch.

    Statements that need a hand are left as they are; `check` lists them. Command lines and settings are not touched.
    """
    changed = 0
    for file in project_files(Path(path)):
        if file.suffix != ".py":
            continue
        try:
            with file.open(encoding="utf-8", newline="") as opened:
                old = opened.read()
            new = rewrite_imports(old)
        except (SyntaxError, ValueError) as error:
            click.echo(f"{file}: left alone, it cannot be read: {error}", err=True)
            continue
        if new == old:
            continue
        changed += 1
        if dry_run:
            lines = (old.splitlines(keepends=True), new.splitlines(keepends=True))
            click.echo("".join(difflib.unified_diff(*lines, str(file), str(file))), nl=False)
        else:
            with file.open("w", encoding="utf-8", newline="") as opened:
                opened.write(new)
            click.echo(f"changed {file}")
    click.echo(f"{changed} files {'would change' if dry_run else 'changed'}", err=True)
    return 0


def _show(report: Report, everything: bool) -> None:
    for level in ("gone", "hand", "rename"):
        found = [finding for finding in report.findings if finding.level == level]
        if not found or (level == "rename" and not everything):
            continue
        click.echo(f"{_HEADLINES[level]}:")
        for one in found:
            click.echo(f"  {one.file}:{one.line}: {one.what}" + (f": {one.text}" if one.text else ""))
        click.echo()
    for file, reason in report.unreadable:
        click.echo(f"{file}: cannot be read: {reason}")
    click.echo(
        f"{report.files} files read: {report.count('rename')} places work by the change of the name, "
        f"{report.count('hand')} need a hand, {report.count('gone')} have no meaning here"
    )
