"""Tasks from the open data sets that ship with scikit-learn: other rows, columns, questions and faults each time."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
from sklearn import datasets

from ranker.worlds import Draw, World, choose_metric, labels, spoil

REAL: dict[str, Callable[..., object]] = {
    "breast_cancer": datasets.load_breast_cancer,
    "digits": datasets.load_digits,
    "iris": datasets.load_iris,
    "diabetes": datasets.load_diabetes,
    "wine": datasets.load_wine,
}
KEPT_REAL = ("diabetes", "wine")
"""Data sets that no training task comes from."""


@cache
def load(name: str) -> tuple[np.ndarray, np.ndarray, bool]:
    """Features, target, and whether it names classes."""
    found: tuple[np.ndarray, np.ndarray] = REAL[name](return_X_y=True)  # type: ignore[assignment]
    return np.asarray(found[0], float), np.asarray(found[1]), name != "diabetes"


def make_real(name: str, draw: Draw) -> World:
    """A resampled, corrupted version of a data set; its own question, or another column as the target."""
    x, y, classes = load(name)
    if name == "digits":  # a few of them, so that one fit stays quick
        kept = np.isin(y, draw.choice(10, size=int(draw.integers(2, 5)), replace=False))
        x, y = x[kept], y[kept]
    rows = draw.permutation(len(x))[: int(draw.integers(min(100, len(x) - 1), min(700, len(x)) + 1))]
    columns = draw.permutation(x.shape[1])[: int(draw.integers(min(3, x.shape[1]), x.shape[1] + 1))]
    table = pd.DataFrame(x[rows][:, columns], columns=[f"x{i}" for i in range(len(columns))])
    target = pd.Series(y[rows].astype(str) if classes else y[rows].astype(float))
    if draw.random() < 0.4 and len(columns) > 3:
        target, classes = other_question(draw, table.pop(table.columns[-1]))
    if classes and draw.random() < 0.3:
        target = target.mask(pd.Series(draw.random(len(target)) < 0.15), str(target.iloc[0]))
    table = spoil(draw, table + draw.normal(size=table.shape) * draw.choice([0.0, 0.5]) * table.std().to_numpy())
    return World(f"real:{name}", table, target, classes, False, choose_metric(draw, target, classes))


def other_question(draw: Draw, column: pd.Series) -> tuple[pd.Series, bool]:
    """A column as the target: its numbers, or whether they are high."""
    noisy = column.to_numpy(float) + draw.normal(size=len(column)) * 0.05 * (column.std() or 1.0)
    if draw.random() < 0.5:
        return labels(draw, noisy), True
    return pd.Series(noisy), False
