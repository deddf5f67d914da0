"""What the search policy knows of a run, which candidate is the best, and what still fits into the budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from statistics import median

from agents.propose import LLM
from grading.base import FULL_VIEW, MAX_VIEWS, Standing, Standings, Task
from graphs.state import Attempt, Run, State
from models.base import Role
from ranker.base import Ranked

RACERS = 3
"""At most so many attempts race for further views, the leader among them."""
REFIT_GROWTH = 1.5
"""A refit sees all rows, a view about 72 % of them; fits grow a little faster than their rows."""
CLOSING_SECONDS = 8.0
"""Kept back for blending, checking and the report."""
SAFETY = 1.2
"""A run on a view is given at least so many times what such runs have taken."""
VIEW_SHARE = 0.6
"""Share of a script's time limit that a run on a view gets, so that the refit has room."""
PATIENCE = 3
"""After so many attempts without any answer no model is asked again."""


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

    def first_seconds(self, views: int) -> float:
        """Time limit of a script's first run: on a view, or on all rows where there are no views."""
        return self.script_seconds * (VIEW_SHARE if views else 1.0)


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
    unwritten: frozenset[str] = frozenset()
    """Instructions that take a model to write."""
    awake: frozenset[str] = frozenset()
    """Roles whose model answers."""
    pace: float = 0.0
    """Seconds that an answer takes."""

    @classmethod
    def of(cls, state: State) -> Knowledge:
        """What the state holds of it; nothing of models."""
        unwritten = frozenset(instruction.id for instruction in state["pool"] if instruction.source == LLM)
        return cls(
            state["facts"],
            state["ranking"],
            state["attempts"],
            state["runs"],
            state["standings"],
            state["spent"],
            unwritten,
        )

    @property
    def standing_of(self) -> dict[str, Standing]:
        """The standing of each attempt that has a blind score, the best first."""
        return {next(iter(standing.members)): standing for standing in self.standings.attempts}

    def asks(self, role: Role) -> bool:
        """Whether a model can be asked: it answers, and not too many attempts were lost for want of an answer."""
        lost = [attempt for attempt in self.attempts.values() if attempt.status == "unanswered"]
        return role in self.awake and len(lost) < PATIENCE

    def room(self, budget: Budget) -> int:
        """Attempts that are left; those that never had an answer do not count."""
        return budget.attempts - sum(attempt.status != "unanswered" for attempt in self.attempts.values())


def winner(known: Knowledge) -> dict[str, float]:
    """Members and weights of the best candidate; empty where nothing valid is there yet.

    A blend is only offered where its gain is clear. Among attempts the one-standard-error rule holds (Breiman et al.,
    Classification and Regression Trees, 1984): of those level with the leader the best-ranked is
    taken, not the luckiest; and what a model wrote only where no recipe or script of the user's is level with it.
    """
    if known.standings.blend:
        return known.standings.blend.members
    if known.standings.attempts:
        by_model = {name: attempt.by_model for name, attempt in known.attempts.items()}
        named = list(known.standing_of.items())
        leader = named[0][0]
        level = [
            name
            for name, standing in named
            if standing.behind <= standing.behind_error
            # one that is ahead on too few views to lead counts where a model's would take the lead
            and (standing.behind >= 0 or (by_model[leader] and not by_model[name]))
        ]
        return {min(level, key=lambda name: (by_model[name], name)): 1.0}
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


def view_limit(known: Knowledge, budget: Budget) -> float:
    """Seconds that one run of a new script may take."""
    return budget.first_seconds(known.facts.views)


def asking(known: Knowledge, instructions: Sequence[str]) -> float:
    """Seconds until the scripts of `instructions` are written, side by side."""
    return known.pace if known.unwritten.intersection(instructions) else 0.0


def draft_seconds(known: Knowledge, budget: Budget, instructions: Sequence[str]) -> float:
    """What writing and running the next draft is likely to take."""
    return expected_seconds(known, budget) + asking(known, instructions)


def expected_seconds(known: Knowledge, budget: Budget) -> float:
    """What one more run on a view is likely to take: the median so far, or half of what it may take."""
    seen = [run.seconds for run in known.runs.values() if 1 <= run.view <= MAX_VIEWS]
    limit = budget.script_seconds * VIEW_SHARE
    return min(limit, SAFETY * median(seen)) if seen else 0.5 * limit


def own_seconds(known: Knowledge, budget: Budget, attempt: str) -> float:
    """What an attempt takes on a view: the median of its own runs."""
    seen = [run.seconds for run in known.runs.values() if run.attempt == attempt and 1 <= run.view <= MAX_VIEWS]
    return median(seen) if seen else expected_seconds(known, budget)


def side_by_side(seconds: Sequence[float], budget: Budget) -> float:
    """What runs that take so long each take together, those that take about as long side by side."""
    return sum(sorted(seconds, reverse=True)[:: budget.parallel])


def reserve(known: Knowledge, budget: Budget, members: Sequence[str] = ()) -> float:
    """Seconds kept back for the refit and for closing: of `members`, or of as many as may be refitted.

    These are the winner's members and those next to them: what is tried meanwhile may join one of them in a blend.
    """
    if not known.facts.views:
        return CLOSING_SECONDS
    best = winner(known)
    likely = list(dict.fromkeys([*best, *known.standing_of]))[: max(RACERS, len(best))]
    each = [own_seconds(known, budget, name) for name in members or likely] or [expected_seconds(known, budget)]
    runs = each * (2 if known.facts.split == "time" else 1)
    return side_by_side([min(budget.script_seconds, REFIT_GROWTH * run) for run in runs], budget) + CLOSING_SECONDS
