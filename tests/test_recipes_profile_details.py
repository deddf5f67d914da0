"""What the profile script tells beside the description: facts of columns, files, first rows, what can be imported."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from grading.base import Task
from recipes.parts.facts import number_statistics
from recipes.parts.shown import shown, shown_name
from tests.test_recipes_profile import BASE, COLOURS, ROWS, SENTENCES, profile

pytestmark = pytest.mark.ml


def facts(folder: Path, task: Task, columns: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Column -> its facts."""
    return {column["name"]: column for column in profile(folder, task, columns)["facts"]}


def test_statistics_of_features_hold_no_text_of_a_cell(tmp_path: Path) -> None:
    columns = {
        "size": np.arange(ROWS) ** 3 / 8,
        "day": pd.date_range("2020-01-01", periods=ROWS).astype(str),
        "colour": ["red"] * 150 + ["blue"] * 50,
        "story": SENTENCES,
        "empty": [None] * ROWS,
        "path": [f"{row}.png" for row in range(ROWS)],
    }
    assert {name: found["numbers"] for name, found in facts(tmp_path, BASE, columns).items() if name != "y"} == {
        "size": "min 0, median 123100, mean 247500, max 985100, skewed right",
        "day": "2020-01-01 to 2020-07-18",
        "colour": "top value 75 % of rows",
        "story": "11 words on average, at most 11",
        "empty": "no values",
        "path": "different in each row",
    }


def test_examples_are_frequent_values(tmp_path: Path) -> None:
    colours = ["blue", *["red"] * 100, *["green", "grey"] * 49, "x" * 99]
    found = facts(tmp_path, BASE, {"colour": colours, "story": SENTENCES})
    assert found["colour"]["examples"] == ["red", "green", "grey"]
    assert all(len(text) <= 60 for text in found["story"]["examples"])
    assert found["colour"]["unique"] == 5


def test_a_target_of_numbers(tmp_path: Path) -> None:
    found = facts(tmp_path, BASE, {"y": [0.0] * 50 + [-1.0] * 10 + [2.0] * 100 + [None] * 40})
    assert found["y"]["kind"] == "target"
    assert found["y"]["missing"] == 0.2
    assert found["y"]["numbers"] == "min -1, median 2, mean 1.188, max 2, 31.2 % zero, 6.25 % negative"


def test_a_target_of_classes(tmp_path: Path) -> None:
    task = replace(BASE, problem="multiclass", classes=["01", "b c"])
    found = facts(tmp_path, task, {"y": ["b c"] * 120 + ["01"] * 70 + [None] * 10})
    assert found["y"]["numbers"] == "b c: 120, 01: 70"
    assert (found["y"]["missing"], found["y"]["unique"]) == (0.05, 2)


def test_of_many_classes_the_largest_are_counted(tmp_path: Path) -> None:
    task = replace(BASE, problem="multiclass", classes=[str(number) for number in range(99)])
    numbers = facts(tmp_path, task, {"y": [row % 99 for row in range(ROWS)]})["y"]["numbers"]
    assert numbers.startswith("0: 3, 1: 3, 2: 2")
    assert numbers.endswith("... and 87 more")


def test_a_target_of_free_text_is_not_counted_by_its_texts(tmp_path: Path) -> None:
    task = replace(BASE, problem="multiclass", metric="jaccard_words", output="labels")
    assert facts(tmp_path, task, {"y": SENTENCES})["y"]["numbers"] == "11 words on average, at most 11"


def test_files_and_a_shared_folder_are_listed(tmp_path: Path) -> None:
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    for name in ("1.png", "2.png"):
        Image.new("L", (8, 6)).save(images / name)
    (images / "broken.png").write_bytes(b"x")
    (images / "read\nme.txt").write_text("x")
    (tmp_path / "data" / "notes.txt").write_text("words " * 1000)
    (tmp_path / "data" / "stores.csv").write_text("store,town\n1,Ulm\n")
    (tmp_path / "data" / "codes.json").write_text('{"Ulm": 1}')
    task = replace(BASE, shared=["images", "notes.txt", "stores.csv", "codes.json", "lost.csv"])
    assert {file["name"]: file["facts"] for file in profile(tmp_path, task, {"size": range(ROWS)})["files"]} == {
        "train.csv": "table, 200 rows, columns id, y, size",
        "test.csv": "table, 50 rows, columns id, size",
        "sample_submission.csv": "table, 50 rows, columns id, y",
        "images": "folder, 4 files such as 1.png (.png 3, .txt 1), pictures of 8 x 6 pixels (L)",
        "notes.txt": "6 kB of text",
        "stores.csv": "table, 1 rows, columns store, town",
        "codes.json": "10 B of text",
        "lost.csv": "not a plain file",
    }


def test_of_a_large_folder_only_a_part_is_looked_at(tmp_path: Path) -> None:
    images = tmp_path / "data" / "images"
    images.mkdir(parents=True)
    for number in range(2100):
        (images / f"{number}.jpg").touch()
    [folder] = profile(tmp_path, replace(BASE, shared=["images"]), {"size": range(ROWS)})["files"][3:]
    assert folder["facts"].startswith("folder, more than 2000 files such as ")
    assert "(.jpg 2000, of those looked at)" in folder["facts"]


def test_the_first_rows_are_cut(tmp_path: Path) -> None:
    wide = {f"n{place}": [f"{'long' * 20}, {row}" for row in range(ROWS)] for place in range(60)}
    found = profile(tmp_path, BASE, wide | {"y": range(ROWS)})
    header, *rows = [next(csv.reader([line])) for line in found["train_rows"]]
    assert header[:3] == ["id", "y", "n0"]
    assert header[-1] == "... and 22 more"
    assert [row[:2] for row in rows] == [["0", "0"], ["1", "1"], ["2", "2"]]
    assert {len(row) for row in rows} == {41}
    assert max(len(cell) for row in rows for cell in row) == 60
    assert found["submission_rows"] == ["id,y", "000,0", "001,0", "002,0"]


def test_the_target_has_room_among_many_columns(tmp_path: Path) -> None:
    wide = {f"n{place}": range(ROWS) for place in range(60)}
    task = replace(BASE, targets=["n59"], columns=["n59"])
    assert profile(tmp_path, task, wide)["train_rows"][0].endswith("n59,... and 22 more")


def test_what_can_be_imported_is_listed(tmp_path: Path) -> None:
    found = profile(tmp_path, BASE, {"size": range(ROWS)})
    assert f"pandas {pd.__version__}" in found["packages"]
    assert any(package.startswith("scikit-learn ") for package in found["packages"])
    assert not any(package.startswith(("pytest", "ipykernel", "pip ")) for package in found["packages"])
    assert {"pandas", "sklearn", "PIL"} <= set(found["modules"])
    assert "json" not in found["modules"]


def test_nothing_that_cannot_be_printed_is_shown(tmp_path: Path) -> None:
    odd = {"a\nb": ["x\x1b[31m\ny\u202e"] * ROWS, "\u200b": ["\x00"] * ROWS, "": COLOURS, "c" * 5000: COLOURS}
    found = profile(tmp_path, BASE, odd)
    texts = list(strings(found))
    assert [text for text in texts if not text.isprintable()] == []
    assert max(map(len, texts)) < 1000
    names = [column["name"] for column in found["description"]["columns"]]
    assert names[:2] == ["a\\nb", "\\u200b"]
    assert [column["name"] for column in found["facts"]] == [*names, "y"]
    assert found["facts"][0]["examples"] == ["x[31m y"]


def strings(value: Any) -> Iterator[str]:
    """All texts within."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from strings(part)


def test_a_surrogate_can_be_written() -> None:
    assert shown("\ud800a") == "a"
    assert shown_name("\ud800") == "\\ud800"


def test_numbers_that_are_not_finite_are_left_out() -> None:
    assert number_statistics(pd.Series([1.0, np.inf, 3.0])) == "min 1, median 2, mean 2, max 3"
    assert number_statistics(pd.Series([np.inf, 1e400])) == "no finite numbers"


@pytest.mark.parametrize(("columns", "most"), [(11, 12_000), (230, 100_000)])
def test_the_profile_stays_small(tmp_path: Path, columns: int, most: int) -> None:
    profile(tmp_path, BASE, {f"a_column_with_number_{place}": SENTENCES for place in range(columns)})
    assert (tmp_path / "profile.json").stat().st_size < most


def test_what_every_run_needs_is_kept_where_the_details_fail(tmp_path: Path) -> None:
    task = replace(BASE, sample_submission="sample.parquet")
    with pytest.raises(ValueError, match="arquet"):
        profile(tmp_path, task, {"size": range(ROWS)})
    found = json.loads((tmp_path / "profile.json").read_text())
    assert found["description"]["rows"] == ROWS
    assert found["facts"] == []
