"""The profile script: what kind of task it is, and what kind of thing each column holds."""

from __future__ import annotations

import contextlib
import json
import runpy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grading.base import Task
from recipes.parts.columns import column_kind
from recipes.render import render
from tests.test_recipes_render import TASK

pytestmark = pytest.mark.ml
ROWS = 200
BASE = replace(TASK, id="id", targets=["y"], columns=["y"], train_only=[], shared=[])
SENTENCES = [f"the {a} fox number {n} jumps over a dog that sleeps" for n in range(ROWS // 2) for a in ("red", "brown")]


COLOURS = ["red", "blue"] * (ROWS // 2)


def described(folder: Path, task: Task, columns: dict[str, Any]) -> dict[str, Any]:
    """The description that the script writes for a table of these columns."""
    found: dict[str, Any] = profile(folder, task, columns)["description"]
    return found


def profile(folder: Path, task: Task, columns: dict[str, Any]) -> dict[str, Any]:
    """What the script writes for a table of these columns; y counts to 7 unless it is among them."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    table = pd.DataFrame({"id": range(ROWS), "y": np.arange(ROWS) % 7} | columns)
    table.to_csv(data / task.train, index=False)
    table.drop(columns=task.targets).head(50).to_csv(data / task.test, index=False)
    pd.DataFrame({"id": [f"00{row}" for row in range(50)], "y": 0}).to_csv(data / task.sample_submission, index=False)
    script = folder / "profile_script.py"
    script.write_text(render("profile", task), encoding="utf-8")
    with contextlib.chdir(folder):
        runpy.run_path(str(script), run_name="__main__")
    found: dict[str, Any] = json.loads((folder / "profile.json").read_text())
    return found


def test_a_plain_table(tmp_path: Path) -> None:
    found = described(tmp_path, BASE, {"size": np.linspace(0, 1, ROWS), "colour": COLOURS})
    assert (found["modality"], found["rows"], found["test_rows"], found["width"]) == ("tabular", ROWS, 50, 2)
    assert [(column["name"], column["kind"]) for column in found["columns"]] == [
        ("size", "number"),
        ("colour", "category"),
    ]
    assert found["columns"][1]["unique"] == 2
    assert "rmsle" in found["summary"]


def test_the_answer_and_what_only_train_has_are_not_described(tmp_path: Path) -> None:
    task = replace(BASE, train_only=["leak"])
    found = described(tmp_path, task, {"size": np.linspace(0, 1, ROWS), "leak": range(ROWS)})
    assert [column["name"] for column in found["columns"]] == ["size"]


def test_sentences_make_it_a_text_task(tmp_path: Path) -> None:
    assert described(tmp_path, BASE, {"story": SENTENCES, "stars": [1, 2] * (ROWS // 2)})["modality"] == "text"


def test_a_short_name_beside_numbers_does_not(tmp_path: Path) -> None:
    numbers = {f"n{place}": np.random.default_rng(place).normal(size=ROWS) for place in range(4)}
    names = [f"Ann Lee {place}" for place in range(ROWS)]
    assert described(tmp_path, BASE, {"name": names, **numbers})["modality"] == "tabular"


def test_pictures_in_a_shared_folder_make_it_an_image_task(tmp_path: Path) -> None:
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "1.jpg").write_bytes(b"x")
    task = replace(BASE, shared=["images", "notes.txt"])
    assert described(tmp_path, task, {"size": np.linspace(0, 1, ROWS)})["modality"] == "image"


def test_a_split_by_time_makes_it_a_series(tmp_path: Path) -> None:
    task = replace(BASE, split="time", split_column="day", time="day")
    days = pd.date_range("2020-01-01", periods=ROWS).astype(str)
    assert described(tmp_path, task, {"day": days})["modality"] == "series"


def test_a_very_wide_table_is_described_by_its_first_columns(tmp_path: Path) -> None:
    wide = {f"n{place}": np.arange(ROWS) * 1.5 for place in range(230)}
    found = described(tmp_path, BASE, wide)
    assert (len(found["columns"]), found["width"]) == (200, 230)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([0.5, 1.5, None, 3.25] * 30, "number"),
        ([1, 2, 3, 2] * 30, "number"),
        ([True, False] * 60, "flag"),
        (["yes", "no", None] * 40, "flag"),
        ([0, 1, 1] * 40, "flag"),
        (["red", "blue", "green"] * 40, "category"),
        ([f"{place % 7}/{place}/S" for place in range(120)], "category"),
        ([f"2020-01-{1 + place % 28:02d} 05:00:00" for place in range(120)], "date"),
        ([f"{1 + place % 12}/{1 + place % 28}/2015" for place in range(120)], "date"),
        ([f"img_{place}.png" for place in range(120)], "path"),
        ([f"x{place * 7919 % 99991:x}q" for place in range(120)], "id"),
        (list(range(1, 121)), "id"),
        ([["salt", "egg"], ["milk"]] * 60, "list"),
        (SENTENCES[:120], "text"),
        ([None] * 120, "constant"),
        (["same"] * 120, "constant"),
    ],
)
def test_kinds_of_columns(values: list[Any], kind: str) -> None:
    assert column_kind(pd.Series(values)) == kind
