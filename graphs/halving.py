"""Successive halving (Jamieson and Talwalkar, 2016): where not all drafts fit into the time, more are tried on a sample
of the rows, and the best of them on the whole first view. From there on the race goes on with further views.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import ceil

from grading.base import SAMPLE_VIEW
from graphs.drafting import draft_room, kept_for_drafts, new_attempt, waiting_instructions
from graphs.knowledge import Budget, Knowledge, asking, expected_seconds, left, reserve, winner
from graphs.state import Assignment, Decision, Run

SAMPLE_COST = 0.35
"""Time of a script on a quarter of the rows, as a share of that on all of them: predicting costs the same."""
KEEP = 1 / 3
"""Share of the sampled attempts that goes on, as in Hyperband (arXiv 1603.06560: eta 3)."""


def screen(known: Knowledge, budget: Budget) -> Decision:
    """The next-ranked instructions on a sample, where more of them can be tried so; else nothing."""
    room = draft_room(known, budget, kept_for_drafts(known, budget))
    if not known.facts.can_sample or not winner(known) or budget.first_valid or room < 2:
        return Decision("screen", "nothing to sample")
    waiting, each = waiting_instructions(known), expected_seconds(known, budget)
    whole = most(room, lambda n: ceil(n / budget.parallel) * (each + asking(known, waiting[:n])), spare(known, budget))
    sampled = most(room, lambda n: seconds(known, budget, n), spare(known, budget))
    if whole >= room or sampled <= max(whole, 1):
        return Decision("screen", "a sample saves nothing")
    limit = max(1.0, min(2 * SAMPLE_COST * each, spare(known, budget) / ceil(sampled / budget.parallel)))
    drafts = [new_attempt(known, budget, place, waiting[place]) for place in range(sampled)]
    chosen = [replace(draft, view=SAMPLE_VIEW, seconds=min(draft.seconds, limit)) for draft in drafts]
    return Decision("screen", f"draft the next {sampled} on a sample: only {whole} fit on all rows", chosen)


def promote(known: Knowledge, budget: Budget) -> Decision:
    """The best of the attempts that ran on the sample, on the first view."""
    sampled = [run for run in known.runs.values() if run.view == SAMPLE_VIEW and run.value is not None]
    ranked = sorted(sampled, key=lambda run: loss(known, run))[: ceil(KEEP * len(sampled))]
    first = known.facts.first_view
    waiting = [run.attempt for run in ranked if f"{run.attempt}/{first}" not in known.runs]
    each = expected_seconds(known, budget)
    count = most(len(waiting), lambda n: ceil(n / budget.parallel) * each, spare(known, budget))
    if not count:
        return Decision("promote", "no sampled attempt is to go on")
    waves = ceil(count / budget.parallel)
    limit = max(1.0, min(budget.first_seconds(known.facts.views), spare(known, budget) / waves))
    chosen = [Assignment(name, known.attempts[name].instruction, first, False, limit) for name in waiting[:count]]
    return Decision("promote", f"the best of {len(sampled)} sampled attempts on all rows of view 1", chosen)


def seconds(known: Knowledge, budget: Budget, count: int) -> float:
    """What sampling `count` instructions, and the best of them on the first view, is likely to take."""
    each = expected_seconds(known, budget)
    waiting = waiting_instructions(known)[:count]
    waves, further = ceil(count / budget.parallel), ceil(ceil(KEEP * count) / budget.parallel)
    return waves * (SAMPLE_COST * each + asking(known, waiting)) + further * each


def most(count: int, cost: Callable[[int], float], seconds: float) -> int:
    """The largest number up to `count` that costs less than `seconds`."""
    return max((n for n in range(count + 1) if cost(n) < seconds), default=0)


def spare(known: Knowledge, budget: Budget) -> float:
    """Seconds that are left beside those kept back for the refit of what leads now."""
    return left(known, budget) - reserve(known, budget, list(winner(known)))


def loss(known: Knowledge, run: Run) -> float:
    """Its blind score, lower is better."""
    value = run.value or 0.0
    return -value if known.facts.direction == "maximize" else value
