"""propose: the pool of instructions: what the recipes offer and, with a model, what it adds to them."""

from __future__ import annotations

from collections.abc import Sequence

from agents.brief import Brief
from agents.forms import Idea, Ideas, NumberedIdea
from grading.base import Task
from models.answers import read_json
from models.base import BadAnswer, Mind, Question
from recipes.base import Description, Instruction
from recipes.catalogue import offer

LLM = "llm"
"""The source of a model's instruction."""
LONGEST_TITLE = 120
LONGEST_PART = 1_500
"""Characters of one part of an instruction."""


def propose(task: Task, description: Description) -> list[Instruction]:
    """The recipes that can solve this kind of task, each as an instruction."""
    return offer(task, description)


def ideas(mind: Mind, brief: Brief, recipes: Sequence[Instruction], count: int) -> list[Instruction]:
    """At most `count` instructions that a model adds to the recipes, the most promising first.

    Raises: NoAnswer, ReplayDiffers.
    """
    variables = brief.about() | brief.means() | {"recipes": recipe_lines(recipes), "count": count}

    def read(text: str) -> list[Instruction]:
        return instructions(read_json(text, Ideas).ideas[:count])

    return mind.ask(Question("propose", "propose", "propose", variables, read, Ideas, seconds=brief.seconds))


def recipe_lines(recipes: Sequence[Instruction]) -> list[str]:
    """The recipes, a line each: what they are and what they rest on."""
    return [f"{recipe.title} ({recipe.model.split('. ')[0].rstrip('.')})" for recipe in recipes]


def instructions(proposed: Sequence[Idea]) -> list[Instruction]:
    """Instructions from a model's answer.

    Raises: BadAnswer where there is none, or a part is empty.
    """
    found = [instruction(f"idea-{number}", idea) for number, idea in enumerate(proposed, start=1)]
    if not found:
        raise BadAnswer("There is no idea in it.")
    return found


def instruction(name: str, idea: Idea | NumberedIdea) -> Instruction:
    """One instruction from a model's answer. Raises: BadAnswer."""
    parts = [idea.preprocessing, idea.model, idea.training]
    if not all(part.strip() for part in (idea.title, *parts)):
        raise BadAnswer(f"{name}: title, preprocessing, model and training must all say something.")
    title = " ".join(idea.title.split())[:LONGEST_TITLE]
    preprocessing, model, training = (part.strip()[:LONGEST_PART] for part in parts)
    return Instruction(name, title, preprocessing, model, training, source=LLM)
