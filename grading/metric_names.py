"""The names of the metrics: what is better, what a submission must hold, and what else people call them.

Standard library only: the host resolves names, the grader's container (grading.worker.metrics) computes the values.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace

from grading.base import Direction, Output, TaskError

CUSTOM = "custom"
"""The name that stands for the user's own `score(y_true, y_pred)`."""


@dataclass(frozen=True)
class MetricName:
    """What is known of a metric without computing it."""

    name: str
    """Canonical name."""
    direction: Direction
    outputs: tuple[Output, ...]
    """What the submission may hold; the first is the usual one."""
    aliases: tuple[str, ...] = ()
    """Other names, in the spelling of `_key`: lower case, words joined by single underscores."""


def _labels(name: str, *aliases: str) -> MetricName:
    return MetricName(name, "maximize", ("labels",), aliases)


def _chances(name: str, direction: Direction, *aliases: str) -> MetricName:
    return MetricName(name, direction, ("probabilities",), aliases)


def _values(name: str, direction: Direction, *aliases: str) -> MetricName:
    return MetricName(name, direction, ("values",), aliases)


_ALL = [
    _labels("accuracy", "acc", "accuracy_score", "categorization_accuracy", "categorisation_accuracy",
        "classification_accuracy", "multiclass_accuracy", "categorical_accuracy", "percent_correct"),
    _labels("balanced_accuracy", "balanced_accuracy_score", "bacc", "macro_recall", "recall_macro",
        "mean_class_accuracy"),
    _labels("f1", "f1_score", "f_score", "f1_binary", "binary_f1", "f_1", "f1score"),
    _labels("f1_micro", "micro_f1", "micro_f1_score", "f1_score_micro", "micro_averaged_f1",
        "micro_averaged_f1_score"),
    _labels("f1_macro", "macro_f1", "macro_f1_score", "f1_score_macro", "macro_averaged_f1",
        "macro_averaged_f1_score", "macro_f_score", "macrofscore"),
    _labels("f1_weighted", "weighted_f1", "weighted_f1_score", "f1_score_weighted"),
    _chances("roc_auc", "maximize", "auc", "roc", "auroc", "auc_roc", "rocauc", "roc_auc_score",
        "area_under_roc", "area_under_the_roc_curve", "area_under_receiver_operating_characteristic_curve",
        "area_under_curve", "area_under_the_receiver_operating_characteristic_curve"),
    _chances("mean_columnwise_roc_auc", "maximize", "mean_column_wise_roc_auc", "mean_columnwise_auc",
        "mean_column_wise_auc", "mc_auc", "mcauc", "column_mean_roc_auc", "mean_roc_auc", "mean_auc",
        "columnwise_roc_auc"),
    _chances("average_precision", "maximize", "ap", "average_precision_score", "pr_auc", "auc_pr", "auprc",
        "area_under_precision_recall_curve", "area_under_the_precision_recall_curve"),
    _chances("log_loss", "minimize", "logloss", "logarithmic_loss", "multi_class_log_loss",
        "multiclass_log_loss", "mlogloss", "multi_class_logarithmic_loss", "multiclass_logarithmic_loss",
        "multiclass_loss", "multi_class_loss", "cross_entropy", "binary_log_loss", "binary_logloss",
        "binary_cross_entropy", "neg_log_loss", "logloss_multiclass"),
    _chances("balanced_log_loss", "minimize", "balanced_logarithmic_loss", "balanced_logloss",
        "weighted_log_loss_by_class"),
    _chances("mean_columnwise_log_loss", "minimize", "mean_column_wise_log_loss", "mean_columnwise_logloss",
        "multilabel_log_loss", "mean_columnwise_logarithmic_loss", "column_wise_log_loss",
        "mean_column_wise_logarithmic_loss"),
    _values("rmse", "minimize", "root_mean_squared_error", "root_mean_square_error", "rms_error", "rmsd"),
    _values("rmsle", "minimize", "root_mean_squared_logarithmic_error", "root_mean_squared_log_error",
        "root_mean_square_logarithmic_error", "root_mean_square_log_error", "rmsle_error", "log_rmse"),
    _values("mae", "minimize", "mean_absolute_error", "mean_abs_error", "l1"),
    _values("medae", "minimize", "median_absolute_error", "median_abs_error"),
    _values("mape", "minimize", "mean_absolute_percentage_error", "mean_absolute_percent_error"),
    _values("smape", "minimize", "symmetric_mean_absolute_percentage_error", "symmetric_mape",
        "symmetric_mean_absolute_percent_error"),
    _values("r2", "maximize", "r2_score", "r_squared", "r_2", "coefficient_of_determination", "r2score"),
    _values("mcrmse", "minimize", "mean_columnwise_rmse", "mean_column_wise_rmse",
        "mean_columnwise_root_mean_squared_error", "mean_column_wise_root_mean_squared_error", "column_wise_rmse"),
    _values("mean_columnwise_rmsle", "minimize", "mean_column_wise_rmsle", "mcrmsle", "column_wise_rmsle",
        "mean_columnwise_root_mean_squared_logarithmic_error",
        "mean_column_wise_root_mean_squared_logarithmic_error"),
    _values("mean_columnwise_mae", "minimize", "mean_column_wise_mae", "mcmae",
        "mean_columnwise_mean_absolute_error", "mean_column_wise_mean_absolute_error", "column_wise_mae"),
    _labels("quadratic_weighted_kappa", "qwk", "quadratic_kappa", "weighted_kappa", "cohen_kappa_quadratic",
        "kappa_quadratic", "cohens_kappa_quadratic", "quadraticweightedkappa"),
    _labels("matthews", "mcc", "matthews_corrcoef", "matthews_correlation", "matthews_correlation_coefficient"),
    _values("pearson", "maximize", "pearsonr", "pearson_r", "pearson_correlation",
        "pearson_correlation_coefficient"),
    _values("spearman", "maximize", "spearmanr", "spearman_correlation", "spearman_rank_correlation",
        "spearmans_correlation", "mean_columnwise_spearman", "mean_column_wise_spearmans_correlation_coefficient",
        "spearmans_rho", "spearman_correlation_coefficient", "spearmans_correlation_coefficient",
        "mean_columnwise_spearmans_correlation"),
    _labels("jaccard_words", "word_jaccard", "word_level_jaccard", "word_level_jaccard_score",
        "jaccard_word_level"),
]  # fmt: skip

METRIC_NAMES: dict[str, MetricName] = {metric.name: metric for metric in _ALL}
"""The metrics without a k in their name."""

RANKED: dict[str, MetricName] = {
    "map_at_k": _labels("map_at_k", "mean_average_precision_at", "map", "mapk", "mean_average_precision"),
    "ndcg_at_k": _labels(
        "ndcg_at_k", "ndcg", "normalized_discounted_cumulative_gain", "normalized_discounted_cumulative_gain_at",
        "normalised_discounted_cumulative_gain_at"),
}  # fmt: skip
"""The metrics over a ranked list of labels; the k stands in the name of each use: "map_at_3", "ndcg_at_5"."""

_BY_KEY: dict[str, str] = {key: metric.name for metric in _ALL for key in (metric.name, *metric.aliases)}
_RANKED_KEY: dict[str, str] = {
    key: name for name, metric in RANKED.items() for key in (name.removesuffix("_k"), *metric.aliases)
}


def resolve_metric(text: str, field: str = "metric") -> str:
    """The canonical name of a metric: "Root Mean Squared Error" -> "rmse", "MAP@5" -> "map_at_5".

    Raises:
        TaskError: no metric is called that; the nearest names are given.
    """
    key = _key(text)
    if key in _BY_KEY:
        return _BY_KEY[key]
    found = _ranked(key)
    if found is not None:
        return found
    raise TaskError(f"{field}: there is no metric {text!r}; {_nearest(key)}, or give metric: {{file: my_metric.py}}.")


def metric_info(name: str) -> MetricName:
    """What is known of a canonical name, with its own k where it has one.

    Raises:
        KeyError: `name` is not canonical (use `resolve_metric` first).
    """
    if name in METRIC_NAMES:
        return METRIC_NAMES[name]
    match = re.fullmatch(r"(map|ndcg)_at_[1-9]\d*", name)
    if match is None:
        raise KeyError(name)
    return replace(RANKED[f"{match[1]}_at_k"], name=name)


def rank_length(name: str) -> int | None:
    """The k of "map_at_k" and "ndcg_at_k" names, None for every other metric."""
    match = re.fullmatch(r"(?:map|ndcg)_at_(\d+)", name)
    return int(match[1]) if match else None


def _key(text: str) -> str:
    """Lower case, without brackets' contents and apostrophes, words joined by single underscores."""
    words = re.sub(r"\([^)]*\)|['’]", "", text).strip().lower().replace("²", "2").replace("@", "_at_")
    words = re.sub(r"^(?:the|mean_of_the)\s+", "", words)
    return re.sub(r"[^a-z0-9]+", "_", words).strip("_")


def _ranked(key: str) -> str | None:
    match = re.fullmatch(r"(.+?)_?(?:at_)?k?_?([1-9]\d{0,3})", key)
    if match is None:
        return None
    stem = match[1]
    for candidate in (stem, f"{stem}_at", stem.removesuffix("_at")):
        if candidate in _RANKED_KEY:
            return _RANKED_KEY[candidate].replace("_k", f"_{match[2]}")
    return None


def _nearest(key: str) -> str:
    if key in _RANKED_KEY or key in RANKED:
        return f"say how many count, such as {_RANKED_KEY.get(key, key).replace('_k', '_5')}"
    names = [*_BY_KEY, "map_at_3", "map_at_5", "ndcg_at_5"]
    close = difflib.get_close_matches(key, names, n=6, cutoff=0.5)
    found = list(dict.fromkeys(_BY_KEY.get(name, name) for name in close))[:3]
    if found:
        return f"the nearest {'are' if len(found) > 1 else 'is'} {', '.join(found)}"
    return f"known are {', '.join(METRIC_NAMES)}, map_at_K and ndcg_at_K"
