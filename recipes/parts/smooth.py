"""Linear models, kernels and networks on a scaled matrix: one fit on one fold, tuned on the rows kept back."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.svm import SVR

from recipes.parts.bagging import Outcome
from recipes.parts.files import seed
from recipes.parts.goals import Goal

Matrices = tuple[np.ndarray, np.ndarray]
"""Train and test."""


def fit_linear(goal: Goal, data: Matrices, learn: np.ndarray, check: np.ndarray, penalties: Sequence[float]) -> Outcome:
    """Ridge or logistic regression with the best of `penalties` (weak to strong) on the `check` rows."""
    models: list[Any] = [
        LogisticRegression(C=1 / penalty, max_iter=300 if data[0].size < 1e6 else 100)
        if goal.classes
        else Ridge(alpha=penalty)
        for penalty in penalties
    ]
    return _best(goal, data, learn, check, models)


def fit_kernel(goal: Goal, data: Matrices, learn: np.ndarray, check: np.ndarray, penalties: Sequence[float]) -> Outcome:
    """Support vector regression with a Gaussian kernel and the best of `penalties` on the `check` rows."""
    width = 0.3 / data[0].shape[1]
    models = [SVR(C=1 / penalty, gamma=width, epsilon=0.05) for penalty in penalties]
    return _best(goal, data, learn, check, models)


def fit_network(goal: Goal, data: Matrices, learn: np.ndarray, check: np.ndarray, rounds: int) -> Outcome:
    """A network with one wide hidden layer."""
    kind = MLPClassifier if goal.classes else MLPRegressor
    model = kind(
        hidden_layer_sizes=(256,),
        alpha=1e-2,
        batch_size=min(len(learn), 64 if len(learn) < 5000 else 128),
        learning_rate_init=1e-3,
        max_iter=rounds,
        random_state=seed(),
    )
    return _best(goal, data, learn, check, [model])


def _best(goal: Goal, data: Matrices, learn: np.ndarray, check: np.ndarray, models: Sequence[Any]) -> Outcome:
    train, test = data
    found = []
    for model in models:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(train[learn], goal.answers[learn])
        guess = answers_of(goal, model, train[check])
        found.append((error(goal, guess, goal.answers[check]), guess, model))
    best = min(found, key=lambda entry: entry[0])
    return Outcome(best[1], answers_of(goal, best[2], test))


def answers_of(goal: Goal, model: Any, rows: np.ndarray) -> np.ndarray:
    """Numbers, or a probability for every class, also for those that the fold did not have."""
    if not goal.classes:
        return np.asarray(model.predict(rows))
    chances = np.zeros((len(rows), goal.classes))
    chances[:, np.asarray(model.classes_, dtype=int)] = model.predict_proba(rows)
    return chances


def error(goal: Goal, guess: np.ndarray, answers: np.ndarray) -> float:
    """Log loss, absolute or squared error: what the goal is judged by."""
    if goal.classes:
        return float(-np.log(np.clip(guess[np.arange(len(guess)), answers], 1e-7, 1)).mean())
    gap = np.abs(guess - answers)
    return float(gap.mean() if goal.absolute else (gap**2).mean())
