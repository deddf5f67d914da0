"""Does a refit agree with what was graded?

The refit (trained on all rows) was never graded itself. It is trusted where it differs from the graded predictions for
the real test about as much as those differ among themselves. How far two sets lie apart:

    labels, text, 0/1 columns     share of rows with another answer
    probabilities, values         mean absolute difference over the standard deviation of the graded average, by column
    where only the order counts   the same, of ranks

Thresholds are ours, not from the literature. Several views: FACTOR times the largest distance of one view from the
others' average (a refit sees a quarter more rows than a view, so it may move further), but not less than FLOOR. One
view: as far as that view itself lies from the truth on its fold rows (two sets of predictions that differ by more than
their error have little in common), but not less than FLOOR. A sound refit of a confident classifier was seen at 0.14
from its only view; constant, shuffled or misaligned predictions lie at 0.5 and beyond.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import rankdata

from grading.base import Task
from grading.worker.arrays import Array, form
from grading.worker.metrics import LOGARITHMIC, RANKING
from grading.worker.mixing import mix

FACTOR = 2.0
FLOOR = 0.2
"""A fifth of a standard deviation; LABEL_FLOOR is the same for answers: ten in a hundred rows with another one."""
LABEL_FLOOR = 0.1


def distance(one: Array, other: Array, task: Task) -> float:
    """How far two sets of predictions for the same rows lie apart; 0 where they are the same."""
    if form(task) != "numbers":
        return float((one != other).any(axis=1).mean()) if len(one) else 0.0
    one, other = _scaled(one, task), _scaled(other, task)
    spread = other.std(axis=0)
    gaps = np.abs(one - other).mean(axis=0)
    return float(np.mean(gaps / np.where(spread > 0, spread, 1.0))) if len(one) else 0.0


def _scaled(p: Array, task: Task) -> Array:
    if task.metric in RANKING:
        return np.asarray(rankdata(p, axis=0))
    return np.asarray(np.log1p(p)) if task.metric in LOGARITHMIC else p


def allowed(views: Sequence[Array], task: Task, error: float) -> float:
    """The largest distance at which a refit still agrees with the average of `views`.

    Args:
        error: the distance of a single view from the truth, on its fold rows.
    """
    floor = FLOOR if form(task) == "numbers" else LABEL_FLOOR
    if len(views) < 2:
        return max(floor, error)
    apart = []
    for number, view in enumerate(views):
        others = [other for place, other in enumerate(views) if place != number]
        apart.append(distance(view, mix(task, others, [1.0] * len(others)), task))
    return max(floor, FACTOR * max(apart))
