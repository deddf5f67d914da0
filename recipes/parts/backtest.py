"""How well forecasters would have done from earlier moments, and their mean with weights that follow from it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from recipes.parts.forecast import Forecaster, History, until


def backtest(history: History, forecaster: Forecaster, horizon: int, cuts: int = 2) -> float:
    """Mean root mean squared error over targets, of forecasts from `cuts` earlier moments."""
    steps = history.values.shape[2]
    far = min(horizon, steps // 3)
    errors = []
    for cut in range(cuts):
        now = steps - far - cut * (far // 2)
        if now < 4 or far < 1:
            break
        guess = forecaster(until(history, now), far)
        truth = history.values[:, :, now : now + far]
        errors.append(np.sqrt(((guess - truth) ** 2).mean(axis=(1, 2))).mean())
    return float(np.mean(errors)) if errors else 1.0


def join_forecasts(
    history: History, forecasters: Sequence[Forecaster], horizon: int, sharpness: float = 20.0
) -> np.ndarray:
    """The mean of the forecasts, the better ones of the backtest weighing more: (best error / error) ** sharpness."""
    errors = np.array([backtest(history, forecaster, horizon) for forecaster in forecasters])
    weights = (np.maximum(errors.min(), 1e-9) / np.maximum(errors, 1e-9)) ** sharpness
    forecasts = [forecaster(history, horizon) for forecaster in forecasters]
    return np.asarray(np.average(forecasts, axis=0, weights=weights))
