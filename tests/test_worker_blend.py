"""Blends: found where members err apart, refused where the gain is noise."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from grading.base import Standing, Task
from grading.worker.arrays import Array
from grading.worker.blend import MEMBERS, Fold, best_blend
from grading.worker.metrics import metric_of
from grading.worker.mixing import mix
from grading.worker.score import mark, standings
from tests.worker_tasks import RMSE

pytestmark = pytest.mark.ml

LABELS = replace(
    RMSE, metric="accuracy", direction="maximize", problem="multiclass", output="labels", classes=["a", "b", "c"]
)


def blend(task: Task, folds: Mapping[int, Fold]) -> tuple[Standing | None, Standing]:
    """The blend of all attempts in `folds`, and the leader."""
    metric = metric_of(task)
    names = sorted({name for fold in folds.values() for name in fold.predictions})
    marks = {name: {} for name in names}  # type: ignore[var-annotated]
    for view, fold in folds.items():
        for name, p in fold.predictions.items():
            marks[name][view] = mark(metric, fold.y, p, fold.unit, view, seed=0)
    order = standings(marks, metric)
    return best_blend([next(iter(s.members)) for s in order], folds, marks, metric, task, seed=0), order[0]


def noisy(view: int, noises: Mapping[str, float], shared: float = 0.0, rows: int = 500) -> Fold:
    """A view on which attempts are wrong by noise of their own and by shared noise."""
    random = np.random.default_rng(view)
    y = random.normal(size=(rows, 1))
    common = y + shared * random.normal(size=y.shape)
    return Fold(
        y, np.arange(rows), {name: common + noise * random.normal(size=y.shape) for name, noise in noises.items()}
    )


def test_members_that_err_apart_are_blended() -> None:
    found, leader = blend(RMSE, {view: noisy(view, {"a": 1.0, "b": 1.0, "c": 1.1}) for view in (1, 2)})
    assert found is not None
    assert sum(found.members.values()) == pytest.approx(1.0)
    assert found.members["a"] == pytest.approx(1 / 3, abs=0.15)
    assert found.score.mean < leader.score.mean * 0.7
    assert found.behind + found.behind_error < 0
    assert found.views == [1, 2]


def test_the_score_of_a_blend_is_what_it_keeps_on_new_rows() -> None:
    found, _ = blend(RMSE, {1: noisy(1, {f"m{i}": 1.0 for i in range(8)}, rows=200)})
    assert found is not None
    fresh = noisy(77, {f"m{i}": 1.0 for i in range(8)}, rows=20_000)
    p = mix(RMSE, [fresh.predictions[name] for name in found.members], list(found.members.values()))
    assert found.score.mean == pytest.approx(metric_of(RMSE).value(fresh.y, p), abs=2.5 * found.score.error)


def test_noise_is_not_taken_for_a_gain() -> None:
    """Copies of one model with a little noise: nothing real can be gained, and seldom is a blend proposed."""
    proposed = [
        blend(RMSE, {1: noisy(view, {f"m{i}": 0.02 for i in range(8)}, shared=1.0, rows=150)})[0] for view in range(20)
    ]
    assert sum(found is not None for found in proposed) <= 5


def test_nobody_to_blend_with() -> None:
    assert blend(RMSE, {1: noisy(1, {"a": 1.0})})[0] is None
    assert best_blend([], {}, {}, metric_of(RMSE), RMSE, 0) is None


def test_members_ran_on_the_same_views() -> None:
    folds = {1: noisy(1, {"a": 1.0, "b": 1.0, "late": 1.0}), 2: noisy(2, {"a": 1.0, "b": 1.0})}
    found, _ = blend(RMSE, folds)
    assert found is not None
    assert set(found.members) == {"a", "b"}


def test_a_blend_has_few_members() -> None:
    found, _ = blend(RMSE, {1: noisy(1, {f"m{i:02}": 1.0 for i in range(14)})})
    assert found is not None
    assert len(found.members) <= MEMBERS


def test_labels_are_voted_on() -> None:
    random = np.random.default_rng(3)
    y = random.integers(0, 3, (600, 1))
    told = {n: np.where(random.random(y.shape) < 0.7, y, random.integers(0, 3, y.shape)) for n in "abcde"}
    found, leader = blend(LABELS, {1: Fold(y, np.arange(600), told)})
    assert found is not None
    assert found.score.mean > leader.score.mean + 0.05


def column(*values: object) -> Array:
    return np.array(values, dtype=object if isinstance(values[0], str) else None)[:, None]


def test_a_tie_goes_to_the_heaviest_member() -> None:
    pool = [column(0, 1, 2), column(1, 1, 0), column(2, 2, 0)]
    assert mix(LABELS, pool, [0.4, 0.3, 0.3])[:, 0].tolist() == [0, 1, 0]
    assert mix(LABELS, pool[:2], [0.5, 0.5])[:, 0].tolist() == [0, 1, 2]
    assert mix(LABELS, pool[1::-1], [0.49, 0.51])[:, 0].tolist() == [0, 1, 2]


def test_texts_are_voted_on_as_a_whole() -> None:
    task = replace(LABELS, metric="jaccard_words", classes=[])
    pool = [column("x", "x"), column("y z", "q"), column("y z", "r")]
    assert mix(task, pool, [0.4, 0.3, 0.3])[:, 0].tolist() == ["y z", "x"]


def test_values_are_averaged_where_the_metric_measures() -> None:
    pool = [column(0.0, 8.0), column(3.0, 8.0)]
    assert mix(RMSE, pool, [1.0, 1.0])[:, 0].tolist() == [1.5, 8.0]
    assert mix(replace(RMSE, metric="rmsle"), pool, [1.0, 1.0])[:, 0].tolist() == pytest.approx([1.0, 8.0])


def test_scores_of_unlike_scales_are_averaged_by_rank() -> None:
    task = replace(
        RMSE, metric="roc_auc", direction="maximize", problem="binary", output="probabilities", classes=["0", "1"]
    )
    pool = [column(0.1, 0.2, 0.3), column(-900.0, 100.0, 0.0)]
    assert np.argsort(mix(task, pool, [0.6, 0.4])[:, 0]).tolist() == [0, 1, 2]
    inside = [column(0.1, 0.2), column(0.3, 0.8)]
    assert mix(task, inside, [1.0, 1.0])[:, 0].tolist() == pytest.approx([0.2, 0.5])


def test_0_1_columns_are_voted_on_each() -> None:
    task = replace(LABELS, metric="f1_macro", problem="multilabel", classes=[], targets=["p", "q"], columns=["p", "q"])
    pool = [np.array([[1.0, 0.0]]), np.array([[1.0, 1.0]]), np.array([[0.0, 1.0]])]
    assert mix(task, pool, [1.0, 1.0, 1.0]).tolist() == [[1.0, 1.0]]
