"""Views are cut as the real test differs from train, and not otherwise."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grading.base import AUDIT_VIEW, Task, TaskError
from grading.worker.infer import plan_of
from grading.worker.plans import Plan
from tests.made_tasks import RNG, cut, features, forward_task, hourly_task, inferred, rows_task

pytestmark = pytest.mark.ml


def planned(folder: Path, task: Task, seed: int = 0, split_file: Path | None = None) -> tuple[Plan, pd.DataFrame]:
    train = pd.read_csv(folder / "train.csv", dtype=str, keep_default_na=False)
    test = pd.read_csv(folder / "test.csv", dtype=str, keep_default_na=False)
    return plan_of(task, train, test, seed, split_file)[0], train


def grouped(tmp_path: Path, *, by_group: bool, people: int = 120) -> Path:
    frame = features(600)
    person = np.sort(RNG(1).integers(0, people, 600))
    frame.insert(0, "id", [f"{p:04d}_{i:03d}" for i, p in enumerate(person)])
    frame["person"] = person
    frame["y"] = RNG(2).integers(0, 2, 600)
    chosen = RNG(3).random(people) < 0.25
    is_test = chosen[person] if by_group else RNG(3).random(600) < 0.25
    return cut(tmp_path, frame, is_test, ["y"], y=0)


def test_rows_are_dealt_evenly_by_class(tmp_path: Path) -> None:
    frame = features(2000)
    frame.insert(0, "id", np.arange(2000))
    frame["y"] = RNG(0).choice(["a", "b", "c"], 2000, p=[0.9, 0.07, 0.03])
    task = inferred(cut(tmp_path, frame, RNG(1).random(2000) < 0.2, ["y"], y="a"), "accuracy")
    plan, train = planned(tmp_path, task)
    assert task.split == "row"
    parts = [plan.cuts[1].audit, *(plan.cuts[k].fold for k in range(1, 6))]
    shares = [(train["y"].iloc[part] == "b").mean() for part in parts]
    assert max(shares) - min(shares) < 0.02
    assert abs(len(parts[0]) / len(train) - 0.1) < 0.01


def test_audit_and_folds_are_a_partition(tmp_path: Path) -> None:
    task = inferred(rows_task(tmp_path, rows=1000), "rmse")
    plan, train = planned(tmp_path, task)
    folds = [plan.cuts[k].fold for k in range(1, 6)]
    everything = np.concatenate([plan.cuts[1].audit, *folds])
    assert sorted(everything.tolist()) == list(range(len(train)))
    for k in range(1, 6):
        assert np.array_equal(plan.cuts[k].audit, plan.cuts[1].audit)
        assert not plan.cuts[k].known[plan.cuts[k].fold].any()
        assert not plan.cuts[k].known[plan.cuts[k].audit].any()


def test_a_small_train_keeps_thirty_audit_rows_or_a_fifth(tmp_path: Path) -> None:
    task = inferred(rows_task(tmp_path, rows=270), "rmse")
    plan, train = planned(tmp_path, task)
    assert 30 <= len(plan.cuts[1].audit) <= 0.21 * len(train)


def test_hidden_rows_of_a_view_are_bounded(tmp_path: Path) -> None:
    task = inferred(rows_task(tmp_path, rows=150_000), "rmse")
    plan, _ = planned(tmp_path, task)
    assert 18_000 < len(plan.cuts[2].fold) + len(plan.cuts[2].audit) <= 20_000


def test_the_seed_decides_and_the_plan_repeats(tmp_path: Path) -> None:
    task = inferred(rows_task(tmp_path), "rmse")
    first, again, other = (planned(tmp_path, task, seed)[0].cuts[1] for seed in (0, 0, 1))
    assert np.array_equal(first.fold, again.fold)
    assert not np.array_equal(first.fold, other.fold)


def test_groups_that_never_straddle_are_found_and_kept_whole(tmp_path: Path) -> None:
    task = inferred(grouped(tmp_path, by_group=True), "accuracy")
    assert task.split == "group"
    assert task.split_column in ("id", "person")
    plan, train = planned(tmp_path, task)
    person = train["person"].to_numpy()
    for k in range(1, 6):
        cut_ = plan.cuts[k]
        known = set(person[cut_.known])
        assert not known & set(person[cut_.fold])
        assert not known & set(person[cut_.audit])
    assert len(set(zip(person, plan.units, strict=True))) == len(set(person)) == len(set(plan.units))


def test_an_id_prefix_is_a_group_key(tmp_path: Path) -> None:
    grouped(tmp_path, by_group=True)
    for name in ("train.csv", "test.csv"):
        pd.read_csv(tmp_path / name).drop(columns=["person"]).to_csv(tmp_path / name, index=False)
    task = inferred(tmp_path, "accuracy")
    assert (task.split, task.split_column) == ("group", "id")
    plan, train = planned(tmp_path, task)
    person = train["id"].str.split("_").str[0]
    assert plan.units[0] == plan.units[person.eq(person.iloc[0]).to_numpy()].max()


def test_groups_that_straddle_are_no_groups(tmp_path: Path) -> None:
    assert inferred(grouped(tmp_path, by_group=False), "accuracy").split == "row"


@pytest.mark.parametrize("seed", range(5))
def test_no_group_is_seen_in_random_rows_with_suspicious_columns(tmp_path: Path, seed: int) -> None:
    rng = RNG(seed)
    rows = 800
    frame = pd.DataFrame({
        "id": rng.permutation(rows),
        "unique": [f"u-{i}" for i in rng.permutation(rows)],
        "constant": "same",
        "almost_unique": rng.integers(0, 200_000, rows),
        "amount": rng.normal(size=rows).round(1),
        "year_built": rng.integers(1900, 2020, rows),
        "born": pd.to_datetime(rng.integers(0, 20_000, rows), unit="D").strftime("%Y-%m-%d"),
        "rare": [f"r{v}" for v in rng.integers(0, 700, rows)],
        "y": rng.normal(size=rows),
    })  # fmt: skip
    task = inferred(cut(tmp_path, frame, rng.random(rows) < 0.3, ["y"], y=0), "rmse")
    assert (task.split, task.time) == ("row", "born")


def test_forward_time_hides_the_end_of_train(tmp_path: Path) -> None:
    task = inferred(forward_task(tmp_path, days=100, shops=3, test_days=10), "mae")
    assert (task.split, task.split_column, task.time) == ("time", "date", "date")
    plan, train = planned(tmp_path, task)
    dates = pd.to_datetime(train["date"])
    end = dates.max()
    audit = plan.cuts[AUDIT_VIEW]
    assert dates.iloc[audit.audit].min() == end - pd.Timedelta(days=9)
    assert task.views == 5
    for k in range(1, 6):
        cut_ = plan.cuts[k]
        assert len(cut_.audit) == 0
        last = dates.iloc[cut_.fold].max()
        assert last == end - pd.Timedelta(days=10 + 5 * (k - 1))
        assert dates.iloc[cut_.fold].min() == last - pd.Timedelta(days=9)
        assert dates[cut_.known].max() < dates.iloc[cut_.fold].min()


def test_a_gap_before_the_test_is_kept(tmp_path: Path) -> None:
    forward_task(tmp_path, days=100, test_days=10)
    train = pd.read_csv(tmp_path / "train.csv")
    train[train["date"] <= "2021-03-27"].to_csv(tmp_path / "train.csv", index=False)
    plan, train = planned(tmp_path, inferred(tmp_path, "mae"))
    dates = pd.to_datetime(train["date"])
    gap = dates.iloc[plan.cuts[1].fold].min() - dates[plan.cuts[1].known].max()
    assert gap == pd.Timedelta(days=5)


def test_a_short_train_gives_one_view(tmp_path: Path) -> None:
    task = inferred(forward_task(tmp_path, days=30, shops=2, test_days=10), "mae")
    assert (task.split, task.views) == ("time", 1)


def test_years_as_numbers_split_too(tmp_path: Path) -> None:
    frame = features(900)
    frame.insert(0, "id", np.arange(900))
    frame["year"] = RNG(0).integers(2005, 2015, 900)
    frame["y"] = RNG(1).normal(size=900)
    task = inferred(cut(tmp_path, frame, (frame["year"] == 2014).to_numpy(), ["y"], y=0), "rmse")
    assert (task.split, task.split_column) == ("time", "year")
    plan, train = planned(tmp_path, task)
    year = train["year"].astype(int)
    hidden = [set(year.iloc[plan.cuts[k].fold]) for k in range(1, task.views + 1)]
    assert hidden == [{2012}, {2011}, {2010}, {2009}]
    assert set(year.iloc[plan.cuts[AUDIT_VIEW].audit]) == {2013}


def test_the_series_are_the_units_where_there_are_many(tmp_path: Path) -> None:
    many = tmp_path / "many"
    many.mkdir()
    plan, train = planned(many, inferred(forward_task(many, shops=30), "mae"))
    assert len(set(zip(train["shop"], plan.units, strict=True))) == 30
    few = tmp_path / "few"
    few.mkdir()
    plan, train = planned(few, inferred(forward_task(few, shops=2), "mae"))
    days = pd.DataFrame({"unit": plan.units, "date": train["date"]}).groupby("unit")["date"].nunique()
    assert days.max() <= 2


def test_each_series_with_its_own_end(tmp_path: Path) -> None:
    rng = RNG(0)
    starts = rng.integers(0, 12, 40)
    rows = [(s, int(starts[s]) + d, d) for s in range(40) for d in range(40)]
    frame = pd.DataFrame(rows, columns=["patient", "day", "place"])
    frame.insert(0, "id", np.arange(len(frame)))
    frame["y"] = rng.normal(size=len(frame))
    is_test = (frame["place"] >= 35).to_numpy()
    task = inferred(cut(tmp_path, frame.drop(columns=["place"]), is_test, ["y"], y=0), "rmse")
    assert (task.split, task.split_column, task.time) == ("time", "patient", "day")
    plan, train = planned(tmp_path, task)
    last = train["day"].astype(int).groupby(train["patient"]).transform("max")
    back = (last - train["day"].astype(int)).iloc[plan.cuts[AUDIT_VIEW].audit]
    assert set(back) == {0, 1, 2, 3, 4}


def test_periods_that_take_turns_become_blocks(tmp_path: Path) -> None:
    task = inferred(hourly_task(tmp_path), "rmse")
    assert (task.split, task.split_column, task.time, task.views) == ("block", "id", "id", 5)
    plan, train = planned(tmp_path, task)
    times = pd.to_datetime(train["id"])
    for unit in np.unique(plan.units):
        mine = times[plan.units == unit]
        assert pd.Timedelta(days=3) <= mine.max() - mine.min() <= pd.Timedelta(days=6)
    months = {k: times.iloc[plan.cuts[k].fold].dt.month.nunique() for k in range(1, 6)}
    assert min(months.values()) >= 4


def test_days_drawn_at_random_are_groups_or_blocks_of_a_day(tmp_path: Path) -> None:
    times = pd.date_range("2020-01-01", periods=24 * 150, freq="h")
    frame = pd.DataFrame({"id": np.arange(len(times)), "when": times.strftime("%Y-%m-%d %H:%M")})
    frame["y"] = RNG(0).normal(size=len(frame)).round(3)
    day = (times - times[0]).days
    is_test = (RNG(1).random(150) < 0.3)[day]
    task = inferred(cut(tmp_path, frame, is_test, ["y"], y=0), "rmse")
    assert task.split in ("group", "block")
    plan, train = planned(tmp_path, task)
    units = pd.DataFrame({"unit": plan.units, "day": train["when"].str[:10]})
    assert units.groupby("unit")["day"].nunique().median() <= 2


def test_the_user_decides(tmp_path: Path) -> None:
    folder = grouped(tmp_path, by_group=False)
    task = inferred(folder, "accuracy", views={"by": "group", "column": "colour"})
    assert (task.split, task.split_column, task.views) == ("group", "colour", 2)
    plan, train = planned(folder, task)
    assert len(set(train["colour"].iloc[plan.cuts[1].audit])) == 1
    other = inferred(forward_task(tmp_path), "mae", views={"by": "row"})
    assert (other.split, other.views) == ("row", 5)


def test_the_users_own_split(tmp_path: Path) -> None:
    rows_task(tmp_path)
    own = tmp_path / "mine.py"
    own.write_text("def split(train):\n    return (train['count'] // 10 - 1).astype(int).clip(-1, 3)\n")
    task = inferred(tmp_path, "rmse", views={"file": "mine.py"}, files={"extra": []})
    assert task.views == 4
    plan, train = planned(tmp_path, task, split_file=own)
    count = train["count"].astype(int)
    assert (count.iloc[plan.cuts[1].audit] < 10).all()
    assert count.iloc[plan.cuts[2].fold].between(20, 29).all()


@pytest.mark.parametrize(
    ("code", "part"),
    [
        ("x = 1", "no function split"),
        ("def split(train):\n    return [0]", "whole numbers, one a row"),
        ("def split(train):\n    return [7] * len(train)", "folds 0, 1"),
        ("def split(train):\n    return train['nothing']", "KeyError"),
        ("def split(train:\n", "SyntaxError"),
    ],
)
def test_a_wrong_split_file_is_refused(tmp_path: Path, code: str, part: str) -> None:
    rows_task(tmp_path)
    (tmp_path / "mine.py").write_text(code)
    with pytest.raises(TaskError, match=part) as caught:
        inferred(tmp_path, "rmse", views={"file": "mine.py"})
    assert "mine.py" in str(caught.value)
