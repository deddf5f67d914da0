"""The same model on several folds: checked on the rows kept back, averaged on test."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recipes.parts.answers import known_rows, learn_targets
from recipes.parts.files import read_table, seed, time_left, time_limit
from recipes.parts.folds import Folds
from recipes.parts.goals import Goal, join_goals


@dataclass(frozen=True)
class Outcome:
    """Predictions of one fit: probabilities (rows, classes) or numbers (rows,)."""

    check: np.ndarray
    test: np.ndarray


Fit = Callable[[Goal, np.ndarray, np.ndarray], Outcome]
"""Learns the goal on the rows of the first array, predicts those of the second and test."""


@dataclass(frozen=True)
class Bagged:
    """Predictions in the unit of the answers: of train while kept back (NaN where never kept back), and of test."""

    train: np.ndarray
    test: np.ndarray


def load_tables(
    train: str, test: str, key: str | None, targets: Sequence[str], problem: str, classes: Sequence[str], rows: int
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Train (rows with an answer, at most `rows` of them, drawn by the seed), test, and the answers to learn."""
    text = [*([key] if key else []), *(targets if classes else [])]
    table = read_table(train, text=text)
    answers = learn_targets(table, targets, problem, classes)
    kept = np.flatnonzero(known_rows(answers))
    if len(kept) > rows:
        kept = np.sort(np.random.default_rng(seed()).choice(kept, rows, replace=False))
    return table.iloc[kept].reset_index(drop=True), read_table(test, text=[key] if key else []), answers[kept]


def bag(
    goals: Sequence[Goal],
    folds: Sequence[Folds],
    fits: Sequence[Fit],
    problem: str,
    test_rows: int,
    keep: Callable[[list[Bagged]], None] | None = None,
) -> list[Bagged]:
    """What each of `fits` predicts, on all folds of all goals; stops after a fold when time for another is short.

    `keep` is called after every fold but the last with what is known so far.
    """
    checks = [[np.full(_shape(goal, len(goal.answers)), np.nan) for goal in goals] for _ in fits]
    tests = [[np.zeros(_shape(goal, test_rows)) for goal in goals] for _ in fits]
    for number in range(len(folds[0])):
        started = time.monotonic()
        for place, goal in enumerate(goals):
            learn, check = folds[place][number]
            for which, fit in enumerate(fits):
                outcome = fit(goal, learn, check)
                checks[which][place][check] = outcome.check
                tests[which][place] += outcome.test
        found = [
            Bagged(
                join_goals(goals, check, problem), join_goals(goals, [sums / (number + 1) for sums in total], problem)
            )
            for check, total in zip(checks, tests, strict=True)
        ]
        if number + 1 == len(folds[0]) or time_left() < 1.5 * (time.monotonic() - started) + 0.1 * time_limit():
            break
        if keep is not None:
            keep(found)
    return found


def _shape(goal: Goal, rows: int) -> tuple[int, ...]:
    return (rows, goal.classes) if goal.classes else (rows,)


def mean_of(members: Sequence[Bagged], weights: Sequence[float] | None = None) -> Bagged:
    """The (weighted) average of several models."""
    trains, tests = [member.train for member in members], [member.test for member in members]
    return Bagged(np.average(trains, axis=0, weights=weights), np.average(tests, axis=0, weights=weights))
