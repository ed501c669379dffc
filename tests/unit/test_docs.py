"""The documents say what is there: links resolve, code compiles, commands and options exist, named files are there.

Must not run a worker or a node; the text of the documents is not judged here.
"""

from __future__ import annotations

import importlib.util
import re
import shlex
import xml.etree.ElementTree
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from ignitetasks import errors
from ignitetasks.cli.main import cli
from ignitetasks.config import ENV_PREFIX, Settings

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
WRITTEN = [page for page in PAGES if page.parent.name != "reference"]
#: Variables that are no setting.
OTHER_VARIABLES = {"IGNITETASKS_TRACEBACK", "IGNITETASKS_SKIP_CHECKS", "IGNITETASKS_RDBSIG", "IGNITETASKS_RDB_PORT"}

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_REPO_PATH = re.compile(r"`((?:ignitetasks|jvm/src|tests|docs|examples|benchmarks|scripts)/[\w./-]*)`")
_COMMAND = re.compile(
    r"ignitetasks (?:worker|node|status|purge|result|dead|sql|migrate|call|list|report|shell)\b[^`\n|]*"
)


def _blocks(page: Path, *languages: str) -> Iterator[str]:
    for language, body in _FENCE.findall(page.read_text("utf-8")):
        if language in languages:
            yield body


def _prose(page: Path) -> str:
    return _FENCE.sub("", page.read_text("utf-8"))


def _anchors(page: Path) -> set[str]:
    headlines = re.findall(r"^#+ (.+)$", _prose(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", line.lower()).replace(" ", "-") for line in headlines}


def _ids(pages: list[Path]) -> list[str]:
    return [str(page.relative_to(ROOT)) for page in pages]


@pytest.mark.parametrize("page", PAGES, ids=_ids(PAGES))
def test_links_resolve(page: Path) -> None:
    for target in _LINK.findall(_prose(page)):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{target} leads nowhere"
        assert not anchor or anchor in _anchors(file), f"{target}: no such headline"


@pytest.mark.parametrize("page", WRITTEN, ids=_ids(WRITTEN))
def test_python_blocks_compile(page: Path) -> None:
    for number, body in enumerate(_blocks(page, "python"), 1):
        compile(body, f"{page.name}, block {number}", "exec")


@pytest.mark.parametrize("page", WRITTEN, ids=_ids(WRITTEN))
def test_imported_names_exist(page: Path) -> None:
    for body in _blocks(page, "python"):
        for module, names in re.findall(r"^from (ignitetasks[\w.]*) import (.+)$", body, re.MULTILINE):
            for name in re.split(r",\s*", names):
                found = hasattr(importlib.import_module(module), name)
                assert found or importlib.util.find_spec(f"{module}.{name}"), f"{module} has no {name}"


def _command(words: list[str]) -> tuple[click.Command, list[str]]:
    """Returns the command that some words name, and the words behind it."""
    command: click.Command = cli
    while words and isinstance(command, click.Group) and words[0] in command.commands:
        command, words = command.commands[words[0]], words[1:]
    return command, words


def _shell_commands(page: Path) -> Iterator[str]:
    for body in _blocks(page, "sh"):
        for line in body.replace("\\\n", " ").splitlines():
            yield from re.findall(r"(?:^|&& )(ignitetasks [^#]*)", line)
    yield from _COMMAND.findall(_prose(page))


@pytest.mark.parametrize("page", WRITTEN, ids=_ids(WRITTEN))
def test_commands_and_options_exist(page: Path) -> None:
    for text in _shell_commands(page):
        command, rest = _command(shlex.split(text.replace("...", ""))[1:])
        assert not isinstance(command, click.Group) or rest in ([], ["--version"]), f"{text}: no such command"
        takers = (
            [command, cli.commands["worker"]] if command.context_settings.get("ignore_unknown_options") else [command]
        )
        params = [parameter for taker in takers for parameter in taker.params]
        known = {option for parameter in params for option in (*parameter.opts, *parameter.secondary_opts)}
        for word in rest:
            if word.startswith("-") and word not in ("-h", "--help", "--version"):
                # Those of `multi` are its workers', some of them for a worker by name.
                assert re.split("[=:]", word)[0] in known, f"{text}: no option {word}"


@pytest.mark.parametrize("page", WRITTEN, ids=_ids(WRITTEN))
def test_options_in_prose_exist(page: Path) -> None:
    known = set()
    commands: list[click.Command] = [cli]
    while commands:
        command = commands.pop()
        commands += getattr(command, "commands", {}).values()
        known |= {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
    for option in re.findall(r"`(--[a-z][a-z-]+)", _prose(page)):
        assert option in known, f"{option}: no command has it"


@pytest.mark.parametrize("page", WRITTEN, ids=_ids(WRITTEN))
def test_variables_are_settings(page: Path) -> None:
    for variable in re.findall(r"\bIGNITETASKS_[A-Z_]+\b", page.read_text("utf-8")):
        name = variable.removeprefix(ENV_PREFIX).lower()
        assert name in Settings.__dataclass_fields__ or variable in OTHER_VARIABLES, f"{variable} is no setting"


@pytest.mark.parametrize("page", WRITTEN, ids=_ids(WRITTEN))
def test_named_files_exist(page: Path) -> None:
    for name in _REPO_PATH.findall(page.read_text("utf-8")):
        assert (ROOT / name).exists(), f"{name} is not there"


def test_the_readme_uses_targets_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md"):
        for target in re.findall(r"^make ([a-z-]+)", "\n".join(_blocks(page, "sh")), re.MULTILINE):
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), f"make {target}"


def test_the_error_tree_is_whole() -> None:
    text = (ROOT / "docs" / "errors.md").read_text("utf-8")
    for name, value in vars(errors).items():
        if isinstance(value, type) and issubclass(value, errors.IgniteTasksError) and name == value.__name__:
            # The transport turns it into one of the others before a user can meet it.
            assert name == "ConnectionCut" or name in text, f"docs/errors.md does not name {name}"


def test_metrics_exist_and_those_of_the_client_are_listed() -> None:
    text = (ROOT / "docs" / "operations.md").read_text("utf-8")
    sources = [ROOT / "ignitetasks" / name for name in ("metrics.py", "nodemetrics.py", "worker/metrics_endpoint.py")]
    source = "\n".join(file.read_text("utf-8") for file in sources)
    for name in set(re.findall(r"\bignitetasks_[a-z_]+\b", text)):
        plain = name.removesuffix("_total")
        # Families of one kind are made of a prefix and a field.
        field = re.sub(r"^ignitetasks_(node_worker|worker|queue|node)_", "", plain)
        assert f'"{plain}"' in source or f'"{field}"' in source, f"docs/operations.md: there is no metric {name}"
    for name in re.findall(r'"(ignitetasks_client_[a-z_]+)"', source):
        assert name in text, f"docs/operations.md does not name {name}"


def test_the_picture_is_well_formed() -> None:
    xml.etree.ElementTree.parse(ROOT / "docs" / "architecture.svg")


def test_every_decision_is_listed() -> None:
    folder = ROOT / "docs" / "decisions"
    listed = set(_LINK.findall((folder / "README.md").read_text("utf-8")))
    assert listed == {page.name for page in folder.glob("0*.md")}
