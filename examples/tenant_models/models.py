"""The three models, as plain scikit-learn: how each is made, how it answers, how good it is.

Must not know tasks, tenants or files.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from data import Floats, Labels
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

KINDS = ("logistic regression", "linear regression", "decision tree")


def fit(kind: str, x: Floats, y: Labels) -> Any:
    """Trains one model.

    Args:
        kind: One of `KINDS`.
        x: Rows.
        y: 0 or 1 for each row.

    Returns:
        The fitted estimator.
    """
    if kind == "logistic regression":
        return make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(x, y)
    if kind == "linear regression":
        return make_pipeline(StandardScaler(), LinearRegression()).fit(x, y)
    if kind == "decision tree":
        return DecisionTreeClassifier(max_depth=8, random_state=0).fit(x, y)
    raise ValueError(f"unknown model {kind!r}; the models are {', '.join(KINDS)}")


def scores(estimator: Any, x: Floats) -> Floats:
    """Returns how sure a model is of 1 for each row, between 0 and 1."""
    if hasattr(estimator, "predict_proba"):
        return np.asarray(estimator.predict_proba(x)[:, 1])
    return np.clip(estimator.predict(x), 0.0, 1.0)


def accuracy(estimator: Any, x: Floats, y: Labels) -> float:
    """Returns the share of rows a model is right about."""
    return float(np.mean((scores(estimator, x) >= 0.5) == y))
