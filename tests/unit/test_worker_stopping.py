"""What each signal asks of a worker, by the stage of its shutdown: alone, and with real workers."""

from __future__ import annotations

import os
import signal
from types import SimpleNamespace

import pytest
from worker_process import run_for_ever, run_until_open, until, value

from ignitetasks import frames
from ignitetasks.worker.stopping import Shutdown, Stage

TERM, INT, QUIT = signal.SIGTERM, signal.SIGINT, signal.SIGQUIT
WARM, SOFT, COLD = Stage.WARM, Stage.SOFT, Stage.COLD


def stages(signals, seconds=0.0):
    shutdown = Shutdown(SimpleNamespace(conf=SimpleNamespace(worker_soft_shutdown_timeout=seconds)))
    return [shutdown.next(signum) for signum in signals]


@pytest.mark.parametrize(
    ("signals", "seconds", "begun"),
    [
        ([TERM, TERM, TERM, INT], 0, [WARM, None, None, COLD]),
        ([INT, INT, INT], 0, [WARM, COLD, None]),
        ([QUIT, TERM], 0, [COLD, None]),
        ([TERM, QUIT], 0, [WARM, COLD]),
        ([QUIT, QUIT], 5, [SOFT, COLD]),
        ([INT, INT, INT, INT], 5, [WARM, SOFT, COLD, None]),
        ([QUIT, TERM, INT], 5, [SOFT, None, COLD]),
    ],
)
def test_stages(signals, seconds, begun):
    assert stages(signals, seconds) == begun


def test_sigterm_may_mean_sigquit(monkeypatch):
    monkeypatch.setenv("REMAP_SIGTERM", "SIGQUIT")
    assert stages([TERM]) == [COLD]
    assert stages([TERM, TERM], 5) == [SOFT, COLD]


def test_a_worker_without_settings_has_no_soft_stage():
    assert Shutdown(SimpleNamespace()).soft_seconds == 0


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_a_soft_shutdown_kills_what_takes_too_long(start, pool):
    one = start(pool=pool, conf={"worker_soft_shutdown_timeout": 0.05})
    seqs = run_for_ever(one)
    one.signal(QUIT)
    one.worker.expect(frames.DRAIN)
    if pool == "prefork":
        assert one.died()[2:4] == ["shutdown", seqs[0]]
    assert one.join() == 0


@pytest.mark.parametrize("pool", ["prefork", "threads", "asyncio", "solo"])
def test_a_soft_shutdown_lets_a_short_task_end(start, pool):
    one = start(pool=pool, conf={"worker_soft_shutdown_timeout": 600})
    go = one.folder / "go"
    seqs = run_until_open(one, go)
    one.signal(QUIT)
    one.worker.expect(frames.DRAIN)
    go.touch()
    assert value(one.child.wait_for(seqs[0])[0]) == str(go)
    assert one.join() == 0


def test_more_sigterms_do_not_hurry_a_warm_shutdown(start):
    one = start()
    go = one.folder / "go"
    seqs = run_until_open(one, go)
    one.signal(TERM)
    one.worker.expect(frames.DRAIN)
    one.signal(TERM)
    go.touch()
    assert value(one.child.wait_for(seqs[0])[0]) == str(go)
    assert one.join() == 0


@pytest.mark.parametrize("pool", ["prefork", "threads", "asyncio", "solo"])
def test_a_soft_shutdown_of_an_idle_worker_is_over_at_once(start, pool):
    one = start(pool=pool, conf={"worker_soft_shutdown_timeout": 600})
    one.signal(QUIT)
    assert one.join() == 0


@pytest.mark.parametrize("pool", ["prefork", "solo"])
def test_sigusr1_shows_what_all_processes_do(start, pool):
    one = start(pool=pool)
    go = one.folder / "go"
    seqs = run_until_open(one, go)
    os.kill(one.pid, signal.SIGUSR1)
    until(lambda: "wait_for_file" in (one.folder / "output").read_text())
    go.touch()
    assert value(one.child.wait_for(seqs[0])[0]) == str(go)
    one.signal(TERM)
    assert one.join() == 0
