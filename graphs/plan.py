"""The search policy: what to run next. One pure function of what is known and what budget is left.

Order of things: draft the best-ranked instructions; give further views to those within noise of the leader
(racing: time goes where the doubt is); refit the winner, or the members of the winning blend, on all rows; finish.
Time for the refit is kept back from the start, estimated from measured times.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from statistics import median

from grading.base import AUDIT_VIEW, FULL_VIEW, Standings, Task
from graphs.state import Assignment, Attempt, Decision, Run, State
from ranker.base import Ranked

RACERS = 3
"""At most so many attempts race for further views, the leader among them."""
NOISE = 2.0
"""An attempt races on while it is behind by at most so many paired standard errors (about 95 %)."""
REFIT_GROWTH = 1.5
"""A refit sees all rows, a view about 72 % of them; fits grow a little faster than their rows."""
CLOSING_SECONDS = 8.0
"""Kept back for blending, checking and the report."""
VIEW_SHARE = 0.6
"""Share of a script's time limit that a run on a view gets, so that the refit has room."""


@dataclass(frozen=True)
class Budget:
    """What a run may use."""

    attempts: int
    seconds: float
    first_valid: bool
    """Stop at the first valid submission."""
    parallel: int
    """Scripts that run side by side."""
    script_seconds: float
    """Time limit of one script on all rows."""


@dataclass(frozen=True)
class Knowledge:
    """What the run has found out so far."""

    facts: Task
    ranking: list[Ranked]
    attempts: dict[str, Attempt]
    runs: dict[str, Run]
    standings: Standings
    spent: float
    """Seconds of work so far."""

    @classmethod
    def of(cls, state: State) -> Knowledge:
        """What the state holds of it."""
        return cls(
            state["facts"], state["ranking"], state["attempts"], state["runs"], state["standings"], state["spent"]
        )


def decide(known: Knowledge, budget: Budget) -> Decision:
    """The next batch of assignments, or "finish"."""
    refitting = any(run.view == FULL_VIEW for run in known.runs.values()) and known.facts.views > 0
    if not refitting:
        for step in (draft, race):
            decision = step(known, budget)
            if decision.assignments:
                return decision
    return refit(known, budget)


def draft(known: Knowledge, budget: Budget) -> Decision:
    """The next-ranked instructions: at first as many as run side by side, then all that surely fit.

    So the best-ranked one is always among the first to run.
    """
    tried = {attempt.instruction for attempt in known.attempts.values()}
    waiting = [ranked.instruction for ranked in known.ranking if ranked.instruction not in tried]
    room = min(budget.attempts - len(known.attempts), len(waiting))
    one_will_do = budget.first_valid or known.facts.views == 0
    enough = bool(winner(known)) and one_will_do
    if room <= 0 or enough or not fits(known, budget, 1, expected_seconds(known, budget)):
        return Decision("draft", "no further draft")
    limit = budget.script_seconds * (VIEW_SHARE if known.facts.views else 1.0)
    count = 1 if one_will_do else min(room, budget.parallel)
    while winner(known) and not one_will_do and count < room and fits(known, budget, count + 1, limit):
        count += 1
    view = 1 if known.facts.views else FULL_VIEW
    first = len(known.attempts) + 1
    seconds = max(1.0, min(limit, left(known, budget)))
    chosen = [Assignment(f"{first + place:04d}", waiting[place], view, True, seconds) for place in range(count)]
    return Decision("draft", f"draft the next {count} of {len(waiting)} ranked instructions", chosen)


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


def winner(known: Knowledge) -> dict[str, float]:
    """Members and weights of the best candidate; empty where nothing valid is there yet.

    A blend is only offered where its gain is clear. Among attempts the one-standard-error rule holds (Breiman et al.,
    Classification and Regression Trees, 1984): of those level with the leader the best-ranked is
    taken, not the luckiest.
    """
    if known.standings.blend:
        return known.standings.blend.members
    if known.standings.attempts:
        level = [standing for standing in known.standings.attempts if 0 <= standing.behind <= standing.behind_error]
        return min((standing.members for standing in level), key=min)
    valid = [run.attempt for run in known.runs.values() if run.view == FULL_VIEW and run.predictions]
    return {min(valid): 1.0} if valid else {}


def left(known: Knowledge, budget: Budget) -> float:
    """Seconds of the budget that are left."""
    return budget.seconds - known.spent


def fits(known: Knowledge, budget: Budget, runs: int, seconds_each: float) -> bool:
    """Whether `runs` of `seconds_each` leave time for the refit; while nothing is valid yet, any time left will do."""
    if not winner(known):
        return left(known, budget) > CLOSING_SECONDS and (
            runs <= budget.parallel or waves_fit(known, budget, runs, seconds_each)
        )
    return waves_fit(known, budget, runs, seconds_each)


def waves_fit(known: Knowledge, budget: Budget, runs: int, seconds_each: float) -> bool:
    """Whether `runs` of `seconds_each`, side by side, end before the time kept back for the refit begins."""
    return ceil(runs / budget.parallel) * seconds_each + reserve(known, budget) < left(known, budget)


def expected_seconds(known: Knowledge, budget: Budget) -> float:
    """What one more run on a view is likely to take: the median so far, or half of what it may take."""
    seen = [run.seconds for run in known.runs.values() if run.view not in (FULL_VIEW, AUDIT_VIEW)]
    limit = budget.script_seconds * VIEW_SHARE
    return min(limit, 1.2 * median(seen)) if seen else 0.5 * limit


def reserve(known: Knowledge, budget: Budget) -> float:
    """Seconds kept back for the refit and for closing."""
    if not known.facts.views:
        return CLOSING_SECONDS
    per_view = 2 if known.facts.split == "time" else 1
    waves = ceil(per_view * max(1, min(RACERS, len(known.standings.attempts))) / budget.parallel)
    return waves * min(budget.script_seconds, REFIT_GROWTH * expected_seconds(known, budget)) + CLOSING_SECONDS
