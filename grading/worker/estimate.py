"""What the delivered submission can be trusted to score: the audit value and a 95 % prediction interval.

Centre: the metric on the audit rows, which nothing was chosen by. Spread: draws from *all* hidden rows of the candidate
(audit and folds), because a tenth of the rows knows too little of its own tails. Each draw takes as many units as the
audit has and, apart from it, as many as the test has; the difference of the two values is how far the test's score may
lie from the audit's (the error of the audit itself and the sampling of the test). For metrics without an upper bound
(errors, losses) the ratio is used, which keeps their skew. With few units the differences are widened to Student's t.

Where time splits, hidden blocks differ by more than their rows: the spread of the candidate's values over its blocks
(audit and folds) is added for the audit's block and for the test's, with at least three degrees of freedom assumed
(fewer would give an interval too wide to say anything).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm, t

from grading.worker.arrays import Array
from grading.worker.metrics import Metric
from grading.worker.resample import replicates, unit_codes

RESAMPLES = 1000
FEWEST = 200
SECONDS = 20.0
"""Budget of the draws: slow metrics get fewer, but at least FEWEST."""
COVERAGE = 0.95
_LEAST_FREEDOM = 3


@dataclass(frozen=True)
class Rows:
    """Hidden rows with a candidate's predictions for them."""

    y: Array
    p: Array
    unit: Array


def estimate(
    metric: Metric, audits: Sequence[Rows], folds: Sequence[Rows], test_rows: int, seed: int, blocks: bool = False
) -> tuple[float | None, float | None, float | None]:
    """The value on the audit rows, and the ends of the prediction interval for a test of `test_rows` rows.

    Args:
        audits: the audit rows with the predictions of what is delivered. Several entries where that could not be asked:
            a refit is worth what one view's model is, not what their (better) average is, so the mean of their values
            counts.
        folds: the candidate's fold rows, one entry a view.
        blocks: time splits; every entry of `folds` is a time block.
    """
    values = [metric.value(audit.y, audit.p) for audit in audits if len(audit.y)]
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return None, None, None
    value = float(np.mean(known))
    offsets = _offsets(metric, audits[0], _together([audits[0], *folds]), test_rows, seed)
    if len(offsets) < FEWEST // 4:
        return value, None, None
    low, high = (float(end) for end in np.quantile(offsets, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2]))
    if blocks:
        wide = _between_blocks(metric, value, folds)
        low, high = -float(np.hypot(low, wide)), float(np.hypot(high, wide))
    ends = value * np.exp([low, high]) if _ratio(metric) else value + np.array([low, high])
    least, most = metric.bounds
    return value, float(max(ends[0], least)), float(min(ends[1], most))


def _together(parts: Sequence[Rows]) -> Rows:
    parts = [part for part in parts if len(part.y)]
    return Rows(
        np.concatenate([part.y for part in parts]),
        np.concatenate([part.p for part in parts]),
        np.concatenate([part.unit for part in parts]),
    )


def _ratio(metric: Metric) -> bool:
    """Is the metric an error without an upper bound?"""
    return metric.bounds == (0.0, np.inf)


def _scale(metric: Metric, values: Array) -> Array:
    return np.asarray(np.log(np.maximum(values, 1e-300))) if _ratio(metric) else values


def _offsets(metric: Metric, audit: Rows, pool: Rows, test_rows: int, seed: int) -> Array:
    """Draws of (value of a test - value of an audit), on the scale of the interval."""
    _, pool_units = unit_codes(pool.unit)
    whole = len(np.unique(pool.unit)) > 1
    audit_units = len(np.unique(audit.unit)) if whole else len(audit.y)
    test_units = max(1, round(test_rows * pool_units / len(pool.y)))
    draws = _affordable(metric, pool, audit_units + test_units)
    audits = replicates(metric, pool.y, pool.p, pool.unit, [seed, 1], draws, audit_units)
    tests = replicates(metric, pool.y, pool.p, pool.unit, [seed, 2], draws, test_units)
    offsets = _scale(metric, tests) - _scale(metric, audits)
    known = offsets[np.isfinite(offsets)]
    return np.asarray(known * t.ppf(0.975, max(pool_units - 1, 1)) / norm.ppf(0.975))


def _affordable(metric: Metric, pool: Rows, units: int) -> int:
    """As many draws as SECONDS allow, RESAMPLES at most (all of them where the metric is a mean over rows)."""
    if metric.means is not None:
        return RESAMPLES
    started = time.perf_counter()
    metric.value(pool.y, pool.p)
    each = (time.perf_counter() - started) * max(1.0, units / len(pool.y))
    return int(np.clip(SECONDS / max(each, 1e-9), FEWEST, RESAMPLES))


def _between_blocks(metric: Metric, value: float, folds: Sequence[Rows]) -> float:
    """Half the width that the spread of the blocks' values asks for: two blocks (audit and test) differ."""
    values = [value, *(metric.value(fold.y, fold.p) for fold in folds if len(fold.y))]
    scaled = _scale(metric, np.array([found for found in values if np.isfinite(found)]))
    if len(scaled) < 2:
        return 0.0
    freedom = max(len(scaled) - 1, _LEAST_FREEDOM)
    return float(np.sqrt(2) * scaled.std(ddof=1) * t.ppf((1 + COVERAGE) / 2, freedom))
