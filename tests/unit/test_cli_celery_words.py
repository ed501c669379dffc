"""Command lines written for Celery: every option is taken, and what has nothing to do here says so."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest
from test_cli import STATUS, Answers, answers, modules  # noqa: F401  # fixtures

from ignitetasks import IgniteTasks
from ignitetasks.cli import beat, daemon, main
from ignitetasks.cli.main import cli
from ignitetasks.worker import main as worker_main

#: Options of Celery's commands, as its `--help` shows them.
OPTIONS = {
    "worker": "-n --hostname -D --detach -S --statedb -l --loglevel -O --optimization --prefetch-multiplier "
    "--disable-prefetch -c --concurrency -P --pool -E --task-events --events --time-limit --soft-time-limit "
    "--max-tasks-per-child --max-memory-per-child --pool-start-method --purge --discard -Q --queues -X "
    "--exclude-queues -I --include --without-gossip --without-mingle --without-heartbeat --heartbeat-interval "
    "--autoscale -B --beat -s --schedule-filename --schedule --scheduler -f --logfile "
    "--pidfile --uid --gid --umask --executable",
    "beat": "--detach -s --schedule -S --scheduler --max-interval -n --hostname --enable-remote-control -l --loglevel "
    "-f --logfile --pidfile --uid --gid --umask --executable",
    "events": "-d --dump -c --camera --detach -F --frequency --freq -r --maxrate -l --loglevel -f --logfile --pidfile "
    "--uid --gid --umask --executable",
    "status": "-t --timeout -d --destination -j --json",
    "result": "-t --task --traceback",
    "purge": "-f --force -Q --queues -X --exclude-queues",
    "call": "-a --args -k --kwargs --eta --countdown --expires --serializer --queue --exchange --routing-key",
    "inspect": "-t --timeout -d --destination -j --json --list",
    "control": "-t --timeout -d --destination -j --json --list",
    "shell": "-I --ipython -B --bpython --python -T --without-tasks --eventlet --gevent",
}


@pytest.mark.parametrize("name", sorted(OPTIONS))
def test_every_option_is_taken(name: str) -> None:
    command = cli.commands[name]
    known = {word for one in command.params if isinstance(one, click.Option) for word in one.opts}
    assert [word for word in OPTIONS[name].split() if word not in known] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["flower", "--port=5555"], "there is no 'flower' here: flower reads a message broker"),
        (["-A", "proj", "amqp"], "there is no 'amqp' here: there is no AMQP behind this"),
        (["migrate", "redis://localhost", "amqp://localhost"], "tasks are not moved between brokers"),
        (["nothing"], "No such command 'nothing'"),
    ],
)
def test_commands_that_only_celery_has(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_beat_runs_as_a_service(modules: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:  # noqa: F811
    (modules / "beatapp.py").write_text("from ignitetasks import IgniteTasks\napp = IgniteTasks('b')\n")
    seen: list[Any] = []

    class Runs:
        def __init__(self, max_interval: float | None, app: Any, **given: Any) -> None:
            self.said = (max_interval, given["loglevel"], given["logfile"], given["scheduler_cls"])

        def run(self) -> None:
            seen.append((*self.said, (modules / "beat.pid").read_text().strip().isdigit()))

    monkeypatch.setattr(beat, "Beat", Runs)
    files = ["--pidfile", str(modules / "beat.pid"), "--logfile", str(modules / "beat.log")]
    said = ["-s", "x.db", "--scheduler=a.B", "-n", "b@h"]
    assert main(["-A", "beatapp", "beat", *files, *said, "--loglevel=INFO", "--max-interval", "3"]) == 0
    assert seen == [(3.0, "info", str(modules / "beat.log"), "a.B", True)]
    assert not (modules / "beat.pid").exists()
    assert capsys.readouterr().err.count("has no effect") == 2


def test_a_receiver_of_celeryd_init_sets_what_the_worker_is(modules: Path, monkeypatch: Any) -> None:  # noqa: F811
    (modules / "initapp.py").write_text(
        "from ignitetasks import IgniteTasks\n"
        "from ignitetasks.signals import celeryd_init\n"
        "app = IgniteTasks('i')\n"
        "@celeryd_init.connect(sender='w1@h')\n"
        "def configure(conf, options, **kwargs):\n"
        "    assert options['loglevel'] == 'info'\n"
        "    conf.update(worker_concurrency=3, task_default_queue='mine', worker_prefetch_multiplier=0)\n"
    )
    plans: list[dict[str, Any]] = []
    monkeypatch.setattr(worker_main, "run_worker", lambda app, **plan: plans.append(plan) or 0)
    assert main(["-A", "initapp", "worker", "-n", "w1@h", "-l", "INFO"]) == 0
    plan = plans[0]
    assert (plan["concurrency"], plan["queues"], plan["prefetch_multiplier"]) == (3, ["mine"], 0)
    assert plan["begun"]


def test_status_of_some_workers(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
    answers.answers["status"] = STATUS
    assert main(["status", "-d", "w1,w2", "-t", "3"]) == 0
    assert "--timeout has no effect" in capsys.readouterr().err
    assert main(["status", "-d", "other"]) == 69
    assert main(["status", "-j"]) == 0


def test_names_of_the_shell(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    (modules / "celeryshell.py").write_text("from ignitetasks import IgniteTasks\napp = IgniteTasks('s')\n")
    seen: dict[str, Any] = {}
    monkeypatch.setattr("code.interact", lambda banner, local, exitmsg: seen.update(local))
    assert main(["-A", "celeryshell", "shell", "--python"]) == 0
    assert seen["celery"] is seen["app"]
    assert {"group", "chord", "chain", "chunks", "xmap", "xstarmap", "signature", "subtask", "Task"} <= set(seen)


def test_what_the_settings_say_of_a_service_counts_where_the_command_line_is_silent() -> None:
    conf = IgniteTasks("s", set_as_current=False).conf
    conf.update(worker_pidfile="/run/%n.pid", worker_uid=42, worker_umask=0o027, worker_logfile="w.log")
    said = daemon.of_settings(daemon.Service(logfile="mine.log"), conf, "worker")
    assert said == daemon.Service(logfile="mine.log", pidfile="/run/%n.pid", uid="42", umask="27")
    assert daemon.of_settings(daemon.Service(), conf, "beat") == daemon.Service()
