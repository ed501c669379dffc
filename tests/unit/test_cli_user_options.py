"""Options that an application adds to the command line, and the command line as an object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from test_cli import modules  # noqa: F401  # a fixture

from ignitetasks import signals
from ignitetasks.bin.celery import celery
from ignitetasks.cli import main
from ignitetasks.worker import lifecycle

SOURCE = """
from click import Option
from ignitetasks import IgniteTasks
app = IgniteTasks("mine")
app.user_options["preload"].add(Option(("-Z", "--template"), default="main", help="Which template."))
app.user_options["worker"].add(Option(("--enable-mine",), is_flag=True, help="Mine."))
"""


@pytest.fixture
def told(modules: Path) -> Any:  # noqa: F811
    (modules / "mineapp.py").write_text(SOURCE)
    seen: list[Any] = []

    def hear(options: Any, app: Any, **_: Any) -> None:
        seen.append((app.name, options))

    signals.user_preload_options.connect(hear)
    yield seen
    signals.user_preload_options.disconnect(hear)


@pytest.mark.parametrize(
    "words", ["-A mineapp report", "report -A mineapp", "report --app=mineapp", "report -Amineapp"]
)
def test_every_command_takes_what_is_for_all(told: list[Any], words: str) -> None:
    assert main([*words.split(), "--template", "other"]) == 0
    assert [(name, options["template"]) for name, options in told] == [("mine", "other")]
    assert main(words.split()) == 0 and told[-1][1]["template"] == "main"


def test_an_option_for_one_command_is_of_that_one(told: list[Any], capsys: Any) -> None:
    assert main(["-A", "mineapp", "report", "--enable-mine"]) == 2
    assert "No such option" in capsys.readouterr().err
    assert main(["-A", "mineapp", "worker", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "--enable-mine" in shown and "Which template." in shown
    assert main(["report", "--template", "x"]) == 2


def test_a_worker_tells_celeryd_init_of_its_options(told: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    class Told(Exception):
        pass

    def begin(app: Any, name: str, options: Any) -> None:
        raise Told(options["enable_mine"], options["template"])

    monkeypatch.setattr(lifecycle, "begin", begin)
    with pytest.raises(Told, match="True, 'main'"):
        celery(["-A", "mineapp", "worker", "--enable-mine"], standalone_mode=False, obj=None)


def test_what_cannot_be_loaded_is_said_by_the_command_alone(modules: Path, capsys: Any) -> None:  # noqa: F811
    assert main(["-A", "no_such_app", "report"]) == 2
    assert capsys.readouterr().err.count("no_such_app") == 1


def test_the_command_line_as_an_object_ends_with_its_exit_code(modules: Path) -> None:  # noqa: F811
    runner = CliRunner()
    assert runner.invoke(celery, ["no-such-command"]).exit_code == 2
    shown = runner.invoke(celery, ["--version"])
    assert shown.exit_code == 0 and shown.output.startswith("ignitetasks ")
    assert isinstance(celery, click.Group)
