"""How good an order of instructions is, against what was measured."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np

from ranker.outcomes import Outcomes

OFFERED = 5
RESAMPLES = 1_000


@dataclass(frozen=True)
class Measures:
    """Of one task."""

    pair: float | None
    """Share of the pairs that measurement can tell apart which are put in the right order; a tie counts half. Apart
    are two outcomes whose gap is above the standard error of their difference. None where there is no such pair."""
    all_pairs: float | None
    """The same of all pairs with different outcomes, also where noise decides."""
    ndcg3: float
    """Discounted gain of the first three over the best possible (Järvelin & Kekäläinen 2002); gain = value."""
    top1: float
    """Value that is lost by taking the first: best value - its value."""
    sub5: float
    """The same where 5 are offered, the mean over all choices of 5 (exact)."""


FIELDS = tuple(field.name for field in fields(Measures))


def measure(scores: np.ndarray, task: Outcomes) -> Measures:
    """Of one task with n >= 2 instructions and their predicted scores (n,)."""
    worth = np.where(np.isfinite(task.worth), task.worth, min(task.worth[np.isfinite(task.worth)], default=0.0) - 1e9)
    told, clear = pairs(scores, worth, np.zeros(len(worth))), pairs(scores, worth, task.error)
    return Measures(clear, told, ndcg(scores, task.value), *regrets(scores, task.value))


def pairs(scores: np.ndarray, worth: np.ndarray, error: np.ndarray) -> float | None:
    """Pairwise accuracy over pairs whose worth differs by more than its standard error."""
    one, other = np.triu_indices(len(scores), 1)
    gap = worth[one] - worth[other]
    told = np.abs(gap) > np.hypot(error[one], error[other])
    right = np.sign(scores[one] - scores[other]) * np.sign(gap)
    return float((right[told] + 1).mean() / 2) if told.any() else None


def ndcg(scores: np.ndarray, value: np.ndarray, first: int = 3) -> float:
    """NDCG of the first three."""
    discount = 1.0 / np.log2(np.arange(2, 2 + min(first, len(value))))
    order = np.argsort(-scores, kind="stable")[: len(discount)]
    best = (np.sort(value)[::-1][: len(discount)] * discount).sum()
    return float((value[order] * discount).sum() / best) if best > 0 else 1.0


def regrets(scores: np.ndarray, value: np.ndarray) -> tuple[float, float]:
    """Regret of the first of all, and the mean regret of the first of every 5 that could be offered.

    In an order by score, the first of a chosen five is instruction i where i and four of those after it are chosen;
    the best of five likewise in an order by value: the mean over all fives needs no sampling.
    """
    size = len(value)
    offered = min(OFFERED, size)
    ways = np.array([_choose(size - 1 - place, offered - 1) for place in range(size)])
    ways = ways / ways.sum()
    picked = value[np.argsort(-scores, kind="stable")]
    best = np.sort(value)[::-1]
    return float(best[0] - picked[0]), float((ways * best).sum() - (ways * picked).sum())


def _choose(of: int, some: int) -> float:
    found = 1.0
    for place in range(some):
        found *= max(0, of - place) / (place + 1)
    return found


def mean_of(measures: Sequence[Measures], field: str) -> tuple[float, float, float]:
    """Mean over tasks with a 95 % interval by bootstrap over tasks (percentiles, fixed seed)."""
    found = [getattr(one, field) for one in measures]
    values = np.array([value for value in found if value is not None])
    if not len(values):
        return 0.0, 0.0, 0.0
    draw = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[draw].mean(axis=1), [0.025, 0.975])
    return float(values.mean()), float(low), float(high)
