"""Search policies by name: ours, and two of the field to compare it with (benchmarks/search.py)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from grading.base import TaskError
from graphs.drafting import can_improve, draft_at_most
from graphs.improving import improve_one, readable
from graphs.knowledge import Budget, Knowledge
from graphs.plan import decide, refit, refitting
from graphs.state import Decision

GREEDY_DRAFTS = 5
"""Drafts before the first improvement, as AIDE has them (arXiv 2502.13138, agent.search.num_drafts)."""


@dataclass(frozen=True)
class Policy:
    """A way to search."""

    decide: Callable[[Knowledge, Budget], Decision]
    """What to run next."""
    blends: bool
    """Whether blends of attempts compete."""


def greedy(known: Knowledge, budget: Budget) -> Decision:
    """A few drafts in the order of the ranking, then one change after the other to whatever leads; one view each."""
    if refitting(known):
        return refit(known, budget)
    best = readable(known)
    drafts = min(budget.attempts, GREEDY_DRAFTS) if can_improve(known) else budget.attempts
    decision = draft_at_most(known, budget, drafts)
    if not decision.assignments and best:
        decision = improve_one(known, budget, best[0])
    return decision if decision.assignments else refit(known, budget)


def linear(known: Knowledge, budget: Budget) -> Decision:
    """The first-ranked instruction, then one change after the other to the newest script; one view each.

    Where no model can change a script, the next-ranked instruction takes its place.
    """
    if refitting(known):
        return refit(known, budget)
    newest = max(readable(known), default=None)
    if newest is not None and can_improve(known):
        decision = improve_one(known, budget, newest)
    else:
        decision = draft_at_most(known, budget, budget.attempts)
    return decision if decision.assignments else refit(known, budget)


POLICIES: Mapping[str, Policy] = {
    "race": Policy(decide, blends=True),
    "greedy": Policy(greedy, blends=False),
    "linear": Policy(linear, blends=False),
}
DEFAULT = "race"


def find_policy(name: str) -> Policy:
    """The policy of that name.

    Raises: TaskError where there is none.
    """
    if name not in POLICIES:
        raise TaskError(f"--policy {name}: there is no such policy; choose {', '.join(POLICIES)}.")
    return POLICIES[name]
