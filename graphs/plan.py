"""Our search policy: what to run next. One pure function of what is known and what budget is left.

Order of things: draft the best-ranked instructions; where not all fit into the time, screen them on a sample of the
rows and promote the best; give further views to those within noise of the leader
(racing: time goes where the doubt is); with a model, improve the best of what it wrote, restart when that is stuck, and
combine the best few; refit the winner, or the members of the winning blend, on all rows; finish. Time for the refit is
kept back from the start, estimated from measured times. Other policies: graphs/policies.py.
"""

from __future__ import annotations

from math import ceil

from grading.base import AUDIT_VIEW, FULL_VIEW
from graphs.drafting import draft, draft_the_rest
from graphs.halving import promote, screen
from graphs.improving import improve
from graphs.knowledge import (
    CLOSING_SECONDS,
    RACERS,
    SAFETY,
    VIEW_SHARE,
    Budget,
    Knowledge,
    left,
    own_seconds,
    reserve,
    side_by_side,
    winner,
)
from graphs.state import Assignment, Decision

NOISE = 2.0
"""An attempt races on while it is behind by at most so many paired standard errors (about 95 %)."""


def decide(known: Knowledge, budget: Budget) -> Decision:
    """The next batch of assignments, or "finish"."""
    if not refitting(known):
        for step in (promote, screen, draft, race, improve, draft_the_rest):
            decision = step(known, budget)
            if decision.assignments:
                return decision
    return refit(known, budget)


def refitting(known: Knowledge) -> bool:
    """Whether the last step of a run has begun."""
    return any(run.view == FULL_VIEW for run in known.runs.values()) and known.facts.views > 0


def race(known: Knowledge, budget: Budget) -> Decision:
    """One more view for the attempts that cannot be told from the leader, all of them on the same views."""
    racers = [name for name, s in known.standing_of.items() if s.behind <= NOISE * s.behind_error][:RACERS]
    limit = budget.script_seconds * VIEW_SHARE
    if budget.first_valid or len(racers) < 2:
        return Decision("race", "the leader is clear")
    for view in range(2, known.facts.views + 1):
        behind = [racer for racer in racers if f"{racer}/{view}" not in known.runs]
        if not behind:
            continue
        own = {racer: SAFETY * own_seconds(known, budget, racer) for racer in behind}
        slack = left(known, budget) - reserve(known, budget) - side_by_side(list(own.values()), budget)
        if slack <= 0:
            return Decision("race", "no time for another view")
        more = slack / ceil(len(behind) / budget.parallel)
        chosen = [
            Assignment(racer, known.attempts[racer].instruction, view, False, max(1.0, min(limit, own[racer] + more)))
            for racer in behind
        ]
        return Decision("race", f"{len(racers)} attempts are within noise of each other: view {view}", chosen)
    return Decision("race", "no view is left")


def refit(known: Knowledge, budget: Budget) -> Decision:
    """The winner, or the members of the winning blend, on all rows (where time splits, on the audit view too)."""
    members = winner(known)
    if not members:
        return Decision("finish", "no valid submission was found")
    wanted = [FULL_VIEW] if known.facts.split != "time" or not known.facts.views else [FULL_VIEW, AUDIT_VIEW]
    missing = [(member, view) for view in wanted for member in members if f"{member}/{view}" not in known.runs]
    if not missing:
        return Decision("finish", "the refit is done" if known.facts.views else "nothing can be compared blind")
    waves = ceil(len(missing) / budget.parallel)
    seconds = min(budget.script_seconds, (left(known, budget) - CLOSING_SECONDS) / waves)
    slowest = max(run.seconds for run in known.runs.values() if run.attempt in members)
    if seconds < slowest:
        return Decision("finish", "no time for a refit on all rows: the graded predictions stand")
    chosen = [Assignment(member, known.attempts[member].instruction, view, False, seconds) for member, view in missing]
    return Decision("refit", f"refit {len(members)} script(s) on all rows", chosen)
