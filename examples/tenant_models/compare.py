"""What a training costs more as a task than as a call: paired runs on a generated set, which is SYNTHETIC.

A direct call and a task follow each other, both on one thread, again and again; the reported number is the median of
the differences. It is a measurement and not a test: another program on the machine can spoil it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import data
import models
import tasks
from threadpoolctl import threadpool_limits

TARGET_MS = 5.0
_SEED = 7


@dataclass(frozen=True)
class Comparison:
    """Medians for one model, in milliseconds.

    Attributes:
        kind: The model.
        direct: scikit-learn called directly.
        task: As a task whose child has the data.
        extra: Median of the paired differences of these two.
        extra_sent: The same for a task that is sent the data with each call.
    """

    kind: str
    direct: float
    task: float
    extra: float
    extra_sent: float


def compare(pairs: int, children: int) -> list[Comparison]:
    """Measures all models.

    Args:
        pairs: Runs of each, after one to warm up.
        children: Children of the worker; each makes its data once before anything is timed.
    """
    x, y = data.synthetic(_SEED)
    rows, x_bytes, y_bytes = len(x), x.tobytes(), y.tobytes()
    _warm_up(children)
    answer = []
    with threadpool_limits(1):
        for kind in models.KINDS:
            ways: tuple[Callable[[], Any], ...] = (
                lambda kind=kind: models.fit(kind, x, y),
                lambda kind=kind: tasks.train_synthetic.delay(kind, _SEED).get(timeout=60),
                lambda kind=kind: tasks.train_sent.delay(kind, rows, x_bytes, y_bytes).get(timeout=60),
            )
            runs = [[_milliseconds(way) for way in ways] for _ in range(pairs + 1)][1:]
            direct, task, _ = (statistics.median(column) for column in zip(*runs, strict=True))
            extra = statistics.median(run[1] - run[0] for run in runs)
            extra_sent = statistics.median(run[2] - run[0] for run in runs)
            answer.append(Comparison(kind, direct, task, extra, extra_sent))
    return answer


def _warm_up(children: int) -> None:
    # More calls than children at once, so that each child gets one and makes the set.
    calls = [(kind, _SEED) for kind in models.KINDS for _ in range(children)]
    tasks.train_synthetic.bulk(calls).get(timeout=120)


def _milliseconds(call: Callable[[], Any]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1_000
