"""Every recipe for pictures, run as a script of its own, on handwritten digits that ship with scikit-learn."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from recipes.catalogue_other import IMAGE
from recipes.parts.pictures import find_pictures, see_picture, see_pictures
from tests.recipe_runs import run_recipe, write_data
from tests.test_recipes_render import TASK

pytestmark = pytest.mark.ml
NAMES = [recipe.name for recipe in IMAGE]
SIZE, MORE = 200, 60
CLASSES = ["0", "1", "2", "3"]
BASE = replace(
    TASK, id="id", targets=["digit"], columns=CLASSES, train_only=[], shared=["images"], metric="log_loss",
    problem="multiclass", output="probabilities", classes=CLASSES,
)  # fmt: skip


def draw_digits(folder: Path, ending: str = "png") -> pd.DataFrame:
    """Pictures named by their row's id; one number a row as well."""
    digits = load_digits(n_class=4)
    drawn = np.random.default_rng(0).permutation(len(digits.target))[: SIZE + MORE]  # writers come one after another
    (folder / "data" / "images").mkdir(parents=True)
    for row, which in enumerate(drawn, start=1):
        picture = Image.fromarray((digits.images[which] * 15).astype(np.uint8))
        picture.resize((24, 24)).save(folder / "data" / "images" / f"{row}.{ending}")
    ink = digits.images[drawn].mean(axis=(1, 2))
    return pd.DataFrame({"id": range(1, SIZE + MORE + 1), "ink": ink, "digit": digits.target[drawn]})


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_digits_are_told_apart_by_picture_and_column(tmp_path: Path, name: str, safe: bool) -> None:
    table = draw_digits(tmp_path)
    write_data(tmp_path, BASE, table.iloc[:SIZE], table.iloc[SIZE:].drop(columns="digit"))
    found = run_recipe(tmp_path, name, BASE, safe)[CLASSES].to_numpy()
    truth = table["digit"].iloc[SIZE:].to_numpy()
    assert np.allclose(found.sum(axis=1), 1, atol=1e-4)
    assert -np.log(np.maximum(found[np.arange(MORE), truth], 1e-15)).mean() < 0.4


@pytest.mark.parametrize("name", NAMES)
def test_a_number_is_learned_from_pictures_alone(tmp_path: Path, name: str) -> None:
    task = replace(
        BASE, targets=["ink"], columns=["ink"], metric="rmse", problem="regression", output="values", classes=[]
    )
    table = draw_digits(tmp_path, "jpg").drop(columns="digit")
    table["file"] = [f"{row}.jpg" for row in table["id"]]
    write_data(tmp_path, task, table.iloc[:SIZE], table.iloc[SIZE:].drop(columns="ink"))
    found = run_recipe(tmp_path, name, task)["ink"].to_numpy()
    truth = table["ink"].iloc[SIZE:].to_numpy()
    assert np.mean((found - truth) ** 2) < 0.5 * truth.var()


def test_a_missing_and_a_broken_picture_do_no_harm(tmp_path: Path) -> None:
    table = draw_digits(tmp_path)
    (tmp_path / "data" / "images" / "1.png").unlink()
    (tmp_path / "data" / "images" / "2.png").write_bytes(b"no picture")
    (tmp_path / "data" / "images" / f"{SIZE + 1}.png").unlink()
    write_data(tmp_path, BASE, table.iloc[:SIZE], table.iloc[SIZE:].drop(columns="digit"))
    assert len(run_recipe(tmp_path, "image_stack", BASE)) == MORE


@pytest.mark.parametrize("value", ["{}", "{}.png", "images/{}.png", "./images/{}.png"])
def test_pictures_are_found_by_id_name_or_path(tmp_path: Path, value: str) -> None:
    table = draw_digits(tmp_path)
    table["where"] = [value.format(row) for row in table["id"]]
    with contextlib.chdir(tmp_path):
        ours, _ = find_pictures(table[["where", "ink"]], table[["where", "ink"]], ["images"])
    assert ours[4] is not None
    assert ours[4].name == "5.png"


def test_a_table_without_pictures_is_refused_in_words(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": range(5)})
    with contextlib.chdir(tmp_path), pytest.raises(ValueError, match="no column names the pictures"):
        find_pictures(table, table, [])


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "P", "1", "I;16"])
def test_every_kind_of_picture_gives_finite_features(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "picture.png"
    if mode == "I;16":
        Image.fromarray(np.arange(600, dtype=np.uint16).reshape(20, 30) * 100).save(path)
    else:
        Image.new("RGB", (30, 20), (200, 10, 90)).convert(mode).save(path)
    seen = see_picture(path, 64)
    assert seen is not None
    assert all(np.isfinite(part).all() for part in seen)


def test_rows_without_a_picture_are_empty_but_have_the_same_width(tmp_path: Path) -> None:
    Image.new("L", (9, 300)).save(tmp_path / "a.png")
    seen = see_pictures([tmp_path / "a.png", None], 2)
    assert np.isnan(seen.shape[1]).all()
    assert np.isfinite(seen.shape[0]).all()
