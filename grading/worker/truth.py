"""The targets of train as the grader keeps them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grading.base import Output, Problem
from grading.worker.cells import class_text, numbers
from grading.worker.clocks import Floats
from grading.worker.plans import Flags

BINS = 10
"""Quantiles of a numeric target that are dealt alike to audit and folds."""


def truth(train: pd.DataFrame, targets: list[str], problem: Problem) -> pd.DataFrame:
    """A column "y:<target>" for each target: class text (missing as None), or float64 for regression and multilabel."""
    return pd.DataFrame({f"y:{target}": _column(train[target], problem) for target in targets})


def _column(column: pd.Series, problem: Problem) -> pd.Series:
    if problem in ("binary", "multiclass"):
        return class_text(column)
    values = numbers(column)
    if values is None:
        values = class_text(column).map({"False": 0.0, "True": 1.0, "0": 0.0, "1": 1.0})
    return values.astype("float64")


def labelled(y: pd.DataFrame) -> Flags:
    """Rows with all targets; the others stay in train and are never graded."""
    return np.asarray(y.notna().all(axis=1).to_numpy(), dtype=np.bool_)


def strata(y: pd.DataFrame, output: Output) -> Floats:
    """A number for each row (class, quantile, or how many flags are set); rows with the same one are spread evenly."""
    if output == "values":
        ranks = y.rank(pct=True).mean(axis=1).fillna(0.0)
        return np.asarray(np.floor(ranks.rank(method="first", pct=True).to_numpy() * BINS), dtype="float64")
    if len(y.columns) > 1:
        return np.asarray(y.sum(axis=1).to_numpy(), dtype="float64")
    return np.asarray(pd.factorize(y.iloc[:, 0])[0], dtype="float64")
