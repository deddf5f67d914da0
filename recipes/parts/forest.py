"""Extremely randomised trees (Geurts et al., Machine Learning 63, 2006), checked on the rows that a tree left out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor

from recipes.parts.bagging import Bagged
from recipes.parts.files import cpus, seed
from recipes.parts.goals import Goal, join_goals
from recipes.parts.smooth import Matrices, answers_of


def grow(goals: Sequence[Goal], data: Matrices, trees: int, problem: str) -> Bagged:
    """One forest a goal, on all rows."""
    kept_back, predicted = [], []
    for goal in goals:
        kind = ExtraTreesClassifier if goal.classes else ExtraTreesRegressor
        model: Any = kind(
            trees,
            max_features=0.5,
            min_samples_leaf=2 if len(data[0]) < 20_000 else 5,
            bootstrap=True,
            max_samples=0.9,
            oob_score=True,
            n_jobs=cpus(),
            random_state=seed(),
        )
        model.fit(data[0], goal.answers)
        kept_back.append(_left_out(goal, model, len(data[0])))
        predicted.append(answers_of(goal, model, data[1]))
    return Bagged(join_goals(goals, kept_back, problem), join_goals(goals, predicted, problem))


def _left_out(goal: Goal, model: Any, rows: int) -> np.ndarray:
    """What the trees that had not seen a row say of it."""
    if not goal.classes:
        return np.asarray(model.oob_prediction_)
    chances = np.zeros((rows, goal.classes))
    chances[:, np.asarray(model.classes_, dtype=int)] = model.oob_decision_function_
    return chances
