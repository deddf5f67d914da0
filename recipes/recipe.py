"""A recipe as the catalogue knows it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from grading.base import Task
from recipes.base import Description, Modality

Applies = Callable[[Task, Description], bool]


@dataclass(frozen=True)
class Recipe:
    """A script in this folder and what is known about it."""

    name: str
    """The script is recipes/<name>.py."""
    title: str
    preprocessing: str
    model: str
    training: str
    priors: dict[Modality, float]
    """How good it usually is, 0..1, by modality; offered only for those named."""
    applies: Applies = lambda task, description: True
    """Whether it can run on this task at all."""
