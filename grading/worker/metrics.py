"""The metrics, over the arrays of grading.worker.arrays: `metric.value(y, p)` -> float.

Values are those of scikit-learn where it has the metric (the tests compare them). Most metrics are functions of column
means of a few numbers a row (`Means`): a resample then costs one matrix product. The others are computed anew on each
resample. A metric that a set of rows does not define (one class only for an area under a curve) is NaN there, which
callers leave out; a column or class that it does not define is left out of a mean over columns or classes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from grading.base import Direction, Task, TaskError
from grading.metric_names import CUSTOM, METRIC_NAMES, metric_info, rank_length
from grading.worker import formulas, orders
from grading.worker.arrays import KAPPA, Array
from grading.worker.custom_metric import load_score
from grading.worker.formulas import Means

RANKING = {"roc_auc", "mean_columnwise_roc_auc", "average_precision", "spearman"}
"""Only the order of predictions counts: any finite number is a valid prediction."""
LOGARITHMIC = {"rmsle", "mean_columnwise_rmsle"}
"""Errors are measured between logarithms of 1 + value."""
RESCALED = {"log_loss", "balanced_log_loss", "roc_auc", "mean_columnwise_roc_auc", "average_precision"}
"""Rows of class probabilities are rescaled to sum to 1 before they are scored."""
BOUNDS: dict[str, tuple[float, float]] = {
    **dict.fromkeys(METRIC_NAMES, (0.0, 1.0)),
    **dict.fromkeys(("log_loss", "balanced_log_loss", "mean_columnwise_log_loss", "rmse", "rmsle"), (0.0, np.inf)),
    **dict.fromkeys(("mae", "medae", "mape", "mcrmse", "mean_columnwise_rmsle", "mean_columnwise_mae"), (0.0, np.inf)),
    **dict.fromkeys((KAPPA, "matthews", "pearson", "spearman"), (-1.0, 1.0)),
    "smape": (0.0, 200.0),
    "r2": (-np.inf, 1.0),
    CUSTOM: (-np.inf, np.inf),
}
"""Between which values a metric can lie."""


@dataclass(frozen=True)
class Metric:
    """A metric by its canonical name: computed by `means` where it has them, else by `function`."""

    name: str
    direction: Direction
    function: Callable[[Array, Array], float] | None = None
    means: Means | None = None

    def value(self, y: Array, p: Array) -> float:
        """The metric on these rows; NaN where they do not define it."""
        with np.errstate(divide="ignore", invalid="ignore"):
            if self.means is not None:
                return float(self.means.combine(self.means.rows(y, p).mean(axis=0)))
            assert self.function is not None
            return self.function(y, p)

    def loss(self, value: float) -> float:
        """The value with a sign by which smaller is better."""
        return value if self.direction == "minimize" else -value

    @property
    def bounds(self) -> tuple[float, float]:
        """Between which values it can lie."""
        return BOUNDS.get(self.name, (0.0, 1.0))


def metric_of(task: Task, custom: Path | None = None) -> Metric:
    """The task's metric; `custom` is the user's file where the metric is "custom".

    Raises: TaskError: the user's file cannot be used.
    """
    if task.metric == CUSTOM:
        if custom is None:
            raise TaskError("metric: the file with score(y_true, y_pred) is missing.")
        return Metric(CUSTOM, task.direction, function=load_score(custom, task))
    length = rank_length(task.metric)
    if length is not None:
        row = orders.average_precision_at if task.metric.startswith("map") else orders.gain_at
        return Metric(task.metric, "maximize", means=Means(partial(row, length), formulas.mean))
    return METRICS[task.metric]


_MEANS = {
    "accuracy": Means(formulas.hits, formulas.mean),
    "balanced_accuracy": Means(orders.class_counts, orders.balanced_accuracy),
    "f1": Means(orders.second_class_counts, orders.f1_macro),
    "f1_micro": Means(orders.class_counts, orders.f1_micro),
    "f1_macro": Means(orders.class_counts, orders.f1_macro),
    "f1_weighted": Means(orders.class_counts, orders.f1_weighted),
    "matthews": Means(orders.class_counts, orders.matthews),
    "log_loss": Means(formulas.log_losses, formulas.mean),
    "balanced_log_loss": Means(formulas.balanced_losses, formulas.halves_ratio),
    "mean_columnwise_log_loss": Means(formulas.log_losses, formulas.mean),
    "rmse": Means(formulas.squares, formulas.root),
    "mcrmse": Means(formulas.squares, formulas.root),
    "rmsle": Means(formulas.log_squares, formulas.root),
    "mean_columnwise_rmsle": Means(formulas.log_squares, formulas.root),
    "mae": Means(formulas.distances, formulas.mean),
    "mean_columnwise_mae": Means(formulas.distances, formulas.mean),
    "mape": Means(formulas.percentages, formulas.mean),
    "smape": Means(formulas.symmetric_percentages, formulas.mean),
    "r2": Means(formulas.centred(formulas.moments), formulas.r2),
    "pearson": Means(formulas.centred(formulas.moments), formulas.pearson),
    KAPPA: Means(formulas.rating_moments, formulas.kappa),
    "jaccard_words": Means(orders.shared_words, formulas.mean),
}
_FUNCTIONS: dict[str, Callable[[Array, Array], float]] = {
    "roc_auc": partial(orders.over_columns, orders.area),
    "mean_columnwise_roc_auc": partial(orders.over_columns, orders.area),
    "average_precision": partial(orders.over_columns, orders.precision),
    "spearman": orders.spearman,
    "medae": orders.median_distance,
}
METRICS: dict[str, Metric] = {
    name: Metric(name, metric_info(name).direction, _FUNCTIONS.get(name), _MEANS.get(name)) for name in METRIC_NAMES
}
"""Every named metric without a k; `metric_of` makes those with one, and the user's own."""
