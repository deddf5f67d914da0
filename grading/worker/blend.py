"""Blends by greedy selection with replacement (Caruana et al. 2004, "Ensemble selection from libraries of models").

Weights are fitted on the hidden fold rows (never on audit rows) of views that all members ran on. To keep noise from
passing for a gain, a blend is also fitted on either half of the units and scored on the other half: that score is the
one reported, and a blend is proposed only where it beats the leader by more than one paired standard error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from grading.base import Standing, Task
from grading.worker.arrays import Array
from grading.worker.metrics import Metric
from grading.worker.mixing import TIE, Space, mix, space_of
from grading.worker.resample import unit_codes
from grading.worker.score import Mark, Marks, behind, mark, score

PICKS = 30
PATIENCE = 4
"""Picks without a gain after which the search ends."""
MEMBERS = 8
CANDIDATES = 12
"""The best attempts that are tried as members."""
CELLS = 1_000_000
"""Numbers (rows x terms, all views) that one candidate is judged on while weights are fitted; more rows are thinned."""


@dataclass(frozen=True)
class Fold:
    """One view's fold rows: answers, units, and what each attempt that ran on it predicted."""

    y: Array
    unit: Array
    predictions: Mapping[str, Array]


def best_blend(
    order: Sequence[str], folds: Mapping[int, Fold], marks: Mapping[str, Marks], metric: Metric, task: Task, seed: int
) -> Standing | None:
    """The best blend where it clearly beats the leader, with its cross-fitted score.

    Args:
        order: attempts, best first (the first is the leader).
        marks: each attempt's marks; their views are keys of `folds`.
    """
    views, members = _team(order, marks)
    if len(members) < 2:
        return None
    usable = {view: folds[view] for view in views}
    halves = {view: _halves(fold.unit, [seed, view]) for view, fold in usable.items()}
    weights = fit({view: np.arange(len(fold.y)) for view, fold in usable.items()}, usable, members, metric, task)
    if len(weights) < 2:
        return None
    fits = [fit({v: np.flatnonzero(halves[v] == h) for v in views}, usable, members, metric, task) for h in (0, 1)]
    own = {v: _cross_fitted(usable[v], halves[v], fits, metric, task, v, seed) for v in views}
    honest = {view: found for view, found in own.items() if found is not None}
    time = task.split == "time"
    gap, error = behind(honest, marks[order[0]], metric, time) if honest else (0.0, 0.0)
    if gap + error >= 0:
        return None
    return Standing(weights, sorted(honest), score(honest, metric, time), gap, error)


def _team(order: Sequence[str], marks: Mapping[str, Marks]) -> tuple[list[int], list[str]]:
    """The leader's views and who ran on all of them; if nobody else did, the views shared with the next."""
    views = sorted(marks[order[0]]) if order else []
    members = [attempt for attempt in order if set(views) <= set(marks[attempt])]
    if len(members) == 1 and len(order) > 1:
        views = sorted(set(views) & set(marks[order[1]]))
        members = [attempt for attempt in order if set(views) <= set(marks[attempt])]
    return views, members[:CANDIDATES] if views else []


def _halves(unit: Array, seed: list[int]) -> Array:
    """0 or 1 for each row; a unit stays whole."""
    codes, count = unit_codes(unit)
    return np.asarray(np.random.default_rng(seed).permutation(count)[codes] % 2)


def _cross_fitted(
    fold: Fold, halves: Array, fits: Sequence[Mapping[str, float]], metric: Metric, task: Task, view: int, seed: int
) -> Mark | None:
    """The mark of predictions in which each half of the rows is blended by the weights fitted on the other."""
    parts = [mix(task, [fold.predictions[name] for name in weights], list(weights.values())) for weights in fits]
    blended = np.where((halves == 0)[:, None], parts[1], parts[0])
    return mark(metric, fold.y, blended, fold.unit, view, seed)


def fit(
    rows: Mapping[int, Array], folds: Mapping[int, Fold], members: Sequence[str], metric: Metric, task: Task
) -> dict[str, float]:
    """Greedy weights (sum 1) of `members` on the given rows of each view."""
    judges: list[Callable[[Array], float]] = []
    terms: dict[str, list[Array]] = {name: [] for name in members}
    for view, every in rows.items():
        width = folds[view].predictions[members[0]].shape[1]
        chosen = every[:: max(1, len(every) * width * len(rows) // CELLS)]
        pool = [folds[view].predictions[name][chosen] for name in members]
        space = space_of(task, pool)
        judges.append(_judge(metric, folds[view].y[chosen], space))
        for name, p in zip(members, pool, strict=True):
            terms[name].append(space.into(p))
    lean = TIE if space_of(task, []).vote else 0.0
    return _greedy(terms, lambda mean: _mean([judge(z) for judge, z in zip(judges, mean, strict=True)]), lean)


def _judge(metric: Metric, y: Array, space: Space) -> Callable[[Array], float]:
    return lambda z: metric.loss(metric.value(y, space.back(z))) if len(y) else float("nan")


def _mean(losses: Sequence[float]) -> float:
    """Mean of the views that define the metric; infinite where none does."""
    known = [loss for loss in losses if np.isfinite(loss)]
    return float(np.mean(known)) if known else float("inf")


def _greedy(terms: Mapping[str, list[Array]], loss: Callable[[list[Array]], float], lean: float) -> dict[str, float]:
    """Start from the first few members that are best together, then add, with replacement, whoever helps the average
    most; keep the best average on the way. `lean`: what the member picked most is given on top (in votes)."""

    def judged(picks: Counter[str]) -> float:
        return loss(_average(terms, picks, lean))

    names = list(terms)
    starts = [Counter(names[:size]) for size in range(1, min(MEMBERS, len(names)) + 1)]
    picks = best = min(starts, key=judged)
    best_loss, waited = judged(best), 0
    while waited < PATIENCE and picks.total() < PICKS:
        allowed = [name for name in names if name in picks or len(picks) < MEMBERS]
        picks = min((picks + Counter([name]) for name in allowed), key=judged)
        found, waited = judged(picks), waited + 1
        if found < best_loss - 1e-12:
            best, best_loss, waited = picks, found, 0
    return {name: times / best.total() for name, times in best.items()}


def _average(terms: Mapping[str, list[Array]], picks: Counter[str], lean: float) -> list[Array]:
    """The average of the picked members' terms, view by view."""
    shares = {name: times / picks.total() for name, times in picks.items()}
    shares[picks.most_common(1)[0][0]] += lean
    views = range(len(next(iter(terms.values()))))
    return [np.asarray(sum(share * terms[name][view] for name, share in shares.items())) for view in views]
