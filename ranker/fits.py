"""The models that compositions name, small enough for thousands of fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lightgbm import LGBMClassifier, LGBMRegressor
from sklearn.kernel_approximation import Nystroem
from sklearn.linear_model import BayesianRidge, Lasso, LogisticRegression, Ridge
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

QUIET: dict[str, Any] = {"n_jobs": 1, "verbose": -1, "random_state": 0, "min_child_samples": 10}
FOREST = QUIET | {"boosting_type": "rf", "subsample": 0.63, "subsample_freq": 1, "n_estimators": 20, "num_leaves": 32}
"""LightGBM's random forest: much quicker on few rows than others."""
TREES: dict[str, dict[str, Any]] = {
    "forest": FOREST | {"min_child_samples": 2, "colsample_bynode": 0.4},
    "forest_smooth": FOREST | {"min_child_samples": 12, "colsample_bynode": 0.4},
    "extra": FOREST | {"min_child_samples": 2, "extra_trees": True, "colsample_bynode": 0.7, "subsample": 0.9},
    "boost_few": QUIET | {"n_estimators": 30, "num_leaves": 5},
    "boost_slow": QUIET | {"n_estimators": 60, "learning_rate": 0.08, "num_leaves": 10, "colsample_bytree": 0.5},
    "boost_deep": QUIET | {"n_estimators": 30, "learning_rate": 0.25, "num_leaves": 24, "min_child_samples": 5},
}
CLASSIFIERS: dict[str, Callable[[], Any]] = {
    "linear_strong": lambda: LogisticRegression(C=0.02, max_iter=60),
    "linear_weak": lambda: LogisticRegression(C=20.0, max_iter=100),
    "lasso": lambda: LogisticRegression(l1_ratio=1.0, C=0.3, solver="saga", max_iter=30, random_state=0),
    "near_few": lambda: KNeighborsClassifier(3),
    "near_many": lambda: KNeighborsClassifier(25, weights="distance"),
    "bayes": GaussianNB,
    "kernel": lambda: make_pipeline(Nystroem(n_components=100, random_state=0), LogisticRegression(max_iter=60)),
    "tree": lambda: DecisionTreeClassifier(max_depth=4, random_state=0),
    "network": lambda: MLPClassifier(hidden_layer_sizes=(32,), alpha=0.01, max_iter=30, random_state=0),
}
REGRESSORS: dict[str, Callable[[], Any]] = {
    "linear_strong": lambda: Ridge(100.0),
    "linear_weak": lambda: Ridge(0.1),
    "lasso": lambda: Lasso(0.03, max_iter=200),
    "near_few": lambda: KNeighborsRegressor(3),
    "near_many": lambda: KNeighborsRegressor(25, weights="distance"),
    "bayes": BayesianRidge,
    "kernel": lambda: SVR(C=2.0),
    "tree": lambda: DecisionTreeRegressor(max_depth=4, random_state=0),
    "network": lambda: MLPRegressor(hidden_layer_sizes=(32,), alpha=0.01, max_iter=30, random_state=0),
}


def model(choice: str, classes: bool) -> Any:
    """An unfitted model; numbers to predict have mean 0 and deviation 1."""
    if choice in TREES:
        return (LGBMClassifier if classes else LGBMRegressor)(**TREES[choice])
    return (CLASSIFIERS if classes else REGRESSORS)[choice]()
