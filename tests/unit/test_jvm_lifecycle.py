"""Starting, finding and stopping a node's JVM, with a Python script standing in for ``java``."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from ignitetasks.errors import NodeError
from ignitetasks.jvm import launch, lifecycle
from ignitetasks.jvm.archive import archive_path, make_in_background
from ignitetasks.jvm.connection import find_instance, is_alive, read_connection
from ignitetasks.jvm.java import find_java
from ignitetasks.jvm.lifecycle import ensure_instance, own_instance, stop_instance
from ignitetasks.jvm.spec import NodeSpec
from tests.support.polling import until

FAKE_JAVA = """#!{python}
import json, os, signal, sys, time
args = sys.argv[1:]
if args == ["-version"]:
    print('openjdk version "17.0.1" 2021-10-19', file=sys.stderr)
    sys.exit(0)
config = json.load(open(args[args.index("--config") + 1]))
here = config["instance_dir"]
mode = open({mode!r}).read()
with open({starts!r}, "a") as file:
    file.write(" ".join(args) + "\\n")
archived = any(arg.startswith("-XX:SharedArchiveFile=") for arg in args)
for arg in args:
    if arg.startswith(("-XX:ArchiveClassesAtExit=", "-XX:DumpLoadedClassList=")) or arg == "-Xshare:dump":
        if mode == "no-archive":
            print("cannot dump", flush=True)
            sys.exit(3)
        target = [one for one in args if one.startswith("-XX:SharedArchiveFile=")] if "dump" in arg else [arg]
        with open(target[0].partition("=")[2], "w") as file:
            file.write("archive")
        sys.exit(0)
if mode == "exit0":
    print("bye", flush=True)
    sys.exit(0)
if mode == "exclusive" and len(open({starts!r}).readlines()) > 1:
    mode = "error"
if mode == "error":
    print("noise", file=sys.stderr)
    print("ERROR DATA_DIR_LOCKED another node uses " + here + ": stop it", file=sys.stderr, flush=True)
    sys.exit(1)
if mode == "killed" or mode == "killed-twice" and len(open({starts!r}).readlines()) < 3:
    os.kill(os.getpid(), signal.SIGKILL)
if mode == "bad-archive" and archived:
    sys.exit(134)
if mode == "refused":
    while not os.path.exists({mode!r} + ".go"):
        time.sleep(0.01)
    print("ERROR DISK_FULL no room", flush=True)
    sys.exit(1)
if mode == "hang":
    print("thinking", flush=True)
    time.sleep(60)
if mode in ("slow", "exclusive"):
    time.sleep(0.4)
connection = dict(protocol=9 if mode == "protocol" else 1, version=config["version"], pid=os.getpid(),
    role=config["role"], host="127.0.0.1", port=4711, token="ab" * 32, lane=config["lane"], data_dir=here,
    durability=config["durability"], cluster_id="c", node=config["name"], thin_port=0, started_at=1)
path = here + "/run/connection.json"
def end(*_):
    # The end of the lifeline and the signal may come at once, one in the middle of the other.
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    os._exit(0)
# Last of all the file: whoever finds it may look at the log, or send a signal.
signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "stubborn" else end)
with open(path + ".new", "w") as file:
    json.dump(connection, file)
print("READY 4711", flush=True)
os.rename(path + ".new", path)
if config["lifeline"]:
    sys.stdin.read()
    end()
time.sleep(60)
"""


class Machine:
    """A data directory and a fake Java whose behaviour can be set."""

    def __init__(self, root: Path) -> None:
        self.mode_file, self.starts_file = root / "mode", root / "starts"
        self.mode("ready")
        java = root / "jre" / "bin" / "java"
        java.parent.mkdir(parents=True)
        java.write_text(FAKE_JAVA.format(python=sys.executable, mode=str(self.mode_file), starts=str(self.starts_file)))
        java.chmod(0o755)
        jar = root / "ignitetasks.jar"
        jar.write_bytes(b"jar")
        self.spec = NodeSpec(
            instance_dir=root / "data",
            java=str(java),
            jar=jar,
            cache_dir=root / "cache",
            class_archive=False,
            start_timeout_seconds=60.0,
        )

    def mode(self, name: str) -> None:
        self.mode_file.write_text(name)

    def starts(self) -> list[str]:
        return self.starts_file.read_text().splitlines() if self.starts_file.exists() else []

    def pids(self) -> list[int]:
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                if os.fsencode(self.spec.config_file) in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return [pid for pid in found if is_alive(pid)]


def opened(path: Path) -> int:
    """Returns how many descriptors of this process are open on a file."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            found += os.readlink(descriptor) == str(path)
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    machine = Machine(tmp_path)
    yield machine
    for pid in machine.pids():
        os.kill(pid, 9)


def test_a_node_is_started_detached_and_found_again(machine: Machine) -> None:
    assert find_instance(machine.spec) is None
    connection = ensure_instance(machine.spec, "0.1.0")
    assert connection.port == 4711
    assert connection.token == "ab" * 32
    assert "abab" not in repr(connection)
    assert ensure_instance(machine.spec, "0.1.0") == connection
    assert find_instance(machine.spec) == connection
    assert len(machine.starts()) == 1
    assert os.getsid(connection.pid) == connection.pid
    assert "READY 4711" in machine.spec.log_file.read_text()


def test_private_files_are_private(machine: Machine) -> None:
    ensure_instance(machine.spec, "0.1.0")
    assert machine.spec.run_dir.stat().st_mode & 0o777 == 0o700
    for path in (machine.spec.config_file, machine.spec.log_file):
        assert path.stat().st_mode & 0o777 == 0o600


def test_the_jvm_gets_its_configuration(machine: Machine) -> None:
    ensure_instance(replace(machine.spec, addresses=("a:1", "b:2"), namespace="shop", name="n1"), "0.1.0")
    config = json.loads(machine.spec.config_file.read_text())
    assert config["addresses"] == ["a:1", "b:2"]
    assert (config["namespace"], config["name"], config["version"]) == ("shop", "n1", "0.1.0")
    assert config["lifeline"] is False
    command = machine.starts()[0]
    assert "-XX:+UseSerialGC" in command
    assert "-Xmx512m" in command
    assert "--add-opens=java.base/java.nio=ALL-UNNAMED" in command


def test_stop_ends_the_node_and_says_whether_there_was_one(machine: Machine) -> None:
    connection = ensure_instance(machine.spec, "0.1.0")
    assert stop_instance(machine.spec) is True
    assert not is_alive(connection.pid)
    assert find_instance(machine.spec) is None
    assert stop_instance(machine.spec) is False


def test_stop_kills_a_node_that_does_not_listen(machine: Machine) -> None:
    machine.mode("stubborn")
    connection = ensure_instance(machine.spec, "0.1.0")
    time.sleep(0.2)
    assert stop_instance(machine.spec, timeout_seconds=0.3) is True
    assert not is_alive(connection.pid)
    assert not machine.spec.connection_file.exists()


def test_the_file_of_a_killed_node_is_stale(machine: Machine) -> None:
    first = ensure_instance(machine.spec, "0.1.0")
    os.kill(first.pid, 9)
    deadline = time.monotonic() + 5
    while is_alive(first.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert machine.spec.connection_file.exists()
    assert find_instance(machine.spec) is None
    second = ensure_instance(machine.spec, "0.1.0")
    assert second.pid != first.pid


def test_a_process_lives_as_long_as_any_thread_of_it() -> None:
    code = "import ctypes, sys, threading\nthreading.Thread(target=sys.stdin.read).start()\n"
    code += "ctypes.CDLL(None).pthread_exit(None)"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        stat = Path(f"/proc/{process.pid}/stat")
        until(lambda: stat.read_text().rpartition(") ")[2][0] == "Z", "the end of the first thread")
        assert is_alive(process.pid)
        process.stdin.close()
        until(lambda: not is_alive(process.pid), "the end of the last thread")


def test_a_pid_that_was_given_to_another_program_is_stale(machine: Machine) -> None:
    connection = ensure_instance(machine.spec, "0.1.0")
    stop_instance(machine.spec)
    contents = {**vars(connection), "pid": os.getpid()}
    machine.spec.connection_file.write_text(json.dumps(contents))
    assert find_instance(machine.spec) is None
    machine.spec.pid_file.write_text(str(os.getpid()))
    assert stop_instance(machine.spec) is False


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"pid": 1}', "\0\0"])
def test_a_file_that_is_no_connection_file_counts_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "connection.json"
    path.write_text(content)
    assert read_connection(path) is None


def test_the_directory_of_another_user_is_no_missing_node(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    machine.spec.instance_dir.mkdir()
    monkeypatch.setattr("os.access", lambda path, _mode: path != machine.spec.instance_dir)
    for ask in (find_instance, stop_instance):
        with pytest.raises(NodeError, match="may not be read: it belongs to another user") as caught:
            ask(machine.spec)
        assert caught.value.code == "NOT_ALLOWED"


@pytest.mark.parametrize("content", ["", "{", '{"pid": 1}'])
def test_a_damaged_file_of_a_running_node_is_named_at_once(machine: Machine, content: str) -> None:
    connection = ensure_instance(machine.spec, "0.1.0")
    machine.spec.connection_file.write_text(content)
    soon = time.time() + 3600
    os.utime(machine.spec.connection_file, (soon, soon))
    assert find_instance(machine.spec) is None, "it may be on its way"
    os.utime(machine.spec.connection_file)
    began = time.monotonic()
    with pytest.raises(NodeError, match=rf"is damaged.*process {connection.pid}.*node stop") as caught:
        ensure_instance(machine.spec, "0.1.0")
    assert caught.value.code == "CONNECTION_FILE_DAMAGED"
    assert time.monotonic() - began < machine.spec.start_timeout_seconds / 4
    assert stop_instance(machine.spec) is True
    assert ensure_instance(machine.spec, "0.1.0").pid != connection.pid


def test_a_damaged_file_from_before_does_not_disturb_a_start(machine: Machine) -> None:
    machine.spec.run_dir.mkdir(parents=True)
    machine.spec.connection_file.write_text("{")
    os.utime(machine.spec.connection_file, (1, 1))
    machine.mode("slow")
    assert ensure_instance(machine.spec, "0.1.0").port == 4711


def test_a_caller_without_time_leaves_the_starting_node_to_the_next(machine: Machine) -> None:
    machine.mode("hang")
    spec = replace(machine.spec, role="client", addresses=("a:1", "b:2"))
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(NodeError, match=r"no data node has answered at a:1, b:2 within 0\.7 s") as caught:
            ensure_instance(spec, "0.1.0", 0.7)
        assert caught.value.code == "CLUSTER_UNREACHABLE"
        assert time.monotonic() - began < spec.start_timeout_seconds / 4
    until(lambda: len(machine.starts()) == 1, "the one start")
    assert len(machine.pids()) == 1


def test_another_protocol_is_said(machine: Machine) -> None:
    machine.mode("protocol")
    with pytest.raises(NodeError, match="speaks protocol 9, this client 1"):
        ensure_instance(machine.spec, "0.1.0")


def test_exit_code_0_without_ready_is_an_error_at_once(machine: Machine) -> None:
    machine.mode("exit0")
    began = time.monotonic()
    with pytest.raises(NodeError, match=r"ended with exit code 0 before it was ready.*\n    bye") as caught:
        ensure_instance(machine.spec, "0.1.0")
    assert caught.value.code == "ENDED_EARLY"
    assert time.monotonic() - began < 5


def test_death_by_signal_is_named(machine: Machine) -> None:
    machine.mode("killed")
    with pytest.raises(NodeError, match="was killed by signal 9") as caught:
        ensure_instance(machine.spec, "0.1.0")
    assert caught.value.code == "KILLED"
    assert len(machine.starts()) < 10, "not for ever"


def test_one_that_is_killed_while_it_starts_is_started_again(machine: Machine) -> None:
    machine.mode("killed-twice")
    assert ensure_instance(machine.spec, "0.1.0").pid == machine.pids()[0]
    assert len(machine.starts()) == 3


def test_the_nodes_own_error_line_is_the_message(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_HOLDER_MOST_SECONDS", 0.0)
    machine.mode("error")
    with pytest.raises(NodeError) as caught:
        ensure_instance(machine.spec, "0.1.0")
    assert caught.value.code == "DATA_DIR_LOCKED"
    assert str(caught.value) == f"another node uses {machine.spec.instance_dir}: stop it"


def test_an_error_of_an_earlier_start_is_not_reported_again(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_HOLDER_MOST_SECONDS", 0.0)
    machine.mode("error")
    with pytest.raises(NodeError):
        ensure_instance(machine.spec, "0.1.0")
    machine.mode("exit0")
    with pytest.raises(NodeError, match="exit code 0"):
        ensure_instance(machine.spec, "0.1.0")


def test_a_slow_start_ends_at_the_deadline_and_leaves_nothing(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.mode("hang")

    def late_once_it_has_spoken() -> float:
        log = machine.spec.log_file
        return time.monotonic() + (3600 if log.exists() and "thinking" in log.read_text() else 0)

    monkeypatch.setattr(launch, "time", SimpleNamespace(monotonic=late_once_it_has_spoken, sleep=time.sleep))
    with pytest.raises(NodeError, match=r"was not ready after 60 s.*\n    thinking") as caught:
        ensure_instance(machine.spec, "0.1.0")
    assert caught.value.code == "START_TIMEOUT"
    assert machine.pids() == []


def test_many_starters_make_one_start(machine: Machine) -> None:
    machine.mode("slow")
    script = (
        "import sys, pickle; from ignitetasks.jvm.lifecycle import ensure_instance;"
        "print(ensure_instance(pickle.loads(bytes.fromhex(sys.argv[1])), '0.1.0').pid)"
    )
    spec = pickle.dumps(machine.spec).hex()
    root = str(Path(__file__).parents[2])
    processes = [
        subprocess.Popen([sys.executable, "-c", script, spec], stdout=subprocess.PIPE, cwd=root, text=True)
        for _ in range(4)
    ]
    results: list[int] = []
    threads = [
        threading.Thread(target=lambda: results.append(ensure_instance(machine.spec, "0.1.0").pid)) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results += [int(process.communicate(timeout=100)[0]) for process in processes]
    assert len(results) == 8
    assert len(set(results)) == 1
    assert len(machine.starts()) == 1


def test_those_who_waited_for_a_failed_start_fail_with_it(machine: Machine) -> None:
    machine.mode("refused")
    spec = replace(machine.spec, start_timeout_seconds=60.0)
    errors: list[str] = []

    def start() -> None:
        try:
            ensure_instance(spec, "0.1.0")
        except NodeError as error:
            errors.append(str(error))

    threads = [threading.Thread(target=start) for _ in range(5)]
    for thread in threads:
        thread.start()
    # One that comes only after the failure would make a start of its own.
    until(lambda: opened(spec.lock_file) == 5 and len(machine.starts()) == 1, "all to wait for the one start")
    machine.mode_file.with_name("mode.go").touch()
    for thread in threads:
        thread.join()
    assert errors == ["no room"] * 5
    assert len(machine.starts()) == 1


def test_a_node_whose_starter_was_killed_is_waited_for(machine: Machine) -> None:
    machine.mode("slow")
    machine.spec.run_dir.mkdir(parents=True)
    root = str(Path(__file__).parents[2])
    script = (
        "import sys, pickle, os; from ignitetasks.jvm import launch;"
        "launch.NodeProcess.wait_ready = lambda *given: os._exit(9);"
        "launch.launch(pickle.loads(bytes.fromhex(sys.argv[1])), '0.1.0', 0)"
    )
    spec = pickle.dumps(machine.spec).hex()
    assert subprocess.run([sys.executable, "-c", script, spec], cwd=root, check=False).returncode == 9
    connection = ensure_instance(machine.spec, "0.1.0")
    assert connection.port == 4711
    assert len(machine.starts()) == 1


def test_a_node_whose_starter_left_no_trace_of_it_is_waited_for(machine: Machine) -> None:
    machine.mode("exclusive")
    machine.spec.run_dir.mkdir(parents=True)
    root = str(Path(__file__).parents[2])
    script = (
        "import sys, pickle, os; from ignitetasks.jvm import launch; popen = launch._popen;"
        "launch._popen = lambda *given: (popen(*given), os._exit(9));"
        "launch.launch(pickle.loads(bytes.fromhex(sys.argv[1])), '0.1.0', 0)"
    )
    spec = pickle.dumps(machine.spec).hex()
    assert subprocess.run([sys.executable, "-c", script, spec], cwd=root, check=False).returncode == 9
    assert not machine.spec.pid_file.exists()
    until(lambda: len(machine.starts()) == 1)
    connection = ensure_instance(machine.spec, "0.1.0")
    assert connection.port == 4711
    assert machine.pids() == [connection.pid]


_STARTER = """
import os, pickle, signal, sys
from ignitetasks.jvm import launch
from ignitetasks.jvm.lifecycle import ensure_instance
number, moment = int(sys.argv[2]), sys.argv[3]
# As in a terminal: what runs in the background ignores some.
signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
step = getattr(launch, moment)
def interrupted(*given):
    # As early and as late as it can come: the JVM runs, and nobody has its process id yet.
    done = step(*given)
    os.kill(os.getpid(), number)
    return done
setattr(launch, moment, interrupted)
ensure_instance(pickle.loads(bytes.fromhex(sys.argv[1])), "0.1.0")
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("moment", ["_popen", "_spawn", "find_instance"])
def test_a_starter_that_is_told_to_end_leaves_no_jvm_behind(machine: Machine, number: int, moment: str) -> None:
    machine.mode("hang")
    spec = pickle.dumps(machine.spec).hex()
    root = str(Path(__file__).parents[2])
    ended = subprocess.run(
        [sys.executable, "-c", _STARTER, spec, str(int(number)), moment],
        cwd=root, check=False, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ended.returncode == -number
    assert ended.stderr.rstrip().endswith("KeyboardInterrupt" if number == signal.SIGINT else "")
    assert machine.pids() == []


def test_a_starters_own_handler_is_asked_and_comes_back(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    before = signal.signal(signal.SIGTERM, handler := lambda number, _frame: told.append(number))
    try:
        popen = launch._popen
        monkeypatch.setattr(launch, "_popen", lambda *given: (popen(*given), os.kill(os.getpid(), signal.SIGTERM))[0])
        assert ensure_instance(machine.spec, "0.1.0").port == 4711
        assert signal.getsignal(signal.SIGTERM) is handler
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told == [signal.SIGTERM]


def test_an_owned_node_ends_with_its_lifeline(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "_OWNER_GONE_SECONDS", 0.1)
    node, connection = own_instance(machine.spec, "0.1.0")
    assert connection.pid == node.pid
    assert is_alive(node.pid)
    with pytest.raises(NodeError, match="is already the node of"):
        own_instance(machine.spec, "0.1.0")
    assert node.stop(30) == 0
    assert find_instance(machine.spec) is None


def test_an_owned_node_ends_when_its_owner_is_killed(machine: Machine) -> None:
    script = (
        "import sys, pickle, os; from ignitetasks.jvm.lifecycle import own_instance;"
        "print(own_instance(pickle.loads(bytes.fromhex(sys.argv[1])), '0.1.0')[0].pid, flush=True);"
        "os.kill(os.getpid(), 9)"
    )
    spec = pickle.dumps(machine.spec).hex()
    root = str(Path(__file__).parents[2])
    owner = subprocess.run(
        [sys.executable, "-c", script, spec], stdout=subprocess.PIPE, cwd=root, check=False, text=True, timeout=20
    )
    pid = int(owner.stdout)
    deadline = time.monotonic() + 5
    while is_alive(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_alive(pid)
    # and the next owner gets the place
    node, _ = own_instance(machine.spec, "0.1.0")
    node.stop(5)


def test_a_missing_jar_is_said(machine: Machine) -> None:
    with pytest.raises(NodeError, match="make jar") as caught:
        ensure_instance(replace(machine.spec, jar=Path("/nowhere/x.jar")), "0.1.0")
    assert caught.value.code == "JAR_MISSING"


def test_a_large_log_is_rotated_at_start(machine: Machine) -> None:
    machine.spec.run_dir.mkdir(parents=True)
    with machine.spec.log_file.open("wb") as log:
        log.truncate(11 * 1024 * 1024)
    ensure_instance(machine.spec, "0.1.0")
    assert machine.spec.log_file.stat().st_size < 1000
    assert (machine.spec.run_dir / "node.log.1").exists()


def wait_for(condition: Path) -> None:
    deadline = time.monotonic() + 10
    while not condition.exists():
        assert time.monotonic() < deadline, condition
        time.sleep(0.02)


@pytest.mark.parametrize("runtime_has_archive", [True, False])
def test_the_first_start_makes_an_archive_and_the_second_uses_it(machine: Machine, runtime_has_archive: bool) -> None:
    if runtime_has_archive:
        base = Path(str(machine.spec.java)).parent.parent / "lib" / "server"
        base.mkdir(parents=True)
        (base / "classes.jsa").touch()
    spec = replace(machine.spec, class_archive=True)
    ensure_instance(spec, "0.1.0")
    assert "SharedArchiveFile" not in machine.starts()[0]
    path = archive_path(spec, find_java(spec.java, spec.cache_dir))
    wait_for(path)
    assert path.read_text() == "archive"
    stop_instance(spec)
    ensure_instance(spec, "0.1.0")
    assert f"-XX:SharedArchiveFile={path}" in machine.starts()[-1]
    assert make_in_background(spec, find_java(spec.java, spec.cache_dir)) is False


def test_archives_of_other_jars_make_room(machine: Machine) -> None:
    spec = replace(machine.spec, class_archive=True)
    path = archive_path(spec, find_java(spec.java, spec.cache_dir))
    path.parent.mkdir(parents=True)
    for age in range(15):
        other = path.with_name(f"other{age:02}.jsa")
        other.touch()
        os.utime(other, (time.time() - age * 60 - 60,) * 2)
    old = path.with_name("other01.jsa")
    os.utime(old, (time.time() - 31 * 24 * 3600,) * 2)
    ensure_instance(spec, "0.1.0")
    until(path.exists, "the archive of this one")
    assert sorted(path.parent.glob("other*.jsa")) == [
        path.with_name(f"other{age:02}.jsa") for age in (0, *range(2, 11))
    ]


def test_an_archive_that_breaks_the_start_is_thrown_away(machine: Machine) -> None:
    spec = replace(machine.spec, class_archive=True)
    path = archive_path(spec, find_java(spec.java, spec.cache_dir))
    path.parent.mkdir(parents=True)
    path.write_text("broken")
    machine.mode("bad-archive")
    ensure_instance(spec, "0.1.0")
    starts = machine.starts()
    assert "SharedArchiveFile" in starts[0]
    assert "SharedArchiveFile" not in starts[1]


def test_an_archive_that_cannot_be_made_is_not_tried_at_each_start(machine: Machine) -> None:
    spec = replace(machine.spec, class_archive=True)
    machine.mode("no-archive")
    ensure_instance(spec, "0.1.0")
    java = find_java(spec.java, spec.cache_dir)
    failed = Path(f"{archive_path(spec, java)}.failed")
    wait_for(failed)
    assert make_in_background(spec, java) is False


def test_a_cache_folder_that_cannot_be_made_does_not_fail_a_start(machine: Machine) -> None:
    (machine.spec.instance_dir.parent / "file").write_text("")
    spec = replace(machine.spec, class_archive=True, cache_dir=machine.spec.instance_dir.parent / "file")
    assert ensure_instance(spec, "0.1.0").port == 4711
