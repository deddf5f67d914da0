"""Boosted trees: one fit on one fold, with the number of rounds found on the rows kept back."""

from __future__ import annotations

from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import xgboost
from catboost import CatBoostClassifier, CatBoostRegressor, Pool

from recipes.parts.bagging import Outcome
from recipes.parts.derive import Features
from recipes.parts.files import cpus, seed
from recipes.parts.goals import Goal


def with_codes(features: Features) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features for LightGBM and XGBoost: categories as pandas categories, the same in train and test."""
    train, test = features.train.copy(), features.test.copy()
    for name in features.categories:
        values = sorted(pd.concat([train[name], test[name]]).dropna().unique())
        train[name] = pd.Categorical(train[name], categories=values)
        test[name] = pd.Categorical(test[name], categories=values)
    plain = {name: f"f{number}" for number, name in enumerate(train.columns)}
    return train.rename(columns=plain), test.rename(columns=plain)


def with_words(features: Features) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features for CatBoost: categories as text, a missing one as a value of its own."""
    tables = []
    for table in (features.train, features.test):
        filled = table.copy()
        for name in features.categories:
            filled[name] = filled[name].astype(object).where(filled[name].notna(), "missing").astype(str)
        tables.append(filled)
    return tables[0], tables[1]


def fit_lightgbm(
    goal: Goal,
    train: pd.DataFrame,
    test: pd.DataFrame,
    learn: np.ndarray,
    check: np.ndarray,
    rounds: int,
    **options: Any,
) -> Outcome:
    """One LightGBM with early stopping on the `check` rows."""
    objective = {0: "regression_l1" if goal.absolute else "regression", 2: "binary"}.get(goal.classes, "multiclass")
    settings = {
        "objective": objective,
        "learning_rate": 0.05,
        "num_leaves": 31,
        "min_child_samples": 20,
        "feature_fraction": 0.7,
        "bagging_fraction": 0.8,
        "bagging_freq": 1,
        "lambda_l2": 1.0,
        "cat_smooth": 10,
        "num_threads": cpus(),
        "seed": seed(),
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
        **({"num_class": goal.classes} if goal.classes > 2 else {}),
        **options,
    }
    data = lightgbm.Dataset(train.iloc[learn], goal.answers[learn], free_raw_data=True)
    watch = lightgbm.Dataset(train.iloc[check], goal.answers[check], reference=data)
    stop = lightgbm.early_stopping(max(20, int(4 / settings["learning_rate"])), verbose=False)
    model = lightgbm.train(settings, data, rounds, valid_sets=[watch], callbacks=[stop])
    found = [model.predict(table, num_iteration=model.best_iteration) for table in (train.iloc[check], test)]
    return Outcome(*[two_columns(goal, values) for values in found])


def fit_xgboost(
    goal: Goal,
    train: pd.DataFrame,
    test: pd.DataFrame,
    learn: np.ndarray,
    check: np.ndarray,
    rounds: int,
    **options: Any,
) -> Outcome:
    """One XGBoost with early stopping on the `check` rows."""
    objective = {0: "reg:absoluteerror" if goal.absolute else "reg:squarederror", 2: "binary:logistic"}
    settings = {
        "objective": objective.get(goal.classes, "multi:softprob"),
        "eta": 0.05,
        "max_depth": 6,
        "min_child_weight": 3,
        "subsample": 0.8,
        "colsample_bytree": 0.6,
        "lambda": 2.0,
        "max_bin": 256,
        "tree_method": "hist",
        "nthread": cpus(),
        "seed": seed(),
        **({"num_class": goal.classes} if goal.classes > 2 else {}),
        **options,
    }
    data = xgboost.QuantileDMatrix(train.iloc[learn], goal.answers[learn], enable_categorical=True)
    watch = xgboost.QuantileDMatrix(train.iloc[check], goal.answers[check], enable_categorical=True, ref=data)
    patience = max(20, int(4 / settings["eta"]))
    model = xgboost.train(
        settings, data, rounds, evals=[(watch, "check")], early_stopping_rounds=patience, verbose_eval=False
    )
    best = (0, model.best_iteration + 1)
    after = xgboost.DMatrix(test, enable_categorical=True)
    found = [model.predict(table, iteration_range=best) for table in (watch, after)]
    return Outcome(*[two_columns(goal, values) for values in found])


def fit_catboost(
    goal: Goal,
    train: pd.DataFrame,
    test: pd.DataFrame,
    learn: np.ndarray,
    check: np.ndarray,
    rounds: int,
    **options: Any,
) -> Outcome:
    """One CatBoost with early stopping on the `check` rows."""
    names = [name for name in train if not pd.api.types.is_numeric_dtype(train[name])]
    settings = {
        "iterations": rounds,
        "learning_rate": 0.08,
        "depth": 6,
        "loss_function": {0: "MAE" if goal.absolute else "RMSE", 2: "Logloss"}.get(goal.classes, "MultiClass"),
        "bootstrap_type": "Bernoulli",
        "subsample": 0.8,
        "random_seed": seed(),
        "thread_count": cpus(),
        "early_stopping_rounds": 60,
        "max_ctr_complexity": 1,
        "one_hot_max_size": 16,
        "allow_writing_files": False,
        "verbose": False,
        **options,
    }
    model = (CatBoostClassifier if goal.classes else CatBoostRegressor)(**settings)
    data = Pool(train.iloc[learn], goal.answers[learn], cat_features=names)
    watch = Pool(train.iloc[check], goal.answers[check], cat_features=names)
    model.fit(data, eval_set=watch, use_best_model=True)
    tables = (watch, Pool(test, cat_features=names))
    found = [model.predict_proba(table) if goal.classes else model.predict(table) for table in tables]
    return Outcome(*[np.asarray(values) for values in found])


def two_columns(goal: Goal, values: np.ndarray) -> np.ndarray:
    """Probabilities of both classes where only those of the second are given."""
    return np.column_stack([1 - values, values]) if goal.classes == 2 and values.ndim == 1 else values
