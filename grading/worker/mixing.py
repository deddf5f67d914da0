"""Averages of predictions: what is averaged, and what the average means.

values and probabilities   weighted mean
RMSLE-type metrics         weighted mean of log(1 + value): the metric's own scale, where the mean is best
order-only metrics         where a member leaves 0..1: weighted mean of ranks, as scales do not compare
labels, text               weighted vote; a tie goes to the heaviest member's answer
0/1 columns                weighted vote, column by column
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import rankdata

from grading.base import Task
from grading.worker.arrays import Array, form
from grading.worker.metrics import LOGARITHMIC, RANKING

TIE = 1e-6
"""What the heaviest member of a vote is given on top of its weight."""


@dataclass(frozen=True)
class Space:
    """Where predictions can be averaged."""

    into: Callable[[Array], Array]
    """Predictions (rows, columns) -> numbers (rows, terms)."""
    back: Callable[[Array], Array]
    """An average of such numbers -> predictions."""
    vote: bool = False


def space_of(task: Task, pool: Sequence[Array]) -> Space:
    """The space for averaging these predictions of the same rows."""
    held = form(task)
    if held == "codes":
        return Space(lambda p: np.eye(len(task.classes), dtype=np.float32)[p[:, 0]], _winner, vote=True)
    if held == "text":
        return _text_space(pool)
    if held == "flags":
        return Space(lambda p: p, lambda mean: (mean > 0.5).astype(float), vote=True)
    if task.metric in LOGARITHMIC:
        return Space(np.log1p, np.expm1)
    if task.metric in RANKING and any(p.min() < 0 or p.max() > 1 for p in pool if p.size):
        return Space(lambda p: rankdata(p, axis=0) / max(len(p), 1), _same)
    return Space(_same, _same)


def _same(values: Array) -> Array:
    return values


def _winner(mean: Array) -> Array:
    return np.asarray(mean.argmax(axis=1)[:, None])


def _text_space(pool: Sequence[Array]) -> Space:
    """Votes for whole texts: each row's choices are the distinct texts of the pool."""
    texts = np.column_stack([p[:, 0] for p in pool]) if pool else np.empty((0, 1), dtype=object)

    def into(p: Array) -> Array:
        first = (texts == p[:, :1]).argmax(axis=1)
        return np.asarray(np.eye(texts.shape[1], dtype=np.float32)[first])

    return Space(into, lambda mean: texts[np.arange(len(texts)), mean.argmax(axis=1)][:, None], vote=True)


def mix(task: Task, pool: Sequence[Array], weights: Sequence[float]) -> Array:
    """The weighted average of predictions (rows, columns) of the same rows; weights need not sum to 1."""
    space = space_of(task, pool)
    shares = np.array(weights, dtype=float) / np.sum(weights)
    if space.vote:
        shares[shares.argmax()] += TIE
    total = sum(share * space.into(p) for share, p in zip(shares, pool, strict=True))
    return space.back(np.asarray(total))
