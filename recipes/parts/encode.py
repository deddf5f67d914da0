"""One matrix of scaled numbers from features, for models that need one: linear models, networks, neighbours."""

from __future__ import annotations

import numpy as np
import pandas as pd
from sklearn.preprocessing import SplineTransformer

from recipes.parts.derive import Features

FEW = 12
"""A whole number with at most so many values is encoded as a category, too."""


def scaled_matrix(features: Features, splines: bool = False, rare: int = 5) -> tuple[np.ndarray, np.ndarray]:
    """Train and test as float32 matrices: scaled numbers, marks for missing ones, one column a category value.

    Skewed numbers are log-scaled; values rarer than `rare` in train share a column; `splines`: a smooth curve a number.
    """
    blocks = [_number_block(features, splines), _category_block(features, rare)]
    both = np.hstack([block for block in blocks if block.shape[1]])
    return both[: len(features.train)], both[len(features.train) :]


def _number_block(features: Features, splines: bool) -> np.ndarray:
    rows = len(features.train)
    table = pd.concat([features.train[features.numbers], features.test[features.numbers]], ignore_index=True)
    columns: list[np.ndarray] = []
    curved: list[np.ndarray] = []
    for name in features.numbers:
        values = table[name].to_numpy(float)
        missing = np.isnan(values)
        filled = np.where(missing, np.nanmedian(values[:rows]) if (~missing[:rows]).any() else 0.0, values)
        scaled = scale(unskewed(filled, rows), rows)
        columns.append(scaled)
        if 0 < missing[:rows].sum() < rows:
            columns.append(missing.astype(float))
        if splines and len(np.unique(filled[:rows])) > FEW:
            curved.append(scaled)
    if curved:
        knots = SplineTransformer(n_knots=6, degree=3, knots="quantile", extrapolation="linear", include_bias=False)
        block = np.column_stack(curved)
        columns.extend(knots.fit(block[:rows]).transform(block).T)
    return np.column_stack(columns).astype(np.float32) if columns else np.zeros((len(table), 0), np.float32)


def unskewed(values: np.ndarray, rows: int) -> np.ndarray:
    """Signed log of numbers with a long tail, else the numbers."""
    train = values[:rows]
    spread = np.std(train)
    if spread == 0:
        return values
    skew = float(np.mean(((train - train.mean()) / spread) ** 3))
    if abs(skew) < 2:
        return values
    unit = float(np.median(np.abs(train[train != 0]))) or 1.0
    return np.sign(values) * np.log1p(np.abs(values) / unit * 10)


def scale(values: np.ndarray, rows: int) -> np.ndarray:
    """Mean 0 and deviation 1 on train, cut at five deviations."""
    spread = float(np.std(values[:rows])) or 1.0
    return np.clip((values - values[:rows].mean()) / spread, -5, 5)


def _category_block(features: Features, rare: int) -> np.ndarray:
    rows, blocks = len(features.train), []
    for name, column in _categories(features):
        text = column.astype(object).where(column.notna(), "missing").astype(str)
        counts = text.iloc[:rows].value_counts()
        known = list(counts.index[counts >= rare][:100])
        if len(known) < 2 and len(counts) < 2:
            continue
        text = text.where(text.isin(known), "other")
        block = pd.get_dummies(text, prefix=name).to_numpy(np.float32)
        blocks.append(block[:, block[:rows].std(axis=0) > 0])
    return np.hstack(blocks) if blocks else np.zeros((rows + len(features.test), 0), np.float32)


def _categories(features: Features) -> list[tuple[str, pd.Series]]:
    """Categories, and whole numbers with few values."""
    table = pd.concat([features.train, features.test], ignore_index=True)
    found = [(name, table[name]) for name in features.categories]
    for name in features.numbers:
        values = table[name].dropna().unique()
        if 2 < len(values) <= FEW and bool((values == values.round()).all()):
            found.append((name, table[name]))
    return found
