"""Formulas of metrics on numbers and chances, most as means over rows (`Means`): see grading.worker.metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from grading.worker.arrays import Array

CLIP = 1e-15
"""Probabilities are kept this far from 0 and 1 in logarithms, as Kaggle does."""


@dataclass(frozen=True)
class Means:
    """A metric as a function of means over rows."""

    rows: Callable[[Array, Array], Array]
    """(y, p) -> numbers (rows, terms)."""
    combine: Callable[[Array], Array]
    """Means of the terms (..., terms) -> values (...)."""


def mean(means: Array) -> Array:
    """Mean over the columns."""
    return np.asarray(means.mean(axis=-1))


def root(means: Array) -> Array:
    """Mean over the columns of each one's square root."""
    return np.asarray(np.sqrt(means).mean(axis=-1))


def hits(y: Array, p: Array) -> Array:
    """1 where every column of a row is right."""
    return (y == p).all(axis=1).astype(float)[:, None]


def squares(y: Array, p: Array) -> Array:
    """Squared errors."""
    return np.asarray((y - p) ** 2, dtype=float)


def log_squares(y: Array, p: Array) -> Array:
    """Squared errors between log(1 + value)."""
    return squares(np.log1p(y), np.log1p(np.maximum(p, 0)))


def distances(y: Array, p: Array) -> Array:
    """Absolute errors."""
    return np.asarray(np.abs(y - p), dtype=float)


def percentages(y: Array, p: Array) -> Array:
    """Absolute errors as a share of the answer (a fraction, as in scikit-learn)."""
    return np.abs(y - p) / np.maximum(np.abs(y), np.finfo(float).eps)


def symmetric_percentages(y: Array, p: Array) -> Array:
    """200 |y - p| / (|y| + |p|), 0 where both are 0 (0..200, as Kaggle's leaderboards show it)."""
    total = np.abs(y) + np.abs(p)
    return np.where(total > 0, 200 * np.abs(y - p) / np.where(total > 0, total, 1), 0.0)


def two_columns(p: Array) -> Array:
    """Class probabilities with a column a class: one column holds the chance of the second class."""
    return np.hstack([1 - p, p]) if p.shape[1] == 1 else p


def class_losses(y: Array, p: Array) -> Array:
    """Minus the log of the true class's chance (rows,): rows rescaled to sum to 1, clipped at CLIP."""
    chances = two_columns(p)
    chances = np.clip(chances / chances.sum(axis=1, keepdims=True), CLIP, 1 - CLIP)
    return np.asarray(-np.log(chances[np.arange(len(y)), y[:, 0].astype(int)]))


def flag_losses(y: Array, p: Array) -> Array:
    """Log loss of each 0/1 answer."""
    p = np.clip(p, CLIP, 1 - CLIP)
    return np.asarray(-(y * np.log(p) + (1 - y) * np.log(1 - p)))


def log_losses(y: Array, p: Array) -> Array:
    """Log loss of each row where answers are classes, of each cell where they are 0/1 columns."""
    return class_losses(y, p)[:, None] if y.shape[1] == 1 else flag_losses(y, p)


def balanced_losses(y: Array, p: Array) -> Array:
    """A row's terms: its loss under its own class, and which class that is."""
    classes = np.arange(two_columns(p).shape[1])
    owns = (y == classes).astype(float) if y.shape[1] == 1 else y
    losses = class_losses(y, p)[:, None] if y.shape[1] == 1 else flag_losses(y, p)
    return np.hstack([owns * losses, owns])


def halves_ratio(means: Array) -> Array:
    """Mean, over the classes that occur, of the first half of the terms over the second half."""
    width = means.shape[-1] // 2
    with np.errstate(divide="ignore", invalid="ignore"):
        return nanmean(means[..., :width] / means[..., width:])


def nanmean(values: Array) -> Array:
    """Mean over the last axis of what is defined; NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def moments(y: Array, p: Array) -> Array:
    """A row's terms: y, p, y^2, p^2, y p, each for every column."""
    y, p = y.astype(float), p.astype(float)
    return np.hstack([y, p, y * y, p * p, y * p])


def rating_moments(y: Array, p: Array) -> Array:
    """`moments` of ratings: both sides rounded."""
    return moments(np.rint(y.astype(float)), np.rint(p.astype(float)))


def kappa(means: Array) -> Array:
    """Quadratic weighted kappa = 1 - E(y-p)^2 / E(y-p')^2 with p' drawn apart from y. 1 where neither varies."""
    y, p, yy, pp, yp = terms(means)
    apart = yy + pp - 2 * y * p
    return mean(np.where(apart > 0, 1 - (yy + pp - 2 * yp) / np.where(apart > 0, apart, 1), 1.0))


def pearson(means: Array) -> Array:
    """Pearson's correlation, mean over columns; 0 for constant predictions, NaN for constant answers."""
    y, p, yy, pp, yp = terms(means)
    spread_y, spread_p = yy - y * y, pp - p * p
    flat = spread_p <= 1e-14 * np.maximum(pp, 1e-300)
    values = (yp - y * p) / np.sqrt(np.where(flat, 1, spread_p) * spread_y)
    return nanmean(np.where(spread_y > 1e-14 * yy, np.where(flat, 0.0, values), np.nan))


def r2(means: Array) -> Array:
    """1 - squared errors / spread of the answers, mean over columns; NaN where the answers are constant."""
    y, _, yy, pp, yp = terms(means)
    spread = yy - y * y
    return nanmean(np.where(spread > 1e-14 * yy, 1 - (yy + pp - 2 * yp) / spread, np.nan))


def terms(means: Array) -> list[Array]:
    """The five terms of `moments`."""
    return list(np.split(means, 5, axis=-1))


def centred(rows: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """Correlations and R2 do not change when both sides move alike; centring keeps the moments' digits."""

    def centred(y: Array, p: Array) -> Array:
        middle = y.astype(float).mean(axis=0)
        return rows(y - middle, p - middle)

    return centred
