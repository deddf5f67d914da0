"""Forecasts of many series at once: persistence, damped trends, seasons, ridge regressions and trees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import lightgbm
import numpy as np
from sklearn.linear_model import Ridge

from recipes.parts.files import cpus, seed

SAMPLES = 250_000
"""Moments of series that the trees learn from at most."""
RIDGE_SAMPLES = 30_000


@dataclass(frozen=True)
class History:
    """What is known at the end of some step."""

    values: np.ndarray
    """(targets, series, steps), without gaps, on the scale of forecasting."""
    known: np.ndarray
    """(series, all steps, columns): columns that are known ahead."""
    periods: list[int]
    """Seasons in steps."""
    rising: bool
    """Whether values never fall."""


Forecaster = Callable[[History, int], np.ndarray]
"""forecaster(history, horizon) -> (targets, series, horizon)"""


def until(history: History, steps: int) -> History:
    """The history as it was after so many steps."""
    periods = [period for period in history.periods if period <= steps / 2]
    return History(history.values[:, :, :steps], history.known, periods, history.rising)


def settle(history: History, forecast: np.ndarray) -> np.ndarray:
    """Forecasts that rise where values never fall, and stay near what has been seen."""
    values = history.values
    if history.rising:
        forecast = np.maximum.accumulate(np.maximum(forecast, values[:, :, -1:]), axis=2)
    low, high = values.min(axis=2, keepdims=True), values.max(axis=(1, 2), keepdims=True)
    return np.clip(forecast, low - (high - low), high + 1.0 * (high - values.min(axis=(1, 2), keepdims=True)))


def last_value(history: History, horizon: int) -> np.ndarray:
    """Nothing changes."""
    return np.repeat(history.values[:, :, -1:], horizon, axis=2)


def level(back: int) -> Forecaster:
    """The mean of the last `back` steps; the last value where values never fall."""

    def forecast(history: History, horizon: int) -> np.ndarray:
        if history.rising:
            return last_value(history, horizon)
        return np.repeat(history.values[:, :, -back:].mean(axis=2, keepdims=True), horizon, axis=2)

    return forecast


def damped(back: int, keep: float, pull: float) -> Forecaster:
    """The trend of the last `back` steps, pulled to that of all series, a share `keep` of it left after each step."""

    def forecast(history: History, horizon: int) -> np.ndarray:
        values = history.values
        far = min(back, values.shape[2] - 1)
        slope = (values[:, :, -1] - values[:, :, -1 - far]) / max(1, far)
        moved = np.ptp(values, axis=2) > 0
        pool = np.array([s[m].mean() if m.any() else 0.0 for s, m in zip(slope, moved, strict=True)])
        slope = np.where(moved, (1 - pull) * slope + pull * pool[:, None], 0.0)
        return settle(history, values[:, :, -1:] + slope[:, :, None] * np.cumsum(keep ** np.arange(1, horizon + 1)))

    return forecast


def seasonal(seasons: int) -> Forecaster:
    """The mean of the same phase in the last seasons, moved to the recent level."""

    def forecast(history: History, horizon: int) -> np.ndarray:
        values = history.values
        if not history.periods:
            return last_value(history, horizon)
        period = history.periods[0]
        count = min(seasons, values.shape[2] // period)
        recent = values[:, :, values.shape[2] - count * period :].reshape(*values.shape[:2], count, period)
        return np.tile(recent.mean(axis=2), (1, 1, horizon // period + 1))[:, :, :horizon]

    return forecast


def state_features(history: History) -> np.ndarray:
    """(series, steps, features): levels, changes, activity and averages as known at the end of each step."""
    found = []
    for table in history.values:
        lags = sorted({1, 3, 7, 14, *[p for p in history.periods if p < 60]})
        found += [table, *[table - _shifted(table, lag) for lag in lags if lag < table.shape[1]]]
        low = table.min()
        for mark in (0.0, 2.4):
            found.append(np.minimum(np.cumsum(table > low + mark, axis=1), 60))
        if not history.rising:
            found += [_rolling(table, size) - table for size in (7, 28) if size < table.shape[1]]
    if len(history.values) > 1:
        found.append(history.values[0] - history.values[1])
    return np.stack(found, axis=2).astype(np.float32)


def _shifted(table: np.ndarray, lag: int) -> np.ndarray:
    return np.concatenate([np.repeat(table[:, :1], lag, axis=1), table[:, :-lag]], axis=1)


def _rolling(table: np.ndarray, size: int) -> np.ndarray:
    sums = np.cumsum(np.concatenate([np.repeat(table[:, :1], size, axis=1), table], axis=1), axis=1)
    return (sums[:, size:] - sums[:, :-size]) / size


def ahead_features(history: History, series: np.ndarray, end: np.ndarray, ahead: np.ndarray) -> np.ndarray:
    """What is known of step end + ahead: distance, phase, values one season before it, known columns."""
    place = end + ahead
    found = [ahead]
    for period in history.periods:
        before = np.maximum(place - period * -(-ahead // period), 0)
        found.append(place % period)
        found += [table[series, before] - table[series, end] for table in history.values]
    extra = history.known[series, np.minimum(place, history.known.shape[1] - 1)]
    return np.column_stack([*found, extra]).astype(np.float32)


def reach(history: History, horizon: int) -> int:
    """Steps ahead that can be learned from the history."""
    return int(max(1, min(horizon, history.values.shape[2] // 2)))


def first_end(history: History, far: int) -> int:
    """The first step from which it is learned: after ten steps, or two seasons back of enough moments."""
    steps = history.values.shape[2]
    return int(min(max(9, steps - 800, max(history.periods, default=0)), max(0, steps - far - 2)))


def memory(history: History, half_life: float) -> float:
    """Steps in which a moment's weight halves: as asked for running totals, whose growth changes; else a quarter."""
    return half_life if history.rising else max(half_life, history.values.shape[2] / 4)


def trees_ahead(rounds: int, leaves: int, half_life: float = 20.0) -> Forecaster:
    """One LightGBM for all series and distances: the change from the last value, recent moments weighing more."""

    def forecast(history: History, horizon: int) -> np.ndarray:
        _, count, steps = history.values.shape
        far = reach(history, horizon)
        state = state_features(history)
        series, end, ahead = draw_moments(count, first_end(history, far), steps, far)
        rows = np.hstack([state[series, end], ahead_features(history, series, end, ahead)])
        weight = 0.5 ** ((steps - end - ahead) / memory(history, half_life))
        line = np.tile(np.arange(1, far + 1), count)
        who, now = np.repeat(np.arange(count), far), np.full(count * far, steps - 1)
        after = np.hstack([state[who, now], ahead_features(history, who, now, line)])
        found = []
        for table in history.values:
            change = table[series, end + ahead] - table[series, end]
            model = lightgbm.train(tree_options(leaves), lightgbm.Dataset(rows, change, weight=weight), rounds)
            found.append(np.asarray(model.predict(after)).reshape(count, far) + table[:, -1:])
        return settle(history, lengthen(history, np.stack(found), horizon))

    return forecast


def tree_options(leaves: int) -> dict[str, object]:
    """LightGBM's settings for noisy pooled series: shallow, many rows a leaf."""
    return {
        "objective": "regression", "learning_rate": 0.05, "num_leaves": leaves, "min_data_in_leaf": 200,
        "feature_fraction": 0.7, "bagging_fraction": 0.5, "bagging_freq": 1, "num_threads": cpus(), "seed": seed(),
        "deterministic": True, "force_row_wise": True, "verbosity": -1,
    }  # fmt: skip


def draw_moments(count: int, first: int, steps: int, far: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Series, last known steps and distances to learn from; all there are, or SAMPLES of them drawn by the seed."""
    ends = np.arange(first, steps - 1)
    reachable = np.minimum(far, steps - 1 - ends)
    total = int(reachable.sum()) * count
    pairs = np.repeat(ends, reachable), np.concatenate([np.arange(1, r + 1) for r in reachable])
    if total <= SAMPLES:
        series = np.repeat(np.arange(count), len(pairs[0]))
        return series, np.tile(pairs[0], count), np.tile(pairs[1], count)
    chance = np.random.default_rng(seed())
    chosen = chance.integers(0, len(pairs[0]), SAMPLES)
    return chance.integers(0, count, SAMPLES), pairs[0][chosen], pairs[1][chosen]


def ridge_ahead(penalty: float, window: int, half_life: float = 1e9) -> Forecaster:
    """A ridge regression for each distance, on the last `window` steps from which that distance is known."""

    def forecast(history: History, horizon: int) -> np.ndarray:
        targets, count, steps = history.values.shape
        far = min(reach(history, horizon), 60)
        state = state_features(history)
        center, width = state.mean(axis=(0, 1)), state.std(axis=(0, 1)) + 1e-6
        state = (state - center) / width
        found = np.zeros((targets, count, far))
        for ahead in range(1, far + 1):
            ends = np.arange(max(min(9, steps - ahead - 1), steps - ahead - window), steps - ahead)
            keep = max(1, len(ends) * count // RIDGE_SAMPLES)
            ends = ends[::-1][::keep]
            rows = state[:, ends].reshape(-1, state.shape[2])
            change = np.stack([(t[:, ends + ahead] - t[:, ends]).ravel() for t in history.values], axis=1)
            weight = np.tile(0.5 ** ((steps - 1 - ahead - ends) / memory(history, half_life)), count)
            model = Ridge(penalty).fit(rows, change, sample_weight=weight)
            found[:, :, ahead - 1] = np.asarray(model.predict(state[:, -1])).reshape(count, targets).T
        return settle(history, lengthen(history, found + history.values[:, :, -1:], horizon))

    return forecast


def lengthen(history: History, forecast: np.ndarray, horizon: int, keep: float = 0.95) -> np.ndarray:
    """Forecasts beyond the distance that could be learned: the season before, else the damped last trend."""
    far = forecast.shape[2]
    if far >= horizon:
        return forecast[:, :, :horizon]
    fitting = [period for period in history.periods if period <= far]
    if fitting:
        period = fitting[-1]
        more = np.tile(forecast[:, :, -period:], (1, 1, (horizon - far) // period + 1))[:, :, : horizon - far]
    else:
        back = min(7, far - 1)
        slope = (forecast[:, :, -1] - forecast[:, :, -1 - back]) / max(1, back)
        more = forecast[:, :, -1:] + slope[:, :, None] * np.cumsum(keep ** np.arange(1, horizon - far + 1))
    return np.concatenate([forecast, more], axis=2)
