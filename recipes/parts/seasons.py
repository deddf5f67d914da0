"""Seasons taken out of series before they are forecast, and put back afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recipes.parts.forecast import Forecaster, History

OWN = 0.6
"""Share of a series' own long season in its profile; the rest is the mean of all series."""
LONG = 60
"""From so many steps on, a season is seen too seldom for a profile of its own alone."""


def seasonless(forecaster: Forecaster) -> Forecaster:
    """The forecaster on series without their seasons; running totals and series without seasons stay as they are."""

    def forecast(history: History, horizon: int) -> np.ndarray:
        if history.rising or not history.periods:
            return forecaster(history, horizon)
        profile = season_profiles(history, history.values.shape[2] + horizon)
        steps = history.values.shape[2]
        plain = replace(history, values=history.values - profile[:, :, :steps], periods=[])
        return forecaster(plain, horizon) + profile[:, :, steps:]

    return forecast


def season_profiles(history: History, length: int) -> np.ndarray:
    """(targets, series, length): the sum of all seasons, each about its mean, the longest first."""
    left = history.values.copy()
    steps = left.shape[2]
    total = np.zeros((*left.shape[:2], length))
    for period in reversed(history.periods):
        found = _profile(left, period)
        total += found[:, :, np.arange(length) % period]
        left = left - found[:, :, np.arange(steps) % period]
    return total


def _profile(values: np.ndarray, period: int) -> np.ndarray:
    """(targets, series, period): mean distance of each phase from a straight line through whole seasons."""
    steps = values.shape[2]
    count = steps // period
    recent = values[:, :, steps - count * period :]
    line = _line(recent)
    phases = (recent - line).reshape(*values.shape[:2], count, period).mean(axis=2)
    phases = np.roll(phases, (steps - count * period) % period, axis=2)
    if period >= LONG:
        pooled = phases.mean(axis=1, keepdims=True)
        phases = OWN * _smooth(phases) + (1 - OWN) * pooled
    return np.asarray(phases - phases.mean(axis=2, keepdims=True))


def _line(values: np.ndarray) -> np.ndarray:
    time = np.arange(values.shape[2]) - (values.shape[2] - 1) / 2
    slope = (values * time).sum(axis=2, keepdims=True) / (time**2).sum()
    return np.asarray(values.mean(axis=2, keepdims=True) + slope * time)


def _smooth(phases: np.ndarray, size: int = 7) -> np.ndarray:
    """A moving mean around the circle of phases."""
    return np.asarray(np.mean([np.roll(phases, shift - size // 2, axis=2) for shift in range(size)], axis=0))
