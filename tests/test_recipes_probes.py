"""What a task is like in numbers: which quick model leads, what later rows do, and tables that defy them all."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from recipes.parts.probes import (
    MOST_ROWS,
    PROBE_COLUMNS,
    PROBE_ROWS,
    QUICK,
    SPLITS,
    probe_goals,
    probe_matrix,
    scaled,
    skill,
    split_rows,
    task_numbers,
)

pytestmark = pytest.mark.ml
ROWS = 600
LINEAR = ("linear", "strong", "select", "ranked")


def table(x: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(x, columns=[f"x{column}" for column in range(x.shape[1])])


def numbers(frame: pd.DataFrame, target: Any, classes: bool = False, **kinds: str) -> dict[str, float]:
    """The numbers of a task; columns are numbers unless `kinds` says otherwise. All of them must be finite."""
    held = {str(name): kinds.get(str(name), "number") for name in frame}
    found = task_numbers(frame, held, pd.Series(target, index=frame.index), classes)
    assert all(np.isfinite(list(found.values())))
    return found


def best(found: dict[str, float]) -> str:
    probes = {name.removeprefix("probe_"): found[name] for name in found if name.startswith("probe_")}
    whole = {name: probes[name] for name in (*QUICK, "trees", "boost")}
    return max(whole, key=lambda name: whole[name])


# What leads


@pytest.mark.parametrize("classes", [False, True])
def test_a_linear_probe_leads_on_a_linear_task(classes: bool) -> None:
    x = np.random.default_rng(0).normal(size=(ROWS, 6))
    signal = x @ [1, 2, -1, 0.5, 1, 1] + np.random.default_rng(1).normal(size=ROWS) * 0.5
    found = numbers(table(x), np.where(signal > 0, "yes", "no") if classes else signal, classes)
    assert best(found) in ((*LINEAR, "kernel") if classes else LINEAR)
    assert found["probe_linear"] > (0.5 if classes else 0.9)
    assert found["probe_linear"] > found["probe_trees"] + 0.05 * (not classes)
    assert found["probe_linear"] > found["probe_near_few"]


@pytest.mark.parametrize("classes", [False, True])
def test_trees_lead_on_parity(classes: bool) -> None:
    x = np.random.default_rng(0).normal(size=(ROWS, 4))
    signs = np.sign(x[:, 0] * x[:, 1])
    found = numbers(table(x), np.where(signs > 0, "odd", "even") if classes else signs, classes)
    assert best(found) in ("trees", "boost", "tree")
    assert found["probe_trees"] > 0.5
    assert abs(found["probe_linear"]) < 0.1
    assert found["probe_half"] < found["probe_trees"], "half of the rows are worse"


def test_words_tell_where_the_text_does() -> None:
    words = np.array(["red", "blue", "green", "fox", "dog", "cat", "house", "tree", "car", "bike"])
    chosen = np.random.default_rng(0).integers(10, size=(ROWS, 8))
    frame = pd.DataFrame({"x0": np.arange(ROWS) % 7, "t": [" ".join(words[row]) for row in chosen]})
    told = (chosen == 0).sum(axis=1) - (chosen == 1).sum(axis=1)
    found = numbers(frame, told.astype(float), t="text")
    assert found["probe_words"] > 0.8
    assert found["probe_characters"] > 0.8
    assert found["probe_words"] > found["probe_trees"] + 0.3
    untold = numbers(frame, np.random.default_rng(1).normal(size=ROWS), t="text")
    assert untold["probe_words"] < 0.1
    assert "probe_words" not in numbers(frame[["x0"]], told.astype(float))


def test_target_means_tell_where_a_category_does() -> None:
    codes = np.random.default_rng(0).integers(30, size=ROWS)
    effect = np.random.default_rng(1).normal(size=30)
    frame = pd.DataFrame({"c": [f"v{code}" for code in codes]})
    found = numbers(frame, effect[codes], c="category")
    assert found["probe_means"] > found["probe_linear"] + 0.2
    assert found["values_most"] == 30
    random = numbers(frame.assign(c=[f"r{row}" for row in range(ROWS)]), effect[codes], c="category")
    assert random["probe_means"] < 0.1, "a row's own answer is not in its mean"


# Order and bounds


def trending(rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    time, x = np.linspace(-1, 1, rows), np.random.default_rng(0).normal(size=(rows, 3))
    x[:, 0] = time + x[:, 0] * 0.05
    return table(x), time * 4 + x[:, 1] * 0.2


def test_later_rows_are_told_by_their_order() -> None:
    frame, target = trending(900)
    found = numbers(frame, target)
    assert found["probe_late"] < found["probe_trees"] - 0.2
    assert found["probe_late_linear"] > found["probe_late"] + 0.2, "lines go on, trees do not"
    order = np.random.default_rng(1).permutation(900)
    mixed = numbers(frame.iloc[order].reset_index(drop=True), target[order])
    assert mixed["probe_late"] > mixed["probe_trees"] - 0.05
    labelled = numbers(frame.set_axis(order, axis=0), target)
    assert labelled == found, "the order is that of the file, whatever the index says"


def test_of_many_rows_only_some_are_seen_in_their_order() -> None:
    rows = 6 * MOST_ROWS
    frame, target = trending(rows)
    found = numbers(frame, target)
    unseen = np.arange(rows) % 6 != 0
    garbage = frame.mask(pd.Series(unseen), 1e9)
    changed = np.where(unseen, -1e9, target)
    assert numbers(garbage, changed) == found
    assert found["rows"] == rows
    assert found["probe_late"] < found["probe_trees"] - 0.2


@pytest.mark.parametrize("rows", [20, 400, 10**6])
def test_a_probe_learns_from_few_rows_and_is_tried_on_others(rows: int) -> None:
    for seed in range(SPLITS):
        learned, tested = split_rows(rows, seed)
        assert len(learned) <= PROBE_ROWS
        assert len(tested) <= PROBE_ROWS
        assert not set(learned) & set(tested)
        assert not np.array_equal(tested, split_rows(rows, seed + 1)[1])


def test_many_columns_and_classes_are_bounded() -> None:
    wide = table(np.random.default_rng(0).normal(size=(200, 300)))
    assert probe_matrix(wide, dict.fromkeys(map(str, wide), "number")).shape == (200, PROBE_COLUMNS)
    assert probe_goals(pd.Series([f"c{row}" for row in range(200)]), True).shape[1] <= 20


def test_the_same_task_has_the_same_numbers() -> None:
    frame, target = trending(300)
    assert numbers(frame, target) == numbers(frame.copy(), target.copy())


# Odd tables


X = np.random.default_rng(0).normal(size=(300, 4))
ODD: dict[str, tuple[pd.DataFrame, Any, bool, dict[str, str]]] = {
    "one column": (table(X[:, :1]), X[:, 1], False, {}),
    "no column": (pd.DataFrame(index=range(300)), X[:, 1], False, {}),
    "an empty column": (table(X).assign(x1=np.nan), X[:, 2], False, {}),
    "only empty columns": (table(X[:, :2] * np.nan), X[:, 2], False, {"x0": "category"}),
    "gaps in a category": (table(X).assign(c=["a", "b", None] * 100), X[:, 2], False, {"c": "category"}),
    "an empty text": (table(X).assign(t=None), X[:, 2], False, {"t": "text"}),
    "the same numbers": (table(X * 0 + 3), X[:, 2], False, {}),
    "a constant target": (table(X), np.ones(300), False, {}),
    "one class": (table(X), ["a"] * 300, True, {}),
    "a class a row": (table(X), [f"c{row}" for row in range(300)], True, {}),
    "five rows": (table(X[:5]), X[:5, 2], False, {}),
    "one row": (table(X[:1]), X[:1, 2], False, {}),
    "infinite cells": (table(np.where(X > 1, np.inf, np.where(X < -1, -np.inf, X))), X[:, 2], False, {}),
    "an infinite column": (table(X).assign(x1=np.inf), X[:, 2], False, {}),
    "huge cells": (table(X * 1e300), X[:, 2] * 1e150, False, {}),
    "an infinite answer": (table(X), np.where(np.arange(300) == 7, np.inf, X[:, 2]), False, {}),
    "gaps in the answers": (table(X), np.where(X[:, 0] > 0, np.nan, X[:, 2]), False, {}),
    "all text": (
        pd.DataFrame({"t": ["??"] * 300, "u": [f"word{row % 9} of it" for row in range(300)]}),
        X[:, 2],
        False,
        {"t": "text", "u": "text"},
    ),
    "texts among numbers": (table(X).assign(x1=["7", "x", None] * 100).astype({"x1": object}), X[:, 2], False, {}),
    "flags": (table(X).assign(x1=X[:, 1] > 0, x2=["y", "n", None] * 100), X[:, 1], False, {"x1": "flag", "x2": "flag"}),
    "dates": (table(X).assign(d=pd.date_range("2020-01-01", periods=300)), X[:, 1], False, {"d": "date"}),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_tables_have_finite_numbers(case: str) -> None:
    frame, target, classes, kinds = ODD[case]
    found = numbers(frame, target, classes, **kinds)
    known = int(pd.Series(target).notna().sum())
    assert (found["rows"], found["columns"]) == (known, frame.shape[1])
    assert ("probe_linear" in found) == (known >= 24)
    assert all(-0.5 <= value <= 1 for name, value in found.items() if name.startswith("probe_"))


def test_what_is_scaled_is_finite_and_bounded() -> None:
    found = scaled(np.array([1.0, np.nan, np.inf, -np.inf, 1e12, 3.0]))
    assert np.isfinite(found).all()
    assert np.abs(found).max() <= 4
    assert scaled(np.full(3, np.nan)).tolist() == [0.0] * 3


def test_skill_is_one_for_perfect_and_none_for_a_constant() -> None:
    goals, rows = np.arange(40.0)[:, None], np.arange(40)
    seen, tested = rows[::2], rows[1::2]

    def perfect(x: np.ndarray, y: np.ndarray, other: np.ndarray) -> np.ndarray:
        return other

    def constant(x: np.ndarray, y: np.ndarray, other: np.ndarray) -> np.ndarray:
        return np.full((len(other), 1), y.mean())

    assert skill(perfect, goals, goals, seen, tested) == 1.0
    assert skill(constant, goals, goals, seen, tested) == 0.0
    assert skill(lambda x, y, other: other * 1e9, goals, goals, seen, tested) == -0.5
    assert skill(perfect, goals, goals, seen[:10], tested) == 0.0, "too few rows to learn from"
