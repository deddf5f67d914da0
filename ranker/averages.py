"""What a plan is worth on average, whatever the task: by its name where it was tried, else by the terms it names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from ranker.outcomes import Outcomes
from ranker.records import InstructionRecord
from ranker.terms import TERMS, terms

SHRINK = 3.0
"""Outcomes' worth of the terms' estimate in a plan's average."""
RIDGE = 20.0
SLOPE = 2.0
"""A target is value and rank added, both about 0..1."""


@dataclass(frozen=True)
class Averages:
    """Best on average."""

    plans: dict[str, float]
    """Id of an instruction -> its mean value 0..1, drawn towards what its terms say."""
    weights: dict[str, float]
    """Term -> what it adds."""
    base: float
    """The mean value of all outcomes."""
    slope: float
    """What a better average is worth in targets of ranker.meta (value and rank together)."""

    def of(self, instruction: InstructionRecord) -> float:
        """The value that the instruction has on average, or would by its terms."""
        known = self.plans.get(instruction.id)
        return self.by_terms(instruction.text) if known is None else known

    def by_terms(self, text: str) -> float:
        """What the terms alone say."""
        named = zip(TERMS, terms(text), strict=True)
        return self.base + sum(self.weights.get(name, 0.0) for name, there in named if there)

    def expected(self, instructions: Sequence[InstructionRecord]) -> np.ndarray:
        """(n,): targets of ranker.meta by the averages alone."""
        found = np.array([self.of(i) for i in instructions])
        return np.asarray(self.slope * (found - found.mean()))

    def as_json(self) -> dict[str, object]:
        """As `Averages(**...)` takes it."""
        return asdict(self)


def fit_averages(tasks: Sequence[Outcomes]) -> Averages:
    """Ridge regression of values on terms, then means by plan. An id that stands for many plans is no plan's name."""
    named = np.array([terms(i.text) for task in tasks for i in task.instructions], float)
    values = np.concatenate([task.value for task in tasks])
    base = float(values.mean())
    weights = np.linalg.solve(named.T @ named + RIDGE * np.eye(named.shape[1]), named.T @ (values - base))
    found: dict[str, list[float]] = {}
    guessed: dict[str, float] = {}
    for task in tasks:
        for instruction, value in zip(task.instructions, task.value, strict=True):
            if instruction.source == "composition" or instruction.source.startswith("recipe:"):
                found.setdefault(instruction.id, []).append(float(value))
                guessed.setdefault(instruction.id, base + float(np.array(terms(instruction.text)) @ weights))
    plans = {
        name: round((sum(values) + SHRINK * guessed[name]) / (len(values) + SHRINK), 5)
        for name, values in found.items()
    }
    return Averages(plans, dict(zip(TERMS, np.round(weights, 5).tolist(), strict=True)), base, SLOPE)
