"""Workflows, for this package and for Celery with Redis, in one run: group and chord of 1,000, chain of 100.

Run: python benchmarks/canvas.py [process|power]. Starts an embedded node, a Redis and a worker of two children
for each, and ends them. Needs celery, redis and redis-server.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PORT = 6397
ROUNDS = 5


def tasks_of(app: Any) -> tuple[Any, Any]:
    @app.task(name="identity")
    def identity(x: Any) -> Any:
        return x

    @app.task(name="total")
    def total(numbers: list[int]) -> int:
        return sum(numbers)

    return identity, total


def measure(words: Any, identity: Any, total: Any) -> dict[str, float]:
    cases: dict[str, Callable[[], Any]] = {
        "group of 1,000": lambda: words.group(identity.s(i) for i in range(1000))().get(timeout=120),
        "chord of 1,000": lambda: words.chord([identity.s(i) for i in range(1000)])(total.s()).get(timeout=120),
        "chain of 100": lambda: words.chain([identity.s(1), *(identity.s() for _ in range(99))])().get(timeout=120),
    }
    seconds = {}
    for name, case in cases.items():
        case()
        runs = []
        for _ in range(ROUNDS):
            began = time.perf_counter()
            case()
            runs.append(time.perf_counter() - began)
        seconds[name] = statistics.median(runs)
    return seconds


def ours(durability: str) -> dict[str, float]:
    import ignitetasks  # noqa: PLC0415

    folder = tempfile.mkdtemp(prefix="canvas-bench-")
    app = ignitetasks.IgniteTasks("bench", data_dir=folder, durability=durability)
    try:
        identity, total = tasks_of(app)
        with app.local_worker(concurrency=2):
            return measure(ignitetasks, identity, total)
    finally:
        app.close()
        connection = Path(folder) / "run" / "connection.json"
        if connection.exists():
            os.kill(json.loads(connection.read_text())["pid"], signal.SIGTERM)
        time.sleep(1)
        shutil.rmtree(folder, ignore_errors=True)


def celery_app() -> Any:
    import celery  # noqa: PLC0415

    url = f"redis://127.0.0.1:{PORT}"
    return celery.Celery("bench", broker=f"{url}/0", backend=f"{url}/1")


def theirs() -> dict[str, float]:
    import celery  # noqa: PLC0415

    folder = tempfile.mkdtemp(prefix="canvas-bench-redis-")
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    redis = subprocess.Popen(["redis-server", "--port", str(PORT), "--dir", folder, "--bind", "127.0.0.1"], **quiet)
    worker = None
    try:
        while True:
            try:
                socket.create_connection(("127.0.0.1", PORT), 1).close()
                break
            except OSError:
                time.sleep(0.05)
        worker = subprocess.Popen([sys.executable, __file__, "celery-worker"], **quiet)
        app = celery_app()
        identity, total = tasks_of(app)
        identity.delay(1).get(timeout=60)
        return measure(celery, identity, total)
    finally:
        for process in (worker, redis):
            if process is not None:
                process.terminate()
                process.wait(20)
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    if sys.argv[1:] == ["celery-worker"]:
        app = celery_app()
        tasks_of(app)
        app.worker_main(["worker", "-c", "2", "--without-gossip", "--without-mingle", "--without-heartbeat"])
        return
    durability = sys.argv[1] if sys.argv[1:] else "process"
    mine, other = ours(durability), theirs()
    print(f"| {durability} | ignitetasks | Celery + Redis | times |\n|---|---|---|---|")
    for name, seconds in mine.items():
        print(f"| {name} | {seconds * 1000:.0f} ms | {other[name] * 1000:.0f} ms | {other[name] / seconds:.1f} |")


if __name__ == "__main__":
    main()
