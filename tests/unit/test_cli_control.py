"""The commands around remote control, events and several workers: words in, words out, exit codes."""

from __future__ import annotations

import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from test_cli import modules  # noqa: F401  # a fixture

from ignitetasks import IgniteTasks, control, platforms
from ignitetasks.app.control import Control
from ignitetasks.cli import daemon, main, multi
from ignitetasks.cli.events import line, picture
from ignitetasks.cli.options import UNAVAILABLE
from ignitetasks.errors import ConfigurationError, NotConnected
from ignitetasks.events.state import State
from ignitetasks.worker import main as worker_main

HOST = socket.gethostname()


class Broadcasts:
    """Stands for the workers."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any], Any, float]] = []
        self.replies: list[dict[str, Any]] = [{"w1@h": {"ok": "pong"}}]

    def __call__(self, _control: Any, command: str, arguments: Any, destination: Any, **options: Any) -> Any:
        self.asked.append((command, dict(arguments), destination, options["timeout"]))
        return self.replies


@pytest.fixture
def workers(monkeypatch: pytest.MonkeyPatch) -> Broadcasts:
    asked = Broadcasts()
    monkeypatch.setattr(Control, "broadcast", lambda self, *words, **options: asked(self, *words, **options))
    return asked


class TestRemote:
    def test_an_answer(self, workers: Broadcasts, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["inspect", "ping"]) == 0
        out = capsys.readouterr().out
        assert "-> w1@h: OK" in out
        assert "pong" in out
        assert "1 node online." in out

    def test_json_and_quiet(self, workers: Broadcasts, capsys: pytest.CaptureFixture[str]) -> None:
        workers.replies = [{"a": [1, 2]}, {"b": {"ok": {"x": None}}}]
        assert main(["inspect", "-j", "active"]) == 0
        assert json.loads(capsys.readouterr().out) == {"a": [1, 2], "b": {"ok": {"x": None}}}
        assert main(["-q", "inspect", "active"]) == 0
        assert "online" not in capsys.readouterr().out

    def test_the_node_cannot_be_reached(self, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
        def fail(*_: Any, **__: Any) -> Any:
            raise NotConnected("nobody is there")

        monkeypatch.setattr(Control, "broadcast", fail)
        monkeypatch.setattr(control, "connect", fail)
        for words in ("inspect ping", "control pool_grow", "status", "status -j"):
            assert main(words.split()) == UNAVAILABLE
            assert capsys.readouterr().err == "Error: nobody is there\n"
        assert main(["--traceback", "inspect", "ping"]) == 1
        assert "Traceback" in capsys.readouterr().err

    def test_nobody_answers(self, workers: Broadcasts, capsys: pytest.CaptureFixture[str]) -> None:
        workers.replies = []
        assert main(["inspect", "ping"]) == UNAVAILABLE == 69
        assert "No nodes replied" in capsys.readouterr().err

    def test_what_the_cluster_keeps_is_done_without_workers(
        self, workers: Broadcasts, capsys: pytest.CaptureFixture[str]
    ) -> None:
        workers.replies = []
        assert main(["control", "revoke", "a"]) == 0
        assert capsys.readouterr().out == "done; no worker is running\n"
        assert main(["control", "-j", "rate_limit", "t", "1/s"]) == 0
        assert json.loads(capsys.readouterr().out) == {}
        assert main(["control", "-d", "w1@h", "revoke", "a"]) == main(["control", "pool_grow"]) == UNAVAILABLE

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["inspect", "-t", "3", "-d", "a,b", "ping"], ("ping", {}, ["a", "b"], 3.0)),
            (["inspect", "registered", "a", "b"], ("registered", {"taskinfoitems": ["a", "b"]}, None, 1)),
            (["inspect", "query_task", "id1"], ("query_task", {"ids": ["id1"]}, None, 1)),
            (["inspect", "conf", "true"], ("conf", {"with_defaults": True}, None, 1)),
            (["control", "pool_grow", "3"], ("pool_grow", {"n": 3}, None, 1)),
            (["control", "autoscale", "5", "1"], ("autoscale", {"max": 5, "min": 1}, None, 1)),
            (["control", "time_limit", "t", "1"], ("time_limit", {"task_name": "t", "soft": 1.0}, None, 1)),
            (["control", "revoke", "a", "b"], ("revoke", {"task_id": ["a", "b"]}, None, 1)),
            (["control", "terminate", "KILL", "a"], ("terminate", {"signal": "KILL", "task_id": ["a"]}, None, 1)),
            (["control", "add_consumer", "q"], ("add_consumer", {"queue": "q"}, None, 1)),
            (["control", "revoke", "a", "--terminate"], ("revoke", {"task_id": ["a"], "terminate": True}, None, 1)),
            (
                ["control", "revoke_by_stamped_headers", "a=1", "b=2", "--terminate", "--signal=SIGKILL"],
                (
                    "revoke_by_stamped_headers",
                    {"headers": ["a=1", "b=2"], "terminate": True, "signal": "SIGKILL"},
                    None,
                    1,
                ),
            ),
        ],
    )  # fmt: skip
    def test_arguments(self, workers: Broadcasts, words: list[str], expected: Any) -> None:
        assert main(words) == 0
        assert workers.asked == [expected]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["inspect", "pool_grow"], "there is no inspect command 'pool_grow'; there are: active"),
            (["control", "ping"], "there is no control command 'ping'"),
            (["control", "pool_grow", "many"], "n cannot be 'many'"),
            (["control", "rate_limit", "t"], "rate_limit takes <task_name> <rate_limit"),
            (["control", "add_consumer"], "add_consumer takes <queue> [exchange"),
            (["control", "pool_grow", "--terminate"], "--terminate, and with it --signal, go with revoke and"),
            (["control", "revoke", "a", "--signal=KILL"], "--terminate, and with it --signal, go with revoke and"),
            (["control", "-d", "", "shutdown"], "name at least one, or leave the option out"),
            (["control", "pool_grow", "1", "2"], "pool_grow takes [N=1], not '2' too"),
        ],
    )
    def test_wrong_words(
        self, workers: Broadcasts, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(words) == 2
        assert said in " ".join(capsys.readouterr().err.split())
        assert workers.asked == []

    def test_the_lists(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["inspect", "--list"]) == 0
        out = capsys.readouterr().out
        assert "active_queues" in out
        assert "pool_grow" not in out
        assert main(["control"]) == 0
        assert "rate_limit <task_name>" in capsys.readouterr().out

    def test_a_command_of_the_applications_own(
        self,
        workers: Broadcasts,
        modules: Path,  # noqa: F811
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (modules / "ownapp.py").write_text(
            "from ignitetasks import IgniteTasks\n"
            "from ignitetasks.worker.control import inspect_command\n"
            "app = IgniteTasks('own')\n"
            "@inspect_command(args=[('n', int)], signature='[N]')\n"
            "def own_numbers(state, n=1):\n    '''Numbers of our own.'''\n    return {'n': n}\n"
        )
        assert main(["-A", "ownapp", "inspect", "own_numbers", "4"]) == 0
        assert workers.asked == [("own_numbers", {"n": 4}, None, 1.0)]
        capsys.readouterr()
        main(["inspect", "-A", "ownapp", "--list"])
        assert "Numbers of our own." in capsys.readouterr().out


class TestGlobalOptions:
    def test_a_broker_is_explained(self, workers: Broadcasts, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["-b", "amqp://guest@localhost//", "inspect", "ping"]) == 0
        assert "a broker has no meaning here" in capsys.readouterr().err

    def test_workdir(self, workers: Broadcasts, modules: Path) -> None:  # noqa: F811
        folder = modules / "inner"
        folder.mkdir()
        (folder / "innerapp.py").write_text("from ignitetasks import IgniteTasks\napp = IgniteTasks('inner')\n")
        assert main(["--workdir", str(folder), "-A", "innerapp", "inspect", "ping"]) == 0

    def test_no_application(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["worker"]) == 2
        assert "name the application" in capsys.readouterr().err


class TestCalling:
    def test_call(self, modules: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: F811
        sent: list[Any] = []

        class Handle:
            id = "the-id"

        def send_task(_app: Any, name: str, args: Any, kwargs: Any, **options: Any) -> Handle:
            sent.append((name, args, kwargs, options))
            return Handle()

        monkeypatch.setattr(IgniteTasks, "send_task", send_task)
        words = ["call", "shop.add", "-a", "[1, 2]", "-k", '{"x": 3}', "--countdown", "4", "--queue", "q"]
        assert main([*words, "--expires", "2030-01-01T00:00:00Z"]) == 0
        assert capsys.readouterr().out == "the-id\n"
        ((name, args, kwargs, options),) = sent
        assert (name, args, kwargs) == ("shop.add", [1, 2], {"x": 3})
        assert (options["countdown"], options["queue"], options["expires"].year) == (4.0, "q", 2030)

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["-a", "1,2"], "is no JSON"),
            (["-a", "{}"], "is not a list in JSON"),
            (["--eta", "tomorrow"], "neither a number of seconds nor a time"),
        ],
    )
    def test_wrong_calls(self, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["call", "t", *words]) == 2
        assert said in " ".join(capsys.readouterr().err.split())

    def test_report(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["report"]) == 0
        assert f"py:{sys.version.split()[0]}" in capsys.readouterr().out

    def test_shell(self, modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
        (modules / "shellapp.py").write_text(
            "from ignitetasks import IgniteTasks\napp = IgniteTasks('s')\n@app.task\ndef add(x, y): return x + y\n"
        )
        seen: dict[str, Any] = {}
        monkeypatch.setattr("code.interact", lambda banner, local, exitmsg: seen.update(local))
        assert main(["-A", "shellapp", "shell", "-P"]) == 0
        assert seen["add"](1, 2) == 3
        assert seen["app"].name == "s"


class TestWorker:
    @pytest.fixture
    def planned(self, modules: Path, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: F811
        (modules / "workapp.py").write_text("from ignitetasks import IgniteTasks\napp = IgniteTasks('w')\n")
        plans: list[dict[str, Any]] = []
        monkeypatch.setattr(worker_main, "run_worker", lambda app, **plan: plans.append(plan) or 0)

        def run(*words: str) -> dict[str, Any]:
            assert main(["-A", "workapp", "worker", *words]) == 0
            return plans[-1]

        return run

    def test_celerys_options(self, planned: Any, capsys: pytest.CaptureFixture[str]) -> None:
        words = "-n w1@%h -l INFO -c 3 -P processes -Q a,b -Q c -X b -E --max-tasks-per-child 5 --time-limit=9"
        plan = planned(*words.split(), "-Ofair", "--without-gossip", "--without-mingle", "--without-heartbeat")
        assert plan["name"] == f"w1@{HOST}"
        assert (plan["loglevel"], plan["concurrency"], plan["pool"]) == ("info", 3, "prefork")
        assert (plan["queues"], plan["events"]) == (["a", "c"], True)
        assert (plan["max_tasks_per_child"], plan["time_limit"]) == (5, 9.0)
        said = capsys.readouterr().err
        assert said.count("has no effect") == 3 and not plan["heartbeats"]
        assert planned()["heartbeats"]
        assert "--without-gossip has no effect: workers do not talk to each other" in said

    def test_defaults(self, planned: Any) -> None:
        plan = planned()
        assert (plan["pool"], plan["queues"], plan["events"]) == ("prefork", ["celery"], False)
        assert plan["name"].startswith("w@")
        assert plan["autoscale"] is None
        assert planned("--autoscale=10,3")["autoscale"] == (10, 3)
        assert planned("--autoscale", "4")["autoscale"] == (4, 0)

    def test_log_and_pid_file(self, planned: Any, modules: Path) -> None:  # noqa: F811
        plan = planned("-n", "mine@x.y", "--pidfile", str(modules / "%n.pid"), "--logfile", str(modules / "%h%I.log"))
        assert plan["log_stream"].name == str(modules / "x.y.log")
        assert not (modules / "mine.pid").exists()

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["-P", "gevent"], "there is no gevent pool"),
            (["-l", "loud"], "'loud' is not one of debug"),
            (["--autoscale", "x"], "is not MAX,MIN"),
            (["-X", "celery"], "leaves no queue"),
            (["-n", "%x"], "%x in '%x' is unknown"),
        ],
    )
    def test_wrong_options(self, planned: Any, words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["-A", "workapp", "worker", *words]) == 2
        assert said in " ".join(capsys.readouterr().err.split())


class TestDaemon:
    def test_names(self) -> None:
        assert daemon.expand("w@%h") == f"w@{HOST}"
        assert daemon.expand("/run/%n-%i.pid", "mail@a.b.c") == "/run/mail-0.pid"
        assert daemon.expand("%d %p 100%%", "mail@a.b.c") == "b.c mail@a.b.c 100%"

    def test_pid_files(self, tmp_path: Path) -> None:
        path = tmp_path / "deep" / "w.pid"
        mine = platforms.Pidfile(path)
        assert mine.acquire() is mine and mine.is_locked()
        assert mine.read_pid() == os.getpid()
        mine.release()
        assert not path.exists()
        path.write_text("1\n")
        with pytest.raises(platforms.LockFailed, match="belongs to process 1"):
            platforms.Pidfile(path).acquire()
        platforms.Pidfile(path).release()
        assert not platforms.Pidfile(path).remove_if_stale() and path.exists()
        path.write_text(f"{2**22}\n")
        assert platforms.Pidfile(path).remove_if_stale() and not path.exists()
        with platforms.Pidfile(path):
            assert path.exists()
        assert not path.exists()

    def test_unknown_users(self) -> None:
        with pytest.raises(ConfigurationError, match="no such user"):
            platforms.maybe_drop_privileges("nobody-of-this-name", None)


class TestMulti:
    def show(self, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
        assert main(["multi", "show", *words]) == 0
        return capsys.readouterr().out.splitlines()

    def test_numbers_and_ranges(self, capsys: pytest.CaptureFixture[str]) -> None:
        lines = self.show(capsys, "3", "-c", "2", "-c:1-2", "9", "-A", "tasks", "-l", "info")
        assert [f"-n celery{number}@{HOST} " in text for number, text in enumerate(lines, 1)] == [True] * 3
        assert ["-c 9" in text for text in lines] == [True, True, False]
        assert all("-A tasks" in text and "--detach" in text for text in lines)

    def test_names_and_options_of_one(self, capsys: pytest.CaptureFixture[str]) -> None:
        first, second = self.show(
            capsys, "mail", "b@x.y", "-Q:mail", "m1,m2", "--pidfile=/run/%n.pid", "--logfile=/log/%n%I.log", "-E"
        )
        assert "-Q m1,m2" in first
        assert "-Q" not in second
        assert "--pidfile=/run/b.pid --logfile=/log/b.log -E" in second

    def test_what_stands_before_the_worker_and_behind_its_options(self, capsys: Any) -> None:
        one, two = self.show(
            capsys,
            "2",
            "--workdir=/x",
            "-C",
            "--executable=/opt/py",
            "-n",
            "%h",
            "-P",
            "solo",
            "--",
            "worker.uid=3",
            "a=b",
        )
        assert one.startswith(f"/opt/py -m ignitetasks --workdir=/x -C worker -n celery1@{HOST} --detach")
        assert two.endswith("-P solo worker.uid=3 a=b") and "executable" not in two

    def test_names_and_homes_in_values(self, capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HOME", "/home/me")
        (one,) = self.show(
            capsys, "a@h", "--workdir=~/w", "--pidfile=~/%n.pid", "--logfile=/x/%%%%n-%n%I.log", "-Q", "q-%n,50%"
        )
        assert "--workdir=/home/me/w worker -n a@h" in one
        assert "--pidfile=/home/me/a.pid --logfile=/x/%%n-a.log" in one
        (other,) = self.show(capsys, "a@h", "-Q", "q-%n,all")
        assert "-Q q-a,all" in other

    def test_the_application_may_stand_before(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["-A", "shop", "multi", "show", "w"]) == 0
        assert "-A shop" in capsys.readouterr().out

    def test_other_actions(self, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
        assert main(["multi", "names", "2", "--range-prefix=w", "--suffix=h"]) == 0
        assert capsys.readouterr().out == "w1@h\nw2@h\n"
        assert main(["multi", "expand", "/x/%n.log", "2", "--range-prefix=w"]) == 0
        assert capsys.readouterr().out == "/x/w1.log\n/x/w2.log\n"
        assert main(["multi", "get", "b", "a", "b"]) == 0
        assert capsys.readouterr().out.count("worker") == 1
        assert main(["multi", "stop", "a", f"--pidfile={tmp_path}/none"]) == 0
        assert "does not run" in capsys.readouterr().out
        assert main(["multi", "start"]) == 2

    def test_signals(self) -> None:
        assert multi.parse(["a", "-KILL"]).signum == 9
        assert multi.parse(["a", "-15"]).signum == 15
        assert multi.parse(["a", "-c", "3"]).signum is None


class TestEvents:
    def test_a_line(self) -> None:
        event = {"seq": 7, "timestamp": 0, "hostname": "w", "type": "task-failed", "uuid": "u", "exception": "E\nx"}
        text = line(event)
        assert text.startswith("7 ")
        assert text.endswith("w task-failed [u] exception=E x")

    def test_a_picture(self) -> None:
        state = State()
        state.event({"type": "worker-online", "hostname": "w", "timestamp": 1, "local_received": 1})
        state.event({"type": "task-succeeded", "hostname": "w", "uuid": "u", "timestamp": 1, "runtime": 0.5})
        workers, tasks, _ = picture(state).renderables
        assert (workers.row_count, tasks.row_count) == (1, 1)
