"""Fit probabilities to the metric: cut points and class weights, chosen on rows that the models had not learned."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from sklearn.metrics import balanced_accuracy_score, cohen_kappa_score, f1_score, matthews_corrcoef

Measure = Callable[[np.ndarray, np.ndarray], float]


def label_measure(metric: str) -> Measure | None:
    """The metric on class codes where its best labels are not simply the likeliest ones, else None."""
    found: dict[str, Measure] = {
        "f1": lambda y, p: float(f1_score(y, p, zero_division=0)),
        "f1_macro": lambda y, p: float(f1_score(y, p, average="macro", zero_division=0)),
        "f1_micro": lambda y, p: float(f1_score(y, p, average="micro", zero_division=0)),
        "f1_weighted": lambda y, p: float(f1_score(y, p, average="weighted", zero_division=0)),
        "balanced_accuracy": lambda y, p: float(balanced_accuracy_score(y, p)),
        "matthews": lambda y, p: float(matthews_corrcoef(y, p)),
        "quadratic_weighted_kappa": lambda y, p: float(cohen_kappa_score(y, p, weights="quadratic")),
    }
    return found.get(metric)


def decide(
    test: np.ndarray,
    train: np.ndarray,
    answers: np.ndarray,
    problem: str,
    output: str,
    metric: str,
    classes: Sequence[str],
) -> np.ndarray:
    """Test predictions as the metric likes them best: class codes (rows,) where labels are wanted, else the same shape.

    `train`: predictions of train's rows while they were kept back (rows with NaN are left out); `answers`: the truth.
    """
    seen = np.isfinite(train).reshape(len(train), -1).all(axis=1)
    train, answers = train[seen], answers[seen]
    if metric == "balanced_log_loss" and problem in ("binary", "multiclass"):
        return _balanced(test, answers)
    measure = label_measure(metric)
    if output != "labels" or measure is None or problem == "regression":
        return test
    if problem == "multilabel":
        return _cut_labels(test, train, answers)
    if metric == "quadratic_weighted_kappa":
        return _ordered(test, train, answers, measure)
    if len(classes) == 2:
        cut = best_cut(train[:, 1], answers, measure)
        return (test[:, 1] >= cut).astype(int)
    return _weighted(test, train, answers, measure)


def _balanced(test: np.ndarray, answers: np.ndarray) -> np.ndarray:
    shares = np.bincount(answers, minlength=test.shape[1]) / len(answers)
    weighted = test / np.maximum(shares, 1e-6)
    return weighted / weighted.sum(axis=1, keepdims=True)


def best_cut(chances: np.ndarray, answers: np.ndarray, measure: Measure) -> float:
    """The threshold with the best measure, smoothed over its neighbours against chance."""
    cuts = np.unique(np.quantile(chances, np.linspace(0.01, 0.99, 99)))
    values = np.array([measure(answers, (chances >= cut).astype(int)) for cut in cuts])
    smooth = np.convolve(np.pad(values, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    return float(cuts[smooth.argmax()])


def _cut_labels(test: np.ndarray, train: np.ndarray, answers: np.ndarray) -> np.ndarray:
    measure = label_measure("f1")
    assert measure is not None
    cuts = [best_cut(train[:, k], answers[:, k].astype(int), measure) for k in range(test.shape[1])]
    return (test >= np.array(cuts)).astype(float)


def _weighted(test: np.ndarray, train: np.ndarray, answers: np.ndarray, measure: Measure) -> np.ndarray:
    """Rare classes are raised by a power of their share, the power with the best measure."""
    shares = np.bincount(answers, minlength=test.shape[1]) / len(answers)
    powers = np.linspace(0, 1, 11)
    weights = [np.maximum(shares, 1e-6) ** -power for power in powers]
    values = [measure(answers, (train * weight).argmax(axis=1)) for weight in weights]
    return (test * weights[int(np.argmax(values))]).argmax(axis=1)


def _ordered(test: np.ndarray, train: np.ndarray, answers: np.ndarray, measure: Measure) -> np.ndarray:
    """Classes with an order: cut the expected class number where the measure is best, one cut after the other."""
    steps = np.arange(test.shape[1])
    expected, wanted = train @ steps, test @ steps
    cuts = steps[:-1] + 0.5
    for _ in range(3):
        for place in range(len(cuts)):
            tries = [
                np.sort(np.r_[cuts[:place], cuts[place] + move, cuts[place + 1 :]])
                for move in np.linspace(-0.3, 0.3, 13)
            ]
            values = [measure(answers, np.digitize(expected, option)) for option in tries]
            cuts = tries[int(np.argmax(values))]
    return np.digitize(wanted, cuts)
