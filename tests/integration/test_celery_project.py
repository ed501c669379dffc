"""A project in Celery's manner, run by a real worker that the command line starts: settings, autodiscovery, hooks,
signals in parent and children, the request, the log."""

from __future__ import annotations

import os
import re
from decimal import Decimal
from pathlib import Path

import pytest
from support import until

TASKS = "shop_project.orders.tasks"
PATIENCE = 60


@pytest.fixture(scope="module")
def notes(suite_folder):
    path = suite_folder / "shop.log"
    os.environ["SHOP_LOG"], os.environ["SHOP_QUEUE"] = str(path), "shop"
    yield lambda: path.read_text("utf-8").splitlines() if path.exists() else []
    del os.environ["SHOP_LOG"], os.environ["SHOP_QUEUE"]


@pytest.fixture(scope="module")
def shop(node, notes):
    from shop_project.main import app  # noqa: PLC0415  # reads the environment

    app.configure(**node.overrides)
    app.prepare()
    yield app
    app.close()


@pytest.fixture(scope="module")
def shop_worker(shop, workers):
    return workers("shop-worker", module="shop_project.main", concurrency=1, options=["--loglevel", "info"])


@pytest.fixture
def send(shop, shop_worker):
    return lambda name, *args, **options: shop.tasks[f"{TASKS}.{name}"].apply_async(args, **options)


def words_of(notes, *start):
    return [line for line in notes() if line.startswith(" ".join(map(str, start)))]


def test_autodiscovered_tasks_run_with_the_projects_settings(send, shop_worker, notes):
    assert send("total", [Decimal("1.10"), Decimal("2.20")]).get(timeout=PATIENCE) == Decimal("3.30")
    until(lambda: "adding 2 prices" in shop_worker.text(), "the task's line in the log")
    line = next(line for line in shop_worker.text().splitlines() if "adding 2 prices" in line)
    assert f"{TASKS}.total" in line
    until(lambda: "printed for 2 prices" in shop_worker.text(), "what the task has printed")
    line = next(line for line in shop_worker.text().splitlines() if "printed for 2 prices" in line)
    assert "WARNING" in line or "warning" in line
    assert "There is no broker" in shop_worker.text() and "One process has one connection" in shop_worker.text()
    assert send("big", 300_000).get(timeout=PATIENCE) == "x" * 300_000


def test_signals_of_the_worker(send, shop_worker, notes):
    send("total", []).get(timeout=PATIENCE)
    assert f"celeryd_init {shop_worker.name} shop" in notes()
    assert f"worker_ready {shop_worker.pid}" in notes()
    assert f"worker_process_init {shop_worker.children[0]}" in notes()
    assert any(line.startswith("finalized shop_project True") for line in notes())


def test_hooks_of_a_success(send, notes):
    result = send("divide", 6, 3)
    assert result.get(timeout=PATIENCE) == 2.0
    until(lambda: words_of(notes, "postrun", f"{TASKS}.divide", result.id), "the last signal")
    mine = [line for line in notes() if result.id in line]
    assert mine == [
        f"prerun {TASKS}.divide {result.id} [6, 3] {{}}",
        f"before_start {result.id} [6, 3]",
        f"on_success {result.id} 2.0 True",
        f"after_return {result.id} SUCCESS",
        f"postrun {TASKS}.divide {result.id} SUCCESS",
    ]


@pytest.mark.parametrize("first", [6, "bad hook"])
def test_hooks_of_a_failure(send, notes, first, shop_worker):
    result = send("divide", first, 0)
    with pytest.raises((ZeroDivisionError, TypeError)):
        result.get(timeout=PATIENCE)
    until(lambda: words_of(notes, "postrun", f"{TASKS}.divide", result.id), "the last signal")
    kinds = [line.split()[0] for line in notes() if result.id in line]
    assert kinds == ["prerun", "before_start", "on_failure", "failure", "after_return", "postrun"]
    assert result.state == "FAILURE"
    if first != 6:
        assert "a hook failed" in shop_worker.text()


def test_hooks_of_repeats(send, notes):
    result = send("flaky", "f")
    assert result.get(timeout=PATIENCE) == 2
    until(lambda: words_of(notes, "after_return", result.id), "the last hook")
    assert words_of(notes, "on_retry", result.id) == [f"on_retry {result.id} try {number}" for number in range(2)]
    assert words_of(notes, "after_return", result.id) == [f"after_return {result.id} SUCCESS"]


def test_the_request_of_a_task(send, shop_worker):
    result = send("ask", 1, kwargs={"k": 2}, headers={"trace": "t-1"}, time_limit=70, expires=60, shadow="seen as")
    assert result.get(timeout=PATIENCE) == {
        "id": result.id, "root_id": result.id, "parent_id": None, "args": [1], "kwargs": {"k": 2},
        "hostname": shop_worker.name, "is_eager": False, "called_directly": False, "retries": 0,
        "headers": {"trace": "t-1"}, "trace": "t-1", "priority": 3, "routing_key": "shop", "redelivered": False,
        "time_limit": 70.0, "soft_time_limit": 60.0, "expires": True, "shadow": "seen as",
        "current_task": f"{TASKS}.ask", "current_app": "shop_project",
    }  # fmt: skip


def test_a_task_sent_by_a_task_knows_where_it_comes_from(send, shop):
    result = send("parent")
    asked = shop.AsyncResult(result.get(timeout=PATIENCE)).get(timeout=PATIENCE)
    assert (asked["root_id"], asked["parent_id"], asked["priority"]) == (result.id, result.id, 3)


def test_the_end_is_told_too(workers, shop, notes):
    worker = workers("shop-leaver", module="shop_project.main", concurrency=1, queues=["nobody-else"])
    until(lambda: worker.children, "the child")
    child = worker.children[0]
    assert worker.stop() == 0
    told = "\n".join(notes())
    assert f"worker_process_shutdown {child} 0" in told and f"worker_shutdown {worker.pid}" in told
    assert re.search(r"worker_shutting_down Warm", told)
    assert Path(os.environ["SHOP_LOG"]).exists()
