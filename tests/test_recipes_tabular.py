"""Every recipe for tables, run as a script of its own, on small made-up tables of every kind."""

from __future__ import annotations

import contextlib
import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grading.base import Output, Split, Task
from recipes.catalogue_tabular import TABULAR
from recipes.render import render
from tests.test_recipes_render import TASK

pytestmark = pytest.mark.ml
NAMES = [recipe.name for recipe in TABULAR]
SIZE = 240
BASE = replace(TASK, id="id", targets=["y"], columns=["y"], train_only=["late"], shared=[])
COLOURS = ["blue", "green", "red"]


def features(seed: int = 0) -> pd.DataFrame:
    """Numbers, gaps, categories, codes with parts, dates, names, words for yes and no, and a column without values."""
    draw = np.random.default_rng(seed)
    size = SIZE + 60
    table = pd.DataFrame({"id": [f"{row // 2:04d}_{row % 2:02d}" for row in range(size)]})
    table["width"] = draw.normal(size=size)
    table["height"] = np.where(draw.random(size) < 0.2, np.nan, draw.gamma(2, size=size))
    table["colour"] = draw.choice(["red", "blue", None], size)
    table["cabin"] = [
        f"{a}/{b}/S" for a, b in zip(draw.choice(list("ABC"), size), draw.integers(0, 40, size), strict=True)
    ]
    table["when"] = pd.date_range("2020-01-01", periods=size, freq="7h").astype(str)
    table["who"] = [
        f"{first} {last}" for first, last in zip(draw.choice(["Ann", "Bob"], size), range(size), strict=True)
    ]
    table["member"] = draw.choice(["yes", "no", None], size)
    table["a [b] {c}: d"] = draw.integers(0, 5, size)
    table["empty"] = np.nan
    return table


def signal(table: pd.DataFrame) -> np.ndarray:
    return np.asarray(2 * table["width"] + table["height"].fillna(1) + 2 * (table["colour"] == "red"), dtype=float)


def write_task(folder: Path, task: Task, answers: pd.DataFrame, table: pd.DataFrame) -> None:
    """Train with the answers and a column that test lacks; test; a sample in another order than test."""
    data = folder / "data"
    data.mkdir()
    late = pd.Series(range(SIZE), name="late", dtype=float)
    pd.concat([table.iloc[:SIZE], answers.iloc[:SIZE], late], axis=1).to_csv(data / task.train, index=False)
    test = table.iloc[SIZE:]
    test.to_csv(data / task.test, index=False)
    sample = test[["id"]].iloc[::-1].assign(**dict.fromkeys(task.columns, 0))
    sample.to_csv(data / task.sample_submission, index=False)


def solve(folder: Path, name: str, task: Task, safe: bool = False) -> pd.DataFrame:
    """The submission of a recipe, rows in the order of test."""
    script = folder / "solution.py"
    script.write_text(render(name, task, safe), encoding="utf-8")
    with contextlib.chdir(folder):
        runpy.run_path(str(script), run_name="__main__")
    found = pd.read_csv(folder / "submission.csv", dtype={"id": str})
    assert list(found.columns) == ["id", *task.columns]
    assert list(found["id"]) == list(pd.read_csv(folder / "data" / task.sample_submission, dtype=str)["id"])
    assert found[task.columns].notna().all().all()
    return found.iloc[::-1].reset_index(drop=True)


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_positive_numbers_scored_by_their_logarithm(tmp_path: Path, name: str, safe: bool) -> None:
    table = features()
    answers = pd.DataFrame({"y": np.exp(signal(table) / 2)})
    write_task(tmp_path, BASE, answers, table)
    found = solve(tmp_path, name, BASE, safe)["y"].to_numpy()
    assert (found >= 0).all()
    truth = np.log1p(answers["y"].to_numpy()[SIZE:])
    assert np.mean((np.log1p(found) - truth) ** 2) < 0.5 * np.var(truth)


@pytest.mark.long
@pytest.mark.parametrize("metric", ["rmse", "mae", "mape"])
@pytest.mark.parametrize("name", NAMES)
def test_several_numbers(tmp_path: Path, name: str, metric: str) -> None:
    task = replace(BASE, metric=metric, targets=["u", "v"], columns=["u", "v"])
    table = features()
    answers = pd.DataFrame({"u": signal(table) + 20, "v": -1000 * signal(table)})
    answers = answers.abs() + 1 if metric == "mape" else answers
    write_task(tmp_path, task, answers, table)
    found = solve(tmp_path, name, task)
    assert all(np.corrcoef(found[c], answers[c].iloc[SIZE:])[0, 1] > 0.7 for c in ("u", "v"))


@pytest.mark.long
@pytest.mark.parametrize("metric", ["accuracy", "f1", "matthews", "balanced_accuracy"])
@pytest.mark.parametrize("name", NAMES)
def test_two_classes_as_labels(tmp_path: Path, name: str, metric: str) -> None:
    task = replace(BASE, metric=metric, problem="binary", output="labels", classes=["False", "True"])
    table = features()
    answers = pd.DataFrame({"y": signal(table) > np.median(signal(table))})
    write_task(tmp_path, task, answers, table)
    found = solve(tmp_path, name, task)["y"].astype(str)
    assert set(found) <= {"False", "True"}
    assert (found.to_numpy() == answers["y"].astype(str).to_numpy()[SIZE:]).mean() > 0.7


@pytest.mark.parametrize("name", NAMES)
def test_two_classes_as_one_probability(tmp_path: Path, name: str) -> None:
    task = replace(BASE, metric="roc_auc", problem="binary", output="probabilities", classes=["0", "1"])
    table = features()
    answers = pd.DataFrame({"y": (signal(table) > np.median(signal(table))).astype(int)})
    write_task(tmp_path, task, answers, table)
    found = solve(tmp_path, name, task)["y"]
    truth = answers["y"].to_numpy()[SIZE:]
    assert found.between(0, 1).all()
    assert found[truth == 1].mean() > found[truth == 0].mean() + 0.2


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_three_classes_as_probabilities_in_the_sample_s_columns(tmp_path: Path, name: str) -> None:
    columns = ["is_red", "is_blue", "is_green"]
    task = replace(
        BASE, metric="log_loss", problem="multiclass", output="probabilities", classes=COLOURS, columns=columns
    )
    table = features()
    codes = pd.qcut(signal(table), 3, labels=False)
    write_task(tmp_path, task, pd.DataFrame({"y": np.array(COLOURS)[codes]}), table)
    found = solve(tmp_path, name, task)
    assert np.allclose(found[columns].sum(axis=1), 1, atol=1e-4)
    guess = found[["is_blue", "is_green", "is_red"]].to_numpy().argmax(axis=1)
    assert (guess == codes[SIZE:]).mean() > 0.5


@pytest.mark.long
@pytest.mark.parametrize("metric", ["quadratic_weighted_kappa", "f1_macro", "map_at_2"])
@pytest.mark.parametrize("name", NAMES)
def test_ordered_classes_as_labels(tmp_path: Path, name: str, metric: str) -> None:
    task = replace(BASE, metric=metric, problem="multiclass", output="labels", classes=["1", "2", "3", "4"])
    table = features()
    answers = pd.DataFrame({"y": pd.qcut(signal(table), [0, 0.4, 0.7, 0.9, 1], labels=False) + 1})
    write_task(tmp_path, task, answers, table)
    found = solve(tmp_path, name, task)["y"].astype(str).str.split()
    assert set(found.map(len)) == {2 if metric == "map_at_2" else 1}
    assert (found.str[0].to_numpy() == answers["y"].astype(str).to_numpy()[SIZE:]).mean() > 0.45


@pytest.mark.long
@pytest.mark.parametrize("exclusive", [True, False])
@pytest.mark.parametrize("output", ["probabilities", "labels"])
@pytest.mark.parametrize("name", NAMES)
def test_several_labels(tmp_path: Path, name: str, output: Output, exclusive: bool) -> None:
    names = ["low", "middle", "high"]
    metric = "mean_columnwise_roc_auc" if output == "probabilities" else "f1_micro"
    task = replace(BASE, metric=metric, problem="multilabel", output=output, targets=names, columns=names)
    table = features()
    level = pd.qcut(signal(table), 4, labels=False)
    marks = level[:, None] == np.arange(3) if exclusive else level[:, None] > np.arange(3)
    write_task(tmp_path, task, pd.DataFrame(marks.astype(int), columns=names), table)
    found = solve(tmp_path, name, task)
    assert found[names].isin([0, 1]).all().all() if output == "labels" else found[names].stack().between(0, 1).all()
    assert all(found[n][marks[SIZE:, k]].mean() > found[n][~marks[SIZE:, k]].mean() for k, n in enumerate(names))


@pytest.mark.long
@pytest.mark.parametrize("split", ["group", "block", "time"])
@pytest.mark.parametrize("name", NAMES)
def test_rows_that_belong_together(tmp_path: Path, name: str, split: Split) -> None:
    by = "id" if split == "group" else "when"
    task = replace(BASE, metric="rmse", split=split, split_column=by, time="when")
    table = features()
    write_task(tmp_path, task, pd.DataFrame({"y": signal(table)}), table)
    found = solve(tmp_path, name, task)["y"]
    assert np.corrcoef(found, signal(table)[SIZE:])[0, 1] > 0.7


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_a_rare_class_that_most_folds_lack(tmp_path: Path, name: str) -> None:
    task = replace(
        BASE, metric="log_loss", problem="multiclass", output="probabilities", classes=COLOURS, columns=COLOURS
    )
    table = features()
    codes = (signal(table) > np.median(signal(table))).astype(int)
    codes[[5, 6]] = 2
    write_task(tmp_path, task, pd.DataFrame({"y": np.array(COLOURS)[codes]}), table)
    assert np.allclose(solve(tmp_path, name, task)[COLOURS].sum(axis=1), 1, atol=1e-3)


@pytest.mark.parametrize("name", NAMES)
def test_one_category_column_alone_and_answers_that_are_missing(tmp_path: Path, name: str) -> None:
    table = features()[["id", "colour"]]
    task = replace(BASE, metric="rmse")
    answers = pd.DataFrame({"y": np.where(table["colour"] == "red", 5.0, 1.0)})
    answers.iloc[3] = np.nan
    write_task(tmp_path, task, answers, table)
    found = solve(tmp_path, name, task)["y"]
    red = (table["colour"] == "red").to_numpy()[SIZE:]
    assert found[red].min() > found[~red].max()


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_the_same_seed_gives_the_same_submission(tmp_path: Path, name: str) -> None:
    table = features()
    write_task(tmp_path, BASE, pd.DataFrame({"y": np.exp(signal(table) / 2)}), table)
    first, second = solve(tmp_path, name, BASE), solve(tmp_path, name, BASE)
    pd.testing.assert_frame_equal(first, second)
