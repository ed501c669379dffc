"""Type checkers see a task's types through `delay`, `s`, `apply_async` and results: mypy --strict and pyright's strict.

Must not judge more than that a line is refused: what a checker says about it is its own affair.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
#: `assert_type` is in the standard library from here on; the package itself is checked for the oldest Python.
PYTHON = "3.11"

Check = Callable[..., Mapping[str, list[tuple[int, str]]]]


def mypy(folder: Path, *names: str) -> Mapping[str, list[tuple[int, str]]]:
    """Returns lines and messages of errors, by file."""
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-version", PYTHON, "--no-error-summary", "--config-file=",
         "--cache-dir", str(folder / "mypy"), *(str(HERE / name) for name in names)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, list[tuple[int, str]]] = {name: [] for name in names}
    for file, line, message in re.findall(r"^(.+?):(\d+): error: (.+)$", done.stdout, re.MULTILINE):
        if Path(file).name in found:
            found[Path(file).name].append((int(line), message))
    return found


def pyright(folder: Path, *names: str) -> Mapping[str, list[tuple[int, str]]]:
    """Returns lines and messages of errors, by file."""
    settings = {"typeCheckingMode": "strict", "pythonVersion": PYTHON, "include": [str(HERE / name) for name in names]}
    settings |= {"reportUnusedCoroutine": False, "extraPaths": [str(ROOT)]}
    (folder / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [sys.executable, "-m", "basedpyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode in (0, 1), done.stdout + done.stderr
    found: dict[str, list[tuple[int, str]]] = {name: [] for name in names}
    for one in json.loads(done.stdout)["generalDiagnostics"]:
        name = Path(one["file"]).name
        if one["severity"] == "error" and name in found:
            found[name].append((one["range"]["start"]["line"] + 1, one["message"]))
    return found


@pytest.fixture(params=[mypy, pyright], ids=["mypy", "pyright"], scope="module")
def errors(request, tmp_path_factory):
    """Errors of one type checker in both files."""
    module = "mypy" if request.param is mypy else "basedpyright"
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed here")
    check: Check = request.param
    return check(tmp_path_factory.mktemp("types"), "good_calls.py", "bad_calls.py")


@pytest.mark.slow
def test_good_calls_are_accepted(errors):
    assert errors["good_calls.py"] == []


@pytest.mark.slow
def test_bad_calls_are_refused_and_nothing_else_is(errors):
    lines = (HERE / "bad_calls.py").read_text("utf-8").splitlines()
    marked = {number for number, line in enumerate(lines, 1) if line.endswith("# bad")}
    assert len(marked) > 20
    found = errors["bad_calls.py"]
    assert sorted(marked - {line for line, _ in found}) == [], "wrong calls that were accepted"
    assert [(line, message) for line, message in found if line not in marked] == []
