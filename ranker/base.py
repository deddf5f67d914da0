"""What a ranker promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from recipes.base import Description, Instruction


@dataclass(frozen=True)
class Ranked:
    """One instruction's place."""

    instruction: str
    """Id of the instruction."""
    score: float
    """Higher is tried earlier; comparable within one task only."""
    why: str
    """One phrase for the user: what put it there."""


class Ranker(Protocol):
    """Orders the pool of instructions for one task."""

    def rank(self, description: Description, pool: Sequence[Instruction]) -> list[Ranked]:
        """Every instruction of `pool` once, the most promising first."""
        ...
