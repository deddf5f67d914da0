"""From a table of series to a history that can be forecast, and from forecasts back to the rows of test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from recipes.parts.calendar import Moments
from recipes.parts.columns import as_dates, column_kinds
from recipes.parts.forecast import History
from recipes.parts.panel import Panel, series_keys


def uses_logs(values: np.ndarray, metric: str) -> bool:
    """Whether to forecast log(1 + y): for relative metrics, and series of very different size, none below 0."""
    if np.nanmin(values) < 0:
        return False
    if any(word in metric for word in ("rmsle", "log", "mape", "smape")):
        return True
    sizes = np.nanmean(values, axis=2)
    return bool(np.nanquantile(sizes, 0.9) > 5 * max(float(np.nanquantile(sizes, 0.1)), 1e-9))


def make_history(panel: Panel, logs: bool) -> History:
    """Values on the scale of forecasting; gaps hold the value before, and the first known one before that."""
    values = np.log1p(panel.values) if logs else panel.values
    filled = np.stack([fill_gaps(table) for table in values])
    known = np.where(np.isfinite(panel.known), panel.known, -1)
    return History(filled, known, panel.periods, never_fall(filled))


def fill_gaps(table: np.ndarray) -> np.ndarray:
    """Each series without NaN: the last known value, before the first one that value; 0 where there is none."""
    place = np.where(np.isfinite(table), np.arange(table.shape[1]), -1)
    last = np.maximum.accumulate(place, axis=1)
    first = np.where((place >= 0).any(axis=1), (place >= 0).argmax(axis=1), 0)
    filled = np.take_along_axis(table, np.where(last >= 0, last, first[:, None]), axis=1)
    return np.nan_to_num(filled)


def never_fall(values: np.ndarray) -> bool:
    """Whether nearly all changes of all series are upwards (running totals)."""
    changes = np.diff(values, axis=2)
    moved = changes[changes != 0]
    return bool(len(moved) > 0 and (moved > 0).mean() > 0.98)


def test_values(panel: Panel, forecast: np.ndarray, logs: bool) -> np.ndarray:
    """(rows of test, targets): known values where train has the row, else the forecast; new series get the mean."""
    steps = panel.steps
    ahead = np.clip(panel.test_step - steps, 0, forecast.shape[2] - 1)
    series = np.maximum(panel.test_series, 0)
    guess = np.where(panel.test_series >= 0, forecast[:, series, ahead], forecast.mean(axis=1)[:, ahead])
    guess = np.expm1(guess) if logs else guess
    past = panel.values[:, series, np.minimum(panel.test_step, steps - 1)]
    known = (panel.test_step < steps) & (panel.test_series >= 0) & np.isfinite(past)
    return np.where(known, past, np.maximum(guess, 0) if logs else guess).T


def read_moments(train: pd.DataFrame, test: pd.DataFrame, time: str, drop: Sequence[str]) -> tuple[Moments, Moments]:
    """Series, dates and columns known ahead of the rows of train and of test.

    Raises:
        ValueError: the time is no date.
    """
    names = [name for name in test.columns if name in train.columns and name not in drop and name != time]
    keys = series_keys(train, names, time)
    both = pd.concat([train[[*names, time]], test[[*names, time]]], ignore_index=True)
    dates = pd.DatetimeIndex(as_dates(both[time].astype(str)).ffill())
    if pd.api.types.is_numeric_dtype(both[time]) or dates.isna().any():
        raise ValueError("the time column holds no dates")
    codes = pd.DataFrame({key: pd.factorize(both[key])[0] for key in keys}, index=both.index)
    codes = codes.where(codes <= codes.iloc[: len(train)].max(), -1)
    kinds = column_kinds(both, names)
    ahead = [name for name in names if name not in keys and kinds[name] in ("number", "flag")][:20]
    known = both[ahead].apply(pd.to_numeric, errors="coerce").to_numpy(float) if ahead else np.zeros((len(both), 0))
    cut = len(train)
    return Moments(codes.iloc[:cut], dates[:cut], known[:cut]), Moments(codes.iloc[cut:], dates[cut:], known[cut:])
