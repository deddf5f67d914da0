"""propose: the pool of instructions. Without a model, what the recipes offer."""

from __future__ import annotations

from grading.base import Task
from recipes.base import Description, Instruction
from recipes.catalogue import offer


def propose(task: Task, description: Description) -> list[Instruction]:
    """The recipes that can solve this kind of task, each as an instruction."""
    return offer(task, description)
