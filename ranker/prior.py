"""The ranker that needs no model: what a recipe usually is worth for this kind of task."""

from __future__ import annotations

from collections.abc import Sequence

from ranker.base import Ranked
from recipes.base import Description, Instruction


class PriorRanker:
    """Orders by `Instruction.prior`; ties keep the order in which they were offered."""

    def rank(self, description: Description, pool: Sequence[Instruction]) -> list[Ranked]:
        """The pool, highest prior first."""
        why = f"prior of its recipe for {description.modality} tasks"
        best_first = sorted(pool, key=lambda instruction: -instruction.prior)
        return [Ranked(instruction.id, instruction.prior, why) for instruction in best_first]
