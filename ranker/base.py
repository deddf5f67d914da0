"""What a ranker promises."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from recipes.base import Description, Instruction

SHIPPED_FOLDER = Path(__file__).resolve().parent / "shipped"
"""The ranker that comes with the program."""


class RankerUnavailable(RuntimeError):
    """A ranker cannot be used on this machine. The text is one sentence with the remedy."""


@dataclass(frozen=True)
class Ranked:
    """One instruction's place."""

    instruction: str
    """Id of the instruction."""
    score: float
    """Higher is tried earlier; comparable within one task only, and only among instructions of one kind."""
    why: str
    """One phrase for the user: what put it there."""


class Ranker(Protocol):
    """Orders the pool of instructions for one task."""

    @property
    def name(self) -> str:
        """What orders, for the user."""
        ...

    def start(self) -> None:
        """Begin to load, beside other work; comes back at once. Never fails: `rank` says what is wrong."""
        ...

    def rank(self, description: Description, metric: str, pool: Sequence[Instruction]) -> list[Ranked]:
        """Every instruction of `pool` once, the most promising first.

        Raises: RankerUnavailable.
        """
        ...

    def close(self) -> None:
        """Free everything; may be called from any thread, more than once."""
        ...
