"""What the delivered submission can be trusted to score: the audit value and a 95 % prediction interval.

Centre: the metric on the audit rows, which nothing was chosen by. Spread: draws from *all* hidden rows of the candidate
(audit and folds), because a tenth of the rows knows too little of its own tails. Each draw takes as many units as the
audit has and, apart from it, as many as the test has; the difference of the two values is how far the test's score may
lie from the audit's (the error of the audit itself and the sampling of the test). For metrics without an upper bound
(errors, losses) the ratio is used, which keeps their skew. With few units the differences are widened to
Student's t, and always by MODEL.

Where time splits, hidden blocks differ by more than their rows: the spread of the candidate's values over its blocks
(audit and folds) is added for the audit's block and for the test's. Two blocks alone say next to nothing about it, so
for errors it is shrunk towards BLOCK_SPREAD as if PRIOR_BLOCKS further blocks had shown that (a normal model with a
scaled inverse chi-square prior); for bounded metrics PRIOR_BLOCKS degrees of freedom are the least that is assumed.
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
MODEL = 1.05
"""For what draws of rows do not show: the model's own variation (measured: 93 to 96 % coverage in simulated tasks)."""
GAIN = 0.72**0.3
"""What is left of an error once a model learns from all rows and not from a view's 72 %. Learning curves are power laws
with exponents of about 0.07 to 0.35 (Hestness et al., arXiv 1712.00409); which one is not known, so only the favourable
end of a refit's interval moves, by a high one."""
BLOCK_SPREAD = 0.25
"""By how much the error of one forecaster usually differs between blocks: standard deviation over mean (our choice)."""
PRIOR_BLOCKS = 4


@dataclass(frozen=True)
class Rows:
    """Hidden rows with a candidate's predictions for them."""

    y: Array
    p: Array
    unit: Array


def estimate(
    metric: Metric,
    audits: Sequence[Rows],
    folds: Sequence[Rows],
    test_rows: int,
    seed: int,
    blocks: bool = False,
    refit: bool = False,
) -> tuple[float | None, float | None, float | None]:
    """The value on the audit rows, and the ends of the prediction interval for a test of `test_rows` rows.

    Args:
        audits: the audit rows with the predictions of what is delivered. Several entries where that could not be asked:
            a refit is worth what one view's model is, not what their (better) average is, so the mean of their values
            counts.
        folds: the candidate's fold rows, one entry a view.
        blocks: time splits; every entry of `folds` is a time block.
        refit: what is delivered has learned from all rows, while the predictions here are a view's.
    """
    values = [metric.value(audit.y, audit.p) for audit in audits if len(audit.y)]
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return None, None, None
    value = float(np.mean(known))
    offsets = _offsets(metric, audits[0], _together([audits[0], *folds]), test_rows, seed)
    if len(offsets) < FEWEST // 4:
        return value, None, None
    ends = np.quantile(offsets, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    low, high = np.expm1(ends) * value if _ratio(metric) else ends
    blocked = [value, *(metric.value(fold.y, fold.p) for fold in folds)] if blocks else []
    wide = _between_blocks(blocked, _ratio(metric))
    least, most = metric.bounds
    ends = value - np.hypot(min(low, 0.0), wide), value + np.hypot(max(high, 0.0), wide)
    low, high = max(ends[0], least), min(ends[1], most)
    if refit and metric.direction == "minimize" and np.isfinite(least):
        low = least + (low - least) * GAIN
    if refit and metric.direction == "maximize" and np.isfinite(most):
        high = most - (most - high) * GAIN
    return value, float(low), float(high)


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
    return np.asarray(known * MODEL * t.ppf(0.975, max(pool_units - 1, 1)) / norm.ppf(0.975))


def _affordable(metric: Metric, pool: Rows, units: int) -> int:
    """As many draws as SECONDS allow, RESAMPLES at most (all of them where the metric is a mean over rows)."""
    if metric.means is not None:
        return RESAMPLES
    started = time.perf_counter()
    metric.value(pool.y, pool.p)
    each = (time.perf_counter() - started) * max(1.0, units / len(pool.y))
    return int(np.clip(SECONDS / max(each, 1e-9), FEWEST, RESAMPLES))


def _between_blocks(values: Sequence[float], error: bool) -> float:
    """Half the width that the spread of the blocks' values asks for: two blocks (audit and test) differ."""
    known = np.array([value for value in values if np.isfinite(value)])
    if len(known) < 2:
        return 0.0
    variance, freedom = known.var(ddof=1), len(known) - 1
    if error:
        usual = (BLOCK_SPREAD * known.mean()) ** 2
        variance = (freedom * variance + PRIOR_BLOCKS * usual) / (freedom + PRIOR_BLOCKS)
        freedom += PRIOR_BLOCKS
    return float(np.sqrt(2 * variance) * t.ppf((1 + COVERAGE) / 2, max(freedom, PRIOR_BLOCKS)))
