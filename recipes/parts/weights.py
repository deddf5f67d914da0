"""Weights for averaging several models, from what they said of rows that were kept back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipes.parts.bagging import Bagged, mean_of
from recipes.parts.goals import ABSOLUTE

STEPS = 12


def blend(members: Sequence[Bagged], answers: np.ndarray, problem: str, metric: str) -> Bagged:
    """The average whose error on the kept-back rows is lowest: models are added one by one, each as often as it helps.

    Source: Caruana et al., Ensemble selection from libraries of models, ICML 2004.
    """
    counts = np.zeros(len(members))
    for _ in range(STEPS):
        errors = [
            _error(mean_of(members, counts + one).train, answers, problem, metric) for one in np.eye(len(members))
        ]
        counts[int(np.argmin(errors))] += 1
    print("weights:", dict(enumerate((counts / counts.sum()).round(2))))
    return mean_of(members, counts)


def _error(guess: np.ndarray, answers: np.ndarray, problem: str, metric: str) -> float:
    seen = np.isfinite(guess).reshape(len(guess), -1).all(axis=1)
    guess, answers = guess[seen], answers[seen]
    if problem in ("binary", "multiclass"):
        return float(-np.log(np.clip(guess[np.arange(len(guess)), answers], 1e-7, 1)).mean())
    if problem == "multilabel":
        chance = np.clip(guess, 1e-7, 1 - 1e-7)
        return float(-(answers * np.log(chance) + (1 - answers) * np.log(1 - chance)).mean())
    if metric in ABSOLUTE:
        return float(np.abs(guess - answers).mean())
    if "rmsle" in metric:
        guess, answers = np.log1p(np.maximum(guess, 0)), np.log1p(np.maximum(answers, 0))
    spread = np.maximum(answers.std(axis=0), 1e-12)
    return float((((guess - answers) / spread) ** 2).mean())
