"""Blind scores: what an attempt is worth on hidden fold rows, how sure that is, and who leads.

All draws on a view are the same for every attempt, so the error of a difference is that of paired values. A candidate
with fewer views than the reference leads only if it is ahead by more than one paired standard error. Hidden blocks of a
time split overlap by half; there the error of a mean is at least what the blocks' own spread says.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from grading.base import Score, Standing
from grading.worker.arrays import Array
from grading.worker.metrics import Metric
from grading.worker.resample import replicates, spread


@dataclass(frozen=True)
class Mark:
    """One candidate on one view's fold rows."""

    value: float
    draws: Array
    """The metric on resamples of the rows, the same ones for every candidate."""


Marks = Mapping[int, Mark]
"""View -> mark."""


def mark(metric: Metric, y: Array, p: Array, unit: Array, view: int, seed: int) -> Mark | None:
    """Grade predictions `p` against `y`; None where nothing is hidden or the rows do not define the metric."""
    value = metric.value(y, p) if len(y) else float("nan")
    if not np.isfinite(value):
        return None
    return Mark(value, replicates(metric, y, p, unit, [seed, view]))


def score(marks: Marks, metric: Metric, time: bool = False) -> Score:
    """Mean over views, with its standard error."""
    values = [marks[view].value for view in sorted(marks)]
    error = _error(np.array([marks[view].draws for view in sorted(marks)]), np.array(values), time)
    return Score(values, float(np.mean(values)), error, metric.direction)


def behind(marks: Marks, leader: Marks, metric: Metric, time: bool = False) -> tuple[float, float]:
    """How far behind `leader` on the views of both (positive is worse), and the paired standard error.

    Without a common view, the difference of the two means and the error of an unpaired difference.
    """
    common = sorted(set(marks) & set(leader))
    if not common:
        one, other = score(marks, metric, time), score(leader, metric, time)
        return metric.loss(one.mean) - metric.loss(other.mean), float(np.hypot(one.error, other.error))
    gaps = np.array([metric.loss(marks[view].value) - metric.loss(leader[view].value) for view in common])
    draws = np.array([marks[view].draws - leader[view].draws for view in common])
    return float(gaps.mean()), _error(draws, gaps, time)


def _error(draws: Array, values: Array, time: bool) -> float:
    """Standard error of the mean over views of `values` (views,), from their resamples (views, resamples)."""
    error = spread(draws.mean(axis=0))
    if not np.isfinite(error):
        # no draw defines every view at once: add up the views that have an error of their own
        each = [deviation for row in draws if np.isfinite(deviation := spread(row))]
        error = float(np.sqrt(np.sum(np.square(each)))) / len(draws) if each else 0.0
    return max(error, spread(values) / float(np.sqrt(len(values)))) if time and len(values) > 1 else error


def standings(marks: Mapping[str, Marks], metric: Metric, time: bool = False) -> list[Standing]:
    """All attempts that have a mark, best first; the first one is the leader that `behind` refers to.

    `behind` is below 0 for an attempt that is ahead on the common views, but on too few of them to lead.
    """
    graded = {attempt: own for attempt, own in marks.items() if own}
    if not graded:
        return []
    handicap = _handicaps(graded, metric, time)
    order = sorted(graded, key=lambda attempt: (handicap[attempt], attempt))
    leader = graded[order[0]]
    found = [_standing(attempt, graded[attempt], leader, metric, time) for attempt in order]
    return [replace(found[0], behind=0.0, behind_error=0.0), *found[1:]]


def _handicaps(graded: Mapping[str, Marks], metric: Metric, time: bool) -> dict[str, float]:
    """How far behind the best of the attempts with most views; plus an error where views are fewer."""
    most = max(len(own) for own in graded.values())
    full = [attempt for attempt, own in graded.items() if len(own) == most]
    reference = min(full, key=lambda attempt: (metric.loss(score(graded[attempt], metric).mean), attempt))
    found = {}
    for attempt, own in graded.items():
        gap, error = behind(own, graded[reference], metric, time)
        found[attempt] = gap + (error if len(own) < most else 0.0)
    return found


def _standing(attempt: str, own: Marks, leader: Marks, metric: Metric, time: bool) -> Standing:
    gap, error = behind(own, leader, metric, time)
    return Standing({attempt: 1.0}, sorted(own), score(own, metric, time), gap, error)
