"""Series explained by the calendar alone: level, trend, weekday and time of the year, and what is known ahead."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.linear_model import Ridge

from recipes.parts.files import cpus, seed

MOST = 300_000
"""Rows of the past that are learned from at most: the latest ones."""
WAVES = 6
"""Pairs of sine and cosine over a year."""


@dataclass(frozen=True)
class Moments:
    """Rows of train or of test."""

    keys: pd.DataFrame
    """What names the series, as codes from 0; -1 where train does not know the value."""
    dates: pd.DatetimeIndex
    known: np.ndarray
    """(rows, columns): numbers that are known ahead; NaN where missing."""


def calendar_answers(train: Moments, test: Moments, answers: np.ndarray, trees: bool, trend: float = 0.5) -> np.ndarray:
    """Values (rows of test, targets): an additive ridge regression, then trees on what it leaves over.

    `trend`: the share of the linear trend that is taken beyond train's end.
    """
    latest = np.sort(np.argsort(train.dates.to_numpy(), kind="stable")[-MOST:])
    past = Moments(train.keys.iloc[latest], train.dates[latest], train.known[latest])
    start, end = train.dates.min(), train.dates.max()
    ours, theirs = _design(past, train, start, end, 1.0), _design(test, train, start, end, trend)
    found = []
    for column in answers[latest].T:
        center = column.mean()
        model = Ridge(1.0, solver="sparse_cg", fit_intercept=False).fit(ours, column - center)
        fitted, ahead = model.predict(ours) + center, model.predict(theirs) + center
        found.append(ahead + _left_over(past, test, column - fitted) if trees else ahead)
    return np.column_stack(found)


def _design(rows: Moments, train: Moments, start: pd.Timestamp, end: pd.Timestamp, trend: float) -> sparse.csr_matrix:
    """One-hot codes and waves; those of each key by weekday and by season."""
    years = ((rows.dates - start).total_seconds() / 86400 / 365.25).to_numpy()
    last = (end - start).total_seconds() / 86400 / 365.25
    years = np.where(years > last, last + trend * (years - last), years)
    parts = [_waves(rows.dates), sparse.csr_matrix(years[:, None]), _one_hot(rows.dates.day_of_week, 7)]
    if (train.dates.hour != 0).any():
        parts.append(_one_hot(rows.dates.hour + 24 * (rows.dates.day_of_week >= 5), 48))
    series = np.zeros(len(years), dtype=int)
    for name in rows.keys:
        count = int(train.keys[name].max()) + 1
        codes = rows.keys[name].to_numpy()
        series = np.where((codes < 0) | (series < 0), -1, series * count + codes)
        own = _one_hot(codes, count)
        parts += [own, own.multiply(years[:, None]), _crossed(own, _one_hot(rows.dates.day_of_week, 7))]
        parts.append(_crossed(own, _waves(rows.dates)[:, :6]))
    if rows.keys.shape[1] > 1:
        size = int(np.prod([int(train.keys[name].max()) + 1 for name in rows.keys]))
        parts.append(_one_hot(series, size))
    parts.append(sparse.csr_matrix(_scaled(rows.known, train.known)))
    return sparse.hstack(parts, format="csr")


def _waves(dates: pd.DatetimeIndex) -> sparse.csr_matrix:
    angle = 2 * np.pi * (dates.day_of_year.to_numpy() - 1) / 365.25
    waves = [f(k * angle) for k in range(1, WAVES + 1) for f in (np.sin, np.cos)]
    return sparse.csr_matrix(np.column_stack(waves))


def _one_hot(codes: np.ndarray | pd.Index, count: int) -> sparse.csr_matrix:
    codes = np.asarray(codes)
    inside = np.flatnonzero((codes >= 0) & (codes < count))
    return sparse.csr_matrix((np.ones(len(inside)), (inside, codes[inside])), shape=(len(codes), count))


def _crossed(left: sparse.csr_matrix, right: sparse.csr_matrix) -> sparse.csr_matrix:
    """All products of a column of each."""
    return sparse.hstack([left.multiply(right[:, [k]]) for k in range(right.shape[1])], format="csr")


def _scaled(known: np.ndarray, train: np.ndarray) -> np.ndarray:
    if not known.shape[1]:
        return np.zeros((len(known), 1))
    center, width = np.nanmean(train, axis=0), np.nanstd(train, axis=0) + 1e-9
    return np.clip(np.nan_to_num((known - center) / width), -8, 8)


def _left_over(past: Moments, test: Moments, left: np.ndarray) -> np.ndarray:
    """What trees make of the rest: days of the year (feasts), weekdays and known columns of each series."""
    options = {
        "objective": "regression", "learning_rate": 0.05, "num_leaves": 31, "min_data_in_leaf": 30, "seed": seed(),
        "feature_fraction": 0.8, "bagging_fraction": 0.8, "bagging_freq": 1, "lambda_l2": 5.0, "num_threads": cpus(),
        "deterministic": True, "force_row_wise": True, "verbosity": -1,
    }  # fmt: skip
    model = lightgbm.train(options, lightgbm.Dataset(_plain(past), left), 200)
    return np.asarray(model.predict(_plain(test)))


def _plain(rows: Moments) -> np.ndarray:
    dates = rows.dates
    parts = [dates.day_of_year, dates.day_of_week, dates.day, dates.month, dates.hour]
    return np.column_stack([*parts, rows.keys.to_numpy(float), rows.known])
