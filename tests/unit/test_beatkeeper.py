"""A beat beside a worker is started again when it dies, and ends with the worker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PATIENCE = 60.0
PROGRAM = """
import os, signal, sys, threading
from pathlib import Path
from ignitetasks import log
from ignitetasks.beatkeeper import Keeper

pids, how = Path(sys.argv[1]), sys.argv[2]

def work():
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    with pids.open("a") as file:
        file.write(f"{os.getpid()}\\n")
    if how == "fails":
        raise ValueError("cannot begin")
    while not told.wait(0.1):
        pass

pid = os.fork()
if pid:
    print(pid, flush=True)
    os.waitpid(pid, 0)
else:
    log.configure(json=True)
    Keeper(work, first_pause=0.05).run()
"""


@pytest.fixture
def keep(tmp_path):
    started = []

    def start(how="works"):
        words = [sys.executable, "-c", PROGRAM, str(tmp_path / "pids"), how]
        with open(tmp_path / "log", "w") as output:
            one = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=output, env={**os.environ, "PYTHONPATH": "."})
        started.append(one)
        return one, int(one.stdout.readline())

    yield start
    for one in started:
        one.kill()
        one.wait()
        one.stdout.close()


def pids(folder: Path) -> list[int]:
    path = folder / "pids"
    return [int(line) for line in path.read_text().splitlines()] if path.exists() else []


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def until(condition):
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_one_that_is_killed_is_started_again_and_that_is_logged(keep, tmp_path):
    _, keeper = keep()
    for number in (1, 2):
        until(lambda number=number: len(pids(tmp_path)) == number)
        os.kill(pids(tmp_path)[-1], signal.SIGKILL)
    until(lambda: len(pids(tmp_path)) == 3)
    text = (tmp_path / "log").read_text()
    assert text.count("beat died") == 2 and "signal SIGKILL" in text
    os.kill(keeper, signal.SIGTERM)
    until(lambda: not alive(keeper) and not alive(pids(tmp_path)[-1]))
    assert len(pids(tmp_path)) == 3


def test_one_that_fails_is_tried_again_later_and_later(keep, tmp_path):
    keep("fails")
    until(lambda: len(pids(tmp_path)) >= 3)
    text = (tmp_path / "log").read_text()
    assert '"again_in_seconds": 0.05' in text and '"again_in_seconds": 0.1' in text
    assert "exit code 1" in text and "cannot begin" in text


def test_both_end_with_the_worker_even_by_kill(keep, tmp_path):
    worker, keeper = keep()
    until(lambda: pids(tmp_path))
    worker.kill()
    until(lambda: not alive(keeper) and not alive(pids(tmp_path)[-1]))


def test_the_one_it_keeps_ends_with_a_killed_keeper(keep, tmp_path):
    _, keeper = keep()
    until(lambda: pids(tmp_path))
    os.kill(keeper, signal.SIGKILL)
    until(lambda: not alive(pids(tmp_path)[-1]))
