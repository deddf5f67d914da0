"""Blend: the weighted average of the members' submissions, which lie in ./members.

Labels: a weighted vote, a tie goes to the heaviest member. Numbers: the weighted mean; of log(1 + value) where the
metric is logarithmic; of ranks where only the order counts and a member leaves 0..1. The same rules as in grading.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

# --- settings (filled in for the task; these values are an example) ---
ID: str | None = "id"
COLUMNS = ["target"]
OUTPUT = "values"
METRIC = "rmse"
WEIGHTS = {"0001": 0.6, "0002": 0.4}
# --- end of settings ---

TIE = 1e-6


def vote(members: dict[str, pd.Series]) -> pd.Series:
    """The answer with the largest weight behind it, row by row."""
    heaviest = max(WEIGHTS, key=lambda name: WEIGHTS[name])
    table = pd.concat(members, axis=1)
    weights = {name: WEIGHTS[name] + TIE * (name == heaviest) for name in WEIGHTS}
    answers = pd.unique(table.to_numpy().ravel())
    shares = pd.DataFrame({a: sum((table[m] == a) * w for m, w in weights.items()) for a in answers})
    return shares.idxmax(axis=1)


def average(members: dict[str, pd.Series]) -> pd.Series:
    """The weighted mean on the metric's own scale."""
    numbers = {name: column.astype(float) for name, column in members.items()}
    if "rmsle" in METRIC:
        return np.expm1(sum(WEIGHTS[name] * np.log1p(column) for name, column in numbers.items()))
    outside = any(((column < 0) | (column > 1)).any() for column in numbers.values())
    if outside and METRIC in ("roc_auc", "mean_columnwise_roc_auc", "average_precision"):
        numbers = {name: column.rank(pct=True) for name, column in numbers.items()}
    return sum(WEIGHTS[name] * column for name, column in numbers.items())


submissions = {name: pd.read_csv(f"members/{name}.csv", dtype=str, keep_default_na=False) for name in WEIGHTS}
blended = next(iter(submissions.values())).copy()
for wanted in COLUMNS:
    parts = {name: table[wanted] for name, table in submissions.items()}
    blended[wanted] = vote(parts) if OUTPUT == "labels" else average(parts)
blended.to_csv("submission.csv", index=False)
