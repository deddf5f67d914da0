"""repair: from a script that failed to one that may not. Without a model: a recipe's safe variant, once."""

from __future__ import annotations

from agents.write import write
from grading.base import Task
from recipes.base import Instruction

MAX_TRIES = 3
"""Tries of one attempt, the first one included."""


def repair(instruction: Instruction, task: Task, tries: int) -> str | None:
    """The next script to try after `tries` failed ones, or None where there is nothing left to try."""
    return write(instruction, task, safe=True) if tries == 1 else None
