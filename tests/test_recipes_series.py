"""Every recipe for time series, run as a script of its own, and the grid, seasons and forecasts that they stand on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recipes.catalogue_other import SERIES
from recipes.parts.backtest import join_forecasts
from recipes.parts.forecast import History, damped, last_value, lengthen, ridge_ahead, seasonal
from recipes.parts.panel import make_panel
from recipes.parts.seasons import seasonless
from recipes.parts.series import fill_gaps, never_fall
from tests.recipe_runs import run_recipe, write_data
from tests.test_recipes_render import TASK

pytestmark = pytest.mark.ml
NAMES = [recipe.name for recipe in SERIES]
BASE = replace(
    TASK, id="id", targets=["cases", "deaths"], columns=["cases", "deaths"], train_only=["number"], shared=[],
    metric="mean_columnwise_rmsle", split="time", split_column="day", time="day",
)  # fmt: skip


def epidemic(days: int = 50) -> pd.DataFrame:
    """Running totals of a country, some with provinces, that grow and slow down."""
    draw = np.random.default_rng(0)
    dates = pd.date_range("2021-01-01", periods=days).astype(str)
    rows = []
    for place in range(12):
        start, size = draw.integers(0, 20), draw.uniform(5, 9)
        total = np.expm1(np.clip(size / (1 + np.exp(-(np.arange(days) - start - 15) / 6)), 0, None)).round()
        province = f"P{place}" if place % 4 < 2 else None if place % 2 else "Main"
        whole = {"country": f"C{place // 2}", "province": province}
        rows.append(pd.DataFrame({**whole, "day": dates, "cases": total, "deaths": (total * 0.02).round()}))
    table = pd.concat(rows, ignore_index=True)
    return table.assign(id=[f"r{n}" for n in range(len(table))], number=1.0)


def shop(days: int = 500) -> pd.DataFrame:
    """Daily sales of two shops and three goods with a week and offers that are known ahead."""
    draw = np.random.default_rng(1)
    dates = pd.date_range("2020-01-01", periods=days)
    parts = []
    for store in (1, 2):
        for good in ("hat", "mug", "pen"):
            offer = (draw.random(days) < 0.2).astype(int)
            level = np.exp(3 + 0.5 * store + 0.4 * offer + 0.5 * (dates.day_of_week >= 5))
            parts.append(
                pd.DataFrame(
                    {
                        "day": dates.astype(str),
                        "store": store,
                        "good": good,
                        "offer": offer,
                        "sold": draw.poisson(level),
                    }
                )
            )
    table = pd.concat(parts).sort_values("day", kind="stable").reset_index(drop=True)
    return table.assign(id=lambda t: [f"r{n}" for n in range(len(t))])


def cut(table: pd.DataFrame, day: str, targets: list[str]) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    train, rest = table[table["day"] < day], table[table["day"] >= day]
    return train, rest.drop(columns=[*targets, *({"number"} & set(rest))]), rest[targets].reset_index(drop=True)


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_running_totals_of_many_places(tmp_path: Path, name: str, safe: bool) -> None:
    train, test, truth = cut(epidemic(), "2021-02-10", BASE.targets)
    write_data(tmp_path, BASE, train, test)
    found = run_recipe(tmp_path, name, BASE, safe)
    errors = np.log1p(found[BASE.targets]) - np.log1p(truth)
    assert (found[BASE.targets] >= 0).all().all()
    assert np.sqrt((errors**2).mean()).mean() < (2.5 if name == "series_calendar" else 1.0)


@pytest.mark.parametrize("name", NAMES)
def test_far_ahead_of_a_short_history_stays_within_reason(tmp_path: Path, name: str) -> None:
    train, test, _ = cut(epidemic(60), "2021-01-26", BASE.targets)
    write_data(tmp_path, BASE, train, test)
    found = run_recipe(tmp_path, name, BASE)
    assert (found["cases"] <= 1000 * (train["cases"].max() + 10)).all()


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_sales_with_a_week_and_a_new_shop_in_test(tmp_path: Path, name: str, safe: bool) -> None:
    task = replace(BASE, targets=["sold"], columns=["sold"], metric="rmsle", train_only=[])
    train, test, truth = cut(shop(), "2021-04-20", ["sold"])
    test.iloc[-1, test.columns.get_loc("store")] = 3
    write_data(tmp_path, task, train, test)
    found = run_recipe(tmp_path, name, task, safe)["sold"]
    errors = np.log1p(found) - np.log1p(truth["sold"])
    assert np.sqrt((errors[:-1] ** 2).mean()) < 0.4
    assert np.isfinite(found).all()


def test_rows_of_test_that_train_knows_keep_their_values(tmp_path: Path) -> None:
    table = epidemic()
    train, _, _ = cut(table, "2021-02-10", BASE.targets)
    rest = table[table["day"] >= "2021-02-05"]
    write_data(tmp_path, BASE, train, rest.drop(columns=[*BASE.targets, "number"]))
    found = run_recipe(tmp_path, "series_trend", BASE)
    known = (rest["day"] < "2021-02-10").to_numpy()
    assert np.allclose(found["cases"][known], rest["cases"][known])


def test_months_make_even_steps_and_a_year_of_twelve() -> None:
    months = pd.date_range("2015-01-01", periods=48, freq="MS").astype(str)
    train = pd.DataFrame({"when": months[:36], "y": np.arange(36.0)})
    panel = make_panel(train, pd.DataFrame({"when": months[36:]}), train[["y"]].to_numpy(), "when", ["y"])
    assert panel.steps == 36
    assert panel.horizon == 12
    assert panel.periods == [12]


def test_rows_that_are_no_series_are_refused() -> None:
    draw = np.random.default_rng(0)
    train = pd.DataFrame({"when": ["2020-01-01"] * 50 + ["2020-01-02"] * 50, "size": draw.normal(size=100)})
    with pytest.raises(ValueError, match="no time series"):
        make_panel(train, train.head(3), draw.normal(size=(100, 1)), "when", [])


def test_series_are_named_by_the_columns_that_tell_rows_apart() -> None:
    train, test, _ = cut(shop(60), "2020-02-20", ["sold"])
    panel = make_panel(train, test, train[["sold"]].to_numpy(float), "day", ["sold", "id"])
    assert sorted(panel.keys) == ["good", "store"]
    assert panel.values.shape[1] == 6
    assert panel.known.shape[2] == 1


def history(values: np.ndarray, periods: list[int]) -> History:
    known = np.zeros((values.shape[1], values.shape[2] + 500, 0))
    return History(values, known, periods, never_fall(values))


def test_a_gap_holds_the_value_before_and_a_late_start_the_first_one() -> None:
    table = np.array([[np.nan, 1.0, np.nan, 3.0], [np.nan] * 4])
    assert fill_gaps(table).tolist() == [[1, 1, 1, 3], [0, 0, 0, 0]]


def test_totals_never_fall_in_forecasts() -> None:
    past = history(np.cumsum(np.random.default_rng(0).random((1, 5, 40)), axis=2), [])
    assert past.rising
    for forecaster in (damped(7, 0.9, 0.5), ridge_ahead(10.0, 30)):
        assert (np.diff(forecaster(past, 20), axis=2) >= -1e-9).all()


def test_a_season_goes_on_at_the_right_phase() -> None:
    wave = np.tile(np.arange(7.0), 10)[None, None, :67]
    past = history(wave, [7])
    expected = [4, 5, 6, 0, 1, 2, 3, 4]
    assert np.allclose(seasonal(1)(past, 8)[0, 0], expected)
    assert np.allclose(seasonless(last_value)(past, 8)[0, 0], expected, atol=0.3)


def test_forecasts_are_lengthened_by_the_longest_season_that_fits() -> None:
    past = history(np.zeros((1, 1, 40)), [7])
    longer = lengthen(past, np.arange(14.0)[None, None, :], 20)
    assert longer[0, 0, 14:].tolist() == [7, 8, 9, 10, 11, 12]


def test_the_better_forecaster_weighs_more() -> None:
    line = np.linspace(0, 10, 60)[None, None, :]
    past = history(line, [])
    joined = join_forecasts(past, [last_value, damped(5, 1.0, 0.0)], 10)
    assert joined[0, 0, -1] > 11
