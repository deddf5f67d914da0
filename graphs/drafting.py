"""Drafts: the ranked instructions that are tried next."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from graphs.knowledge import Budget, Knowledge, asking, draft_seconds, fits, left, reserve, view_limit, winner
from graphs.state import Assignment, Decision, Kind
from ranker.prior import NEW_PER_KNOWN

DRAFT_SHARE = 2 / 3
"""Share of the attempts that are drafts where a model can improve them; the rest are improvements."""
ASK_SHARE = 0.5
"""An answer may take at most this share of the time that is left for attempts."""


def draft(known: Knowledge, budget: Budget) -> Decision:
    """The next-ranked instructions; where a model can improve them, attempts are kept back for that."""
    return draft_at_most(known, budget, kept_for_drafts(known, budget))


def draft_the_rest(known: Knowledge, budget: Budget) -> Decision:
    """Attempts that were kept back for improvements and are not needed for them go to instructions."""
    return draft_at_most(known, budget, budget.attempts)


def kept_for_drafts(known: Knowledge, budget: Budget) -> int:
    """Attempts that drafts may take before anything is improved."""
    return draft_limit(budget) if can_improve(known) else budget.attempts


def can_improve(known: Knowledge) -> bool:
    """Whether a model can change scripts, and a blind score can say what came of it."""
    return known.asks("improve") and known.facts.views > 0


def draft_at_most(known: Knowledge, budget: Budget, limit: int) -> Decision:
    """The next-ranked instructions: at first as many as run side by side, then all that surely fit.

    So the best-ranked one is always among the first to run.
    """
    waiting = waiting_instructions(known)
    room = draft_room(known, budget, limit)
    one_will_do = budget.first_valid or known.facts.views == 0
    enough = bool(winner(known)) and one_will_do
    if room <= 0 or enough or not fits(known, budget, 1, draft_seconds(known, budget, waiting[:1])):
        return Decision("draft", "no further draft")
    count = 1 if one_will_do else min(room, budget.parallel)
    while winner(known) and not one_will_do and count < room:
        if not fits(known, budget, count + 1, view_limit(known, budget) + asking(known, waiting[: count + 1])):
            break
        count += 1
    chosen = [new_attempt(known, budget, place, waiting[place]) for place in range(count)]
    return Decision("draft", f"draft the next {count} of {len(waiting)} ranked instructions", chosen)


def draft_room(known: Knowledge, budget: Budget, limit: int) -> int:
    """How many instructions may still be drafted where drafts may take `limit` attempts."""
    return min(known.room(budget) - (budget.attempts - limit), len(waiting_instructions(known)))


def draft_limit(budget: Budget) -> int:
    """Attempts that are drafts, where the others are improvements."""
    return min(budget.attempts, max(2, ceil(DRAFT_SHARE * budget.attempts)))


def model_drafts(budget: Budget) -> int:
    """How many instructions of a model come to be drafted beside the recipes (see ranker.prior for their turns)."""
    return draft_limit(budget) - ceil(draft_limit(budget) / (1 + NEW_PER_KNOWN))


def waiting_instructions(known: Knowledge) -> list[str]:
    """Ranked instructions that are not tried yet and can be written."""
    tried = {attempt.instruction for attempt in known.attempts.values()}
    closed = frozenset() if known.asks("write") else known.unwritten
    return [r.instruction for r in known.ranking if r.instruction not in tried and r.instruction not in closed]


def new_attempt(
    known: Knowledge,
    budget: Budget,
    place: int,
    instruction: str = "",
    kind: Kind = "draft",
    parents: Sequence[str] = (),
) -> Assignment:
    """The attempt that stands at `place` (from 0) in the next batch, on the first view."""
    name = f"{len(known.attempts) + place + 1:04d}"
    spare = left(known, budget) - reserve(known, budget)
    most = spare if winner(known) else left(known, budget)
    return Assignment(
        name,
        instruction or f"{kind}-{name}",
        view=known.facts.first_view,
        draft=True,
        seconds=max(1.0, min(view_limit(known, budget), most)),
        kind=kind,
        parents=list(parents),
        ask_seconds=max(1.0, ASK_SHARE * spare),
    )
