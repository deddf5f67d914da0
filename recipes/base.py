"""Values about what can be tried: the description of a task and the instructions for solving it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Modality = Literal["tabular", "text", "image", "series"]
Kind = Literal["number", "category", "text", "list", "date", "flag", "path", "constant", "id"]


@dataclass(frozen=True)
class Column:
    """A feature column as the profile saw it on view 1."""

    name: str
    kind: Kind
    missing: float
    """Share of missing values, 0..1."""
    unique: int
    example: str
    """One value as text, at most 80 characters."""


@dataclass(frozen=True)
class Description:
    """What is known of a task without any hidden label: the input of ranking and of every prompt."""

    modality: Modality
    rows: int
    test_rows: int
    columns: list[Column]
    """At most 200, the first ones; `width` is the true number."""
    width: int
    summary: str
    """A few plain sentences."""


@dataclass(frozen=True)
class Instruction:
    """A short plan: preprocessing, model, training."""

    id: str
    title: str
    preprocessing: str
    model: str
    training: str
    source: str
    """"recipe:<name>", "llm" or "improve:<attempt>"."""
    prior: float = 0.0
    """How good the plan usually is for this kind of task, 0..1; 0 where unknown."""
    tags: list[str] = field(default_factory=list)
