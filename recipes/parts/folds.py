"""Inner folds that resemble the way in which test differs from train."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedKFold

from recipes.parts.columns import as_dates, delimiter
from recipes.parts.files import seed

Folds = list[tuple[np.ndarray, np.ndarray]]


def fold_count(rows: int) -> int:
    """How many parts train is cut into: more where rows are few, so that each model sees more of them."""
    return 8 if rows < 3000 else 5


def inner_folds(
    train: pd.DataFrame, answers: np.ndarray, classes: int, split: str, by: str | None, count: int
) -> Folds:
    """`count` pairs of row numbers (learn, check): whole groups, stretches of days, or rows stratified by class."""
    rows = np.arange(len(train))
    if split == "time" and by in train:
        return _latest(as_dates(train[by]) if train[by].dtype != float else train[by], count)
    groups = _groups(train, split, by)
    if groups is not None and len(np.unique(groups)) >= count:
        return list(GroupKFold(count, shuffle=True, random_state=seed()).split(rows, groups=groups))
    if classes and np.bincount(answers).max() >= count:
        return list(StratifiedKFold(count, shuffle=True, random_state=seed()).split(rows, answers))
    return list(KFold(count, shuffle=True, random_state=seed()).split(rows))


def _groups(train: pd.DataFrame, split: str, by: str | None) -> np.ndarray | None:
    if by is None or by not in train or split not in ("group", "block"):
        return None
    if split == "block":
        days = as_dates(train[by]).dt.floor("D")
        order = np.unique(days.astype(str), return_inverse=True)[1]
        return order // 4
    mark = delimiter(train[by].dropna().astype(str)) if train[by].is_unique else None
    keys = train[by].astype(str).str.split(mark).str[0] if mark else train[by].astype(str)
    return pd.factorize(keys)[0]


def _latest(when: pd.Series, count: int) -> Folds:
    """The last tenths of the time, each learned from all that is earlier."""
    order = when.rank(pct=True).to_numpy()
    folds = []
    for number in range(count):
        end = 1.0 - number * 0.1
        check = np.flatnonzero((order > end - 0.1) & (order <= end))
        folds.append((np.flatnonzero(order <= end - 0.1), check))
    return folds
