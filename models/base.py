"""What asking a model promises: questions, and how asking can fail. Knows no provider and no network.

A model that fails never fails the run:

    ModelError
    ├── NoAnswer        this question has no usable answer; whoever asked goes on without
    ├── ReplayDiffers   the record that is replayed does not hold this question (ends the run, clearly)
    └── AskingStopped   we were told to stop (Ctrl-C) while a model was being asked

    BadAnswer           raised by `Question.read`: the model is told, once, and asked again
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel

T = TypeVar("T")
Role = Literal["describe", "propose", "critique", "write", "repair", "improve", "ensemble", "check", "extract"]
ROLES: tuple[Role, ...] = ("describe", "propose", "critique", "write", "repair", "improve", "ensemble")
"""Roles that a task may give models of their own."""
Level = Literal["schema", "samples", "output"]
LEVELS: tuple[Level, ...] = ("schema", "samples", "output")
"""What may leave for a model, each level with all before it: names and statistics, some cells, program output."""
Failure = Literal[
    "bad", "refused", "context", "form", "images", "system", "temperature", "budget",
    "auth", "quota", "missing", "timeout", "rate", "server", "connection", "empty",
]  # fmt: skip
"""Why there is no answer. "bad": not what was asked for; "form", "images", "system": the model takes no schema, no
pictures, no system turn, no "temperature"; "missing": there is no such model; "budget": no money or time is left."""


class ModelError(Exception):
    """Asking a model failed. The text is one sentence."""


class NoAnswer(ModelError):
    """This question has no usable answer. The run goes on without it."""

    def __init__(self, kind: Failure, why: str) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why

    @property
    def lost(self) -> bool:
        """Whether server or budget are to blame, not what the model said: then it counts as no attempt."""
        return self.kind not in ("bad", "refused", "context", "form", "images", "system", "temperature")


class ReplayDiffers(ModelError):
    """A question differs from the record that is replayed, or is not in it."""


class AskingStopped(ModelError):
    """The run was stopped while a model was being asked."""


class BadAnswer(ValueError):
    """An answer is not what was asked for. The text is shown to the model."""


@dataclass(frozen=True)
class Data:
    """Text from outside (the task, its data, a program) for a prompt: shown as data, where its level allows."""

    text: str
    level: Level = "schema"
    """The lowest privacy level that lets it leave."""
    keep: int = 4_000
    """Characters of it that are shown; more is cut in the middle."""


@dataclass(frozen=True)
class Question(Generic[T]):
    """One thing to ask, and how to understand the answer."""

    key: str
    """Its name within the run, such as "propose" or "0003/repair-2": the same in a resumed or replayed run."""
    role: Role
    template: str
    """prompts/<template>.md.j2"""
    variables: Mapping[str, object]
    """What the template takes. Text from outside is `Data`, or a list of it; all else is this program's own."""
    read: Callable[[str], T]
    """Makes a value of the answer's text. Raises: BadAnswer."""
    schema: type[BaseModel] | None = None
    """The form of a JSON answer, for models that can be held to one."""
    max_tokens: int = 8_000
    """Length of the answer at most, thinking included."""
    seconds: float = 600.0
    """Wall clock of the answer with all its retries."""
    images: Sequence[bytes] = field(default=())
    """PNG pictures, written anew by this program. They are program output: shown at that privacy level only."""
    temperature: float | None = None
    """Of sampling, where the model takes one; None leaves it to the model."""


class Mind(Protocol):
    """Answers questions. Safe to call from several threads."""

    def ask(self, question: Question[T]) -> T:
        """The answer, as `question.read` makes it.

        Raises: NoAnswer, ReplayDiffers, AskingStopped.
        """
        ...

    def awake(self, role: Role) -> bool:
        """Whether asking makes sense: there is a model, it answered lately, and money is left."""
        ...

    def pace(self) -> float:
        """Seconds that an answer takes, by those that came so far."""
        ...

    def asleep(self) -> dict[str, str]:
        """Model -> why it is not asked any more."""
        ...

    def close(self) -> None:
        """End what is being asked (it ends with AskingStopped) and free everything. May be called from any thread."""
        ...
