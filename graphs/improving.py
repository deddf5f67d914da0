"""Improvements: one change to the best of what a model or a person wrote, and one script made of the best few."""

from __future__ import annotations

from collections.abc import Sequence

from agents.write import RECIPE
from graphs.drafting import draft_the_rest, new_attempt
from graphs.knowledge import Budget, Knowledge, expected_seconds, fits
from graphs.state import Assignment, Decision, Kind

MEMBERS = 3
"""So many of the best are combined."""
PATIENCE = 3
"""After so many changes in a row that were no clear gain, improving is stuck."""


def improve(known: Knowledge, budget: Budget) -> Decision:
    """One change to each of the best; the last attempt combines the best few.

    Stuck, the search restarts from the next-ranked instruction; where none waits, it combines the best, and then ends:
    further changes are not worth their price.
    """
    room = known.room(budget)
    if budget.first_valid or room <= 0 or not known.facts.views or not has_time(known, budget):
        return Decision("improve", "no further improvement")
    stuck = is_stuck(known)
    if stuck and (restart := draft_the_rest(known, budget)).assignments:
        chosen = restart.assignments[: min(room, budget.parallel)]
        return Decision("draft", f"{PATIENCE} changes in a row were no gain: restart from the next instruction", chosen)
    parents = [] if stuck or not known.asks("improve") else to_improve(known)[: min(room, budget.parallel)]
    wanted: list[tuple[Kind, list[str]]] = [("improve", [parent]) for parent in parents]
    made = {attempt.kind for attempt in known.attempts.values()}
    last = stuck or (room <= budget.parallel and (len(wanted) < room or room > 1 or "improve" in made))
    if last and "ensemble" not in made and known.asks("ensemble") and (members := to_combine(known)):
        wanted = [*wanted[: room - 1], ("ensemble", members)]
    chosen = [new_attempt(known, budget, place, "", kind, who) for place, (kind, who) in enumerate(wanted)]
    said = ", ".join(f"{kind} {' + '.join(who)}" for kind, who in wanted)
    return Decision("improve", said or "nothing that can be improved", chosen)


def improve_one(known: Knowledge, budget: Budget, parent: str) -> Decision:
    """One change to `parent`, where there is room and time and a model to ask."""
    if budget.first_valid or known.room(budget) <= 0 or not known.asks("improve") or not has_time(known, budget):
        return Decision("improve", "no further improvement")
    chosen: list[Assignment] = [new_attempt(known, budget, 0, "", "improve", [parent])]
    return Decision("improve", f"improve {parent}", chosen)


def has_time(known: Knowledge, budget: Budget) -> bool:
    """Whether one more change can be written and run."""
    return fits(known, budget, 1, expected_seconds(known, budget) + known.pace)


def readable(known: Knowledge) -> list[str]:
    """Attempts with a blind score that a model or a person wrote, the best first."""
    return [name for name in known.standing_of if not known.attempts[name].source.startswith(RECIPE)]


def to_improve(known: Knowledge) -> list[str]:
    """What to change next: of those level with the best readable one, the least changed first; then the others.

    Scores within an error of each other are the same to us: to follow the luckiest would be to chase noise.
    """
    names = readable(known)
    behind = {name: (standing.behind, standing.behind_error) for name, standing in known.standing_of.items()}
    changed = dict.fromkeys(names, 0)
    for attempt in known.attempts.values():
        if attempt.kind == "improve" and attempt.parents[0] in changed:
            changed[attempt.parents[0]] += 1
    level = [n for n in names if behind[n][0] - behind[names[0]][0] <= max(behind[n][1], behind[names[0]][1])]
    return sorted(level, key=lambda name: changed[name]) + [name for name in names if name not in level]


def to_combine(known: Knowledge) -> list[str]:
    """The best few, without those that an improvement before them holds already; [] where that says nothing new."""
    members = distinct(known, list(known.standing_of))[:MEMBERS]
    return members if len(members) > 1 and readable(known) else []


def distinct(known: Knowledge, ranked: Sequence[str]) -> list[str]:
    """`ranked` without attempts that an improvement before them holds already."""
    kept: list[str] = []
    for attempt in ranked:
        if not any(attempt in known.attempts[better].parents for better in kept):
            kept.append(attempt)
    return kept


def is_stuck(known: Knowledge) -> bool:
    """Whether the last changes, PATIENCE of them since the last draft, were no clear gain over what they changed."""
    latest = [known.attempts[name] for name in sorted(known.attempts)][-PATIENCE:]
    changes = [a for a in latest if a.kind == "improve" and a.status != "unanswered"]
    return len(changes) == PATIENCE and not any(gained(known, a.id, a.parents[0]) for a in changes)


def gained(known: Knowledge, child: str, parent: str) -> bool:
    """Whether `child` is ahead of `parent` by more than the error of that."""
    found = known.standing_of
    if child not in found or parent not in found:
        return False
    error = max(found[child].behind_error, found[parent].behind_error)
    return found[parent].behind - found[child].behind > error
