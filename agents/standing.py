"""How attempts stand, in words, for prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.base import Data


@dataclass(frozen=True)
class Rival:
    """An attempt with a blind score."""

    id: str
    title: str
    mean: float
    error: float
    """Standard error of `mean`."""
    views: int
    """Views that it was graded on."""
    seconds: float
    """What one run of its script takes."""
    behind: float
    """How far behind the leader on the views of both, in units of the metric; below 0: ahead, on too few to lead."""
    plan: str
    """Its instruction."""
    code: str | None
    """Its script, where a model or a person wrote it; None for a recipe's."""


def scores_text(rivals: Sequence[Rival], own: str | None = None) -> Data:
    """One line an attempt, the best first; `own` is marked."""
    return Data("\n".join(_line(rival, rival.id == own) for rival in rivals))


def _line(rival: Rival, own: bool) -> str:
    gap = "the best" if rival.behind == 0 else f"{rival.behind:.4g} behind the best on common views"
    if rival.behind < 0:
        gap = f"{-rival.behind:.4g} ahead of the best, on few views only"
    mark = " <- the script to improve" if own else ""
    score = f"{rival.mean:.5g} (standard error {rival.error:.2g}, {rival.views} view(s); {gap})"
    return f"{rival.id} {rival.title}: {score}; a run takes {rival.seconds:.1f} seconds{mark}"
