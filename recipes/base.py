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
    numbers: dict[str, float] = field(default_factory=dict)
    """What recipes.parts.probes.task_numbers measured; empty where it could not."""


@dataclass(frozen=True)
class ColumnFacts:
    """What view 1 shows of one column: of each that `Description` names, and of each target."""

    name: str
    """With escapes where a character cannot be printed."""
    kind: str
    """A `Kind`, or "target"."""
    missing: float
    """Share of missing values, 0..1."""
    unique: int
    numbers: str
    """Statistics in words ("min 0.42, median 14.5, ..."): no text or category of a cell, but classes and their counts
    where the column is a target of classes."""
    examples: list[str]
    """Up to 3 different, frequent values as text, each at most 60 characters; one of a feature among over 100."""


@dataclass(frozen=True)
class DataFile:
    """A file or folder that every script sees."""

    name: str
    """Relative to data/."""
    facts: str
    """"table, 713 rows, columns PassengerId, Survived": sizes and column names, no value of a cell."""


@dataclass(frozen=True)
class Profile:
    """All that a prompt may say of a task's data. The lists are empty where the profile script failed."""

    description: Description
    files: list[DataFile]
    facts: list[ColumnFacts]
    """The columns of `description` in the same order, then at most 40 targets."""
    train_rows: list[str]
    """The first 3 rows as csv lines, header first; cells cut at 60 characters, rows at 40 columns."""
    submission_rows: list[str]
    """The same of the sample submission."""
    packages: list[str]
    """Installed distributions that a script may want, as "pandas 3.1.1", sorted."""
    modules: list[str]
    """Top-level modules that installed distributions bring, sorted; without the standard library."""


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
