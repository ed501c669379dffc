"""Nodes and workers that cannot start: one sentence that says what is wrong and what to do, and an exit code."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess

import pytest
from support import EmbeddedNode, leftovers

from ignitetasks import IgniteTasks, jvm
from ignitetasks.errors import NodeError, OperationalError
from ignitetasks.jvm import checks, java


@pytest.fixture
def start(processes, tmp_path):
    """Runs ``ignitetasks node start`` on a fresh data directory; nothing may be left running."""
    folder = tmp_path / "data"

    def run(data_dir=folder, **env):
        return processes.run("node", "start", "--data-dir", str(data_dir), env=env)

    yield run
    left = leftovers(tmp_path)
    for pid in left:
        os.kill(pid, 9)
    assert not left


def refused(ended, *words):
    assert ended.returncode == 1, ended.stdout
    assert ended.stdout == ""
    assert ended.stderr.startswith("Error: ")
    assert "Traceback" not in ended.stderr
    for word in words:
        assert word in ended.stderr, ended.stderr


def test_no_java(tmp_path, monkeypatch):
    # In this process, so that a runtime among the installed packages can be hidden, too.
    monkeypatch.setattr(java, "_bundled", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("JAVA_HOME", "IGNITETASKS_JAVA"):
        monkeypatch.delenv(name, raising=False)
    app = IgniteTasks("dry", data_dir=tmp_path / "data")
    with pytest.raises(NodeError, match=r"No Java runtime was found.*ignitetasks\[jdk\].*apt install") as caught:
        app.send_task("any")
    assert caught.value.code == "JAVA_MISSING"
    assert not (tmp_path / "data" / "store").exists()


def test_java_named_wrongly(start, tmp_path):
    refused(start(IGNITETASKS_JAVA="/no/such/java"), "names /no/such/java", "is no program", "IGNITETASKS_JAVA=")
    refused(start(JAVA_HOME=str(tmp_path)), f"JAVA_HOME names {tmp_path}", "is no program")


def test_java_too_old(start, tmp_path):
    old = tmp_path / "java"
    old.write_text("#!/bin/sh\necho 'openjdk version \"11.0.20\" 2023-07-18' >&2\n")
    old.chmod(0o755)
    refused(start(IGNITETASKS_JAVA=str(old)), "Java 17 or later is needed", "Java 11.0.20", "Install one")


def test_a_port_that_is_taken(start):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused(start(IGNITETASKS_GATEWAY_PORT=port), port, "choose another port or stop what uses it")
        refused(
            start(IGNITETASKS_THIN_PORT=port), f"port {port} (thin_port) is taken: name another, or stop what uses it"
        )


def test_a_data_directory_of_a_newer_version(start, tmp_path):
    store = tmp_path / "data" / "store"
    store.mkdir(parents=True)
    (store / "VERSION").write_text("999")
    refused(start(), "has format 999", "upgrade ignitetasks or name another data directory")
    assert sorted(one.name for one in store.iterdir()) == ["VERSION"]


def test_a_data_directory_that_is_something_else(start, tmp_path):
    store = tmp_path / "data" / "store"
    store.mkdir(parents=True)
    (store / "VERSION").write_text("my notes")
    refused(start(), "holds 'my notes' instead of a format number")


def test_a_data_directory_that_is_a_file(start, tmp_path):
    (tmp_path / "data").write_text("")
    refused(start(), "is not a directory", "name another data directory")


@pytest.mark.parametrize("place", ["/proc/ignitetasks", "/sys/ignitetasks"])
def test_a_data_directory_that_cannot_be_written(start, place):
    refused(start(place), place, "cannot be written", "change its permissions or name another")


class Mount:
    """A small file system in memory, where this process may mount one."""

    def __init__(self, folder):
        self.folder = folder
        folder.mkdir()

    def mount(self, mebibytes, options=""):
        words = ["mount", "-t", "tmpfs", "-o", f"{options}size={mebibytes}m", "none", str(self.folder)]
        ended = subprocess.run(words, capture_output=True, text=True)
        if ended.returncode:
            pytest.skip(f"no file system can be mounted here: {ended.stderr.strip()}")


@pytest.fixture
def mounted(tmp_path):
    """Mounts at most one file system; it is gone after the test."""
    made = Mount(tmp_path / "small")
    yield made
    if os.path.ismount(made.folder):
        subprocess.run(["umount", str(made.folder)], check=True)


@pytest.mark.parametrize("mebibytes", [8, 150])
def test_a_data_directory_on_a_disk_with_little_space(mounted, mebibytes):
    mounted.mount(mebibytes)
    with pytest.raises(NodeError, match=r"MiB left, a node needs 256: free some or name another") as caught:
        jvm.ensure_running(EmbeddedNode(mounted.folder / "data").settings)
    assert caught.value.code == "DISK_FULL"


def test_a_data_directory_on_a_full_disk(mounted):
    mounted.mount(1)
    # Nothing is left, not even for the first small file.
    with contextlib.suppress(OSError):
        (mounted.folder / "filler").write_bytes(b"\0" * (2 << 20))
    with pytest.raises(NodeError, match=r"no space is left|MiB left") as caught:
        jvm.ensure_running(EmbeddedNode(mounted.folder / "data").settings)
    assert caught.value.code == "DISK_FULL"


def fill(app, sent):
    """Sends until that fails."""
    while True:
        sent += app.bulk(app.signature("size", (b"x" * 60_000,), queue="full") for _ in range(200)).ids


def test_a_disk_that_fills_up_under_a_running_node(mounted):
    """The node ends, says why to who calls next, and has everything acknowledged when there is space again."""
    mounted.mount(262)
    node = EmbeddedNode(mounted.folder / "data", call_timeout_seconds=5)
    with node, IgniteTasks("writer", **node.overrides) as app:
        sent = []
        with pytest.raises((NodeError, OperationalError)) as caught:
            fill(app, sent)
        if caught.value.results:
            sent += caught.value.results.ids
        with pytest.raises((NodeError, OperationalError), match=r"free some or name another|full"):
            app.send_task("size", (b"",), queue="full")
        assert sent
        mounted.mount(2000, "remount,")
        app.send_task("size", (b"last",), queue="full", task_id="last")
        states = [node.record(one)["state"] for one in [*sent, "last"]]
        assert states == [0] * len(states)


def test_a_data_directory_with_little_space(tmp_path, monkeypatch):
    class Space:
        f_bavail, f_frsize = 1024, 4096

    monkeypatch.setattr(checks.os, "statvfs", lambda _path: Space)
    app = IgniteTasks("full", data_dir=tmp_path / "data")
    with pytest.raises(NodeError, match="has 4 MiB left, a node needs 256") as caught:
        app.send_task("any")
    assert caught.value.code == "DISK_FULL"
    assert not leftovers(tmp_path)


def test_a_data_directory_in_use_by_a_node_that_was_started_elsewhere(node, processes, tmp_path):
    """Two JVMs never share a store, also when the second was told another way to it."""
    link = tmp_path / "link"
    link.symlink_to(node.data_dir)
    ended = processes.run("node", "start", "--data-dir", str(link))
    assert ended.returncode == 0
    assert f"already running: node embedded, process {node.pid}" in ended.stdout


WORKER_MODULES = {
    "nowhere": ("", "-A nowhere", "there is no module nowhere in"),
    "syntax": ("def f(:\n", "-A syntax", r"cannot be imported: SyntaxError: .*syntax.py, line 1"),
    "raises": (
        "import os\nraise ValueError('bad day')\n",
        "-A raises",
        "raises cannot be imported: ValueError: bad day",
    ),
    "exits": ("import sys\nsys.exit(4)\n", "-A exits", "exits cannot be imported: SystemExit: 4"),
    "lacks": (
        "import module_nobody_has\n",
        "-A lacks",
        "lacks cannot be imported: .*No module named 'module_nobody_has'",
    ),
    "empty": ("x = 1\n", "-A empty", "has no application: make one at its top level"),
    "two": (
        "from ignitetasks import IgniteTasks\na = IgniteTasks('a')\nb = IgniteTasks('b')\n",
        "-A two",
        "two has 2 applications; name the one you mean: -A two:a or -A two:b",
    ),
    "typo": (
        "from ignitetasks import IgniteTasks\napp = IgniteTasks('a')\n",
        "-A typo:ap",
        "typo has no 'ap'; it has typo:app",
    ),
    "other": ("app = 5\n", "-A other:app", "other:app is a int, not an IgniteTasks application"),
    "file": ("", "-A file.py", r"-A takes a module, not 'file\.py': for example -A file"),
    "twins": (
        "from ignitetasks import IgniteTasks\n"
        "a = IgniteTasks('twin')\nb = IgniteTasks('twin')\n"
        "@a.task(name='t')\ndef f(): pass\n@b.task(name='t')\ndef g(): pass\n",
        "-A twins:a",
        "task name 't' is already taken in another app that is also called 'twin'",
    ),
    "badqueue": (
        "from ignitetasks import IgniteTasks\napp = IgniteTasks('a')\n",
        "-A badqueue -Q bad/name",
        "queues must be 1 to 128 letters, digits .*, not 'bad/name'",
    ),
    "none": (
        "from ignitetasks import IgniteTasks\napp = IgniteTasks('a')\n",
        "-A none -c -1",
        "concurrency must be a whole number of at least 1, not -1",
    ),
}


@pytest.mark.parametrize("name", WORKER_MODULES)
def test_a_worker_that_cannot_start(processes, tmp_path, name):
    text, words, message = WORKER_MODULES[name]
    if text:
        (tmp_path / f"{name}.py").write_text(text)
    env = {"IGNITETASKS_DATA_DIR": str(tmp_path / "data")}
    ended = processes.run("worker", *words.split(), cwd=tmp_path, env=env)
    assert ended.returncode == 2, ended.stderr
    assert re.search(message, ended.stderr), ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "data").exists(), "a node was started for a worker that cannot be"
