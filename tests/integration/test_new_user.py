"""What a new user does, in their own folder and with nothing set: no data directory, no durability, no variable."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest
from support import Processes, leftovers, start_worker
from support.processes import python_path

from ignitetasks.config import Settings
from ignitetasks.control import connect, status

QUICKSTART = """\
from ignitetasks import IgniteTasks
app = IgniteTasks("shop")

@app.task
def add(x: int, y: int) -> int:
    return x + y
"""

SCRIPT = """\
from ignitetasks import IgniteTasks

app = IgniteTasks("notebook")

@app.task
def square(x: int) -> int:
    return x * x

class Mine(Exception):
    pass

@app.task
def fail() -> None:
    raise Mine("of __main__")

with app.local_worker(concurrency=2):
    print(square.delay(7).get(timeout=60))
    print(sum(square.bulk([(n,) for n in range(100)]).get(timeout=60)))
    kept = square.delay(9)
    kept.get(timeout=60)
    try:
        fail.delay().get(timeout=60)
    except Mine as error:
        print("Mine:", error)
print("kept", kept.id)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A user's home with nothing in it but what these tests make; and what their shell would run."""
    folder = tmp_path_factory.mktemp("home")
    env = {one: text for one, text in os.environ.items() if not one.startswith(("IGNITETASKS_", "XDG_STATE"))}
    env |= {"XDG_STATE_HOME": str(folder / "state"), "PYTHONPATH": python_path()}

    def run(*words, cwd, timeout=90):
        return subprocess.run(
            [sys.executable, *words], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout
        )

    run.env = env
    run.folder = folder
    run.state = folder / "state"
    try:
        yield run
        ended = run("-m", "ignitetasks", "node", "stop", cwd=folder)
        assert ended.stdout == "stopped\n", ended.stderr
    finally:
        left = leftovers(folder)
        for pid in left:
            os.kill(pid, 9)
    assert not left


def folder(home, name, **files):
    place = home.folder / name
    place.mkdir(exist_ok=True)
    for file, text in files.items():
        (place / f"{file}.py").write_text(text)
    return place


def test_a_script_with_tasks_of_its_own_and_a_local_worker(home):
    ended = home("script.py", cwd=folder(home, "first", script=SCRIPT))
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    assert lines[:3] == ["49", "328350", "Mine: of __main__"]
    # A second process, in another folder, finds the same node and the result in it.
    ask = f"from ignitetasks import AsyncResult\nprint(AsyncResult({lines[3].split()[1]!r}).get(timeout=30))\n"
    other = home("ask.py", cwd=folder(home, "second", ask=ask))
    assert other.stdout == "81\n", other.stderr
    assert (home.state / "ignitetasks" / "default" / "store").is_dir()


def test_the_local_worker_is_gone_after_the_block(home):
    settings = Settings.from_env(data_dir=home.state / "ignitetasks" / "default")
    transport = connect(settings, start=False)
    assert status(transport).workers == ()
    assert status(transport).node.durability == "power"
    transport.close()


def test_without_a_worker_get_says_so_and_how_to_start_one(home):
    use = "from tasks import add\nadd.delay(2, 3).get(timeout=3)\n"
    ended = home("use.py", cwd=folder(home, "third", tasks=QUICKSTART, use=use))
    assert ended.returncode == 1
    warning = "no worker listens to queue 'celery'; start one with: ignitetasks worker -A tasks"
    assert ended.stderr.count(warning) == 2, ended.stderr  # while it waits, and in the error
    last = ended.stderr.strip().splitlines()[-1]
    assert re.fullmatch(
        rf"ignitetasks\.errors\.ResultTimeout: no result of task \S+ within 3 seconds: {re.escape(warning)}", last
    )


def test_a_worker_from_the_command_line(home):
    place = folder(home, "fourth", tasks=QUICKSTART)
    settings = Settings.from_env(data_dir=home.state / "ignitetasks" / "default")
    transport = connect(settings, start=False)
    processes = Processes(home.folder / "processes")
    try:
        env = {"XDG_STATE_HOME": str(home.state)}
        worker = start_worker(
            processes, lambda: transport.call("status"), "tasks", name="by-hand", concurrency=2, env=env, path=[place]
        )
        use = "from tasks import add\nprint(add.delay(2, 3).get(timeout=10))\n"
        ended = home("use.py", cwd=folder(home, "fourth", use=use))
        assert ended.stdout == "5\n", ended.stderr
        banner = worker.text()
        for words in ("shop", "celery", "prefork x 2", str(home.state), "Ctrl-C"):
            assert words in banner
        assert worker.stop() == 0
    finally:
        processes.stop_all()
        transport.close()
