"""Models on sparse matrices of terms: naive Bayes, log-count ratios, logistic and ridge regression."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC

from recipes.parts.stack import Learn, Score


def centered(scores: np.ndarray, present: np.ndarray, classes: int) -> np.ndarray:
    """Scores (rows, classes) about their row's mean; two-class models give one column, the second class's."""
    table = scores if scores.ndim == 2 else np.column_stack([-scores, scores]) / 2
    table = table - table.mean(axis=1, keepdims=True)
    if len(present) == classes:
        return np.asarray(table)
    full = np.full((len(table), classes), table.min(axis=1, keepdims=True) - 1.0)
    full[:, present] = table
    return full


def bayes(alpha: float) -> Learn:
    """Multinomial naive Bayes; scores are divided by the root of the length, for long texts are not so much surer."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        model = MultinomialNB(alpha=alpha).fit(rows, answers)

        def score(rows: Any) -> np.ndarray:
            length = np.sqrt(np.asarray(rows.sum(axis=1)).ravel() + 1.0)
            joint = model.predict_joint_log_proba(rows)
            return centered(joint - joint.mean(axis=1, keepdims=True), model.classes_, classes) / length[:, None]

        return score

    return fit


def ratios(strength: float, alpha: float, binary: bool) -> Learn:
    """Each class against the rest: terms weighted by their log-count ratio, then a linear model.

    Wang and Manning, "Baselines and Bigrams" (ACL 2012), with logistic loss.
    """

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        seen = _binary(rows) if binary else rows
        present = np.unique(answers)
        parts = [
            _ratio_model(seen, answers == c, strength, alpha) for c in (present if len(present) > 2 else present[1:])
        ]

        def score(rows: Any) -> np.ndarray:
            seen = _binary(rows) if binary else rows
            found = np.column_stack([model.decision_function(seen @ weights) for weights, model in parts])
            return centered(found[:, 0] if len(parts) == 1 else found, present, classes)

        return score

    return fit


def _binary(rows: Any) -> Any:
    return (rows > 0).astype(np.float32)


def _ratio_model(rows: Any, own: np.ndarray, strength: float, alpha: float) -> tuple[Any, Any]:
    inside = np.asarray(rows[own].sum(axis=0)).ravel() + alpha
    outside = np.asarray(rows[~own].sum(axis=0)).ravel() + alpha
    ratio = np.log(inside / inside.sum()) - np.log(outside / outside.sum())
    weights = sparse.diags(ratio.astype(np.float32))
    model = LogisticRegression(C=strength, solver="liblinear", dual=True, tol=0.01, max_iter=100, random_state=0)
    return weights, model.fit(rows @ weights, own)


def logistic(strength: float) -> Learn:
    """Multinomial logistic regression."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        model = LogisticRegression(C=strength, tol=1e-3, max_iter=200).fit(rows, answers)
        return lambda rows: centered(model.decision_function(rows), model.classes_, classes)

    return fit


def margins(strength: float) -> Learn:
    """Linear support vector machine, each class against the rest."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        model = LinearSVC(C=strength, random_state=0).fit(rows, answers)
        return lambda rows: centered(model.decision_function(rows), model.classes_, classes)

    return fit


def ridge(penalty: float) -> Learn:
    """Ridge regression of numbers on sparse or dense rows."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        center = answers.mean()
        solver = "sparse_cg" if sparse.issparse(rows) else "auto"
        model = Ridge(penalty, solver=solver, fit_intercept=not sparse.issparse(rows)).fit(rows, answers - center)
        return lambda rows: np.asarray(model.predict(rows) + center)

    return fit
