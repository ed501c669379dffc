"""An application with a rate, for workers and a client of a cluster."""

from __future__ import annotations

import os
import time

from support.executions import ExecutionLog

from ignitetasks import IgniteTasks

RATE = 20
app = IgniteTasks("rates")


@app.task(rate_limit=f"{RATE}/s")
def limited(number: int) -> None:
    ExecutionLog(os.environ["RATES_LOG"]).add("limited", number, time.time(), os.getpid())
    time.sleep(2.5 / RATE)  # so the two children of one worker are too few for the rate


@app.task(rate_limit="1/h")
def hourly(number: int) -> None:
    ExecutionLog(os.environ["RATES_LOG"]).add("hourly", number)


@app.task
def plain(number: int) -> int:
    return number
