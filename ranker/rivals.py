"""What a ranker is compared with: rules and models that anyone would try first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lightgbm
import numpy as np
from sklearn.feature_extraction.text import HashingVectorizer

from ranker.averages import Averages
from ranker.meta import NUMBERS, rank_targets, settings
from ranker.outcomes import Outcomes
from ranker.terms import terms
from ranker.trees import read_trees

NEAREST = 20
"""Tasks that nearest neighbours asks."""
WORDS = 256
"""Columns of a bag of words, of each text."""
ROUNDS = 200
TABLE, BOOSTER = "nearest.npz", "bag-of-words.txt"


def random_order(place: int, size: int) -> np.ndarray:
    """Any order; the same each time for the task at this place."""
    return np.random.default_rng([7, place]).random(size)


@dataclass(frozen=True)
class NearestTasks:
    """The mean value that like instructions had on the tasks with the nearest numbers."""

    numbers: np.ndarray
    """(tasks, NUMBERS), NaN where unknown."""
    task: np.ndarray
    """(outcomes,): row of `numbers`."""
    named: np.ndarray
    """(outcomes, TERMS), 0 or 1."""
    value: np.ndarray
    """(outcomes,)."""

    @classmethod
    def of(cls, tasks: Sequence[Outcomes]) -> NearestTasks:
        """Remember these tasks."""
        numbers = np.array([[t.task.numbers.get(name, np.nan) for name in NUMBERS] for t in tasks], np.float32)
        rows = np.concatenate([np.full(len(t.instructions), place) for place, t in enumerate(tasks)])
        named = np.array([terms(i.text) for t in tasks for i in t.instructions], np.uint8)
        return cls(numbers, rows, named, np.concatenate([t.value for t in tasks]).astype(np.float32))

    def score(self, tasks: Sequence[Outcomes], averages: Averages) -> list[np.ndarray]:
        """Of each task's instructions, drawn towards their averages."""
        middle = np.array([0.0 if np.isnan(c).all() else np.nanmedian(c) for c in self.numbers.T])
        filled = np.where(np.isnan(self.numbers), middle, self.numbers)
        order = np.sort(filled, axis=0)

        def places(table: np.ndarray) -> np.ndarray:
            return np.column_stack([np.searchsorted(o, c) for o, c in zip(order.T, table.T, strict=True)]) / len(order)

        known, found = places(filled), []
        for task in tasks:
            own = np.array([task.task.numbers.get(name, np.nan) for name in NUMBERS])
            own = places(np.where(np.isnan(own), middle, own)[None, :])
            near = np.argsort(((known - own) ** 2).sum(axis=1), kind="stable")[:NEAREST]
            rows = np.flatnonzero(np.isin(self.task, near))
            said = np.array([terms(i.text) for i in task.instructions])
            like = np.exp(-np.abs(self.named[rows].astype(int)[None] - said[:, None]).sum(axis=2))
            average = np.array([averages.of(i) for i in task.instructions])
            found.append((like @ self.value[rows] + 0.5 * average) / (like.sum(axis=1) + 0.5))
        return found


def fit_bag_of_words(tasks: Sequence[Outcomes], seed: int) -> lightgbm.Booster:
    """Boosted trees on the words of both texts."""
    table = np.vstack([bag_of_words(task) for task in tasks])
    data = lightgbm.Dataset(table, np.concatenate([rank_targets(task) for task in tasks]))
    return lightgbm.train(settings(len(table), seed), data, ROUNDS)


def bag_of_words(task: Outcomes) -> np.ndarray:
    """(instructions, 2 x WORDS): hashed words of the task, then of the instruction."""
    words = HashingVectorizer(n_features=WORDS, alternate_sign=False, norm=None, binary=True)
    plans = words.transform([i.text for i in task.instructions]).toarray()
    about = words.transform([task.task.text]).toarray()
    return np.hstack([np.repeat(about, len(plans), axis=0), plans]).astype(np.float32)


def save_rivals(folder: Path, tasks: Sequence[Outcomes], seed: int) -> None:
    """Fit and write both, so that a later evaluation compares on the same training tasks."""
    folder.mkdir(parents=True, exist_ok=True)
    near = NearestTasks.of(tasks)
    np.savez_compressed(folder / TABLE, numbers=near.numbers, task=near.task, named=near.named, value=near.value)
    fit_bag_of_words(tasks, seed).save_model(folder / BOOSTER)


def load_rivals(folder: Path) -> tuple[NearestTasks, lightgbm.Booster]:
    """Read both: arrays and trees, nothing that runs.

    Raises: OSError, ValueError, KeyError, BadZipFile, LightGBMError.
    """
    with np.load(folder / TABLE, allow_pickle=False) as arrays:
        near = NearestTasks(arrays["numbers"], arrays["task"], arrays["named"], arrays["value"])
    return near, read_trees(folder / BOOSTER, 2 * WORDS)
