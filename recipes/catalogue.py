"""The recipes on offer for a task, best prior first."""

from __future__ import annotations

from grading.base import Task
from recipes.base import Description, Instruction, Modality
from recipes.catalogue_other import OTHER
from recipes.catalogue_tabular import TABULAR
from recipes.recipe import Recipe

RECIPES: list[Recipe] = TABULAR + OTHER
"""Every recipe. Those for tables stand in catalogue_tabular, all others in catalogue_other."""


def offer(task: Task, description: Description) -> list[Instruction]:
    """Instructions of all recipes that fit, best prior first."""
    fitting = [r for r in RECIPES if description.modality in r.priors and r.applies(task, description)]
    fitting.sort(key=lambda recipe: -recipe.priors[description.modality])
    return [_instruction(recipe, description.modality) for recipe in fitting]


def _instruction(recipe: Recipe, modality: Modality) -> Instruction:
    return Instruction(
        id=f"recipe-{recipe.name}",
        title=recipe.title,
        preprocessing=recipe.preprocessing,
        model=recipe.model,
        training=recipe.training,
        source=f"recipe:{recipe.name}",
        prior=recipe.priors[modality],
        tags=[modality],
    )
