"""The command line: what it accepts, what it says, and with which exit code it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import ignitetasks
import ignitetasks_command
from ignitetasks import control, jvm
from ignitetasks.cli import main, node
from ignitetasks.cli.loading import load_app
from ignitetasks.cli.render import duration
from ignitetasks.config import Settings
from ignitetasks.errors import ConfigurationError, NodeError
from ignitetasks.failure import Failure
from ignitetasks.message import encode_result
from ignitetasks.serializers import Codecs
from ignitetasks.worker import main as worker_main

ROOT = Path(__file__).parents[2]


class Answers:
    """Stands in for a transport."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers
        self.asked: list[tuple[Any, ...]] = []

    def call(self, op: str, *args: Any, timeout: float | None = None) -> Any:
        self.asked.append((op, *args))
        answer = self.answers[op]
        return next(answer) if isinstance(answer, Iterator) else answer

    def close(self) -> None:
        return


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    canned = Answers()
    monkeypatch.setattr(control, "connect", lambda settings, *, start, kind="cli": canned)
    return canned


@pytest.fixture
def modules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, forgotten with its modules at the end."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


APP = "from ignitetasks import IgniteTasks\n"


def test_the_version_is_one() -> None:
    assert ignitetasks.__version__ == jvm.VERSION


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"ignitetasks {ignitetasks.__version__}\n"
    assert main(["--help"]) == 0
    assert "worker" in capsys.readouterr().out


def test_the_command_loads_nothing_before_it_can_be_interrupted() -> None:
    code = "import sys, ignitetasks_command; sys.exit('ignitetasks' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_command_ends_quietly_when_it_is_interrupted_while_it_loads(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt(name)

    monkeypatch.setattr(ignitetasks_command.importlib, "import_module", interrupted)
    assert ignitetasks_command.main() == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_the_command_is_the_command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["ignitetasks", "--version"])
    assert ignitetasks_command.main() == 0
    assert capsys.readouterr().out == f"ignitetasks {ignitetasks.__version__}\n"


def test_it_runs_as_a_module() -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "ignitetasks", "--version"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (answer.returncode, answer.stdout) == (0, f"ignitetasks {ignitetasks.__version__}\n")


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "worker",
        "worker -A tasks --pool fibers",
        "worker -A tasks -c many",
        "node run",
        "dead retry",
        "dead drop --all x",
        "sql 'select 1' --json --csv",
        "status --cluster ///",
        "status --namespace ''",
    ],
)
def test_a_wrong_line_is_a_usage_error(line: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = [word.strip("'") for word in line.split(" ")] if "select" not in line else ["sql", "x", "--json", "--csv"]
    assert main(words) == 2
    assert "Error: " in capsys.readouterr().err


def test_status_without_a_node_says_how_to_start_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--data-dir", str(tmp_path / "none")]) == 69
    words = capsys.readouterr().err
    assert words.startswith(f"Error: no node is running for {tmp_path / 'none'}: start one with")
    assert "Traceback" not in words
    assert not (tmp_path / "none").exists()


def test_a_traceback_only_when_asked_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--traceback", "status", "--data-dir", str(tmp_path)])
    assert "Traceback" in capsys.readouterr().err


def test_an_unexpected_error_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(control, "connect", lambda settings, *, start: {}["gone"])
    assert main(["status"]) == 1
    words = capsys.readouterr().err
    assert words.startswith("Error: KeyError: 'gone'")
    assert words.count("\n") == 1


STATUS = {
    "node": {"name": "n1", "role": "embedded", "version": "0.1.0", "heap_used": 1 << 26, "heap_max": 1 << 29},
    "queues": [{"name": "[red]odd", "pending": 1234567, "oldest_ms": 90_000, "workers": 1, "free_slots": 2}],
    "workers": [{"name": "w1", "host": "h", "pid": 7, "queues": ["celery"], "concurrency": 4, "started_ms": 1}],
    "states": {"PENDING": 3, "SUCCESS": 12},
}


def test_status_shows_tables(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    answers.answers["status"] = STATUS
    assert main(["status"]) == 0
    shown = capsys.readouterr().out
    for words in ("[red]odd", "1,234,567", "90 s", "w1", "SUCCESS", "64 of 512 MiB"):
        assert words in shown


def test_status_of_an_empty_node(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    answers.answers["status"] = {"node": {"active": False}, "queues": [], "workers": [], "states": {}}
    assert main(["status"]) == 69
    shown, said = capsys.readouterr()
    assert "no worker is connected" in shown
    assert "NOT ACTIVE" in shown
    assert said == "Error: No nodes replied within time constraint\n"


def test_status_as_json(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    answers.answers["status"] = STATUS
    assert main(["status", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["queues"][0]["pending"] == 1234567


def test_purge_asks_first(
    answers: Answers, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers.answers["purge"] = iter([3, 2, 0])
    monkeypatch.setattr("click.confirm", lambda text, abort: (_ for _ in ()).throw(KeyboardInterrupt()))
    assert main(["purge"]) == 130
    assert answers.asked == []
    assert main(["purge", "-f", "-Q", "mail"]) == 0
    assert answers.asked == [("purge", "mail")] * 3
    assert "5 removed" in capsys.readouterr().out


def result_record(**changes: Any) -> dict[str, Any]:
    return {"id": "a", "task": "t", "queue": "q", "state": 3, "created_ms": 1_700_000_000_000, **changes}


def test_result_of_a_success(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    answers.answers["info"] = [result_record(result=encode_result(Codecs(), "a", {"n": [1, 2]}))]
    assert main(["result", "a"]) == 0
    assert "{'n': [1, 2]}" in capsys.readouterr().out
    assert main(["result", "a", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["state"], shown["result"], shown["error"]) == ("SUCCESS", {"n": [1, 2]}, None)


def test_result_of_a_failure_shows_the_remote_traceback(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    failure = Failure.capture(ValueError("no"), text="Traceback of the worker")
    answers.answers["info"] = [result_record(state=4, result=failure)]
    assert main(["result", "a"]) == 0
    shown = capsys.readouterr().out
    assert "ValueError: no" in shown
    assert "Traceback of the worker" in shown


@pytest.mark.parametrize(("record", "words"), [(None, "no task has the id"), ("expired", "has expired")])
def test_result_of_nothing(record: object, words: str, answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    answers.answers["info"] = [record]
    assert main(["result", "a"]) == 1
    assert words in capsys.readouterr().err


def test_result_of_an_empty_id(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["result", ""]) == 1
    assert "no task has an empty id" in capsys.readouterr().err


def test_dead_letters(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    answers.answers.update(dead_list=[result_record(state=6, deliveries=3)], dead_retry=1, dead_drop=2)
    assert main(["dead", "list"]) == 0
    assert main(["dead", "list", "--json"]) == 0
    assert main(["dead", "retry", "a"]) == 0
    assert main(["dead", "drop", "--all"]) == 0
    assert answers.asked[-2:] == [("dead_retry", ["a"]), ("dead_drop", None)]
    shown = capsys.readouterr().out
    assert "1 put back\n2 removed\n" in shown
    assert main(["dead", "retry", "a", "b", "c"]) == 1
    said = capsys.readouterr()
    assert said.out == "1 put back\n" and "2 of these ids are no dead letters" in said.err
    answers.answers["dead_list"] = []
    main(["dead", "list"])
    assert capsys.readouterr().out == "no dead letters\n"


def test_sql_in_three_forms(answers: Answers, capsys: pytest.CaptureFixture[str]) -> None:
    answers.answers["scan"] = [None, [["a", "t", "q", 3, *[None] * 13], ["b", "t", "q", 4, *[None] * 13]]]
    query = "select id, state from tasks order by id"
    assert main(["sql", query]) == 0
    assert "2 rows" in capsys.readouterr().out
    assert main(["sql", query, "--csv"]) == 0
    assert capsys.readouterr().out == "id,state\na,SUCCESS\nb,FAILURE\n"
    assert main(["sql", query, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[1] == {"id": "b", "state": "FAILURE"}
    assert main(["sql", "delete from tasks"]) == 1


CONNECTION = jvm.Connection(
    9, "embedded", "127.0.0.1", 4711, "t", "/l", "/d", "power", "c", "embedded", 0, 1, "0.1.0", 1
)


def test_node_start_and_stop(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    monkeypatch.setattr(jvm, "find", lambda settings: None)
    monkeypatch.setattr(jvm, "ensure_running", lambda settings: CONNECTION)
    where = ["--data-dir", str(tmp_path)]
    assert main(["node", "start", *where]) == 0
    assert "ready: node embedded, process 9, gateway 127.0.0.1:4711, data in /d" in capsys.readouterr().out
    monkeypatch.setattr(jvm, "stop", lambda settings, seconds: False)
    assert main(["node", "stop", *where]) == 0
    assert capsys.readouterr().out == f"no node is running for {tmp_path}\n"


def test_node_stop_speaks_of_those_workers_that_run(
    answers: Answers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.setattr(jvm, "stop", lambda settings, seconds: True)
    stop = ["node", "stop", "--data-dir", str(tmp_path)]
    answers.answers["status"] = {"workers": []}
    assert main(stop) == 0
    assert capsys.readouterr() == ("stopped\n", "")
    answers.answers["status"] = {"workers": [{"name": "w2"}, {"name": "w1"}]}
    assert main(stop) == 0
    assert capsys.readouterr() == ("stopped\n", "a worker that still runs starts it again: w1, w2\n")


def test_a_failed_start_is_one_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any) -> None:
    def fail(settings: Settings) -> jvm.Connection:
        raise NodeError("another node runs here: stop it first", "DATA_DIR_LOCKED")

    monkeypatch.setattr(jvm, "ensure_running", fail)
    assert main(["node", "start", "--data-dir", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "Error: another node runs here: stop it first\n"


def test_data_nodes_of_one_machine_have_folders_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.delenv("IGNITETASKS_DATA_DIR", raising=False)
    first = node._data_node_settings("n1", None, {"cluster": "a:1,b:2", "discovery_port": 47500})
    second = node._data_node_settings("n2", None, {"cluster": "a:1,b:2"})
    assert first.instance_dir == tmp_path / "ignitetasks" / "nodes" / "n1"
    assert first.instance_dir != second.instance_dir
    spec = jvm.spec_of(first)
    assert (spec.name, spec.addresses, spec.discovery_port, spec.backups) == ("n1", ("a:1", "b:2"), 47500, 1)
    assert spec.durability == "process"
    alone = jvm.spec_of(node._data_node_settings("n1", str(tmp_path), {}))
    assert (alone.backups, alone.durability, alone.instance_dir) == (0, "power", tmp_path)


def test_worker_passes_what_it_was_told(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (modules / "shop_a.py").write_text(APP + "app = IgniteTasks('shop')\n")
    seen: dict[str, Any] = {}
    monkeypatch.setattr(worker_main, "run_worker", lambda app, **plan: seen.update(plan, app=app) or 3)
    line = f"worker -A shop_a -Q a,b -c 2 --pool threads --time-limit 5 --data-dir {modules} --loglevel debug"
    assert main([*line.split(), "--durability", "process", "--log-json"]) == 3
    assert (seen["queues"], seen["concurrency"], seen["pool"], seen["time_limit"]) == (["a", "b"], 2, "threads", 5.0)
    assert (seen["loglevel"], seen["log_json"], seen["reload"], seen["metrics_port"]) == ("debug", True, False, None)
    assert (seen["app"].settings.data_dir, seen["app"].settings.durability) == (modules, "process")


def test_the_application_may_be_named_before_the_command(modules: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = modules / "elsewhere"
    folder.mkdir()
    (folder / "shop_b.py").write_text(APP + "app = IgniteTasks('shop')\n")
    seen: dict[str, Any] = {}
    monkeypatch.setattr(worker_main, "run_worker", lambda app, **plan: seen.update(plan, app=app) or 0)
    monkeypatch.setattr("sys.path", list(sys.path))
    monkeypatch.chdir(modules)
    monkeypatch.setenv("NO_COLOR", "")  # so that it is put back
    assert main(["-C", "-A", "shop_b", "--workdir", str(folder), "worker", "-c", "3"]) == 0
    assert (seen["app"].name, seen["concurrency"]) == ("shop", 3)
    assert main(["-A", "shop_b", "--workdir", str(folder), "worker", "-A", "nowhere"]) == 2


def test_one_application_is_found_under_any_name(modules: Path) -> None:
    (modules / "one_app.py").write_text(APP + "shop = celery = IgniteTasks('shop')\n")
    assert load_app("one_app").name == "shop"
    assert load_app("one_app:celery").name == "shop"


def test_an_application_is_found_where_celery_would_look(modules: Path) -> None:
    (modules / "two_apps.py").write_text(APP + "other = IgniteTasks('other')\napp = IgniteTasks('meant')\n")
    package = modules / "shop_package"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "celery.py").write_text(APP + "queue = IgniteTasks('inner')\n")
    assert load_app("two_apps").name == "meant"
    assert load_app("two_apps.other").name == "other"
    assert load_app("shop_package").name == "inner"
    assert load_app("shop_package.celery").name == "inner"
    assert load_app("shop_package.celery.queue").name == "inner"


@pytest.mark.parametrize(
    ("source", "place", "words"),
    [
        ("", "m_none", r"m_none \(.*m_none.py\) has no application"),
        (APP + "a = IgniteTasks('a')\nb = IgniteTasks('b')\n", "m_two", "2 applications.* -A m_two:a or -A m_two:b"),
        (APP + "a = IgniteTasks('a')\n", "m_attr:b", "m_attr has no 'b'; it has m_attr:a"),
        (APP + "a = IgniteTasks('a')\nx = 5\n", "m_kind:x", "m_kind:x is a int, not an IgniteTasks application"),
        ("x = 1\ny = 1 / 0\n", "m_zero", r"cannot be imported: ZeroDivisionError: .*m_zero.py, line 2\)"),
        ("def f(:\n", "m_syntax", r"cannot be imported: SyntaxError: .*m_syntax.py, line 1\)"),
        ("import no_such_module\n", "m_imp", r"cannot be imported: ModuleNotFoundError: No module named 'no_such"),
        ("raise SystemExit(4)\n", "m_exit", "cannot be imported: SystemExit: 4"),
    ],
)
def test_what_is_wrong_with_a_module(modules: Path, source: str, place: str, words: str) -> None:
    (modules / f"{place.partition(':')[0]}.py").write_text(source)
    with pytest.raises(ConfigurationError, match=words):
        load_app(place)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("tasks.py", "-A takes a module, not 'tasks.py': for example -A tasks"),
        ("shop/tasks.py", "for example -A shop.tasks"),
        (":app", "-A takes a module"),
        ("not_there", "there is no module not_there in"),
        ("not_there.tasks:app", "there is no module not_there.tasks in"),
    ],
)
def test_what_is_no_module(modules: Path, place: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        load_app(place)


def test_a_bad_module_ends_the_worker_with_a_sentence(modules: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (modules / "m_bad.py").write_text("1 / 0\n")
    assert main(["worker", "-A", "m_bad"]) == 2
    words = capsys.readouterr().err
    assert "ZeroDivisionError" in words
    assert "Traceback" not in words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [(0, "0.0 s"), (35_000, "35 s"), (240_000, "4.0 min"), (12_600_000, "3.5 h"), (86_400_000 * 12, "12 d")],
)
def test_durations(milliseconds: int, words: str) -> None:
    assert duration(milliseconds) == words
