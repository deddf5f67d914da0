"""The search policy: what to run next. One pure function of what is known and what budget is left.

Order of things: draft the best-ranked instructions; give further views to those within noise of the leader
(racing: time goes where the doubt is); with a model, improve the best of what it wrote and combine the best few;
refit the winner, or the members of the winning blend, on all rows; finish. Time for the refit is kept back from the
start, estimated from measured times.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil

from agents.write import RECIPE
from grading.base import AUDIT_VIEW, FULL_VIEW
from graphs.knowledge import (
    CLOSING_SECONDS,
    RACERS,
    VIEW_SHARE,
    Budget,
    Knowledge,
    asking,
    draft_seconds,
    expected_seconds,
    fits,
    left,
    reserve,
    view_limit,
    winner,
)
from graphs.state import Assignment, Decision, Kind
from ranker.prior import NEW_PER_KNOWN

NOISE = 2.0
"""An attempt races on while it is behind by at most so many paired standard errors (about 95 %)."""
DRAFT_SHARE = 2 / 3
"""Share of the attempts that are drafts where a model can improve them; the rest are improvements."""
MEMBERS = 3
"""So many of the best are combined."""
ASK_SHARE = 0.5
"""An answer may take at most this share of the time that is left for attempts."""


def decide(known: Knowledge, budget: Budget) -> Decision:
    """The next batch of assignments, or "finish"."""
    refitting = any(run.view == FULL_VIEW for run in known.runs.values()) and known.facts.views > 0
    if not refitting:
        for step in (draft, race, improve, draft_the_rest):
            decision = step(known, budget)
            if decision.assignments:
                return decision
    return refit(known, budget)


def draft(known: Knowledge, budget: Budget) -> Decision:
    """The next-ranked instructions; where a model can improve them, attempts are kept back for that."""
    keeps = known.asks("improve") and known.facts.views > 0
    return _draft(known, budget, draft_limit(budget) if keeps else budget.attempts)


def draft_the_rest(known: Knowledge, budget: Budget) -> Decision:
    """Attempts that were kept back for improvements and are not needed for them go to instructions."""
    return _draft(known, budget, budget.attempts)


def _draft(known: Knowledge, budget: Budget, limit: int) -> Decision:
    """The next-ranked instructions: at first as many as run side by side, then all that surely fit.

    So the best-ranked one is always among the first to run.
    """
    waiting = waiting_instructions(known)
    room = min(known.room(budget) - (budget.attempts - limit), len(waiting))
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


def draft_limit(budget: Budget) -> int:
    """Attempts that are drafts, where the others are improvements."""
    return min(budget.attempts, max(2, ceil(DRAFT_SHARE * budget.attempts)))


def model_drafts(budget: Budget) -> int:
    """How many instructions of a model come to be drafted beside the recipes (see ranker.prior for their turns)."""
    return draft_limit(budget) - ceil(draft_limit(budget) / (1 + NEW_PER_KNOWN))


def distinct(known: Knowledge, ranked: Sequence[str]) -> list[str]:
    """`ranked` without attempts that an improvement before them holds already."""
    kept: list[str] = []
    for attempt in ranked:
        if not any(attempt in known.attempts[better].parents for better in kept):
            kept.append(attempt)
    return kept


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
    return Assignment(
        name,
        instruction or f"{kind}-{name}",
        view=known.facts.first_view,
        draft=True,
        seconds=max(1.0, min(view_limit(known, budget), left(known, budget))),
        kind=kind,
        parents=list(parents),
        ask_seconds=max(1.0, ASK_SHARE * spare),
    )


def improve(known: Knowledge, budget: Budget) -> Decision:
    """One change to each of the best that a model or a person wrote; after that the last attempt combines the best."""
    room = known.room(budget)
    seconds = expected_seconds(known, budget) + known.pace
    if budget.first_valid or room <= 0 or not known.facts.views or not fits(known, budget, 1, seconds):
        return Decision("improve", "no further improvement")
    ranked = [next(iter(standing.members)) for standing in known.standings.attempts]
    readable = [attempt for attempt in ranked if not known.attempts[attempt].source.startswith(RECIPE)]
    made = {attempt.kind for attempt in known.attempts.values()}
    wanted: list[tuple[Kind, list[str]]] = []
    if known.asks("improve"):
        wanted = [("improve", [attempt]) for attempt in readable][: min(room, budget.parallel)]
    last = room <= budget.parallel and (len(wanted) < room or room > 1 or "improve" in made)
    if known.asks("ensemble") and readable and len(ranked) > 1 and "ensemble" not in made and last:
        wanted = [*wanted[: room - 1], ("ensemble", distinct(known, ranked)[:MEMBERS])]
    chosen = [new_attempt(known, budget, place, "", kind, who) for place, (kind, who) in enumerate(wanted)]
    said = ", ".join(f"{kind} {' + '.join(who)}" for kind, who in wanted)
    return Decision("improve", said or "nothing that can be improved", chosen)


def race(known: Knowledge, budget: Budget) -> Decision:
    """One more view for the attempts that cannot be told from the leader, all of them on the same views."""
    contenders = [s for s in known.standings.attempts if s.behind <= NOISE * s.behind_error][:RACERS]
    racers = [next(iter(standing.members)) for standing in contenders]
    limit = budget.script_seconds * VIEW_SHARE
    if budget.first_valid or len(racers) < 2:
        return Decision("race", "the leader is clear")
    for view in range(2, known.facts.views + 1):
        behind = [racer for racer in racers if f"{racer}/{view}" not in known.runs]
        if not behind:
            continue
        if not fits(known, budget, len(behind), expected_seconds(known, budget)):
            return Decision("race", "no time for another view")
        seconds = max(1.0, min(limit, left(known, budget)))
        chosen = [Assignment(racer, known.attempts[racer].instruction, view, False, seconds) for racer in behind]
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
