"""Resampling by unit: how far would the metric have moved on other rows of the same kind?

A unit is what is drawn as a whole: a row, a group, a time block. Where there are fewer than two units, rows are drawn.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from grading.worker.arrays import Array
from grading.worker.metrics import Metric

RESAMPLES = 100
"""Draws for a standard error while searching (its own relative error is then about 7 %)."""


def unit_codes(unit: Array) -> tuple[Array, int]:
    """Units as codes 0..count-1, one a row, and their count; rows stand for units where there are fewer than two."""
    uniques, codes = np.unique(unit, return_inverse=True)
    if len(uniques) < 2:
        return np.arange(len(unit)), len(unit)
    return codes, len(uniques)


def replicates(
    metric: Metric,
    y: Array,
    p: Array,
    unit: Array,
    seed: list[int],
    resamples: int = RESAMPLES,
    size: int | None = None,
) -> Array:
    """The metric on `resamples` draws with replacement of `size` units (all of them where not given).

    The same seed and units give the same draws, so differences between candidates on the same rows are paired. A draw
    that does not define the metric is NaN. Deviations are widened by sqrt(units / (units - 1)), what resampling lacks
    where units are few.

    Returns: values (resamples,).
    """
    codes, count = unit_codes(unit)
    random = np.random.default_rng(seed)
    draws = (np.bincount(random.integers(count, size=size or count), minlength=count) for _ in range(resamples))
    if metric.means is None:
        values = np.array([_by_rows(metric, y, p, draw[codes]) for draw in draws])
    else:
        values = _by_means(metric, y, p, codes, draws)
    known = values[np.isfinite(values)]
    centre = known.mean() if len(known) else 0.0
    return np.asarray(centre + (values - centre) * np.sqrt(count / max(count - 1, 1)))


def _by_rows(metric: Metric, y: Array, p: Array, times: Array) -> float:
    rows = np.repeat(np.arange(len(y)), times)
    return metric.value(y[rows], p[rows])


def _by_means(metric: Metric, y: Array, p: Array, codes: Array, draws: Iterable[Array]) -> Array:
    assert metric.means is not None
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = metric.means.rows(y, p)
        sums = np.column_stack([np.bincount(codes, weights=terms[:, i]) for i in range(terms.shape[1])])
        sizes = np.bincount(codes).astype(float)
        means = np.array([(draw @ sums) / (draw @ sizes) for draw in draws])
        return np.asarray(metric.means.combine(means), dtype=float)


def spread(values: Array) -> float:
    """Standard deviation of what is defined; infinite where that is fewer than two values."""
    known = values[np.isfinite(values)]
    return float(known.std(ddof=1)) if len(known) > 1 else float("inf")
