"""The money of a whole batch: what may still be spent, and what a task that begins may have of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

LEAST_USD = 0.01
"""A task that asks models is not begun with less, unless its own cap is that low."""


def fair_part(total: float, spent: Iterable[float]) -> float:
    """What each part of a batch may come to, so that all parts together come to the total.

    `spent` holds what each has spent so far, in USD: what one has spent beyond its equal part is missing for the
    others. It stays the same while no part passes it, so that parts which begin at different times agree on it.
    """
    below = sorted(spent)
    while below and below[-1] > total / len(below):
        total -= below.pop()
    return max(0.0, total / len(below)) if below else 0.0


@dataclass(frozen=True)
class Wish:
    """What a task may spend by itself."""

    asks: bool = False
    """Whether it asks models at all."""
    cap: float | None = None
    """What it may cost at most in USD; of a run that goes on: what is left of its cap."""
    begun: bool = False
    """It goes on with the cap that it was begun with, which cannot be lowered."""


@dataclass
class Purse:
    """What is spent, and what running tasks may spend yet."""

    total: float | None
    """The cap of the batch in USD."""
    spent: dict[str, float] = field(default_factory=dict)
    """Task -> USD so far."""
    held: dict[str, float] = field(default_factory=dict)
    """Running task -> USD that it may spend further."""

    def left(self) -> float:
        """USD that nobody has spent or holds."""
        return (self.total or 0.0) - sum(self.spent.values()) - sum(self.held.values())

    def hold(self, name: str, wish: Wish, sharers: int) -> tuple[float | None, str | None]:
        """Its cap, or why the task cannot begin now; what is left is shared with the `sharers - 1` that may follow."""
        if self.total is None or not wish.asks:
            return wish.cap if wish.asks else None, None
        share = max(0.0, self.left()) / max(1, 1 if wish.begun else sharers)
        if wish.begun and (wish.cap is None or wish.cap > share + 1e-9):
            cap = "no cap" if wish.cap is None else f"{wish.cap:.4f} USD left of its own cap"
            return None, f"it was begun with {cap}, and {self._state()}"
        granted = share if wish.cap is None else min(wish.cap, share)
        if granted < LEAST_USD and wish.cap != granted:
            return None, self._state()
        self.held[name] = granted
        return granted, None

    def settle(self, name: str, usd: float | None) -> float:
        """A task has ended: what it has cost in all. Where nobody knows, it counts all that it held."""
        before = self.spent.get(name, 0.0)
        self.spent[name] = before + self.held.get(name, 0.0) if usd is None else usd
        self.held.pop(name, None)
        return self.spent[name]

    def _state(self) -> str:
        used, held = sum(self.spent.values()), sum(self.held.values())
        return f"of --total-usd {self.total:g} {used:.4f} are spent and {held:.4f} held by tasks that run"
