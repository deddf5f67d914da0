"""What a task is like in numbers: counts and shapes, and how far a few quick models come on a few rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from lightgbm import LGBMRegressor
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.tree import DecisionTreeRegressor

PROBE_ROWS = 240
"""Rows that each probe learns from, and as many at most that it is tried on."""
MOST_ROWS = 4_000
"""Of more rows only so many are looked at, or up to twice as many."""
PROBE_COLUMNS = 60
PROBED_CLASSES = 20
"""Rarer classes are one class for a probe."""
SPLITS = 3
"""Each is tried on so many splits, for one alone is noisy; what is compared with it on two."""
RIDGE = 3.0
"""Penalty of linear probes on scaled columns."""
NEAR = 12
"""Neighbours."""
SHAPE_ROWS = 2_000
"""Rows that shapes are taken from."""


def task_numbers(table: pd.DataFrame, kinds: dict[str, str], target: pd.Series, classes: bool) -> dict[str, float]:
    """Numbers of a task, each finite: of its columns, of its target, and of probes on its first target.

    `table` and `target` in the order of the file: a probe is tried on later rows and on rows among those learned from.
    """
    known = np.flatnonzero(target.notna().to_numpy())
    rows = len(known)
    known = known[:: max(1, rows // MOST_ROWS)]  # of many rows some, in their order
    table, target = table.iloc[known], target.iloc[known]
    numbers = column_numbers(table, kinds) | {"rows": float(rows)} | target_numbers(target, classes)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        numbers |= probe_numbers(table, kinds, target, classes)
    return {name: round(float(value), 4) for name, value in numbers.items() if np.isfinite(value)}


def column_numbers(table: pd.DataFrame, kinds: dict[str, str]) -> dict[str, float]:
    """Counts of rows and kinds of columns, and what their values are like."""
    some = table.head(SHAPE_ROWS)
    held = {kind: [name for name in kinds if kinds[name] == kind] for kind in ("number", "flag", "category", "text")}
    unique = [float(some[name].nunique()) for name in held["category"]] or [0.0]
    empty = some[list(kinds)].isna().mean().to_numpy() if kinds else np.zeros(1)
    words = [float(some[name].dropna().astype(str).str.count(r"\S+").mean()) for name in held["text"]] or [0.0]
    shapes = [shape_of(pd.to_numeric(some[name], errors="coerce")) for name in held["number"][:PROBE_COLUMNS]]
    return {
        "rows": float(len(table)),
        "columns": float(len(kinds)),
        **{f"{kind}_columns": float(len(names)) for kind, names in held.items()},
        "date_columns": float(sum(kind == "date" for kind in kinds.values())),
        "missing": float(empty.mean()),
        "missing_columns": float((empty > 0).mean()),
        "values_most": max(unique),
        "values_mean": float(np.mean(unique)),
        "words": max(words),
        "skewed": float(np.mean([skew > 1.0 for skew, _ in shapes])) if shapes else 0.0,
        "long_tails": float(np.mean([tail > 6.0 for _, tail in shapes])) if shapes else 0.0,
        "few_values": float(np.mean([some[name].nunique() <= 12 for name in held["number"]])) if shapes else 0.0,
    }


def shape_of(column: pd.Series) -> tuple[float, float]:
    """Absolute skewness and excess kurtosis."""
    values = column.dropna()
    return (abs(float(values.skew())), float(values.kurt())) if len(values) > 3 and values.std() > 0 else (0.0, 0.0)


def target_numbers(target: pd.Series, classes: bool) -> dict[str, float]:
    """How many classes of which sizes, or how numbers are spread."""
    if classes:
        shares = target.value_counts(normalize=True).to_numpy()
        even = float(-(shares * np.log(shares)).sum() / np.log(max(2, len(shares))))
        return {"classes": float(len(shares)), "rarest": float(shares.min()), "evenness": even}
    skew, tail = shape_of(pd.to_numeric(target, errors="coerce"))
    values = float(target.nunique()) / max(1, len(target))
    return {"classes": 0.0, "target_skew": skew, "target_tail": tail, "target_values": values}


def probe_numbers(table: pd.DataFrame, kinds: dict[str, str], target: pd.Series, classes: bool) -> dict[str, float]:
    """The mean skill (see `skill`) of each probe on other rows, of some with half the rows, and on later rows."""
    goals = probe_goals(target, classes)
    matrix = probe_matrix(table, kinds)
    splits = [split_rows(len(table), seed) for seed in range(SPLITS)]
    if len(splits[0][1]) < 8 or not goals.shape[1]:
        return {}
    found = {f"probe_{name}": mean_skill(probe, matrix, goals, splits) for name, probe in QUICK.items()}
    found["probe_trees"] = mean_skill(trees, matrix, goals, splits)
    found["probe_boost"] = mean_skill(boosting, matrix, goals[:, :1], splits)
    halves = [(learned[: len(learned) // 2], tested) for learned, tested in splits[:2]]
    found["probe_half"] = mean_skill(trees, matrix, goals, halves)
    found["probe_half_linear"] = mean_skill(linear, matrix, goals, halves)
    learned, tested = splits[0]
    late = np.arange(len(table))[-len(tested) :]
    early = np.arange(len(table) - len(late))[-PROBE_ROWS:]
    found["probe_late"] = mean_skill(trees, matrix, goals, [(early, late)])
    found["probe_late_linear"] = mean_skill(linear, matrix, goals, [(early, late)])
    categories = [name for name, kind in kinds.items() if kind == "category"]
    if categories:
        encoded = [with_means(matrix, table[categories], goals, learned) for learned, _ in splits]
        tries = [skill(linear, m, goals, *split) for m, split in zip(encoded, splits, strict=True)]
        found["probe_means"] = float(np.mean(tries))
    return found | text_probes(table, kinds, goals, splits) | relations(matrix, goals, learned)


def split_rows(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """At most PROBE_ROWS to learn from, and as many others at most to be tried on."""
    order = np.random.default_rng(seed).permutation(rows)
    tested = order[: min(PROBE_ROWS, rows // 3)]
    return order[len(tested) :][:PROBE_ROWS], tested


def probe_goals(target: pd.Series, classes: bool) -> np.ndarray:
    """Rows x goals: a column a class, the most frequent first; or numbers, the outermost percent cut, scaled."""
    if classes:
        text = target.astype(str)
        common = text.value_counts().index[:PROBED_CLASSES]
        return np.column_stack([(text == label).to_numpy(float) for label in common])
    values = pd.to_numeric(target, errors="coerce").to_numpy(float)
    values = np.nan_to_num(values, nan=float(np.nanmean(values)))
    values = np.clip(values, *np.quantile(values, [0.01, 0.99]))
    return ((values - values.mean()) / (values.std() or 1.0))[:, None]


def probe_matrix(table: pd.DataFrame, kinds: dict[str, str]) -> np.ndarray:
    """Rows x at most PROBE_COLUMNS: scaled numbers, and categories by how frequent each is and as columns."""
    columns: list[np.ndarray] = []
    for name, kind in kinds.items():
        if kind in ("number", "flag"):
            values = pd.to_numeric(table[name], errors="coerce").to_numpy(float)
            if np.isfinite(values).any() and kind == "number":
                columns.append(scaled(values))
                continue
        if kind in ("category", "flag"):
            text = table[name].astype(str)
            counts = text.value_counts()
            columns += [(text == value).to_numpy(float) for value in counts.index[:6]]
            if len(counts) > 6:
                columns.append(scaled(text.map(counts).to_numpy(float)))
        if kind == "text":
            columns.append(scaled(table[name].astype(str).str.len().to_numpy(float)))
    return np.column_stack(columns[:PROBE_COLUMNS]) if columns else np.zeros((len(table), 1))


def scaled(values: np.ndarray) -> np.ndarray:
    """Median for what is missing, mean 0, deviation 1, cut at four deviations."""
    values = np.where(np.isfinite(values), values, np.nan)
    filled = np.nan_to_num(values, nan=float(np.nanmedian(values)) if np.isfinite(values).any() else 0.0)
    return np.clip((filled - filled.mean()) / (filled.std() or 1.0), -4, 4)


Probe = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
"""Learned rows, their goals, tested rows -> guesses."""


def linear(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Ridge regression."""
    mean, middle = goals.mean(axis=0), x.mean(axis=0)
    x, tested = x - middle, tested - middle
    return tested @ np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ (goals - mean)) + mean


def strong(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Ridge regression with a strong penalty: the columns count for a fifth."""
    return linear(x / 5, goals, tested / 5)


def select(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Ridge regression on the eight columns that go most with any goal."""
    centred = (x - x.mean(axis=0)) / np.where(x.std(axis=0) > 0, x.std(axis=0), 1.0)
    best = np.argsort(-np.abs(centred.T @ (goals - goals.mean(axis=0))).max(axis=1), kind="stable")[:8]
    return linear(x[:, best], goals, tested[:, best])


def ranked(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Ridge regression on ranks of the columns."""
    both = pd.DataFrame(np.vstack([x, tested])).rank(pct=True).to_numpy() * 3.4 - 1.7
    return linear(both[: len(x)], goals, both[len(x) :])


def squares(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Ridge regression with squares and products of the first dozen columns."""
    one, other = np.triu_indices(min(12, x.shape[1]))
    wide, seen = (np.hstack([m, m[:, one] * m[:, other]]) for m in (x, tested))
    return linear(wide, goals, seen)


def kernel(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Kernel ridge regression with a Gaussian of the width of the data."""
    mean, width = goals.mean(axis=0), max(1.0, float(x.var(axis=0).sum()))
    inner = np.exp(-distances(x, x) / (2 * width))
    return (
        np.exp(-distances(tested, x) / (2 * width)) @ np.linalg.solve(inner + 0.3 * np.eye(len(x)), goals - mean) + mean
    )


def near(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """The mean of the nearest rows."""
    return goals[np.argsort(distances(tested, x), axis=1, kind="stable")[:, :NEAR]].mean(axis=1)


def near_few(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """The mean of the three nearest rows."""
    return goals[np.argsort(distances(tested, x), axis=1, kind="stable")[:, :3]].mean(axis=1)


def tree(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """One shallow decision tree."""
    return DecisionTreeRegressor(max_depth=4, random_state=0).fit(x, goals).predict(tested).reshape(len(tested), -1)


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared, each row of one to each of the other."""
    return np.maximum(0.0, (one**2).sum(axis=1)[:, None] + (other**2).sum(axis=1) - 2 * one @ other.T)


def trees(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Extremely randomised trees."""
    model = ExtraTreesRegressor(25, min_samples_leaf=2, random_state=0).fit(x, goals)
    return model.predict(tested).reshape(len(tested), -1)


def boosting(x: np.ndarray, goals: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """A few boosted trees on the first goal."""
    model = LGBMRegressor(n_estimators=40, num_leaves=6, min_child_samples=8, n_jobs=1, verbose=-1, random_state=0)
    return model.fit(x, goals[:, 0]).predict(tested)[:, None]


QUICK: dict[str, Probe] = {
    "linear": linear,
    "strong": strong,
    "select": select,
    "ranked": ranked,
    "squares": squares,
    "kernel": kernel,
    "near": near,
    "near_few": near_few,
    "tree": tree,
}


def mean_skill(
    probe: Probe, matrix: np.ndarray, goals: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]]
) -> float:
    """The mean over splits."""
    return float(np.mean([skill(probe, matrix, goals, *split) for split in splits]))


def skill(probe: Probe, matrix: np.ndarray, goals: np.ndarray, learned: np.ndarray, tested: np.ndarray) -> float:
    """1 for perfect, 0 for no better than a constant, at least -0.5: of squared errors, of class columns too."""
    if len(learned) < 16:
        return 0.0
    wrong = goals[tested] - probe(matrix[learned], goals[learned], matrix[tested])
    usual = goals[tested] - goals[learned].mean(axis=0)
    return float(np.clip(1.0 - (wrong**2).sum() / max(1e-9, (usual**2).sum()), -0.5, 1.0))


def with_means(matrix: np.ndarray, categories: pd.DataFrame, goals: np.ndarray, learned: np.ndarray) -> np.ndarray:
    """The matrix with smoothed means of the first goal a category; a learned row's own goal is left out of its."""
    columns, mean = [matrix], float(goals[learned, 0].mean())
    for name in categories:
        codes = pd.factorize(categories[name].astype(str), use_na_sentinel=False)[0]
        sums = np.bincount(codes[learned], goals[learned, 0], minlength=codes.max() + 1)
        counts = np.bincount(codes[learned], minlength=codes.max() + 1).astype(float)
        own = np.zeros(len(codes))
        own[learned] = 1.0
        means = (sums[codes] - own * goals[:, 0] + 4 * mean) / (counts[codes] - own + 4)
        columns.append(scaled(means)[:, None])
    return np.hstack(columns)


def text_probes(
    table: pd.DataFrame, kinds: dict[str, str], goals: np.ndarray, splits: list[tuple[np.ndarray, np.ndarray]]
) -> dict[str, float]:
    """What a linear model on words, and one on runs of characters, make of the longest text."""
    texts = [name for name, kind in kinds.items() if kind == "text"]
    if not texts:
        return {}
    some = table.head(50)
    longest = max(texts, key=lambda name: float(some[name].astype(str).str.len().mean()))
    learned, tested = splits[0]
    both = np.concatenate([learned, tested])
    written = table[longest].iloc[both].fillna("").astype(str).str.slice(0, 2_000).tolist()
    found: dict[str, float] = {}
    for name, options in {"words": {}, "characters": {"analyzer": "char_wb", "ngram_range": (2, 4)}}.items():
        terms = TfidfVectorizer(max_features=1_000, sublinear_tf=True, **options).fit_transform([*written, "of it"])
        rows = np.arange(len(both))
        split = rows[: len(learned)], rows[len(learned) :]
        found[f"probe_{name}"] = skill(linear, terms.toarray()[:-1] * 4, goals[both], *split)
    return found


def relations(matrix: np.ndarray, goals: np.ndarray, learned: np.ndarray) -> dict[str, float]:
    """How columns go with the first goal and with each other, by correlation of ranks."""
    ranks = pd.DataFrame(np.column_stack([matrix[learned], goals[learned, 0]])).rank().to_numpy()
    ranks = (ranks - ranks.mean(axis=0)) / np.where(ranks.std(axis=0) > 0, ranks.std(axis=0), 1.0)
    among = np.abs(ranks.T @ ranks) / len(ranks)
    with_target = np.sort(among[-1, :-1])[::-1]
    others = among[:-1, :-1][np.triu_indices(matrix.shape[1], 1)] if matrix.shape[1] > 1 else np.zeros(1)
    return {
        "strongest": float(with_target[0]),
        "related": float((with_target > 2.0 / np.sqrt(len(ranks))).mean()),
        "alike": float(np.quantile(others, 0.9)),
    }
