"""What a composition makes of a table: one matrix of numbers, quick enough for thousands of tasks.

Steps that see no target are done once for all rows, as one may where the test rows are at hand; the others a fold.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

import numpy as np
import pandas as pd
from scipy.stats import norm
from sklearn.cluster import KMeans
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import f_classif, f_regression

from ranker.compositions import Composition

MOST_WIDE = 12
"""Columns that are multiplied with each other at most, the most varied ones."""
WORDS = 150
"""Terms of a text that are kept."""
MOST_VALUES = 40
"""Values of a category that get a column."""
SELECTED = 10
SMOOTH = 5.0
"""Rows' worth of the overall mean in a category's mean (m-estimate, Micci-Barreca 2001)."""


class Matrices:
    """The table of one task, and what was made of it so far."""

    def __init__(self, table: pd.DataFrame, classes: bool) -> None:
        self.table, self.classes = table, classes
        self._made: dict[tuple[str, ...], np.ndarray] = {}

    @cached_property
    def numbers(self) -> np.ndarray:
        """Rows x number columns, NaN where a cell is empty."""
        names = [n for n in self.table if self.table[n].dtype not in ("string", "category")]
        return self.table[names].to_numpy(float)

    @cached_property
    def codes(self) -> np.ndarray:
        """Rows x category columns; -1 where a cell is empty."""
        names = [name for name in self.table if self.table[name].dtype == "category"]
        found = [self.table[name].cat.codes.to_numpy(int) for name in names]
        return np.column_stack(found) if found else np.zeros((len(self.table), 0), int)

    @cached_property
    def texts(self) -> list[list[str]]:
        """The text columns."""
        names = [name for name in self.table if self.table[name].dtype == "string"]
        return [self.table[name].fillna("").astype(str).tolist() for name in names]

    def whole(self, plan: Composition) -> np.ndarray:
        """All that needs no target."""
        return self._once(("whole", *plan_key(plan)), lambda: self._whole(plan))

    def fold(self, plan: Composition, target: np.ndarray, train: np.ndarray) -> np.ndarray:
        """The matrix of all rows, with what was learned from the targets of `train`."""
        matrix = self.whole(plan)
        if plan.categories == "target" and self.codes.shape[1]:
            matrix = np.hstack([matrix, target_means(self.codes, target, train, self.classes)])
        if plan.features == "select" and matrix.shape[1] > SELECTED:
            test = f_classif if self.classes else f_regression
            strength = np.nan_to_num(test(matrix[train], target[train])[0])
            matrix = matrix[:, np.argsort(-strength, kind="stable")[:SELECTED]]
        return matrix

    def _whole(self, plan: Composition) -> np.ndarray:
        blocks = [self._once(("numbers", plan.numbers, plan.missing), lambda: fill_and_scale(self.numbers, plan))]
        if plan.categories not in ("drop", "target"):
            blocks.append(self._once(("codes", plan.categories), lambda: encode(self.codes, plan.categories)))
        for place, text in enumerate(self.texts):
            blocks.append(self._once(("text", str(place), plan.texts), lambda text=text: vectors(text, plan.texts)))  # type: ignore[misc]
        matrix = np.hstack(blocks)
        matrix = matrix[:, matrix.std(axis=0) > 0]
        if not matrix.shape[1]:  # nothing but categories that are left out: their codes are the least
            matrix = self.codes.astype(float) if self.codes.shape[1] else np.zeros((len(self.table), 1))
        return ADDED[plan.features](matrix)

    def _once(self, key: tuple[str, ...], make: Callable[[], np.ndarray]) -> np.ndarray:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]


def plan_key(plan: Composition) -> tuple[str, ...]:
    """What the matrix of all rows depends on."""
    features = "none" if plan.features == "select" else plan.features
    return plan.categories, plan.numbers, plan.missing, plan.texts, features


def fill_and_scale(numbers: np.ndarray, plan: Composition) -> np.ndarray:
    """Fill gaps, then scale."""
    gaps = np.isnan(numbers)
    middle = np.array([np.nanmedian(c) if not np.isnan(c).all() else 0.0 for c in numbers.T])
    filled = np.where(gaps, -999.0 if plan.missing == "constant" else middle, numbers)
    made = SCALES[plan.numbers](filled)
    return np.hstack([made, gaps.astype(float)]) if plan.missing == "flagged" else made


def standard(values: np.ndarray) -> np.ndarray:
    """Each column with mean 0 and deviation 1."""
    spread = values.std(axis=0)
    return np.asarray((values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def ranks(values: np.ndarray) -> np.ndarray:
    """Each column as normal quantiles of its ranks."""
    if not values.shape[1]:
        return values
    return np.asarray(norm.ppf((pd.DataFrame(values).rank().to_numpy() - 0.5) / len(values)))


def bins(values: np.ndarray) -> np.ndarray:
    """Ten quantile bins of each column, a column each."""
    made = []
    for column in values.T:
        edges = np.unique(np.quantile(column, np.linspace(0, 1, 11)[1:-1]))
        made.append(np.searchsorted(edges, column)[:, None] == np.arange(len(edges) + 1))
    return np.hstack(made).astype(float) if made else values


SCALES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "raw": lambda values: values,
    "standard": standard,
    "ranks": ranks,
    "log": lambda values: standard(np.sign(values) * np.log1p(np.abs(values))),
    "bins": bins,
}


def encode(codes: np.ndarray, choice: str) -> np.ndarray:
    """Categories as codes, shares of rows, or a column each of the most frequent values."""
    if choice == "ordinal" or not codes.shape[1]:
        return codes.astype(float)
    made = []
    for column in codes.T:
        values, counts = np.unique(column, return_counts=True)
        if choice == "frequency":
            made.append((counts / len(column))[np.searchsorted(values, column)][:, None])
        else:
            common = values[np.argsort(-counts, kind="stable")[:MOST_VALUES]]
            made.append((column[:, None] == common).astype(float))
    return np.hstack(made)


def target_means(codes: np.ndarray, target: np.ndarray, train: np.ndarray, classes: bool) -> np.ndarray:
    """Smoothed means of the target a category; rows of `train` get those of the other half of `train`."""
    kinds = int(target.max()) + 1 if classes else 0
    goals = (target[:, None] == np.arange(1, kinds)).astype(float) if kinds > 1 else target[:, None].astype(float)
    halves = [train[::2], train[1::2]]
    made = []
    for column in codes.T:
        size = int(codes.max()) + 2
        block = means(column, goals, train, size)
        for one, other in (halves, halves[::-1]):
            block[one] = means(column, goals, other, size)[one]
        made.append(block)
    return np.hstack(made)


def means(column: np.ndarray, goals: np.ndarray, rows: np.ndarray, size: int) -> np.ndarray:
    """The mean of each goal a category, drawn towards the overall mean, for every row."""
    places = column[rows] + 1
    counts = np.bincount(places, minlength=size)
    found = []
    for goal in goals.T:
        sums = np.bincount(places, goal[rows], minlength=size)
        found.append(((sums + SMOOTH * goal[rows].mean()) / (counts + SMOOTH))[column + 1])
    return np.column_stack(found)


def vectors(text: list[str], choice: str) -> np.ndarray:
    """A text column as numbers."""
    if choice == "lengths":
        size = np.array([len(t) for t in text], float)
        count = np.array([len(t.split()) for t in text], float)
        marks = np.array([sum(not c.isalnum() and not c.isspace() for c in t) for t in text], float)
        return np.column_stack([size, count, size / (count + 1), marks])
    options = {"analyzer": "char_wb", "ngram_range": (2, 4)} if choice == "characters" else {}
    terms = TfidfVectorizer(max_features=WORDS, sublinear_tf=True, min_df=2, **options).fit_transform(text)
    if choice == "themes":
        return np.asarray(TruncatedSVD(min(20, terms.shape[1] - 1), random_state=0).fit_transform(terms))
    return np.asarray(terms.toarray())


def products(matrix: np.ndarray) -> np.ndarray:
    """The matrix with squares and pairwise products of its most varied columns."""
    chosen = standard(matrix[:, np.argsort([-len(np.unique(c)) for c in matrix.T], kind="stable")[:MOST_WIDE]])
    one, other = np.triu_indices(chosen.shape[1])
    return np.hstack([matrix, chosen[:, one] * chosen[:, other]])


def components(matrix: np.ndarray) -> np.ndarray:
    """Principal components that hold nine tenths of the variance."""
    left, sizes, _ = np.linalg.svd(standard(matrix), full_matrices=False)
    kept = int(np.searchsorted(np.cumsum(sizes**2) / (sizes**2).sum(), 0.9)) + 1
    return np.asarray(left[:, :kept] * sizes[:kept])


def near_centres(matrix: np.ndarray) -> np.ndarray:
    """The matrix with distances to eight cluster centres."""
    return np.hstack([matrix, KMeans(8, n_init=1, max_iter=30, random_state=0).fit_transform(matrix)])


ADDED: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "none": lambda matrix: matrix,
    "select": lambda matrix: matrix,
    "products": products,
    "components": components,
    "neighbours": near_centres,
}
