"""What surrounds the supervisor: plans, banner, local worker, metrics endpoint, reload."""

from __future__ import annotations

import io
import os
import signal
import socket
import struct
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from lane_server import CODECS, PATIENCE
from worker_app import make_app

from ignitetasks import errors, frames
from ignitetasks.message import decode_result
from ignitetasks.worker import main
from ignitetasks.worker.local import LocalWorker
from ignitetasks.worker.main import make_plan, print_banner
from ignitetasks.worker.metrics_endpoint import Endpoint
from ignitetasks.worker.node import NodeFinder
from ignitetasks.worker.reload import MARKER, Reloader, Watcher, source_roots
from ignitetasks.worker.signals import SignalQueue
from ignitetasks.worker.slots import READY, Health, Running, Slots


def until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def app(tmp_path):
    return make_app(tmp_path)


def test_a_plan_fills_in_defaults(app):
    plan = make_plan(app)
    assert plan.queues == ("celery",)
    assert plan.concurrency == len(os.sched_getaffinity(0))
    assert plan.pool == "prefork"
    assert str(os.getpid()) in plan.name
    assert make_plan(app, pool="solo").concurrency == 1
    assert make_plan(app, queues=["a", "b", "a"]).queues == ("a", "b")
    assert make_plan(app, pool="threads", concurrency=5).processes == 1


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"pool": "gevent"}, "pool"),
        ({"pool": "solo", "concurrency": 2}, "solo"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 65_537}, "from 1 to 65536, not 65537"),
        ({"queues": ["a b"]}, "queues"),
        ({"max_tasks_per_child": 0}, "max_tasks_per_child"),
        ({"max_memory_per_child": -1}, "max_memory_per_child"),
        ({"soft_time_limit": 0}, "soft_time_limit"),
        ({"time_limit": float("nan")}, "time_limit"),
    ],
)
def test_values_that_cannot_be_are_named(app, options, word):
    with pytest.raises(errors.ConfigurationError, match=word):
        make_plan(app, **options)


def test_the_banner_says_what_runs_where_and_how_to_stop_it(app, tmp_path):
    out = io.StringIO()
    print_banner(app, make_plan(app, queues=["mail"], concurrency=3, name="w7"), out)
    for word in ("testing", "mail", "prefork x 3", str(tmp_path), str(os.getpid()), "w7", "Ctrl-C"):
        assert word in out.getvalue()


@pytest.fixture
def reachable(monkeypatch, lane_server):
    """Makes every worker of this test find the lane server."""
    monkeypatch.setattr(main, "NodeFinder", lambda settings: NodeFinder(settings, lambda _: lane_server.address))


def test_a_local_worker_runs_functions_of_this_very_process(app, lane_server, reachable):
    secret = object()
    app.task(lambda: id(secret)).name = "local"
    app.tasks["local"] = app.tasks.pop("<lambda>")
    threading.Thread(target=time.sleep, args=(0.2,), daemon=True).start()
    with LocalWorker(app, concurrency=2) as worker:
        children = [lane_server.next_peer("child", child=index) for index in range(2)]
        outcome = children[0].wait_for(*children[0].run("local"))[0]
        assert decode_result(CODECS, "", outcome[2]) == id(secret)
        assert worker.pid not in (0, os.getpid())
        with pytest.raises(errors.IgniteTasksError):
            worker.__enter__()
    assert worker.pid == 0
    assert all(child.said_bye for child in children)
    worker.stop()


def test_a_local_workers_tasks_go_back_when_it_is_not_patient(app, lane_server, reachable, tmp_path):
    with LocalWorker(app, concurrency=1, stop_timeout_seconds=0.1):
        peer, child = lane_server.next_peer("worker"), lane_server.next_peer("child")
        seqs = child.run(("begin", (str(tmp_path / "begun"),)))
        until((tmp_path / "begun").exists)
    assert peer.expect(frames.CHILD_DIED)[2:4] == ["shutdown", seqs[0]]


def test_a_local_worker_that_cannot_start_says_why(app, lane_server, monkeypatch):
    def nothing(_settings):
        raise errors.NodeError("Java is missing", "JAVA_MISSING")

    monkeypatch.setattr(main, "NodeFinder", lambda settings: NodeFinder(settings, nothing))
    worker = LocalWorker(app)
    with pytest.raises(errors.NodeError, match="Java is missing"):
        worker.__enter__()
    assert worker.pid == 0


@pytest.mark.parametrize("pool", ["threads", "solo"])
def test_local_workers_of_other_pools(app, lane_server, reachable, pool):
    with LocalWorker(app, pool=pool):
        child = lane_server.next_peer("child")
        assert child.wait_for(*child.run("noop"))[0][1] == frames.SUCCESS


def get(port: int, path: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_metrics_endpoint_tells_of_health_and_numbers(app):
    slots = Slots(2)
    endpoint = Endpoint(app, make_plan(app, concurrency=2, name="w1", metrics_port=0), slots)
    try:
        endpoint.keep(lambda: None)
        assert get(endpoint.port, "/healthz") == (503, "no connection to the node")
        slots.set_health(Health(os.getpid(), True, 2, False))
        slots.set_state(0, 1, READY)
        assert get(endpoint.port, "/healthz") == (200, "ok")
        assert get(endpoint.port, "/readyz") == (503, "1 of 2 children are ready")
        slots.set_state(1, 2, READY)
        assert get(endpoint.port, "/readyz") == (200, "ok")
        slots.set_health(Health(os.getpid(), True, 2, True))
        assert get(endpoint.port, "/readyz") == (503, "the worker is shutting down")
        slots.add_counts(1, 5, 2)
        status, text = get(endpoint.port, "/metrics")
        assert status == 200
        assert 'ignitetasks_worker_executions_total{worker="w1"} 5.0\n' in text
        assert "ignitetasks_node_up 0.0" in text
        assert get(endpoint.port, "/elsewhere")[0] == 404
        with pytest.raises(errors.ConfigurationError, match=str(endpoint.port)):
            Endpoint(app, make_plan(app, metrics_port=endpoint.port), slots)
        killed = endpoint._pid
        os.kill(killed, signal.SIGKILL)
        until(lambda: endpoint.keep(lambda: None) or endpoint._pid != killed)
        until(lambda: get(endpoint.port, "/healthz")[0] == 200)
    finally:
        endpoint.stop()
    endpoint.stop()


def test_clients_of_the_metrics_endpoint_that_go_away_leave_no_traceback(app, capfd):
    endpoint = Endpoint(app, make_plan(app, name="w1", metrics_port=0), Slots(1))
    try:
        endpoint.keep(lambda: None)
        for words in (
            b"",
            b"GET /healthz HTTP/1.0\r\n\r\n",
            b"\x16\x03\x01" + bytes(300),
            b"GET /metrics HTTP/1.1\r\n",
        ):
            with socket.create_connection(("127.0.0.1", endpoint.port), PATIENCE) as client:
                client.sendall(words)
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends by a reset
        with pytest.raises(urllib.error.HTTPError) as caught:
            urllib.request.urlopen(f"http://127.0.0.1:{endpoint.port}/nothing", timeout=PATIENCE)
        with caught.value as answer:
            assert answer.headers["Server"].strip() == "ignitetasks"
    finally:
        endpoint.stop()
    said = capfd.readouterr()
    assert "Traceback" not in said.out + said.err


@pytest.mark.parametrize(
    ("terminal", "before", "noted"),
    [
        (True, signal.SIG_DFL, [signal.SIGTERM]),  # closed: the shell and the kernel say it
        (True, signal.SIG_IGN, [signal.SIGHUP, signal.SIGHUP]),  # nohup
        (False, signal.SIG_DFL, [signal.SIGHUP, signal.SIGHUP]),  # a service
    ],
)
def test_a_hang_up_means_the_end_where_there_is_a_terminal(monkeypatch, terminal, before, noted):
    monkeypatch.setattr("os.isatty", lambda _: terminal)
    kept = signal.signal(signal.SIGHUP, before)
    queue = SignalQueue()
    try:
        queue.install()
        signal.raise_signal(signal.SIGHUP)
        signal.raise_signal(signal.SIGHUP)
        assert queue.take() == noted
    finally:
        queue.restore()
        queue.close()
        signal.signal(signal.SIGHUP, kept)


def test_slots_hold_what_children_and_supervisor_write():
    slots = Slots(2)
    slots.reset(1)
    assert slots.running(1) == Running(-1, 0.0, 0)
    assert slots.running(1).deadline is None
    assert Running(3, 10.0, 1500).deadline == 11.5
    slots.add_counts(1, 2, 1)
    slots.add_counts(1, 1, 0)
    assert (slots.counts(0), slots.counts(1)) == ((0, 0), (3, 1))


def test_a_watcher_sees_new_changed_and_removed_sources(tmp_path):
    (tmp_path / "a.py").write_text("1")
    (tmp_path / "note.txt").write_text("1")
    (tmp_path / "__pycache__").mkdir()
    watcher = Watcher([tmp_path])
    assert watcher.changed() == []
    (tmp_path / "a.py").write_text("22")
    (tmp_path / "b.py").write_text("1")
    (tmp_path / "note.txt").write_text("2")
    (tmp_path / "__pycache__" / "c.py").write_text("1")
    assert watcher.changed() == [tmp_path / "a.py", tmp_path / "b.py"]
    (tmp_path / "a.py").unlink()
    assert watcher.changed() == [tmp_path / "a.py"]


def test_only_the_applications_own_folders_are_watched():
    roots = source_roots()
    assert Path(__file__).parent in roots
    assert not any("site-packages" in str(root) or root.name == "ignitetasks" for root in roots)


SCRIPT = """
import os, sys, time
open({marks!r}, "a").write(os.environ[{marker!r}] + {word!r} + "\\n")
{end}
"""


def test_the_reloader_restarts_at_changes_also_after_a_broken_source(tmp_path, monkeypatch):
    marks, source = tmp_path / "marks", tmp_path / "source" / "worker.py"
    source.parent.mkdir()

    def write(word: str, end: str = "time.sleep(600)") -> None:
        fresh = source.with_suffix(".new")
        fresh.write_text(SCRIPT.format(marks=str(marks), marker=MARKER, word=word, end=end))
        fresh.replace(source)

    def said(word: str) -> bool:
        return marks.exists() and f"1{word}\n" in marks.read_text()

    write("one")
    reloader = Reloader([sys.executable, str(source)], Watcher([source.parent]), poll_seconds=0.02)
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(reloader.run()))
    thread.start()
    until(lambda: said("one"))
    write("broken", end="sys.exit(3)")
    until(lambda: said("broken"))
    write("two")
    until(lambda: said("two"))
    reloader._signals.post(signal.SIGTERM)
    thread.join(PATIENCE)
    assert codes == [-signal.SIGTERM]


def test_the_reloader_ends_with_a_worker_that_ended_well(tmp_path):
    assert Reloader([sys.executable, "-c", ""], Watcher([tmp_path]), poll_seconds=0.02).run() == 0
