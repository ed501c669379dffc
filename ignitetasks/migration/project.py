"""Reads a whole project: finds its files, has each read by its reader, and puts the findings together.

Nothing of the project is imported or run. Must not know what a finding means.
"""

from __future__ import annotations

import ast
import os
import warnings
from collections.abc import Iterator
from pathlib import Path

from ignitetasks.errors import ConfigurationError
from ignitetasks.migration.finding import Finding, Report
from ignitetasks.migration.python_reader import PythonReader, app_names
from ignitetasks.migration.settings_reader import config_sources, read_settings
from ignitetasks.migration.text_reader import is_text_of_interest, read_text

_SKIPPED = {"node_modules", "__pycache__", "site-packages", "build", "dist", "venv", "env", "htmlcov"}
_MOST_BYTES = 2 << 20


def check_project(place: str | os.PathLike[str]) -> Report:
    """Reads a project, or a single file.

    Args:
        place: A folder or a file.

    Returns:
        What was found.

    Raises:
        ConfigurationError: There is nothing of that name.
    """
    root = Path(place)
    if not root.exists():
        raise ConfigurationError(f"there is no file or folder {place}")
    sources: dict[Path, ast.Module] = {}
    findings: list[Finding] = []
    unreadable: list[tuple[str, str]] = []
    count = 0
    for path in project_files(root):
        try:
            text = path.read_text("utf-8")
            count += 1
            if path.suffix == ".py":
                sources[path] = parse(text)
            if is_text_of_interest(path) or path.name == "setup.py":
                findings += read_text(str(path), path, text)
        except SyntaxError as error:
            why = f"{error.msg}, line {error.lineno}; a project for a newer Python has to be read with that Python"
            unreadable.append((str(path), why))
        except (ValueError, OSError) as error:
            unreadable.append((str(path), " ".join(str(error).split())))
    findings += _python_findings(sources)
    return Report(tuple(sorted(set(findings))), count, tuple(unreadable))


def parse(text: str) -> ast.Module:
    """Parses Python; what it says about odd literals is the project's business."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(text)


def project_files(root: Path) -> Iterator[Path]:
    """Yields the files of a project that may have to do with Celery, without environments and hidden folders."""
    if root.is_file():
        yield root
        return
    for folder, folders, files in os.walk(root):
        here = Path(folder)
        folders[:] = sorted(
            name
            for name in folders
            if name not in _SKIPPED
            and (not name.startswith(".") or name in (".github", ".envs"))
            and not (here / name / "pyvenv.cfg").exists()
        )
        for name in sorted(files):
            path = here / name
            # A link may lead nowhere.
            of_interest = (path.suffix == ".py" or is_text_of_interest(path)) and path.is_file()
            if of_interest and path.stat().st_size <= _MOST_BYTES:
                yield path


def _python_findings(sources: dict[Path, ast.Module]) -> Iterator[Finding]:
    apps: set[str] = set()
    configs: set[str] = set()
    for tree in sources.values():
        apps |= app_names(tree)
        configs |= config_sources(tree)
    for path, tree in sources.items():
        yield from PythonReader(str(path), apps).read(tree)
        yield from read_settings(str(path), path.stem, tree, frozenset(configs))
