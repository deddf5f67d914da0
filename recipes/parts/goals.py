"""What one model has to learn, and how to put the models' answers together again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

ABSOLUTE = ("mae", "medae", "mape", "smape", "mean_columnwise_mae")
RELATIVE = ("mape", "smape")


@dataclass(frozen=True)
class Goal:
    """One thing to learn."""

    answers: np.ndarray
    """(rows,): class codes, or numbers as the model shall see them."""
    classes: int
    """Number of classes; 0 for numbers."""
    absolute: bool
    """Learn medians (absolute error) and not means."""
    log: bool
    """The numbers are log(1 + y)."""
    center: float
    scale: float
    """The numbers were centred by `center` and divided by `scale`."""


def learning_goals(answers: np.ndarray, problem: str, metric: str) -> list[Goal]:
    """One goal for a class problem, one a target for numbers and several labels.

    Several labels of which (nearly) every row has at most one are learned as one class problem, "none" first.
    """
    if problem in ("binary", "multiclass"):
        return [Goal(answers, int(answers.max()) + 1, False, False, 0.0, 1.0)]
    if problem == "multilabel":
        if one_label_a_row(answers):
            codes = np.where(answers.max(axis=1) > 0, answers.argmax(axis=1) + 1, 0)
            return [Goal(codes, answers.shape[1] + 1, False, False, 0.0, 1.0)]
        return [Goal(column.astype(int), 2, False, False, 0.0, 1.0) for column in answers.T]
    return [_number_goal(column, metric) for column in answers.T]


def one_label_a_row(answers: np.ndarray) -> bool:
    """Whether the labels of a multilabel problem exclude each other, but for one row in two hundred."""
    return answers.shape[1] > 2 and bool(((answers > 0.5).sum(axis=1) > 1).mean() < 0.005)


def _number_goal(column: np.ndarray, metric: str) -> Goal:
    log = bool(("rmsle" in metric or metric in RELATIVE) and column.min() > -1)
    numbers = np.log1p(column) if log else column
    center, scale = float(np.mean(numbers)), float(np.std(numbers)) or 1.0
    return Goal((numbers - center) / scale, 0, metric in ABSOLUTE, log, center, scale)


def in_answers(goal: Goal, numbers: np.ndarray) -> np.ndarray:
    """A model's numbers in the unit of the answers."""
    values = numbers * goal.scale + goal.center
    return np.expm1(values) if goal.log else values


def join_goals(goals: Sequence[Goal], predictions: Sequence[np.ndarray], problem: str) -> np.ndarray:
    """The predictions of all goals as `submit_answers` wants them."""
    if problem in ("binary", "multiclass"):
        return predictions[0]
    if problem == "multilabel":
        if len(goals) == 1 and goals[0].classes > 2:
            return predictions[0][:, 1:]
        return np.column_stack([prediction[:, 1] for prediction in predictions])
    return np.column_stack([in_answers(goal, values) for goal, values in zip(goals, predictions, strict=True)])
