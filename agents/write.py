"""write: from an instruction to a whole script."""

from __future__ import annotations

from grading.base import Task
from recipes.base import Instruction
from recipes.render import render

RECIPE = "recipe:"
"""How the source of a recipe's instruction begins."""


def write(instruction: Instruction, task: Task, safe: bool = False) -> str:
    """The script that carries `instruction` out; `safe` asks for the recipe's smaller, simpler variant.

    Raises: ValueError for an instruction that no recipe stands behind (writing those takes a model).
    """
    if not instruction.source.startswith(RECIPE):
        raise ValueError(f"instruction {instruction.id} comes from {instruction.source}: only recipes can be written")
    return render(instruction.source.removeprefix(RECIPE), task, safe)
