"""The command line against a node with tasks: what it prints, what it changes, and how it exits."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
import suite_tasks as suite

from ignitetasks import WorkerLostError

pytestmark = pytest.mark.usefixtures("worker")
PATIENCE = 60


def ok(ended):
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_status_shows_node_queues_workers_and_tasks(command, node, queue):
    waiting = suite.add.bulk([(1, 2)] * 3, queue=queue)
    delayed = suite.add.apply_async((1, 2), queue=queue, countdown=3600)
    text = ok(command("status"))
    for words in ("Node", "Queues", "Workers", "Tasks", queue, "main", str(node.data_dir), "durability process"):
        assert words in text
    row = next(line for line in text.splitlines() if f" {queue} " in line)
    assert row.replace("│", " ").replace("|", " ").split()[1:3] == ["3", "1"]
    answer = json.loads(ok(command("status", "--json")))
    mine = next(one for one in answer["queues"] if one["name"] == queue)
    assert (mine["pending"], mine["delayed"], mine["running"], mine["workers"]) == (3, 1, 0, 0)
    main = next(one for one in answer["workers"] if one["name"] == "main")
    assert (main["concurrency"], main["pool"], main["queues"]) == (2, "prefork", ["celery"])
    # Not all of this process: shared tasks of other tests' projects belong to every app here, and to none there.
    own = [name for name in suite.app.tasks if name.startswith("suite_tasks.")]
    assert main["tasks"] >= len(own) > 0
    assert answer["node"]["role"] == "embedded"
    waiting.revoke()
    delayed.revoke()


def test_a_graph_of_workers_and_their_queues(command, queue):
    waiting = suite.add.bulk([(1, 2)] * 3, queue=queue)
    lines = [line.strip() for line in ok(command("graph", "workers")).splitlines()]
    assert lines[0] == "digraph workers {" and lines[-1] == "}"
    assert '"main" [label="main\\nprefork x 2"];' in lines
    assert '"celery" -> "main";' in lines
    assert f'"{queue}" [shape=box, label="{queue}\\n3 pending"];' in lines
    assert all(line.endswith(";") for line in lines[1:-1])
    waiting.revoke()


def test_status_without_a_node_says_so_and_starts_none(processes, tmp_path):
    ended = processes.run("status", "--data-dir", str(tmp_path / "nothing"))
    assert ended.returncode == 69
    assert ended.stdout == ""
    assert "no node is running for" in ended.stderr and "ignitetasks node start" in ended.stderr
    assert not (tmp_path / "nothing").exists()


def test_node_status(command, node):
    text = ok(command("node", "status"))
    assert f"process {node.pid}" in text
    assert json.loads(ok(command("node", "status", "--json")))["pid"] == node.pid
    assert f"already running: node embedded, process {node.pid}" in ok(command("node", "start"))


def test_purge_removes_what_waits(command, node, queue, log, label):
    waiting = suite.mark.bulk([(label,)] * 5, queue=queue)
    suite.mark.apply_async((label,), queue=queue, countdown=3600)
    other = suite.mark.apply_async((label,), queue=f"{queue}.other", countdown=3600)
    assert ok(command("purge", "-f", "-Q", queue)) == "6 removed\n"
    assert node.queue_status(queue)["pending"] == node.queue_status(queue)["delayed"] == 0
    assert node.queue_status(f"{queue}.other")["delayed"] == 1
    assert not waiting[0].exists() or waiting[0].ready()
    assert ok(command("purge", "-f", "-Q", queue)) == "0 removed\n"
    assert log.count(label) == 0
    other.revoke()


def test_purge_asks_first(command, node, queue):
    suite.add.apply_async((1, 2), queue=queue)
    ended = command("purge", "-Q", queue, stdin="n\n")
    assert ended.returncode != 0
    assert f"Remove all waiting tasks of queue {queue}" in ended.stdout
    assert node.queue_status(queue)["pending"] == 1
    assert "1 removed" in ok(command("purge", "-Q", queue, stdin="y\n"))


def test_result_of_a_success(command):
    sent = suite.echo.delay({"a": [1, 2]})
    sent.get(timeout=PATIENCE)
    text = ok(command("result", sent.id))
    assert "SUCCESS" in text and "suite_tasks.echo" in text and "{'a': [1, 2]}" in text
    answer = json.loads(ok(command("result", sent.id, "--json")))
    assert (answer["id"], answer["state"], answer["result"], answer["error"]) == (
        sent.id, "SUCCESS", {"a": [1, 2]}, None
    )  # fmt: skip


def test_result_of_a_large_success(command):
    sent = suite.echo.delay(["x" * 100_000])
    sent.get(timeout=PATIENCE)
    assert json.loads(ok(command("result", sent.id, "--json")))["result"] == ["x" * 100_000]


def test_result_of_a_failure(command):
    sent = suite.fail.delay("shop")
    with pytest.raises(suite.ShopError):
        sent.get(timeout=PATIENCE)
    text = ok(command("result", sent.id))
    assert "FAILURE" in text and "ShopError: (7, 'sold out')" in text
    assert "Traceback (most recent call last)" in text and "suite_tasks.py" in text
    answer = json.loads(ok(command("result", sent.id, "--json")))
    assert answer["error"]["type_name"] == "ShopError"


def test_result_of_a_waiting_task(command, queue):
    sent = suite.add.apply_async((1, 2), queue=queue)
    assert "PENDING" in ok(command("result", sent.id))
    sent.revoke()


def test_result_of_an_unknown_id(command):
    ended = command("result", "nobody-knows")
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: no task has the id nobody-knows")
    assert "Traceback" not in ended.stderr


def test_dead_letters(command, node, log, label):
    sent = suite.die.delay(label, "exit")
    other = suite.die.delay(f"{label}.other", "exit")
    for one in (sent, other):
        with pytest.raises(WorkerLostError):
            one.get(timeout=PATIENCE)
        assert one.state == "DEAD"
    assert (log.count(label), log.count(f"{label}.other")) == (2, 2)
    listed = ok(command("dead", "list"))
    assert sent.id in listed and other.id in listed and "suite_tasks.die" in listed
    rows = json.loads(ok(command("dead", "list", "--json")))
    assert {one["id"]: one["state"] for one in rows}[sent.id] == "DEAD"

    assert ok(command("dead", "retry", sent.id)) == "1 put back\n"
    again = suite.app.AsyncResult(sent.id)
    with pytest.raises(WorkerLostError):
        again.get(timeout=PATIENCE)
    assert log.count(label) == 4

    assert ok(command("dead", "drop", sent.id, other.id)) == "2 removed\n"
    assert node.record(sent.id) is None
    assert sent.id not in ok(command("dead", "list"))
    gone = command("dead", "drop", sent.id)
    assert (gone.returncode, gone.stdout) == (1, "0 removed\n") and "no dead letters" in gone.stderr


@pytest.mark.parametrize("words", [("dead", "retry"), ("dead", "drop"), ("dead", "drop", "--all", "some-id")])
def test_dead_letters_are_named_or_all(command, words):
    ended = command(*words)
    assert ended.returncode == 2
    assert "name the ids, or say --all" in ended.stderr


def test_sql(command, queue):
    sent = suite.add.bulk([(1, 2)] * 7, queue=queue)
    statement = f"select state, count(*) as n from tasks where queue = '{queue}' group by state"
    assert json.loads(ok(command("sql", statement, "--json"))) == [{"state": "PENDING", "n": 7}]
    rows = list(csv.reader(io.StringIO(ok(command("sql", statement, "--csv")))))
    assert rows == [["state", "n"], ["PENDING", "7"]]
    text = ok(command("sql", statement))
    assert "PENDING" in text and "1 row" in text
    sent.revoke()
    assert json.loads(ok(command("sql", statement, "--json"))) == [{"state": "REVOKED", "n": 7}]


def test_sql_of_ended_tasks(command):
    sent = suite.fail.apply_async(("shop",))
    with pytest.raises(suite.ShopError):
        sent.get(timeout=PATIENCE)
    row = json.loads(
        ok(
            command(
                "sql", f"select task, state, error_type, worker, finished from tasks where id = '{sent.id}'", "--json"
            )
        )
    )[0]
    assert (row["task"], row["state"], row["error_type"], row["worker"]) == (
        "suite_tasks.fail", "FAILURE", "ShopError", "main"
    )  # fmt: skip
    assert row["finished"].endswith("Z")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("delete from tasks", "only one SELECT statement is allowed"),
        ("select 1; select 2", "only one SELECT statement|not understood"),
        ("select odd from tasks", "no such column: odd"),
        ("nonsense", "not understood"),
    ],
)
def test_sql_refuses_what_is_no_select(command, statement, words):
    ended = command("sql", statement)
    assert ended.returncode == 1
    assert re.search(words, ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [(["--help"], 0), (["--version"], 0), (["nonsense"], 2), (["worker"], 2), (["status", "--cluster", "no port:"], 2)],
    ids=lambda one: " ".join(one) if isinstance(one, list) else None,
)
def test_exit_codes_of_the_command_line(command, words, code):
    ended = command(*words)
    assert ended.returncode == code
    assert (ended.stderr == "") == (code == 0)
    assert "Traceback" not in ended.stderr
