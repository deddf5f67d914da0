"""write: from an instruction to a whole script, by its recipe or by a model."""

from __future__ import annotations

from agents.brief import PLAN_CHARACTERS, Brief, plan_text
from agents.modules import IN_MODULES, write_modules
from agents.scripts import Draft, whole_script
from grading.base import Task
from models.base import Data, Mind, Question
from recipes.base import Instruction
from recipes.render import render

RECIPE = "recipe:"
"""How the source of a recipe's instruction begins."""
SCRIPT_TOKENS = 16_000
"""Length of an answer that holds a script, thinking included."""


def from_recipe(instruction: Instruction, task: Task, safe: bool = False) -> str:
    """The script of a recipe's instruction; `safe` asks for its smaller, simpler variant.

    Raises: ValueError for an instruction that no recipe stands behind.
    """
    if not instruction.source.startswith(RECIPE):
        raise ValueError(f"instruction {instruction.id} comes from {instruction.source}, not from a recipe")
    return render(instruction.source.removeprefix(RECIPE), task, safe)


def write(mind: Mind, brief: Brief, instruction: Instruction, attempt: str) -> Draft:
    """The script that a model writes for an instruction: whole, or in modules where its tag asks for these.

    Raises: NoAnswer, ReplayDiffers.
    """
    if IN_MODULES in instruction.tags:
        return write_modules(mind, brief, instruction, attempt)
    variables = brief.about() | brief.contract() | {"plan": Data(plan_text(instruction), keep=2 * PLAN_CHARACTERS)}
    read = whole_script(brief.profile.modules)
    return mind.ask(
        Question(f"{attempt}/write", "write", "write", variables, read, max_tokens=SCRIPT_TOKENS, seconds=brief.seconds)
    )
