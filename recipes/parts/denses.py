"""Dense features: tables as plain numbers, themes of texts, and models that learn from them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import QuantileTransformer, StandardScaler
from sklearn.svm import SVC, SVR

from recipes.parts.derive import derive_features
from recipes.parts.files import cpus, seed
from recipes.parts.stack import Learn, Score
from recipes.parts.termmodels import centered

Block = tuple[np.ndarray, np.ndarray]
"""Dense features of train and of test."""
KERNEL_ROWS = 6000
"""Rows that a kernel machine learns from at most."""


def column_table(
    train: pd.DataFrame, test: pd.DataFrame, key: str | None, drop: Sequence[str], safe: bool
) -> tuple[np.ndarray, np.ndarray] | None:
    """Columns of the table as numbers (categories as codes, rarest last), or None where there are none."""
    features = derive_features(train, test, key, drop, safe)
    if features.train.shape[1] == 0:
        return None
    both = pd.concat([features.train, features.test], ignore_index=True)
    for name in features.categories:
        order = both[name].value_counts().index
        both[name] = both[name].map({value: code for code, value in enumerate(order)})
    numbers = both.astype(float).to_numpy()
    return numbers[: len(train)], numbers[len(train) :]


def themes(matrix: tuple[Any, Any], width: int) -> tuple[np.ndarray, np.ndarray]:
    """Main directions of a matrix of terms (latent semantic analysis), from train and test together."""
    from_train, from_test = matrix
    size = min(width, from_train.shape[1] - 1, from_train.shape[0] - 1)
    if size < 1:
        return np.zeros((from_train.shape[0], 0)), np.zeros((from_test.shape[0], 0))
    model = TruncatedSVD(size, n_iter=4, random_state=seed()).fit(from_train)
    return model.transform(from_train), model.transform(from_test)


def scaled_blocks(blocks: Sequence[tuple[Block, float]]) -> Block:
    """Blocks of features side by side, centred, with the standard deviation that goes with their block; gaps are 0."""
    trains, tests = [], []
    for (train, test), weight in blocks:
        scaler = StandardScaler().fit(train)
        trains.append(np.nan_to_num(scaler.transform(train)) * weight)
        tests.append(np.clip(np.nan_to_num(scaler.transform(test)), -8, 8) * weight)
    return np.hstack(trains), np.hstack(tests)


def evened(block: Block) -> Block:
    """Each column by its rank in train, spread like a normal distribution; gaps are 0."""
    train, test = block
    spread = QuantileTransformer(n_quantiles=min(100, len(train)), output_distribution="normal", random_state=0).fit(
        train
    )
    return np.nan_to_num(spread.transform(train)), np.nan_to_num(spread.transform(test))


def main_directions(block: Block, width: int) -> Block:
    """Principal components, from train and test together; gaps are the column's mean."""
    both = np.vstack(block)
    both = np.where(np.isfinite(both), both, np.nan_to_num(np.nanmean(both, axis=0)))
    found = PCA(min(width, *both.shape), svd_solver="randomized", random_state=seed()).fit_transform(both)
    return found[: len(block[0])], found[len(block[0]) :]


def boosted(rounds: int, rate: float, leaves: int = 15, share: float = 0.3) -> Learn:
    """LightGBM with a fixed number of rounds."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        present = np.unique(answers) if classes else np.zeros(0, dtype=int)
        options: dict[str, Any] = {
            "objective": "regression" if not classes else "binary" if len(present) == 2 else "multiclass",
            "learning_rate": rate, "num_leaves": leaves, "min_child_samples": 20, "feature_fraction": share,
            "bagging_fraction": 0.7, "bagging_freq": 1, "lambda_l2": 5.0, "num_threads": cpus(), "seed": seed(),
            "deterministic": True, "force_row_wise": True, "verbosity": -1,
            **({"num_class": len(present)} if len(present) > 2 else {}),
        }  # fmt: skip
        labels = np.searchsorted(present, answers) if classes else answers
        model = lightgbm.train(options, lightgbm.Dataset(np.asarray(rows), labels), rounds)

        def score(rows: Any) -> np.ndarray:
            raw = np.asarray(model.predict(np.asarray(rows), raw_score=True))
            return centered(raw, present, classes) if classes else raw

        return score

    return fit


def kernel_machine(strength: float, width: float) -> Learn:
    """Support vector regression with a radial kernel; `width` over the number of features is its gamma."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        few = np.sort(np.random.default_rng(seed()).permutation(len(rows))[:KERNEL_ROWS])
        model = SVR(C=strength, gamma=width / rows.shape[1], cache_size=500).fit(rows[few], answers[few])
        return lambda rows: np.asarray(model.predict(rows))

    return fit


def dense_ridge(penalty: float) -> Learn:
    """Ridge regression with an intercept."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        model = Ridge(penalty).fit(rows, answers)
        return lambda rows: np.asarray(model.predict(rows))

    return fit


def dense_logistic(strength: float) -> Learn:
    """Multinomial logistic regression."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        model = LogisticRegression(C=strength, max_iter=300, tol=1e-3).fit(rows, answers)
        return lambda rows: centered(model.decision_function(rows), model.classes_, classes)

    return fit


def discriminant(shrinkage: float) -> Learn:
    """Linear discriminant analysis with a shrunk covariance: strong where there are many classes of few rows."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        model = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage).fit(rows, answers)
        return lambda rows: centered(model.decision_function(rows), model.classes_, classes)

    return fit


def kernel_classes(strength: float, width: float) -> Learn:
    """Support vector machine with a radial kernel; `width` over the number of features is its gamma."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        few = np.sort(np.random.default_rng(seed()).permutation(len(rows))[:KERNEL_ROWS])
        model = SVC(C=strength, gamma=width / rows.shape[1], cache_size=500).fit(rows[few], answers[few])
        return lambda rows: centered(model.decision_function(rows), model.classes_, classes)

    return fit


def random_trees(count: int) -> Learn:
    """Extremely randomised trees; scores are logarithms of smoothed shares."""

    def fit(rows: Any, answers: np.ndarray, classes: int) -> Score:
        kind = ExtraTreesClassifier if classes else ExtraTreesRegressor
        model = kind(count, max_features=0.3 if not classes else "sqrt", min_samples_leaf=1 if len(rows) < 5000 else 3,
                     n_jobs=cpus(), random_state=seed()).fit(rows, answers)  # fmt: skip
        if not classes:
            return lambda rows: np.asarray(model.predict(rows))
        return lambda rows: centered(np.log(model.predict_proba(rows) + 0.5 / count), model.classes_, classes)

    return fit
