"""Rows of several series put on one grid of series and steps of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from recipes.parts.columns import as_dates, column_kinds

MOST_STEPS = 50_000
MONTH = 30.44


@dataclass(frozen=True)
class Panel:
    """Series on a common grid; step 0 is the first one of train."""

    values: np.ndarray
    """(targets, series, steps) of train; NaN where train has no row."""
    test_series: np.ndarray
    """Series of each row of test; -1 where train does not know it."""
    test_step: np.ndarray
    """Step of each row of test; train's last step is values.shape[2] - 1."""
    known: np.ndarray
    """(series, steps of train and test, columns): other columns that both tables have, as numbers; NaN if unknown."""
    periods: list[int]
    """Seasons in steps, shortest first (a week and a year of days, a day and a week of hours ...)."""
    keys: list[str]
    """Columns that name a series."""

    @property
    def steps(self) -> int:
        """Steps of train."""
        return int(self.values.shape[2])

    @property
    def horizon(self) -> int:
        """Steps from train's end to test's last row."""
        return int(max(1, self.test_step.max() - self.steps + 1))


def make_panel(train: pd.DataFrame, test: pd.DataFrame, answers: np.ndarray, time: str, drop: Sequence[str]) -> Panel:
    """The panel of train and test; rows of train that fall on one place are averaged.

    Raises:
        ValueError: more than half of the rows share their series and time with others, so that there are no series.
    """
    names = [name for name in test.columns if name in train.columns and name not in drop and name != time]
    keys = series_keys(train, names, time)
    steps, size = time_steps(train[time], test[time])
    ours, theirs = steps[: len(train)], steps[len(train) :]
    both = pd.concat([train[keys], test[keys]], ignore_index=True).astype(str)
    codes = pd.MultiIndex.from_frame(both).factorize()[0] if keys else np.zeros(len(both), dtype=int)
    series, other = codes[: len(train)], codes[len(train) :]
    count, length = int(series.max()) + 1, int(ours.max()) + 1
    if len(np.unique(series * length + ours)) < 0.5 * len(train):
        raise ValueError("rows share their series and time: no time series")
    values = np.stack([_mean_grid(series, ours, column, count, length) for column in answers.T])
    known = _known_columns(train, test, [n for n in names if n not in keys], codes, steps, count)
    test_series = np.where(other < count, other, -1)
    return Panel(values, test_series, theirs, known, seasons(size, length), keys)


def series_keys(train: pd.DataFrame, names: Sequence[str], time: str) -> list[str]:
    """Columns that, with the time, name a row: those that tell most rows apart, until all are told apart."""
    kinds = column_kinds(train, names)
    moments = train[time].nunique()
    able = [name for name in names if _names_series(train, name, kinds[name], time, moments)]
    chosen: list[str] = []
    told = _distinct(train, [time])
    while able and told < 0.995 * len(train):
        best = max(able, key=lambda name: _distinct(train, [time, *chosen, name]))
        now = _distinct(train, [time, *chosen, best])
        if now <= told * 1.02:
            break
        chosen, told = [*chosen, best], now
        able.remove(best)
    return chosen


def _names_series(train: pd.DataFrame, name: str, kind: str, time: str, moments: int) -> bool:
    """Whether the column's values last: each is met at a good part of all moments."""
    if kind in ("list", "date", "path", "constant", "id"):
        return False
    values = train[name].nunique()
    if kind == "number" and (values > len(train) / 20 or not (train[name].dropna() % 1 == 0).all()):
        return False
    lasting = train.groupby(name, observed=True)[time].nunique().mean()
    return bool(values >= 1 and lasting >= min(10.0, 0.3 * moments))


def _distinct(train: pd.DataFrame, names: list[str]) -> int:
    return int(len(train) - train.duplicated(names).sum())


def time_steps(train: pd.Series, test: pd.Series) -> tuple[np.ndarray, float]:
    """Steps of all rows (train first) from train's first moment, and the days that a step has (0 where not dates)."""
    both = pd.concat([train, test], ignore_index=True)
    if pd.api.types.is_numeric_dtype(both):
        return _regular(both.to_numpy(float), len(train)), 0.0
    dates = as_dates(both).ffill()
    days = ((dates - dates.iloc[: len(train)].min()).dt.total_seconds() / 86400).to_numpy()
    gaps = np.diff(np.unique(days))
    usual = float(np.median(gaps)) if len(gaps) else 1.0
    if 27 < usual < 32:
        months = (dates.dt.year * 12 + dates.dt.month).to_numpy()
        return months - months[: len(train)].min(), MONTH
    return _regular(days, len(train)), usual


def _regular(moments: np.ndarray, ours: int) -> np.ndarray:
    """Whole steps of the usual gap; where that makes too many, the order of the moments."""
    distinct = np.unique(moments)
    gap = float(np.median(np.diff(distinct))) if len(distinct) > 1 else 1.0
    start = moments[:ours].min()
    steps = np.rint((moments - start) / gap).astype(int)
    if steps.max() > MOST_STEPS or steps.max() > 20 * len(distinct):
        steps = np.searchsorted(distinct, moments) - int(np.searchsorted(distinct, start))
    return np.maximum(steps, 0)


def seasons(days: float, length: int) -> list[int]:
    """Seasons that train shows at least twice, in steps of so many days."""
    if days <= 0:
        return []
    spans = (365.25,) if days > 6 else (7.0, 365.25) if days > 0.9 else (1.0, 7.0)
    found = [round(span / days) for span in spans]
    return [period for period in found if 1 < period <= length / 2]


def _mean_grid(series: np.ndarray, steps: np.ndarray, numbers: np.ndarray, count: int, length: int) -> np.ndarray:
    place = series * length + steps
    sums = np.bincount(place, weights=numbers, minlength=count * length)
    hits = np.bincount(place, minlength=count * length)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums / np.where(hits == 0, np.nan, hits)).reshape(count, length)


def _known_columns(
    train: pd.DataFrame, test: pd.DataFrame, names: Sequence[str], codes: np.ndarray, steps: np.ndarray, count: int
) -> np.ndarray:
    """Numbers and categories (as codes) that are known ahead, on the grid of series and all steps; at most twenty."""
    both = pd.concat([train[list(names)], test[list(names)]], ignore_index=True)
    kinds = column_kinds(both, names)
    useful = [n for n in names if kinds[n] in ("number", "flag", "category") and both[n].nunique() > 1][:20]
    grid = np.full((count, int(steps.max()) + 1, len(useful)), np.nan, dtype=np.float32)
    inside = codes < count
    for place, name in enumerate(useful):
        column = both[name]
        numbers = column if pd.api.types.is_numeric_dtype(column) else pd.Series(pd.factorize(column)[0])
        grid[codes[inside], steps[inside], place] = numbers.to_numpy(float)[inside]
    return grid
