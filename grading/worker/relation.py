"""How the real test differs from train: single rows, whole groups, blocks of time, or the time after train.

Views are cut in the same way (grading.worker.splits), so that what is measured on them is what the real test asks for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import lgamma, log
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from grading.base import Split
from grading.worker.cells import numbers, text
from grading.worker.clocks import Clock, Floats, find_clocks

Codes: TypeAlias = npt.NDArray[np.int64]

CHANCE = log(1e-6)
"""A pattern counts when a random split of the rows would show it less often than one in a million times."""
FORWARD_SHARE = 0.99
"""Share of rows that must obey "test is later than train"."""
MIN_GROUPS = 10
"""Fewer groups in train than this cannot be cut into audit and folds."""


@dataclass(frozen=True)
class Relation:
    """How test differs from train, and the sentence that says so."""

    split: Split
    column: str | None
    time: str | None
    note: str


def find_relation(train: pd.DataFrame, test: pd.DataFrame, id_column: str | None) -> Relation:
    """Time first, then blocks, then groups, else single rows, by the columns that both tables have."""
    clocks = find_clocks(train, test, id_column)
    for clock in clocks:
        if is_forward(clock.train, clock.test):
            note = f"Test lies after train in {clock.column}, so scripts are graded on the end of train."
            return Relation("time", clock.column, clock.column, note)
    for clock in clocks:
        entity = _forward_entity(clock, train, test, id_column)
        if entity is not None:
            note = f"For each {entity} test lies after train in {clock.column}, so the end of train is hidden."
            return Relation("time", entity, clock.column, note)
    time = next((clock.column for clock in clocks if clock.dated), None)
    for clock in clocks:
        if is_interleaved(clock):
            note = f"In {clock.column} periods of test and train take turns, so scripts are graded on whole periods."
            return Relation("block", clock.column, clock.column, note)
    group = _group(train, test)
    if group is not None:
        return Relation(
            "group",
            group[0],
            time,
            f"{group[1]} never are in both train and test, so scripts are graded on whole groups.",
        )
    return Relation("row", None, time, "Test looks like randomly drawn rows, so scripts are graded on random rows.")


def is_forward(train: Floats, test: Floats) -> bool:
    """Is nearly all of test later than nearly all of train, and more clearly so than a random draw would make it?"""
    before, after = train[np.isfinite(train)], test[np.isfinite(test)]
    if not len(before) or not len(after) or -_log_choose(len(before) + len(after), len(after)) > CHANCE:
        return False
    return bool((after > before.max()).mean() >= FORWARD_SHARE and (before < after.min()).mean() >= FORWARD_SHARE)


def _log_choose(n: int, k: int) -> float:
    return lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)


def _forward_entity(clock: Clock, train: pd.DataFrame, test: pd.DataFrame, id_column: str | None) -> str | None:
    """A column for each of whose values test is later than train, while the values live side by side in time."""
    for column in train.columns:
        if column in (clock.column, id_column) or column not in test.columns:
            continue
        cells = text(train[column])
        if not 2 <= cells.nunique() <= len(train) / 5:
            continue
        before = pd.Series(clock.train).groupby(cells.to_numpy()).agg(["min", "max", "size"])
        after = pd.Series(clock.test).groupby(text(test[column]).to_numpy()).agg(["min", "size"])
        both = before.join(after.add_suffix("_test"), how="inner")
        if len(both) and _entities_forward(both, float(np.nanmax(clock.train) - np.nanmin(clock.train))):
            return str(column)
    return None


def _entities_forward(both: pd.DataFrame, span: float) -> bool:
    later = (both["min_test"] > both["max"]).mean()
    side_by_side = (both["max"] - both["min"]).median() > span / 2
    chance = -sum(_log_choose(int(a + b), int(b)) for a, b in zip(both["size"], both["size_test"], strict=True))
    return bool(later >= FORWARD_SHARE and side_by_side and chance < CHANCE)


@dataclass(frozen=True)
class Runs:
    """Distinct times in order, each of train or of test, cut where the owner changes."""

    times: Floats
    of_test: npt.NDArray[np.bool_]
    run: Codes
    """Number of the run that each distinct time belongs to."""


def runs_of(clock: Clock) -> Runs | None:
    """None where more than 1 % of the times occur in both tables."""
    train, test = (np.unique(times[np.isfinite(times)]) for times in (clock.train, clock.test))
    both = np.intersect1d(train, test)
    if len(both) > 0.01 * (len(train) + len(test)):
        return None
    times = np.union1d(train, test)
    of_test = np.isin(times, test) & ~np.isin(times, both)
    return Runs(times, of_test, np.concatenate([[0], np.cumsum(of_test[1:] != of_test[:-1])]).astype(np.int64))


def is_interleaved(clock: Clock) -> bool:
    """Do periods of train and test take turns?

    Wald and Wolfowitz' runs test (1940) over the distinct times, 5 standard deviations; and the usual period of test
    must hold three times or more.
    """
    runs = runs_of(clock)
    if runs is None:
        return False
    n2 = int(runs.of_test.sum())
    n1, count = len(runs.times) - n2, int(runs.run[-1]) + 1
    if min(n1, n2) < 5 or count < 3:
        return False
    mean = 2 * n1 * n2 / (n1 + n2) + 1
    deviation = ((mean - 1) * (mean - 2) / (n1 + n2 - 1)) ** 0.5
    lengths = np.bincount(runs.run[runs.of_test])
    return bool(count < mean - 5 * deviation and count < mean / 2 and np.median(lengths[lengths > 0]) >= 3)


def _group(train: pd.DataFrame, test: pd.DataFrame) -> tuple[str, str] | None:
    """The column behind the coarsest key that keeps train and test apart, and the key in words."""
    best: tuple[int, str, str] | None = None
    for column in train.columns:
        if column not in test.columns:
            continue
        for words, a, b in key_options(train[column], test[column]):
            if keeps_apart(a, b):
                found = (a.nunique(), str(column), words.format(column))
                best = found if best is None or found < best else best
                break
    return best[1:] if best is not None else None


def keeps_apart(train: pd.Series, test: pd.Series) -> bool:
    """Do the keys of train and test share no value although, with rows drawn at random, they would?

    A value that occurs c times falls on one side only with probability (1-q)^c + q^c, where q is the share of test.
    """
    a, b = train.dropna(), test.dropna()
    if min(len(a) / max(1, len(train)), len(b) / max(1, len(test))) < 0.8:
        return False
    counts, counts_test = a.value_counts(), b.value_counts()
    if len(counts) < MIN_GROUPS or len(counts_test) < 2 or counts.index.isin(counts_test.index).any():
        return False
    sizes = np.concatenate([counts.to_numpy(), counts_test.to_numpy()]).astype(float)
    share = len(b) / (len(a) + len(b))
    return float(np.log((1 - share) ** sizes + share**sizes)[sizes > 1].sum()) < CHANCE


def key_options(train: pd.Series, test: pd.Series | None) -> Iterator[tuple[str, pd.Series, pd.Series]]:
    """The ways in which a column can be a group key: its values, their day, their beginning before a separator.

    Each as (words, key of train, key of test); missing is None. Numbers with fractions are measurements and no keys.
    """
    a = text(train)
    b = text(test) if test is not None else a.iloc[:0]
    values = numbers(a.iloc[:1000])
    if values is not None:
        values = numbers(a)
    if values is not None and bool((values.dropna() % 1 != 0).any()):
        return
    yield "Values of {}", _or_none(a), _or_none(b)
    if values is not None:
        return
    for words, pattern in _PARTS:
        if a.iloc[:1000].str.match(pattern).mean() >= 0.99 and a.str.match(pattern).mean() >= 0.99:
            yield words, _part(a, pattern), _part(b, pattern)


_PARTS = (
    ("Days of {}", re.compile(r"^(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}/\d{1,2}/\d{2,4}|\d{1,2}\.\d{1,2}\.\d{2,4})[ T]")),
    (
        "The parts of {} before the last separator",
        re.compile(r"^(?!\d+[-/.]\d+[-/.]\d+)(\S{1,100})[_\-/:|]\w[^_\-/:|]*$"),
    ),
    (
        "The parts of {} before the first separator",
        re.compile(r"^(?!\d+[-/.]\d+[-/.]\d+)([^\s_\-/:|]{1,100})[_\-/:|]\S+$"),
    ),
)


def _or_none(cells: pd.Series) -> pd.Series:
    return cells.astype(object).mask(cells == "", None)


def _part(cells: pd.Series, pattern: re.Pattern[str]) -> pd.Series:
    return cells.str.extract(pattern, expand=False).astype(object)


def group_codes(column: str, train: pd.DataFrame, test: pd.DataFrame) -> Codes:
    """A number for the group of each row of train.

    By the key that keeps train and test apart, else by the first key that repeats, else by the values. A row without a
    key is a group of its own.
    """
    options = list(key_options(train[column], test[column] if column in test.columns else None))
    options = options or [("", _or_none(text(train[column])), _or_none(text(train[column]).iloc[:0]))]
    apart = [a for _, a, b in options if keeps_apart(a, b)]
    repeating = [a for _, a, _ in options if a.nunique() < 0.9 * len(a)]
    key = (apart or repeating or [options[0][1]])[0]
    codes, _ = pd.factorize(key)
    alone = codes < 0
    codes = codes.astype(np.int64)
    codes[alone] = codes.max(initial=0) + 1 + np.arange(int(alone.sum()))
    return codes
