"""Many coroutines that send and wait at the same time: how long, how many threads, how much memory.

    python benchmarks/awaits.py [--count 10000] [--durability power]

All of them send, then all wait while no worker is there; only then a worker of two children starts. At last one
coroutine goes through as many results as they end. Every value is checked. Uses an embedded node of its own, and ends
it. Must not compare with other systems: those have no awaits.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from ignitetasks import IgniteTasks, jvm

app = IgniteTasks("awaits")


@app.task(name="awaits.double")
def double(number: int) -> int:
    """Returns something that can be checked."""
    return 2 * number


def memory_mb() -> float:
    """Returns the resident memory of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


class Watch(threading.Thread):
    """Notes the highest number of threads besides its own."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0
        self.over = threading.Event()

    def run(self) -> None:
        """Counts until it is told that it is over."""
        while not self.over.wait(0.005):
            self.most = max(self.most, threading.active_count() - 1)


def start_worker(data_dir: str) -> subprocess.Popen[bytes]:
    """Starts a worker of this module's application."""
    words = ["-m", "ignitetasks", "worker", "-A", "awaits", "-c", "2"]
    folders = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]
    env = {**os.environ, "IGNITETASKS_DATA_DIR": data_dir, "PYTHONPATH": os.pathsep.join(folders)}
    quiet = subprocess.DEVNULL
    return subprocess.Popen([sys.executable, *words], env=env, stdout=quiet, stderr=quiet)


async def measure(count: int, data_dir: str) -> dict[str, float]:
    """Sends, waits and checks."""
    await double.adelay(0)
    threads_before, memory_before = threading.active_count(), memory_mb()
    watch = Watch()
    watch.start()
    began = time.perf_counter()
    handles = await asyncio.gather(*(double.adelay(number) for number in range(count)))
    sent = time.perf_counter()
    arrived: list[float] = []

    async def wait(number: int) -> None:
        assert await handles[number] == 2 * number
        arrived.append(time.perf_counter())

    waiting = [asyncio.ensure_future(wait(number)) for number in range(count)]
    await asyncio.sleep(1)
    assert not arrived
    memory = memory_mb() - memory_before
    worker = start_worker(data_dir)
    try:
        await asyncio.gather(*waiting)
        started = time.perf_counter()
        found = [await one async for one in double.bulk((number,) for number in range(count))]
        ended = time.perf_counter()
        assert sorted(found) == [2 * number for number in range(count)]
    finally:
        worker.terminate()
        worker.wait(30)
    watch.over.set()
    return {
        "sent and durable, seconds": sent - began,
        "first to last result, seconds": arrived[-1] - arrived[0],
        "bulk, then async for over all as they end, seconds": ended - started,
        "threads besides those before": watch.most - threads_before,
        "memory of the handles and coroutines, MB": memory,
    }


def main() -> None:
    """Runs it once and prints what was found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--durability", default="process", choices=["process", "power"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="awaits-") as folder:
        app.configure(data_dir=folder, durability=options.durability)
        try:
            found = asyncio.run(measure(options.count, folder))
        finally:
            app.close()
            jvm.stop(app.settings)
    print(f"{options.count} coroutines, durability {options.durability}")
    for name, number in found.items():
        print(f"{name}: {number:.2f}")


if __name__ == "__main__":
    main()
