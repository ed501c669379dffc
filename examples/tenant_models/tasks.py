"""The application: training, scoring, and the two tasks of the timing comparison.

Estimators travel as signed pickles, which both sides have to allow (`accept_content`). Must not start anything when
it is imported.
"""

from __future__ import annotations

import os
import time
from functools import lru_cache
from typing import Any

import data
import executions
import models
import numpy as np

from ignitetasks import IgniteTasks

app = IgniteTasks("tenant_models", accept_content=("msgpack", "json", "pickle"))


@app.task
def hello() -> int:
    """Returns the process id; the first answer of a worker."""
    return os.getpid()


@app.task(result_serializer="pickle")
def train(tenant: int, kind: str, source: str) -> dict[str, Any]:
    """Trains one model of one tenant; the result is the model itself, kept like any other result.

    Args:
        tenant: The tenant's number.
        kind: One of `models.KINDS`.
        source: Where its rows come from; see `data.split`.

    Returns:
        ``estimator``, its ``accuracy`` on rows it has not seen, and ``fit_ms``.
    """
    executions.note(f"train {tenant} {kind}")
    split = data.split(tenant, source)
    start = time.perf_counter()
    estimator = models.fit(kind, split.train_x, split.train_y)
    fit_ms = (time.perf_counter() - start) * 1_000
    return {
        "estimator": estimator,
        "accuracy": models.accuracy(estimator, split.test_x, split.test_y),
        "fit_ms": fit_ms,
    }


@lru_cache(maxsize=data.TENANTS)
def _estimator(model_id: str) -> Any:
    # A task reads another task's durable result by its id; each child once, whoever trained it, even before a crash.
    return train.AsyncResult(model_id).get(timeout=60, disable_sync_subtasks=False)["estimator"]


def _transaction_key(run: str, tenant: int, transaction: int, _model_id: str, _values: list[float]) -> tuple[Any, ...]:
    return (run, tenant, transaction)


@app.task(idempotency_key=_transaction_key)
def score(run: str, tenant: int, transaction: int, model_id: str, values: list[float]) -> float:
    """Scores one transaction with its tenant's best model.

    Args:
        run: Which run of the demonstration; part of the idempotency key.
        tenant: The tenant's number.
        transaction: The transaction's number.
        model_id: Id of the task whose result is the model.
        values: The transaction's columns.

    Returns:
        How sure the model is, between 0 and 1.
    """
    executions.note(f"score {tenant} {transaction}")
    return float(models.scores(_estimator(model_id), np.array([values]))[0])


@app.task(result_serializer="pickle")
def train_synthetic(kind: str, seed: int) -> Any:
    """Trains on the SYNTHETIC set, which the child makes by itself and keeps."""
    return models.fit(kind, *data.synthetic(seed))


@app.task(result_serializer="pickle")
def train_sent(kind: str, rows: int, x: bytes, y: bytes) -> Any:
    """Trains on a set that is sent along with the call."""
    return models.fit(kind, np.frombuffer(x).reshape(rows, -1), np.frombuffer(y, dtype=np.int64))
