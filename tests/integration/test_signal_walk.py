"""Every signal of Celery's list is sent, or it is written down why not; by real workers and an embedded beat."""

from __future__ import annotations

import os

import pytest
from support import until

from ignitetasks import sending, signals
from ignitetasks.errors import IgniteTasksError

PATIENCE = 60
#: Celery's list of signals that do not exist here; the reason stands in docs/signals.md.
GONE = {
    "eventlet_pool_apply",
    "eventlet_pool_postshutdown",
    "eventlet_pool_preshutdown",
    "eventlet_pool_started",
    "task_sent",
}
#: Celery's whole list.
CELERY = GONE | {
    "after_setup_logger", "after_setup_task_logger", "after_task_publish", "beat_embedded_init", "beat_init",
    "before_task_publish", "celeryd_after_setup", "celeryd_init", "heartbeat_sent", "import_modules", "setup_logging",
    "task_failure", "task_internal_error", "task_postrun", "task_prerun", "task_received", "task_rejected",
    "task_retry", "task_revoked", "task_success", "task_unknown", "user_preload_options",
    "worker_before_create_process", "worker_init", "worker_process_init", "worker_process_shutdown", "worker_ready",
    "worker_shutdown", "worker_shutting_down",
}  # fmt: skip


@pytest.fixture(scope="module")
def heard(suite_folder):
    path = suite_folder / "walk.log"
    os.environ["WALK_LOG"] = str(path)

    def of(role):
        """Returns what was heard in processes of a role: the arguments of each signal by its name."""
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        found = (line.split() for line in lines)
        return {words[0]: words[3:] for words in found if words[1] == role}

    yield of
    del os.environ["WALK_LOG"]


@pytest.fixture(scope="module")
def walk(node, heard):
    from signal_walk_app import app  # noqa: PLC0415  # reads the environment

    app.configure(**node.overrides)
    yield app
    app.close()


def test_the_list_is_celerys():
    assert set(signals.__all__) == CELERY - GONE


def test_who_sends_hears_of_it(walk, heard):
    walk.tasks["signal_walk_app.fine"].apply_async((1,), queue="nobody", countdown=3600).revoke()
    assert {"before_task_publish", "after_task_publish"} <= set(heard("client"))


def test_a_worker_from_its_start_to_its_end(walk, heard, workers, monkeypatch):
    worker = workers(
        "walk", module="signal_walk_app", concurrency=1, options=["-B", "-l", "info"], env={"WALK_ROLE": "worker"}
    )
    for name in ("fine", "badly_hooked", "again", "bad", "reject"):
        args = (1,) if name == "fine" else ()
        walk.tasks[f"signal_walk_app.{name}"].apply_async(args).get(timeout=PATIENCE, propagate=False)
    with monkeypatch.context() as patched:
        patched.setattr(sending, "encode_body", lambda *_, **__: b"m\xc1")
        unreadable = walk.tasks["signal_walk_app.fine"].delay(1)
    with pytest.raises(IgniteTasksError):
        unreadable.get(timeout=PATIENCE)
    walk.tasks["signal_walk_app.fine"].apply_async((1,), countdown=3600).revoke()
    until(lambda: {"heartbeat_sent", "task_revoked"} <= set(heard("worker")), "a heartbeat and a revoke")
    worker.stop()
    wanted = CELERY - GONE - {"setup_logging", "task_unknown", "before_task_publish", "after_task_publish"}
    assert wanted - set(heard("worker")) == set()
    assert heard("worker")["celeryd_after_setup"] == ["conf", "instance"]
    assert heard("worker")["worker_shutting_down"] == ["exitcode", "how", "sig"]


def test_a_task_that_a_child_does_not_know(walk, heard, workers):
    worker = workers(
        "walk-knows", module="signal_walk_app", queues=["knows"], concurrency=1, env={"WALK_ROLE": "knows"}
    )
    lost = walk.send_task("signal_walk_app.elsewhere", queue="knows")
    until(lambda: "task_unknown" in heard("knows"), "the task that nobody knows")
    lost.revoke()
    assert heard("knows")["task_unknown"] == ["exc", "id", "message", "name"]
    worker.stop()


def test_logging_that_is_the_programs_own(walk, heard, workers):
    worker = workers("walk-own", module="signal_walk_app", queues=["own"], concurrency=1, env={"WALK_ROLE": "own"})
    worker.stop()
    assert "setup_logging" in heard("own") and "after_setup_logger" not in heard("own")
