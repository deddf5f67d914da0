"""Every metric gives what scikit-learn, scipy or Kaggle's own definition gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn import metrics as sk

from grading.base import Task, TaskError
from grading.metric_names import METRIC_NAMES
from grading.worker.arrays import Array, class_codes, form, truth
from grading.worker.metrics import METRICS, metric_of
from tests.worker_tasks import RMSE

pytestmark = pytest.mark.ml

RNG = np.random.default_rng(7)
N = 400
BINARY = RNG.integers(0, 2, (N, 1))
CHANCE = np.clip(BINARY * 0.3 + RNG.random((N, 1)) * 0.7, 0.01, 0.99).round(2)
TOLD = (CHANCE > 0.5).astype(int)
CLASS = RNG.integers(0, 5, (N, 1))
GUESS = np.where(RNG.random((N, 1)) < 0.6, CLASS, RNG.integers(0, 5, (N, 1)))
CHANCES = RNG.dirichlet(np.ones(5), N) + 0.3 * np.eye(5)[CLASS[:, 0]]
FLAGS = RNG.integers(0, 2, (N, 3)).astype(float)
FLAG_CHANCES = np.clip(FLAGS * 0.2 + RNG.random((N, 3)) * 0.8, 0.01, 0.99)
FLAG_TOLD = (FLAG_CHANCES > 0.5).astype(float)
VALUES = RNG.gamma(2.0, 10.0, (N, 1))
NEAR = np.abs(VALUES + RNG.normal(0, 5, (N, 1)))
TWO = RNG.gamma(2.0, 10.0, (N, 2))
TWO_NEAR = np.abs(TWO + RNG.normal(0, 5, (N, 2)))


def flat(y: Array, p: Array) -> tuple[Array, Array]:
    return y[:, 0], p[:, 0]


def row_sums_1(p: Array) -> Array:
    return p / p.sum(axis=1, keepdims=True)


def by_column(metric: Callable[[Array, Array], float]) -> Callable[[Array, Array], float]:
    return lambda y, p: float(np.mean([metric(y[:, i], p[:, i]) for i in range(y.shape[1])]))


def balanced_log_loss(y: Array, p: Array) -> float:
    p = np.clip(row_sums_1(p), 1e-15, 1 - 1e-15)
    return float(np.mean([-np.log(p[y[:, 0] == k, k]).mean() for k in range(p.shape[1])]))


def smape(y: Array, p: Array) -> float:
    return float(np.mean(200 * np.abs(y - p) / (np.abs(y) + np.abs(p))))


CASES: list[tuple[str, Array, Array, Callable[[Array, Array], float]]] = [
    ("accuracy", CLASS, GUESS, sk.accuracy_score),
    ("accuracy", FLAGS, FLAG_TOLD, sk.accuracy_score),
    ("balanced_accuracy", CLASS, GUESS, sk.balanced_accuracy_score),
    ("f1", BINARY, TOLD, sk.f1_score),
    ("f1_micro", CLASS, GUESS, lambda y, p: sk.f1_score(y, p, average="micro")),
    ("f1_macro", CLASS, GUESS, lambda y, p: sk.f1_score(y, p, average="macro")),
    ("f1_macro", FLAGS, FLAG_TOLD, lambda y, p: sk.f1_score(y, p, average="macro")),
    ("f1_micro", FLAGS, FLAG_TOLD, lambda y, p: sk.f1_score(y, p, average="micro")),
    ("f1_weighted", CLASS, GUESS, lambda y, p: sk.f1_score(y, p, average="weighted")),
    ("matthews", BINARY, TOLD, lambda y, p: sk.matthews_corrcoef(y[:, 0], p[:, 0])),
    ("matthews", CLASS, GUESS, lambda y, p: sk.matthews_corrcoef(y[:, 0], p[:, 0])),
    ("quadratic_weighted_kappa", CLASS, GUESS, lambda y, p: sk.cohen_kappa_score(*flat(y, p), weights="quadratic")),
    ("roc_auc", BINARY, CHANCE, sk.roc_auc_score),
    ("roc_auc", CLASS, CHANCES, lambda y, p: sk.roc_auc_score(y[:, 0], row_sums_1(p), multi_class="ovr")),
    ("mean_columnwise_roc_auc", FLAGS, FLAG_CHANCES, sk.roc_auc_score),
    ("average_precision", BINARY, CHANCE, sk.average_precision_score),
    ("average_precision", FLAGS, FLAG_CHANCES, sk.average_precision_score),
    ("log_loss", BINARY, CHANCE, sk.log_loss),
    ("log_loss", CLASS, CHANCES, lambda y, p: sk.log_loss(y[:, 0], row_sums_1(p))),
    ("balanced_log_loss", CLASS, CHANCES, balanced_log_loss),
    ("mean_columnwise_log_loss", FLAGS, FLAG_CHANCES, by_column(sk.log_loss)),
    ("rmse", VALUES, NEAR, sk.root_mean_squared_error),
    ("rmsle", VALUES, NEAR, sk.root_mean_squared_log_error),
    ("mae", VALUES, NEAR, sk.mean_absolute_error),
    ("medae", VALUES, NEAR, sk.median_absolute_error),
    ("mape", VALUES, NEAR, sk.mean_absolute_percentage_error),
    ("smape", VALUES, NEAR, smape),
    ("r2", VALUES, NEAR, sk.r2_score),
    ("r2", TWO, TWO_NEAR, sk.r2_score),
    ("mcrmse", TWO, TWO_NEAR, by_column(sk.root_mean_squared_error)),
    ("mean_columnwise_rmsle", TWO, TWO_NEAR, by_column(sk.root_mean_squared_log_error)),
    ("mean_columnwise_mae", TWO, TWO_NEAR, sk.mean_absolute_error),
    ("pearson", VALUES, NEAR, lambda y, p: stats.pearsonr(y[:, 0], p[:, 0])[0]),
    ("spearman", VALUES, NEAR, lambda y, p: stats.spearmanr(y[:, 0], p[:, 0])[0]),
    ("spearman", TWO, TWO_NEAR, by_column(lambda y, p: stats.spearmanr(y, p)[0])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "y", "p", "known"), CASES, ids=[f"{case[0]}-{i}" for i, case in enumerate(CASES)])
def test_values_are_those_of_the_libraries(
    name: str, y: Array, p: Array, known: Callable[[Array, Array], float]
) -> None:
    assert METRICS[name].value(y, p) == pytest.approx(known(y, p), rel=1e-9)


def test_every_name_can_be_computed_and_is_bounded() -> None:
    tested = {case[0] for case in CASES} | {"jaccard_words"}
    assert set(METRICS) == set(METRIC_NAMES) == tested
    for name, y, p, _ in CASES:
        least, most = METRICS[name].bounds
        assert least <= METRICS[name].value(y, p) <= most


def test_kappa_rounds_predictions() -> None:
    metric = METRICS["quadratic_weighted_kappa"]
    assert metric.value(CLASS.astype(float), GUESS + 0.3) == pytest.approx(metric.value(CLASS, GUESS))


def test_log_loss_rescales_rows_and_survives_certainty() -> None:
    assert METRICS["log_loss"].value(CLASS, 7 * CHANCES) == pytest.approx(METRICS["log_loss"].value(CLASS, CHANCES))
    assert METRICS["log_loss"].value(np.array([[0]]), np.array([[1.0]])) == pytest.approx(-np.log(1e-15), rel=1e-3)


def test_ranked_lists() -> None:
    task = replace(
        RMSE, metric="map_at_3", direction="maximize", output="labels", problem="multiclass", classes=["a", "b"]
    )
    y = np.array([["a"], ["b"], ["c"], ["a b"]], dtype=object)
    p = np.array([["a b c"], ["a b"], ["a b"], ["b x a"]], dtype=object)
    assert metric_of(task).value(y, p) == pytest.approx((1 + 1 / 2 + 0 + (1 + 2 / 3) / 2) / 4)
    gains = [1, 1 / np.log2(3), 0, (1 + 1 / 2) / (1 + 1 / np.log2(3))]
    assert metric_of(replace(task, metric="ndcg_at_3")).value(y, p) == pytest.approx(np.mean(gains))
    assert metric_of(replace(task, metric="map_at_1")).value(y[:2], p[:2]) == pytest.approx(0.5)


def test_word_jaccard() -> None:
    y = np.array([["Great day"], ["so sad"], [""]], dtype=object)
    p = np.array([["great"], ["sad so"], [""]], dtype=object)
    assert METRICS["jaccard_words"].value(y, p) == pytest.approx((0.5 + 1 + 0) / 3)


@pytest.mark.parametrize("name", ["roc_auc", "average_precision", "f1", "r2", "pearson", "spearman"])
def test_rows_that_do_not_define_a_metric_give_nan(name: str) -> None:
    same = np.zeros((5, 1))
    value = METRICS[name].value(
        same.astype(int) if name == "f1" else same, same.astype(int) if name == "f1" else same + 0.1
    )
    assert np.isnan(value)


def test_a_column_without_both_classes_is_left_out_of_the_mean() -> None:
    flags = FLAGS.copy()
    flags[:, 2] = 0
    known = sk.roc_auc_score(FLAGS[:, :2], FLAG_CHANCES[:, :2])
    assert METRICS["mean_columnwise_roc_auc"].value(flags, FLAG_CHANCES) == pytest.approx(known)


def test_constant_predictions_correlate_with_nothing() -> None:
    assert METRICS["pearson"].value(VALUES, np.full_like(VALUES, 3.3)) == 0.0
    assert METRICS["spearman"].value(VALUES, np.full_like(VALUES, 3.3)) == 0.0


def test_labels_in_any_spelling() -> None:
    texts = np.array(["1", "1.0", "True", "true", "0", "False", "2", ""], dtype=object)
    assert list(class_codes(texts, ["0", "1"])) == [1, 1, 1, 1, 0, 0, -1, -1]
    assert list(class_codes(texts, ["False", "True"])) == [1, 1, 1, 1, 0, 0, -1, -1]


def test_answers_in_0_1_columns_of_one_label_become_its_classes() -> None:
    task = replace(
        RMSE, metric="log_loss", targets=["a", "b"], columns=["a", "b"], problem="multilabel", output="probabilities"
    )
    table = pd.DataFrame({"y:a": [1.0, 0.0], "y:b": [0.0, 1.0]})
    assert truth(table, task).tolist() == [[0], [1]]
    assert truth(table, replace(task, metric="mean_columnwise_log_loss")).tolist() == [[1.0, 0.0], [0.0, 1.0]]


def test_ratings_are_held_as_numbers() -> None:
    task = replace(
        RMSE, metric="quadratic_weighted_kappa", output="labels", problem="multiclass", classes=["1", "2", "10"]
    )
    assert form(task) == "numbers"
    assert truth(pd.DataFrame({"y:price": ["10", "1"]}), task).tolist() == [[10.0], [1.0]]


def custom(tmp_path: Path, source: str, **changes: Any) -> Callable[[Array, Array], float]:
    path = tmp_path / "my_metric.py"
    path.write_text(source)
    task: Task = replace(RMSE, metric="custom", **changes)
    return metric_of(task, path).value


def test_the_users_own_metric(tmp_path: Path) -> None:
    value = custom(tmp_path, "def score(y_true, y_pred):\n    return abs(y_true - y_pred).max()\n")
    assert value(np.array([[1.0], [2.0]]), np.array([[1.5], [4.0]])) == 2.0


def test_the_users_metric_sees_labels_as_the_task_writes_them(tmp_path: Path) -> None:
    source = "def score(y_true, y_pred):\n    return float((y_true[0] == 'cat') and (y_pred[1] == 'dog'))\n"
    value = custom(tmp_path, source, output="labels", problem="multiclass", classes=["cat", "dog"])
    assert value(np.array([[0], [0]]), np.array([[0], [1]])) == 1.0


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("def score(y_true, y_pred):\n    return y_true.nothing\n", "AttributeError"),
        ("def other(): ...\n", "no function score"),
        ("def score(:\n", "SyntaxError"),
    ],
)
def test_a_broken_metric_is_the_users_fault(tmp_path: Path, source: str, told: str) -> None:
    with pytest.raises(TaskError, match=told):
        custom(tmp_path, source)(np.zeros((2, 1)), np.zeros((2, 1)))
