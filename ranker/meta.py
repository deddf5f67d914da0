"""The meta-feature model: boosted trees on a task's numbers and the terms of an instruction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import lightgbm
import numpy as np

from ranker.averages import Averages
from ranker.outcomes import Outcomes
from ranker.records import InstructionRecord, TaskRecord
from ranker.terms import TERMS, terms
from ranker.words import PROBES

ROUNDS = 700
PARAMETERS: dict[str, object] = {
    "objective": "regression",
    "learning_rate": 0.04,
    "num_leaves": 31,
    "min_data_in_leaf": 30,
    "feature_fraction": 0.35,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
}
FEW_ROWS = 10_000
NUMBERS = (
    *["rows", "columns", "number_columns", "flag_columns", "category_columns", "text_columns", "date_columns"],
    *["missing", "missing_columns", "values_most", "values_mean", "words", "skewed", "long_tails", "few_values"],
    *["classes", "rarest", "evenness", "target_skew", "target_tail", "target_values", "strongest", "related", "alike"],
    *(f"probe_{name}" for name in PROBES),
    *["probe_half", "probe_half_linear", "probe_late", "probe_late_linear"],
)
"""Of a task; what is missing is missing for the trees, too."""
METRICS = ("log_loss", "roc_auc", "accuracy", "rmse", "mae")


OWN: dict[str, tuple[str, ...]] = {
    "linear": ("linear", "ranked"),
    "lasso": ("select", "linear"),
    "strong_penalty": ("strong",),
    "neighbours": ("near", "near_few"),
    "few_neighbours": ("near_few",),
    "bayes": ("strong", "near"),
    "kernel": ("kernel",),
    "single_tree": ("tree",),
    "forest": ("trees", "boost"),
    "extra_trees": ("trees",),
    "boosting": ("boost", "trees"),
    "network": ("kernel", "linear"),
}
"""The probes that are most like what a model term names."""


def own_skill(numbers: Mapping[str, float], named: Sequence[int]) -> float:
    """The best mean skill of the probes that stand for a model which the instruction names; NaN for none."""
    found = []
    for name, there in zip(TERMS, named, strict=True):
        skills = [numbers[f"probe_{probe}"] for probe in OWN.get(name, ()) if f"probe_{probe}" in numbers]
        if there and skills:
            found.append(float(np.mean(skills)))
    return max(found, default=float("nan"))


def features(task: TaskRecord, metric: str, instructions: Sequence[InstructionRecord]) -> np.ndarray:
    """(instructions, features): numbers of the task, leads of probes over the mean probe, metric, terms, own probe."""
    numbers = [task.numbers.get(name, np.nan) for name in NUMBERS]
    found = [task.numbers[f"probe_{name}"] for name in PROBES if f"probe_{name}" in task.numbers]
    mean, best = (float(np.mean(found)), max(found)) if found else (np.nan, np.nan)
    leads = [task.numbers.get(f"probe_{name}", np.nan) - mean for name in PROBES]
    shared = [*numbers, *leads, *(float(metric == name) for name in METRICS)]
    rows = []
    for instruction in instructions:
        named = terms(instruction.text)
        own = own_skill(task.numbers, named)
        rows.append([*shared, *named, own, own - mean, own - best])
    return np.array(rows)


def feature_names() -> list[str]:
    """The columns of `features`."""
    leads = [f"lead_{name}" for name in PROBES]
    return [*NUMBERS, *leads, *METRICS, *(f"says_{name}" for name in TERMS), "own", "own_over_mean", "own_under_best"]


def rank_targets(task: Outcomes) -> np.ndarray:
    """The value less its mean and the rank from -0.5 to 0.5, added: regret and pairs both count."""
    order = np.argsort(np.argsort(task.worth, kind="stable"), kind="stable")
    return np.asarray(task.value - task.value.mean() + order / max(1, len(order) - 1) - 0.5)


def settings(rows: int, seed: int) -> dict[str, object]:
    """PARAMETERS for so many outcomes: threads that wait for one another make few of them slower, not quicker."""
    return {**PARAMETERS, "seed": seed, "num_threads": 1 if rows < FEW_ROWS else 2}


def fit_meta(tasks: Sequence[Outcomes], averages: Averages, seed: int, rounds: int = ROUNDS) -> lightgbm.Booster:
    """Boosted trees that tell how much better an instruction is on a task than it is on average."""
    table = np.vstack([features(t.task, t.metric, t.instructions) for t in tasks])
    usual = np.concatenate([averages.expected(t.instructions) for t in tasks])
    targets = np.concatenate([rank_targets(t) for t in tasks]) - usual
    data = lightgbm.Dataset(table, targets, feature_name=feature_names())
    return lightgbm.train(settings(len(table), seed), data, rounds)


def predict(booster: lightgbm.Booster, table: np.ndarray) -> np.ndarray:
    """(instructions,), higher is better."""
    return np.asarray(booster.predict(table, num_threads=1))


def explain(booster: lightgbm.Booster, row: np.ndarray) -> Mapping[str, float]:
    """What each feature adds to one prediction (TreeSHAP, Lundberg et al. 2020, as LightGBM computes it)."""
    added = np.asarray(booster.predict(row[None, :], pred_contrib=True, num_threads=1))[0][:-1]
    return dict(zip(feature_names(), added.tolist(), strict=True))
