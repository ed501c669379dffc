"""An application of coroutine functions; imported by tests and by their workers."""

from __future__ import annotations

import asyncio
import os

from support.executions import ExecutionLog

from ignitetasks import IgniteTasks, SoftTimeLimitExceeded

app = IgniteTasks("aio")
_arrived: dict[str, int] = {}


def log() -> ExecutionLog:
    """The file the tasks of this run count their executions in."""
    return ExecutionLog(os.environ["SUITE_LOG"])


@app.task
async def double(number: int) -> int:
    await asyncio.sleep(0)
    return 2 * number


@app.task
async def meet(label: str, others: int, number: int = 0) -> list[int]:
    """Ends when so many calls are in this very process at the same time."""
    _arrived[label] = _arrived.get(label, 0) + 1
    while _arrived[label] < others:
        await asyncio.sleep(0.005)
    return [os.getpid(), number]


@app.task
async def second(met: list[int]) -> int:
    return await asyncio.to_thread(lambda: met[1])


@app.task
async def total(numbers: list[int]) -> int:
    return sum(numbers)


@app.task(track_started=True)
async def gate(label: str, number: int, door: str) -> int:
    """Ends when a file appears."""
    log().add(label, "start", number, os.getpid())
    try:
        while not os.path.exists(door):
            await asyncio.sleep(0.01)
    except asyncio.CancelledError:
        log().add(label, "cancelled", number)
        raise
    log().add(label, "end", number)
    return number


@app.task(soft_time_limit=0.3, time_limit=30)
async def soft() -> str:
    try:
        await asyncio.sleep(60)
    except SoftTimeLimitExceeded:
        return "stopped in time"
    return "never"


@app.task(time_limit=0.3)
async def hard() -> None:
    await asyncio.sleep(60)


@app.task(bind=True, max_retries=3)
async def flaky(self, label: str) -> int:
    log().add(label, "try")
    await asyncio.sleep(0.001)
    if self.request.retries < 2:
        raise self.retry(countdown=0.05, exc=ValueError("again"))
    return self.request.retries


@app.task(bind=True)
async def telling(self, door: str) -> str:
    self.update_state(state="HALF", meta={"done": 50})
    while not os.path.exists(door):
        await asyncio.sleep(0.01)
    return "over"


@app.task
async def fail(word: str) -> None:
    await asyncio.sleep(0)
    raise ValueError(word)
