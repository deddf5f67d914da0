# ruff: noqa: ARG002 - the stand-in takes what the real one takes
"""A scripted stand-in for models. It fails loudly when it is asked for more than it was told."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import Any, TypeVar

from models.base import NoAnswer, Question, Role
from models.prompt import compose

T = TypeVar("T")


@dataclass
class ScriptedMind:
    """Answers each question by its key; a `NoAnswer` among the answers is raised. Without answers it is asleep."""

    answers: dict[str, str | NoAnswer]
    asked: list[Question[Any]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, question: Question[T]) -> T:
        with self.lock:
            self.asked.append(question)
        if question.key not in self.answers:
            raise AssertionError(f"the scripted mind has no answer to {question.key}")
        answer = self.answers[question.key]
        if isinstance(answer, NoAnswer):
            raise answer
        compose(question, "output")  # the prompt must be complete, whatever is answered
        return question.read(answer)

    def awake(self, role: Role) -> bool:
        return bool(self.answers)

    def asleep(self) -> dict[str, str]:
        return {}

    def pace(self) -> float:
        return 1.0

    def close(self) -> None:
        pass
