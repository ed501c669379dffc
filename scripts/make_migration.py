#!/usr/bin/env python3
"""Writes the tables of docs/migrate-from-celery.md from the catalogue in ignitetasks/migration.

    python scripts/make_migration.py            # write the tables
    python scripts/make_migration.py --check    # change nothing; exit 1 when they are out of date

Everything above the mark in the page is written by hand. Must not contain a line of the catalogue.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

from ignitetasks.migration import ENTRIES, Entry

PAGE = Path(__file__).resolve().parent.parent / "docs" / "migrate-from-celery.md"
MARK = "<!-- Below: written by scripts/make_migration.py from ignitetasks/migration. Do not edit. -->"


def tables() -> str:
    """Returns all tables as Markdown, in the order of the catalogue."""
    lines: list[str] = []
    for section, entries in groupby(ENTRIES, key=lambda entry: entry.section):
        lines += ["", f"## {section}", "", "| In Celery | Here | |", "|---|---|---|", *rows(list(entries))]
    return "\n".join(lines) + "\n"


def rows(entries: list[Entry]) -> Iterator[str]:
    """Yields one row for each fate: names that share one stand together."""
    for (verdict, text), same in groupby(entries, key=lambda entry: (entry.verdict, entry.text)):
        names = [f"`{entry.name}`" for entry in same]
        yield f"| {', '.join(names)} | {verdict} | {text} |"


def page(text: str) -> str:
    """Returns the page with its tables written anew.

    Raises:
        SystemExit: The mark is not in the page.
    """
    head, found, _ = text.partition(MARK)
    if not found:
        raise SystemExit(f"{PAGE} has lost the line: {MARK}")
    return f"{head}{MARK}\n{tables()}"


def main() -> int:
    """Writes or compares the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--check", action="store_true", help="change nothing, exit 1 when the page is out of date")
    check = parser.parse_args().check
    old = PAGE.read_text("utf-8")
    new = page(old)
    if new == old:
        return 0
    if not check:
        PAGE.write_text(new, "utf-8")
    sys.stdout.write(f"{'out of date' if check else 'written'}: {PAGE.name}\n")
    return 1 if check else 0


if __name__ == "__main__":
    sys.exit(main())
