"""Every recipe for texts and lists, run as a script of its own, on small made-up tables."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recipes.catalogue_other import TEXT
from recipes.parts.documents import cut_texts, item_pairs
from recipes.parts.readability import syllables, text_statistics
from tests.recipe_runs import run_recipe, write_data
from tests.test_recipes_render import TASK

pytestmark = pytest.mark.ml
NAMES = [recipe.name for recipe in TEXT]
FOR_CLASSES = [name for name in NAMES if name != "text_style"]
FOR_NUMBERS = ["text_style", "text_boost", "text_linear"]
SIZE, MORE = 150, 45
BASE = replace(TASK, id="id", targets=["y"], columns=["y"], train_only=[], shared=[], metric="rmse")
PLACES = {
    "sea": ["ship", "wave", "captain", "island", "storm", "whale", "sail", "anchor", "harbour", "tide"],
    "town": ["street", "shop", "market", "tram", "mayor", "square", "bridge", "crowd", "window", "lamp"],
    "wood": ["tree", "moss", "deer", "owl", "branch", "fern", "path", "shadow", "stream", "leaf"],
}
COMMON = ["the", "a", "and", "of", "with", "was", "then", "near", "old", "she", "he", "they", "saw", "came"]


def stories(seed: int = 0) -> pd.DataFrame:
    """Sentences that draw a third of their words from the place that they tell of, and a column of numbers."""
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(SIZE + MORE):
        place = str(draw.choice(sorted(PLACES)))
        own = draw.choice(PLACES[place], 4)
        words = draw.permutation([*own, *draw.choice(COMMON, 10)])
        rows.append(
            {
                "id": f"s{number}",
                "story": " ".join(words).capitalize() + ".",
                "place": place,
                "year": 1800 + number % 90,
            }
        )
    return pd.DataFrame(rows)


def split(table: pd.DataFrame, answer: str) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Train with its answer as column y, test without, and test's answers."""
    table = table.rename(columns={answer: "y"})
    return table.iloc[:SIZE], table.iloc[SIZE:].drop(columns="y"), table["y"].iloc[SIZE:].reset_index(drop=True)


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("name", FOR_CLASSES)
def test_the_writer_of_a_sentence_is_found_with_fitting_probabilities(tmp_path: Path, name: str, safe: bool) -> None:
    columns = ["town", "wood", "sea"]
    task = replace(
        BASE, metric="log_loss", problem="multiclass", output="probabilities", classes=sorted(PLACES), columns=columns
    )
    train, test, truth = split(stories(), "place")
    write_data(tmp_path, task, train, test)
    found = run_recipe(tmp_path, name, task, safe)[columns]
    assert np.allclose(found.sum(axis=1), 1, atol=1e-4)
    own = [found[place].iloc[row] for row, place in enumerate(truth)]
    assert -np.log(np.maximum(own, 1e-15)).mean() < 0.5


@pytest.mark.parametrize("name", FOR_CLASSES)
def test_lists_of_strings_in_json_get_labels(tmp_path: Path, name: str) -> None:
    task = replace(
        BASE, metric="accuracy", problem="multiclass", output="labels", classes=sorted(PLACES), train="train.json",
        test="test.json",
    )  # fmt: skip
    table = stories().assign(story=lambda t: t["story"].str.split()).drop(columns="year")
    train, test, truth = split(table, "place")
    write_data(tmp_path, task, train, test)
    assert (run_recipe(tmp_path, name, task)["y"] == truth).mean() > 0.8


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.parametrize("name", FOR_NUMBERS)
def test_a_number_that_depends_on_how_the_text_is_written(tmp_path: Path, name: str, safe: bool) -> None:
    table = stories()
    sea = table["story"].str.lower().str.split().map(lambda words: sum(w.strip(".") in PLACES["sea"] for w in words))
    train, test, truth = split(table.assign(ease=sea * 1.0 + 5), "ease")
    write_data(tmp_path, BASE, train.drop(columns="place"), test.drop(columns="place"))
    found = run_recipe(tmp_path, name, BASE, safe)["y"]
    assert np.mean((found - truth) ** 2) < 0.6 * truth.var()


@pytest.mark.parametrize("name", FOR_CLASSES)
def test_several_labels_a_text(tmp_path: Path, name: str) -> None:
    words = {"sea": PLACES["sea"], "wood": PLACES["wood"]}
    task = replace(
        BASE, metric="mean_columnwise_roc_auc", problem="multilabel", output="probabilities", targets=[*words],
        columns=[*words],
    )  # fmt: skip
    table = stories()
    for label, own in words.items():
        table[label] = table["story"].str.lower().str.contains("|".join(own[:5])).astype(int)
    train, test = table.iloc[:SIZE].drop(columns="place"), table.iloc[SIZE:].drop(columns=["place", *words])
    write_data(tmp_path, task, train, test)
    found = run_recipe(tmp_path, name, task)
    for label in words:
        truth = table[label].iloc[SIZE:].to_numpy()
        assert found[label][truth == 1].mean() > found[label][truth == 0].mean()


@pytest.mark.parametrize("name", FOR_CLASSES)
def test_a_class_that_train_does_not_show_still_has_its_column(tmp_path: Path, name: str) -> None:
    classes = ["desert", *sorted(PLACES)]
    task = replace(
        BASE, metric="log_loss", problem="multiclass", output="probabilities", classes=classes, columns=classes
    )
    train, test, truth = split(stories(), "place")
    write_data(tmp_path, task, train, test)
    found = run_recipe(tmp_path, name, task)
    assert (found[classes].idxmax(axis=1) == truth).mean() > 0.7


def test_the_same_seed_gives_the_same_answers(tmp_path: Path) -> None:
    task = replace(BASE, metric="accuracy", problem="multiclass", output="labels", classes=sorted(PLACES))
    train, test, _ = split(stories(), "place")
    write_data(tmp_path, task, train, test)
    assert run_recipe(tmp_path, "text_stack", task).equals(run_recipe(tmp_path, "text_stack", task))


def test_a_table_without_text_is_refused_in_words(tmp_path: Path) -> None:
    table = pd.DataFrame({"id": range(60), "size": np.random.default_rng(0).normal(size=60), "y": 1.0})
    write_data(tmp_path, BASE, table.iloc[:50], table.iloc[50:].drop(columns="y"))
    with pytest.raises(ValueError, match="no column holds text"):
        run_recipe(tmp_path, "text_linear", BASE)


def test_long_texts_are_cut_to_one_length_and_short_ones_kept() -> None:
    texts = ["a" * 10, "b" * 1000, "c" * 2000]
    cut = cut_texts(texts, 1000)
    assert cut[0] == texts[0]
    assert sum(map(len, cut)) <= 1100
    assert cut_texts(texts, 5000) == texts


def test_pairs_of_items_do_not_depend_on_their_order() -> None:
    assert "bread&salt" in item_pairs(["salt", "bread"])
    assert sorted(item_pairs(["salt", "bread"])) == sorted(item_pairs(["bread", "salt"]))


@pytest.mark.parametrize(("word", "count"), [("house", 1), ("reading", 2), ("table", 2), ("syllable", 3), ("hm", 1)])
def test_syllables(word: str, count: int) -> None:
    assert syllables(word) == count


def test_statistics_of_odd_texts_are_finite() -> None:
    train, test = text_statistics(["", "...", "1 2 3", "ΑΒΓ δεζ.", "One. Two!\nThree?"], ["x" * 9000])
    assert train.shape[1] == test.shape[1]
    assert np.isfinite(train).all()
    assert np.isfinite(test).all()
