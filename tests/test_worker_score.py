"""Blind scores: the error says how far a score moves on other rows, and the leader is the one that is really ahead."""

from __future__ import annotations

import numpy as np
import pytest

from grading.worker.arrays import Array
from grading.worker.metrics import METRICS
from grading.worker.resample import replicates, spread
from grading.worker.score import Mark, Marks, behind, mark, score, standings

pytestmark = pytest.mark.ml

RMSE, ACCURACY, AUC = METRICS["rmse"], METRICS["accuracy"], METRICS["roc_auc"]
ROWS = 300


def answers(view: int, rows: int = ROWS) -> Array:
    return np.random.default_rng([view, 1]).normal(size=(rows, 1))


def marks(noise: float, views: list[int], seed: int = 0) -> Marks:
    """An attempt that is wrong by `noise`, on these views."""
    found = {}
    for view in views:
        y = answers(view)
        p = y + np.random.default_rng([seed, view, 2]).normal(0, noise, y.shape)
        graded = mark(RMSE, y, p, np.arange(ROWS), view, seed=5)
        assert graded is not None
        found[view] = graded
    return found


def test_the_error_is_how_far_a_score_moves_on_other_rows() -> None:
    random = np.random.default_rng(0)
    values, told = [], []
    for _ in range(200):
        y = random.integers(0, 2, (150, 1))
        p = np.where(random.random((150, 1)) < 0.8, y, 1 - y)
        found = mark(ACCURACY, y, p, np.arange(150), 1, seed=0)
        assert found is not None
        values.append(found.value)
        told.append(spread(found.draws))
    assert np.mean(told) == pytest.approx(np.std(values), rel=0.15)


def test_the_error_of_grouped_rows_counts_groups() -> None:
    random = np.random.default_rng(0)
    group = np.repeat(np.arange(30), 20)
    y = random.normal(size=(600, 1))
    p = y + random.normal(size=(30, 1))[group]
    by_row, by_group = (spread(replicates(RMSE, y, p, unit, [0])) for unit in (np.arange(600), group))
    assert by_group > 2 * by_row


@pytest.mark.parametrize("name", ["rmse", "log_loss", "roc_auc"])
def test_the_same_seed_gives_the_same_draws(name: str) -> None:
    y = np.random.default_rng(0).integers(0, 2, (100, 1))
    p = np.random.default_rng(1).random((100, 1))
    one, same, other = (replicates(METRICS[name], y, p, np.arange(100), [seed]) for seed in (3, 3, 4))
    assert (one == same).all()
    assert (one != other).any()


def test_draws_that_do_not_define_the_metric_are_left_out() -> None:
    y = np.zeros((40, 1), dtype=int)
    y[0] = 1
    found = mark(AUC, y, np.random.default_rng(0).random((40, 1)), np.arange(40), 1, seed=0)
    assert found is not None
    assert np.isnan(found.draws).any()
    assert np.isfinite(score({1: found}, AUC).error)


def test_rows_of_one_class_have_no_area_and_no_mark() -> None:
    assert mark(AUC, np.zeros((9, 1), dtype=int), np.ones((9, 1)), np.arange(9), 1, seed=0) is None
    assert mark(RMSE, np.zeros((0, 1)), np.ones((0, 1)), np.arange(0), 1, seed=0) is None


def test_more_views_make_a_surer_score() -> None:
    one, five = score(marks(1.0, [1]), RMSE), score(marks(1.0, [1, 2, 3, 4, 5]), RMSE)
    assert five.error == pytest.approx(one.error / np.sqrt(5), rel=0.3)
    assert five.mean == pytest.approx(np.mean(five.folds))


def test_behind_is_paired_and_knows_the_direction() -> None:
    best, worse = marks(1.0, [1, 2]), marks(1.3, [1, 2, 3])
    gap, error = behind(worse, best, RMSE)
    assert gap == pytest.approx(0.3, abs=3 * error)
    assert behind(best, worse, RMSE)[0] == pytest.approx(-gap)
    assert behind(best, best, RMSE) == (0.0, 0.0)
    high, low = ({1: Mark(value, np.full(100, value))} for value in (0.9, 0.8))
    assert behind(low, high, ACCURACY)[0] == pytest.approx(0.1)


def test_pairing_makes_small_differences_visible() -> None:
    y = answers(1)
    noise = np.random.default_rng(9).normal(size=y.shape)
    one, other = (mark(RMSE, y, y + k * noise, np.arange(ROWS), 1, seed=0) for k in (1.0, 1.02))
    assert one is not None
    assert other is not None
    _, error = behind({1: other}, {1: one}, RMSE)
    assert error < spread(one.draws) / 10


def test_standings_are_best_first_and_the_leader_is_not_behind() -> None:
    found = standings({"a": marks(1.5, [1]), "b": marks(1.0, [1, 2], 1), "c": marks(1.1, [1, 2], 2)}, RMSE)
    assert [list(standing.members) for standing in found] == [["b"], ["c"], ["a"]]
    assert (found[0].behind, found[0].behind_error) == (0.0, 0.0)
    assert found[2].behind > 0.3
    assert found[2].views == [1]


def test_a_lucky_view_does_not_make_a_leader() -> None:
    """Ahead by less than an error on its only view: it is asked for more views first."""
    sure = marks(1.0, [1, 2, 3])
    draws = np.random.default_rng(0).normal(0, 0.1, 100)
    lucky = {1: Mark(sure[1].value - 0.05, sure[1].draws - 0.05 + draws)}
    found = standings({"sure": sure, "lucky": lucky}, RMSE)
    assert list(found[0].members) == ["sure"]
    assert found[1].behind < 0
    clearly = {1: Mark(sure[1].value - 0.5, sure[1].draws - 0.5 + draws)}
    assert list(standings({"sure": sure, "new": clearly}, RMSE)[0].members) == ["new"]


def test_blocks_of_time_that_differ_make_a_score_unsure() -> None:
    steady = np.full(100, 1.0)
    blocks = {view: Mark(value, steady + value - 1) for view, value in ((1, 1.0), (2, 2.0), (3, 3.0))}
    assert score(blocks, RMSE, time=False).error == 0.0
    assert score(blocks, RMSE, time=True).error == pytest.approx(1 / np.sqrt(3))


def test_attempts_without_a_mark_do_not_stand() -> None:
    assert standings({}, RMSE) == []
    assert [list(s.members) for s in standings({"bad": {}, "good": marks(1.0, [1])}, RMSE)] == [["good"]]
