"""What the ranker reads: a task's numbers in words, and the techniques that an instruction names."""

from __future__ import annotations

import math
import random
import re
import time
from itertools import pairwise

import pytest

from ranker.terms import MOST_READ, TERMS, terms
from ranker.words import LEVELS, PROBES, SIZES, difference, instruction_text, level, probes, task_text
from recipes.catalogue import RECIPES
from recipes.recipe import Recipe

NUMBERS = {
    "rows": 800.0,
    "columns": 12.0,
    "category_columns": 4.0,
    "text_columns": 1.0,
    "date_columns": 1.0,
    "values_most": 300.0,
    "missing": 0.2,
    "skewed": 0.5,
    "long_tails": 0.2,
    "classes": 2.0,
    "rarest": 0.05,
    "target_skew": 0.0,
    "strongest": 0.3,
    "related": 0.5,
    "alike": 0.6,
    "probe_linear": 0.30,
    "probe_trees": 0.52,
    "probe_boost": 0.50,
    "probe_half": 0.40,
    "probe_late": 0.10,
    "probe_late_linear": 0.28,
}
OTHER_KEYS = ("flag_columns", "words", "evenness", "target_tail", "probe_half_linear", "surprise")


def named(text: str) -> set[str]:
    """The terms that a text names."""
    return {name for name, there in zip(TERMS, terms(text), strict=True) if there}


def test_a_task_is_told_in_a_few_sentences() -> None:
    assert task_text("tabular", "roc_auc", NUMBERS) == (
        "tabular classification of two classes, very uneven, roc_auc. "
        "Probes: trees best, explains much, boosting close, linear bad. "
        "More rows help much, later rows are unlike, later linear leads. "
        "Some rows, few columns, strongest column half, some matter, columns alike. "
        "Columns: some categories, few text, few dates, a category of very many values, many gaps, many skewed "
        "numbers, outliers."
    )


def test_a_task_without_numbers_is_told_too() -> None:
    said = task_text("text", "rmse", {})
    assert said.startswith("text regression of numbers evenly spread, rmse. No probe could be run.")
    assert said.endswith("Columns: plain numbers.")


@pytest.mark.parametrize("probe", PROBES)
def test_the_lead_of_each_probe_is_said_first(probe: str) -> None:
    skills = {f"probe_{name}": 0.3 for name in PROBES} | {f"probe_{probe}": 0.6}
    assert probes(skills).startswith(f"Probes: {PROBES[probe]} best, explains much, ")
    assert all(f"{said} bad" in probes(skills) for name, said in PROBES.items() if name != probe)


def test_each_probe_has_a_name_of_its_own() -> None:
    assert len(set(PROBES.values())) == len(PROBES)


def test_what_is_further_behind_is_said_to_be() -> None:
    words = [difference(gap) for gap in (0.0, 0.02, 0.05, 0.1, 0.2, 0.5, 9.0)]
    assert words == [*(said for _, said in SIZES), "useless", "useless"]
    levels = [level(share) for share in (-5.0, 0.05, 0.2, 0.3, 0.5, 0.8, 0.99)]
    assert levels == [*(said for _, said in LEVELS), "all"]
    assert all(one < other for steps in (SIZES, LEVELS) for (one, _), (other, _) in pairwise(steps))


@pytest.mark.parametrize("metric", ["rmse", "log_loss", "custom", "map@3", "mean_columnwise_mae"])
def test_the_metric_is_named(metric: str) -> None:
    assert f", {metric}. " in task_text("tabular", metric, NUMBERS)
    assert f", {metric}. " in task_text("tabular", metric, {})


@pytest.mark.parametrize(
    ("classes", "rarest", "wanted"),
    [
        (2, 0.5, "two classes, even"),
        (2, 0.25, "two classes, uneven"),
        (2, 0.02, "two classes, very uneven"),
        (5, 0.18, "few classes, even"),
        (5, 0.01, "few classes, very uneven"),
        (40, 0.024, "many classes, even"),
        (40, 0.001, "many classes, very uneven"),
    ],
)
def test_number_and_balance_of_classes_are_said(classes: float, rarest: float, wanted: str) -> None:
    text = task_text("tabular", "accuracy", {"classes": classes, "rarest": rarest})
    assert f"classification of {wanted}, accuracy." in text


@pytest.mark.parametrize(("skew", "wanted"), [(0.0, "evenly spread"), (1.5, "skewed"), (4.0, "with a long tail")])
def test_the_spread_of_a_target_of_numbers_is_said(skew: float, wanted: str) -> None:
    assert f"regression of numbers {wanted}, mae." in task_text("tabular", "mae", {"classes": 0, "target_skew": skew})


@pytest.mark.parametrize("lost", NUMBERS)
def test_a_missing_number_does_no_harm(lost: str) -> None:
    numbers = {name: value for name, value in NUMBERS.items() if name != lost}
    assert re.fullmatch(r"tabular .+\. .+\.", task_text("tabular", "roc_auc", numbers))
    assert task_text("tabular", "roc_auc", {lost: NUMBERS[lost]})


def test_no_numbers_however_strange_raise() -> None:
    chance = random.Random(7)
    keys = [*NUMBERS, *OTHER_KEYS, *(f"probe_{name}" for name in PROBES)]
    strange = [0.0, -1.0, 1e-300, 1e300, -1e300, math.inf, -math.inf, math.nan, 0.5]
    for _ in range(3_000):
        some = chance.sample(keys, chance.randrange(len(keys)))
        numbers = {key: chance.choice([*strange, chance.gauss(0, 1), chance.uniform(0, 1e5)]) for key in some}
        text = task_text(chance.choice(["tabular", "text"]), "rmse", numbers)
        assert 20 < len(text) < 2_000
        assert not re.search(r"\d|nan|\binf\b", text)


def test_the_model_of_an_instruction_comes_first() -> None:
    text = instruction_text("Scale.\n", " A forest. ", "Five folds.")
    assert text == "Model: A forest. Preprocessing: Scale. Training: Five folds."


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Fill gaps with the median and fit a logistic regression.", {"median", "linear"}),
        ("Use one-hot encoding and a Random Forest with 500 trees.", {"onehot", "forest"}),
        ("Train XGBoost with early stopping on 5-fold cross-validation.", {"xgboost", "boosting", "folds"}),
        ("LGBM with target encoding, seed-averaged over the folds.", {"lightgbm", "target_encoding", "ensemble"}),
        ("Standardise all columns and fit k-NN with k = 5.", {"standardise", "neighbours", "few_neighbours"}),
        ("TF-IDF on words and character n-grams, then naive Bayes.", {"words", "characters", "bayes"}),
        ("An MLP with two hidden layers on scaled inputs.", {"network", "standardise"}),
        ("Fine-tune a pretrained BERT on the comments.", {"network", "pretrained"}),
        ("SVR with an RBF kernel on PCA components.", {"kernel", "components"}),
        ("Lasso on polynomial features.", {"lasso", "products"}),
        ("Log-transform the target, then CatBoost with deeper trees.", {"log", "catboost", "boosting", "deep_trees"}),
        ("Stack out-of-fold predictions with a ridge.", {"stack", "ensemble", "linear", "folds"}),
        ("Tune with Optuna and shift the threshold for F1.", {"tuning", "threshold"}),
        ("Add lags and a rolling mean for each store and the weekday.", {"lags", "dates"}),
        ("Extremely randomised trees; categories as integer codes.", {"extra_trees", "ordinal"}),
        ("Cluster the rows with k-means and add how often a value is seen.", {"clusters", "frequency"}),
    ],
)
def test_an_instruction_names_its_techniques(text: str, wanted: set[str]) -> None:
    assert wanted <= named(text), f"of {text!r} are found {named(text)}"
    assert wanted <= named(text.upper())


@pytest.mark.parametrize(
    ("text", "unsaid"),
    [
        ("Say what you think of the data.", set(TERMS)),
        ("", set(TERMS)),
        ("The catalogue of a bridge.", {"linear", "log", "catboost"}),
        ("A randomised search for the dialogue's words.", {"log", "extra_trees", "forest"}),
        ("A forest of trees.", {"boosting", "extra_trees", "single_tree", "linear", "network"}),
    ],
)
def test_no_technique_is_seen_that_is_not_there(text: str, unsaid: set[str]) -> None:
    assert not unsaid & named(text)


FAMILIES = {
    r"boosted|lightgbm|catboost_alone|text_boost|series_trees|series_learned": "boosting",
    r"lightgbm_alone|boosted": "lightgbm",
    r"catboost_alone|boosted": "catboost",
    r"extra_trees|image_trees": "extra_trees",
    r"linear|ridge|series_calendar|text_stack": "linear",
    r"kernel": "kernel",
    r"bayes": "bayes",
    r"stack": "stack",
    r"trend": "lags",
}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(recipe.name))
def test_each_recipe_names_the_family_of_its_model(recipe: Recipe) -> None:
    wanted = {term for pattern, term in FAMILIES.items() if re.search(pattern, recipe.name)}
    found = named(instruction_text(recipe.preprocessing, recipe.model, recipe.training))
    if recipe.name != "text_style":  # its name tells its features, not its model
        assert wanted, f"no family is known for {recipe.name}: add it here"
    assert wanted <= found


def test_terms_come_in_their_order_and_are_flags() -> None:
    flags = terms("ridge")
    assert len(flags) == len(TERMS)
    assert flags[list(TERMS).index("linear")] == 1
    assert set(flags) == {0, 1}


def test_a_long_or_hostile_text_is_searched_quickly_and_not_to_its_end() -> None:
    began = time.process_time()
    for piece in ("word ", "tf-idf", "a" * 50, "extra ", "0" * 30, "averag"):
        terms(piece * 20_000)
    assert time.process_time() - began < 3.0
    assert "forest" not in named("x " * MOST_READ + "forest")
