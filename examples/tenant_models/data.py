"""What the tenants train on: data sets shipped inside scikit-learn, a card-fraud file, or a generated set.

Pure and repeatable: caller and workers make the same split from the same arguments, so only small arguments travel.
Must not know tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine, make_classification

TENANTS = 24
SYNTHETIC_ROWS, SYNTHETIC_COLUMNS, SYNTHETIC_POSITIVES = 7_936, 30, 0.005
CSV_COLUMNS = ("Time", *(f"V{number}" for number in range(1, 29)), "Amount", "Class")

Floats = NDArray[np.float64]
Labels = NDArray[np.int64]


class FileError(Exception):
    """A file that cannot be used, and why."""


@dataclass(frozen=True)
class Split:
    """One tenant's rows: those it learns from, those a model is judged by, and those its transactions are made of."""

    name: str
    train_x: Floats
    train_y: Labels
    test_x: Floats
    test_y: Labels
    stream_x: Floats
    stream_y: Labels


def _breast_cancer(_part: int) -> tuple[str, Floats, Labels]:
    bunch = load_breast_cancer()
    return "breast_cancer: malignant", bunch.data, 1 - bunch.target


def _digit(part: int) -> tuple[str, Floats, Labels]:
    bunch = load_digits()
    return f"digits: is it a {part}", bunch.data, bunch.target == part


def _wine(part: int) -> tuple[str, Floats, Labels]:
    bunch = load_wine()
    return f"wine: cultivar {part + 1}", bunch.data, bunch.target == part


def _diabetes(part: int) -> tuple[str, Floats, Labels]:
    bunch = load_diabetes()
    percent = (50, 60, 70, 75, 80)[part]
    return f"diabetes: worst {100 - percent} %", bunch.data, bunch.target > np.percentile(bunch.target, percent)


#: One question per tenant: the loader and which part of its data set. Interleaved, so that a few tenants show all.
_QUESTIONS: tuple[tuple[Callable[[int], tuple[str, Floats, Labels]], int], ...] = tuple(
    sorted(
        [
            *((_breast_cancer, part) for part in range(6)),
            *((_digit, part) for part in range(10)),
            *((_wine, part) for part in range(3)),
            *((_diabetes, part) for part in range(5)),
        ],
        key=lambda question: question[1],
    )
)


@lru_cache(maxsize=TENANTS)
def split(tenant: int, source: str) -> Split:
    """Returns one tenant's rows; the same in every process.

    Args:
        tenant: Its number, 0 to 23.
        source: ``bundled``, or the path of a file that `convert_csv` has made.
    """
    chance = np.random.default_rng(1_000 + tenant)
    if source == "bundled":
        load, part = _QUESTIONS[tenant]
        name, x, y = load(part)
        # Each tenant sees a different four fifths of its data set, in its own order.
        chosen = chance.permutation(len(x))[: max(100, len(x) * 4 // 5)]
    else:
        table = np.load(source, mmap_mode="r")
        mine = np.arange(tenant, len(table), TENANTS)
        name, x, y = "card transactions", table[:, :-1], table[:, -1]
        chosen = chance.permutation(mine)
    x, y = np.asarray(x[chosen], dtype=np.float64), np.asarray(y[chosen], dtype=np.int64)
    # Stratified by hand: positives may be rare, and a class must not be missing from what is learned.
    kind = np.empty(len(y), dtype=np.int64)
    for label in (0, 1):
        places = np.flatnonzero(y == label)
        kind[places] = np.arange(len(places)) % 5
    train, test, stream = kind < 3, kind == 3, kind == 4
    return Split(name, x[train], y[train], x[test], y[test], x[stream], y[stream])


def convert_csv(path: Path, target: Path) -> str:
    """Reads a file in the layout of the public card-fraud set and writes it as one array.

    Args:
        path: CSV with the columns Time, V1 to V28, Amount, Class.
        target: Where the array goes; workers map it into memory instead of reading the text again.

    Returns:
        The source to give to `split`.

    Raises:
        FileError: The file cannot be read, has other columns, or too few rows.
    """
    try:
        with path.open(encoding="utf-8") as lines:
            header = tuple(name.strip().strip('"') for name in lines.readline().split(","))
        if header != CSV_COLUMNS:
            shown = ", ".join(header)[:200]
            raise FileError(f"{path} has the columns {shown}; needed are Time, V1 to V28, Amount, Class")
        table = np.loadtxt(path, delimiter=",", skiprows=1, quotechar='"', ndmin=2)
    except (OSError, ValueError) as error:
        raise FileError(f"{path} cannot be read: {error}") from error
    positives = np.array([table[tenant::TENANTS, -1].sum() for tenant in range(TENANTS)])
    if len(table) < TENANTS * 20 or positives.min() < 2:
        raise FileError(
            f"{path} has {len(table)} rows and {int(positives.sum())} positives; each of the {TENANTS} tenants needs "
            "at least 20 rows and 2 positives"
        )
    np.save(target, table)
    return str(target)


@lru_cache(maxsize=2)
def synthetic(seed: int) -> tuple[Floats, Labels]:
    """Returns the SYNTHETIC set of the timing comparison: 7,936 rows of 30 numbers, 0.5 % positives.

    Kept by the process, so a worker's child makes it once.
    """
    x, y = make_classification(
        n_samples=SYNTHETIC_ROWS,
        n_features=SYNTHETIC_COLUMNS,
        n_informative=10,
        weights=[1 - SYNTHETIC_POSITIVES],
        flip_y=0,
        random_state=seed,
    )
    return x, y
