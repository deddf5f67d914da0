"""The ranker that needs no model: what a recipe usually is worth for this kind of task."""

from __future__ import annotations

from collections.abc import Sequence

from ranker.base import Ranked
from recipes.base import Description, Instruction

NEW_PER_KNOWN = 2
"""So many instructions without a record take their turn after each that has one."""


class PriorRanker:
    """Orders by `Instruction.prior`; ties keep the order in which they were offered.

    The best recipe comes first. Instructions without a prior (a model's, a person's) have no record to be placed by:
    they take turns with the other recipes, in the order in which they were proposed.
    """

    def rank(self, description: Description, pool: Sequence[Instruction]) -> list[Ranked]:
        """The pool, highest prior first."""
        known = sorted((i for i in pool if i.prior > 0), key=lambda instruction: -instruction.prior)
        new = [instruction for instruction in pool if instruction.prior <= 0]
        ranked: list[Ranked] = []
        score = known[0].prior if known else 0.0
        while known or new:
            if known:
                recipe, score = known[0], known[0].prior
                ranked.append(Ranked(recipe.id, score, f"prior of its recipe for {description.modality} tasks"))
            ranked += [
                Ranked(i.id, score, "no record of such plans: takes turns with recipes") for i in new[:NEW_PER_KNOWN]
            ]
            known, new = known[1:], new[NEW_PER_KNOWN:]
        return ranked
