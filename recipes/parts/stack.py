"""Several models of one answer: scores of rows that a model has not seen, and weights that join the models."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize, nnls
from sklearn.linear_model import LogisticRegression

from recipes.parts.files import time_left, time_limit
from recipes.parts.folds import Folds

Score = Callable[[Any], np.ndarray]
Learn = Callable[[Any, np.ndarray, int], Score]
ROWS_PER_WEIGHT = 50
"""With fewer rows a weight, all classes share one weight a model."""


@dataclass(frozen=True)
class Member:
    """One model of a stack with its own view of the rows."""

    train: Any
    test: Any
    fit: Learn
    """fit(rows, answers, classes) learns; what it returns scores rows: (rows, classes), or (rows,) for numbers."""


@dataclass(frozen=True)
class Scores:
    """What one member says."""

    train: np.ndarray
    """Of rows of train that the model had not seen."""
    test: np.ndarray


def member_scores(member: Member, answers: np.ndarray, classes: int, folds: Folds) -> Scores:
    """Scores of train row by row out of fold, and of test by a model of all rows."""
    unseen: np.ndarray | None = None
    for learn, check in folds:
        score = member.fit(member.train[learn], answers[learn], classes)(member.train[check])
        if unseen is None:
            unseen = np.full((len(answers), *score.shape[1:]), np.nan)
        unseen[check] = score
    assert unseen is not None, "a stack needs folds"
    return Scores(unseen, member.fit(member.train, answers, classes)(member.test))


def stack_scores(
    members: Sequence[Callable[[], Member]], answers: np.ndarray, classes: int, folds: Folds
) -> list[Scores]:
    """Scores of all members in turn; those that come late leave the rest of the time limit free."""
    found: list[Scores] = []
    for make in members:
        if found and time_left() < 0.5 * time_limit():
            break
        found.append(member_scores(make(), answers, classes, folds))
    return found


def best_member(members: Sequence[Callable[[], Member]], answers: np.ndarray, classes: int, folds: Folds) -> Scores:
    """The scores of the member that, by itself, does best on unseen rows; compared on the first fold alone."""
    if len(members) == 1:
        return member_scores(members[0](), answers, classes, folds)
    learn, check = folds[0]
    losses = []
    for make in members:
        member = make()
        score = member.fit(member.train[learn], answers[learn], classes)(member.train[check])
        unseen = np.full((len(answers), *score.shape[1:]), np.nan)
        unseen[check] = score
        joined = join_scores([Scores(unseen, score)], answers, classes).train[check]
        losses.append(loss_of(joined, answers[check], classes))
    return member_scores(members[int(np.argmin(losses))](), answers, classes, folds)


def loss_of(joined: np.ndarray, answers: np.ndarray, classes: int) -> float:
    """Log loss of probabilities or mean squared error of numbers."""
    if not classes:
        return float(((joined - answers) ** 2).mean())
    return float(-np.log(np.maximum(joined[np.arange(len(answers)), answers], 1e-15)).mean())


def on_top(first: Sequence[Scores], blocks: Sequence[tuple[np.ndarray, np.ndarray]], fit: Learn) -> Member:
    """A member that sees dense features and what other members say of rows that they have not seen."""
    train = np.hstack([*(b[0] for b in blocks), *(s.train.reshape(len(s.train), -1) for s in first)])
    test = np.hstack([*(b[1] for b in blocks), *(s.test.reshape(len(s.test), -1) for s in first)])
    return Member(train, test, fit)


def join_scores(scores: Sequence[Scores], answers: np.ndarray, classes: int) -> Scores:
    """Probabilities (rows, classes) or numbers (rows,), with the weights that suit the unseen rows best.

    Rows of train that no fold has checked are NaN.
    """
    seen = np.isfinite(np.stack([s.train.reshape(len(answers), -1)[:, 0] for s in scores])).all(axis=0)
    known = [Scores(s.train[seen], s.test) for s in scores]
    if not classes:
        joined = join_numbers(known, answers[seen])
    else:
        enough = seen.sum() >= ROWS_PER_WEIGHT * len(scores) * classes * classes
        joined = (join_fully if enough else join_shared)(known, answers[seen], classes)
    train = np.full((len(answers), *joined.train.shape[1:]), np.nan)
    train[seen] = joined.train
    return Scores(train, joined.test)


def join_numbers(scores: Sequence[Scores], answers: np.ndarray) -> Scores:
    """Non-negative least squares about the mean."""
    center = float(answers.mean())
    weights = nnls(np.column_stack([s.train - center for s in scores]), answers - center)[0]
    tables = [np.column_stack(part) - center for part in ([s.train for s in scores], [s.test for s in scores])]
    return Scores(tables[0] @ weights + center, tables[1] @ weights + center)


def join_fully(scores: Sequence[Scores], answers: np.ndarray, classes: int) -> Scores:
    """A multinomial logistic regression on all scores: a weight for each pair of score and class."""
    width = [s.train.std() + 1e-9 for s in scores]
    train = np.hstack([s.train / w for s, w in zip(scores, width, strict=True)])
    test = np.hstack([s.test / w for s, w in zip(scores, width, strict=True)])
    model = LogisticRegression(C=1.0, max_iter=500).fit(train, answers)
    return Scores(*[all_classes(model.predict_proba(table), model.classes_, classes) for table in (train, test)])


def join_shared(scores: Sequence[Scores], answers: np.ndarray, classes: int) -> Scores:
    """One non-negative weight a member, which also sets how sure the answer is: softmax of the weighted scores."""
    width = [s.train.std() + 1e-9 for s in scores]
    train = np.stack([s.train / w for s, w in zip(scores, width, strict=True)])
    right = np.arange(len(answers)), answers

    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        chances = softmax(np.tensordot(weights, train, 1))
        excess = chances.copy()
        excess[right] -= 1
        slope = np.tensordot(train, excess, ((1, 2), (0, 1))) / len(answers)
        return float(-np.log(np.maximum(chances[right], 1e-15)).mean()), slope

    start = np.full(len(scores), 2.0 / len(scores))
    weights = minimize(loss, start, jac=True, bounds=[(0, None)] * len(scores)).x
    test = np.stack([s.test / w for s, w in zip(scores, width, strict=True)])
    return Scores(softmax(np.tensordot(weights, train, 1)), softmax(np.tensordot(weights, test, 1)))


def softmax(scores: Any) -> np.ndarray:
    """Probabilities from scores, row by row."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def all_classes(chances: np.ndarray, present: np.ndarray, classes: int) -> np.ndarray:
    """Columns for classes that the model has not met (probability 0)."""
    full = np.zeros((len(chances), classes))
    full[:, present] = chances
    return full
