"""What is offered for a task: fitting recipes only, the best prior first, each a full plan."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipes.base import Column, Description, Modality
from recipes.catalogue import RECIPES, offer
from recipes.recipe import Recipe
from tests.test_recipes_render import TASK

NUMBERS = [Column(f"n{place}", "number", 0.0, 50, "1.5") for place in range(12)]
TEXT = [Column("story", "text", 0.0, 90, "Once upon a time")]


def describe(modality: Modality, columns: list[Column]) -> Description:
    return Description(modality, 1000, 100, columns, len(columns), "")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.name)
def test_each_recipe_is_a_script_and_a_full_plan(recipe: Recipe) -> None:
    assert (Path(__file__).parents[1] / "recipes" / f"{recipe.name}.py").is_file()
    assert all(len(text.split()) >= 3 for text in (recipe.title, recipe.preprocessing, recipe.model, recipe.training))
    assert recipe.priors
    assert all(0 < prior <= 1 for prior in recipe.priors.values())


def test_a_table_gets_at_least_four_different_plans_best_first() -> None:
    plans = offer(TASK, describe("tabular", NUMBERS))
    assert len({plan.model for plan in plans}) >= 4
    assert plans[0].source == "recipe:boosted_trees"
    assert [plan.prior for plan in plans] == sorted((plan.prior for plan in plans), reverse=True)


def test_a_table_that_could_not_be_profiled_still_gets_plans() -> None:
    assert len(offer(TASK, describe("tabular", []))) >= 4


def test_pictures_with_many_numbers_also_get_a_plan_for_the_numbers() -> None:
    sources = [plan.source for plan in offer(TASK, describe("image", NUMBERS))]
    assert "recipe:linear" in sources


def test_texts_alone_get_no_plan_for_tables() -> None:
    sources = {plan.source for plan in offer(TASK, describe("text", TEXT))}
    assert not sources & {"recipe:boosted_trees", "recipe:extra_trees"}


def test_ids_of_plans_are_unique() -> None:
    plans = offer(TASK, describe("tabular", NUMBERS))
    assert len({plan.id for plan in plans}) == len(plans)
