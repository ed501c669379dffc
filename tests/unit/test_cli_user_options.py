"""Options that an application adds to the command line, and the command line as an object."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from test_cli import modules  # noqa: F401  # a fixture

from ignitetasks import _state, signals
from ignitetasks.bin.celery import celery
from ignitetasks.cli import main
from ignitetasks.cli.loading import load_app
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


def test_settings_alone_are_an_application(modules: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:  # noqa: F811
    (modules / "alone_tasks.py").write_text(
        "from ignitetasks import shared_task\n@shared_task(name='alone.add')\ndef add(x, y): return x + y\n"
    )
    (modules / "alone_settings.py").write_text("imports = ['alone_tasks']\nworker_prefetch_multiplier = 7\n")
    seen: list[Any] = []

    class Told(Exception):
        pass

    def begin(app: Any, name: str, options: Any) -> None:
        seen.append(app)
        raise Told

    monkeypatch.setattr(lifecycle, "begin", begin)
    words = ["--config", "alone_settings", "worker", "-c", "2", "worker.send_task_events=1", "hijack_root_logger=no"]
    with _state.kept(), pytest.raises(Told):
        celery(words, standalone_mode=False)
    app = seen[0]
    assert "alone.add" in app.tasks and app.conf.worker_prefetch_multiplier == 7
    assert app.conf.worker_send_task_events is True and app.conf.worker_hijack_root_logger is False
    with _state.kept():
        assert main(["--config", "alone_settings", "worker", "nonsense"]) == 2
        assert "name=value" in capsys.readouterr().err
        assert main(["worker"]) == 2 and "--config MODULE" in capsys.readouterr().err
        assert main(["--config", "no_such_settings", "worker"]) == 2
        assert "no module no_such_settings" in capsys.readouterr().err
        assert main(["--config", "alone_settings", "beat", "nonsense"]) == 2
        assert "name=value" in capsys.readouterr().err


PLUGIN = """
import click
from ignitetasks.bin.base import CeleryCommand, CeleryOption, handle_preload_options
@click.command(cls=CeleryCommand)
@click.option("--port", default=8888, type=int, help="Where it listens.")
@click.option("--quiet-one", cls=CeleryOption, is_flag=True, default_value_from_context="quiet", help_group="G")
@click.pass_context
@handle_preload_options
def flowers(ctx, port, quiet_one):
    \"""Show flowers.\"""
    ctx.obj.echo(f"{ctx.obj.app.name} {port} {quiet_one}")
"""


@pytest.fixture
def plugins(modules: Path) -> Path:  # noqa: F811
    """An installed package with two commands, one of them broken."""
    (modules / "flowerpot.py").write_text(PLUGIN)
    info = modules / "flowerpot-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: flowerpot\nVersion: 1\n")
    points = "flowers = flowerpot:flowers\nbroken = flowerpot:nothing\nworker = flowerpot:flowers\n"
    (info / "entry_points.txt").write_text(f"[ignitetasks.commands]\n{points}")
    return modules


def test_commands_of_other_packages(
    plugins: Path, told: list[Any], monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.syspath_prepend(str(plugins))
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    assert "Show flowers." in shown and "(cannot be loaded)" in shown and "Run tasks of an application" in shown
    assert main(["-A", "mineapp", "-q", "flowers", "--port", "5", "--template", "other"]) == 0
    assert capsys.readouterr().out == "mine 5 True\n"
    assert told == [("mine", {"port": 5, "quiet_one": True, "template": "other"})]
    assert main(["broken", "--x"]) == 1 and "'broken' of flowerpot:nothing cannot be loaded" in capsys.readouterr().err
    assert main(["flowers"]) == 2 and "name the application" in capsys.readouterr().err
    assert load_app("mineapp").start(["flowers"]) == 0 and capsys.readouterr().out == "mine 8888 False\n"
