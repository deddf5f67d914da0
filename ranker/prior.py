# ruff: noqa: ARG002 - rankers of one Protocol are asked alike, and these need less
"""The rankers that need no model: what a recipe usually is worth for this kind of task, or no ranking at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ranker.base import Ranked
from recipes.base import Description, Instruction

NEW_PER_KNOWN = 2
"""So many instructions without a record take their turn after each that has one."""


@dataclass(frozen=True)
class PriorRanker:
    """Orders by `Instruction.prior`; ties keep the order in which they were offered."""

    name: str = "the recipes' priors"

    def start(self) -> None:
        """Nothing is to be loaded."""

    def rank(self, description: Description, metric: str, pool: Sequence[Instruction]) -> list[Ranked]:
        """The pool, highest prior first; instructions without one in the order in which they were proposed."""
        known = sorted((i for i in pool if i.prior > 0), key=lambda instruction: -instruction.prior)
        why = f"prior of its recipe for {description.modality} tasks"
        ranked = [Ranked(i.id, i.prior, why) for i in known]
        new = [Ranked(i.id, 0.0, "no record of such plans: takes turns with recipes") for i in pool if i.prior <= 0]
        return take_turns(ranked, new)

    def close(self) -> None:
        """Nothing is held open."""


@dataclass(frozen=True)
class NoRanker:
    """Leaves the pool in the order in which it was proposed."""

    name: str = "no ranker"

    def start(self) -> None:
        """Nothing is to be loaded."""

    def rank(self, description: Description, metric: str, pool: Sequence[Instruction]) -> list[Ranked]:
        """The pool as it is."""
        return [Ranked(instruction.id, 0.0, "in the order of the proposals") for instruction in pool]

    def close(self) -> None:
        """Nothing is held open."""


def take_turns(known: Sequence[Ranked], new: Sequence[Ranked]) -> list[Ranked]:
    """The best recipe first, then NEW_PER_KNOWN instructions without a record after each recipe.

    Recipes are measured ensembles and have a floor to give; what a model or a person proposes has no such record, so
    scores of the two kinds are not compared. Those that are left over on one side come last.
    """
    waiting, ranked = list(new), []
    for recipe in known:
        ranked += [recipe, *waiting[:NEW_PER_KNOWN]]
        waiting = waiting[NEW_PER_KNOWN:]
    return ranked + waiting
