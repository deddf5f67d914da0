"""What an improvement needs to know of the attempts so far. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from agents.brief import plan_text
from agents.standing import Rival
from agents.write import RECIPE
from grading.base import Standing
from graphs.state import Attempt, Run, State

MOST = 8
"""Attempts that are shown, the best first, and changes, the last ones."""


def rivals(state: State, parents: Sequence[str]) -> list[Rival]:
    """The best attempts with a blind score, best first, and `parents` among them; without their scripts."""
    plans = {instruction.id: plan_text(instruction) for instruction in state["pool"]}
    names = [(next(iter(standing.members)), standing) for standing in state["standings"].attempts]
    shown = [(name, standing) for place, (name, standing) in enumerate(names) if place < MOST or name in parents]
    return [_rival(standing, state["attempts"][name], state["runs"], plans) for name, standing in shown]


def readable_scripts(state: State, shown: Sequence[Rival]) -> dict[str, str]:
    """Attempt -> script, of those shown that a model or a person wrote: short enough to be read by a model."""
    attempts = [state["attempts"][rival.id] for rival in shown]
    return {a.id: a.script for a in attempts if a.script and not a.source.startswith(RECIPE)}


def earlier_changes(state: State, parent: str) -> list[str]:
    """What was changed in `parent` before, and what came of it, a line each."""
    means = {next(iter(s.members)): s.score for s in state["standings"].attempts}
    children = [a for a in state["attempts"].values() if a.kind == "improve" and a.parents == [parent]]
    return [
        f"{child.change or child.title}: "
        + (f"blind score {means[child.id].mean:.5g}" if child.id in means else f"failed ({child.status})")
        for child in children[-MOST:]
        if child.status != "unanswered"
    ]


def _rival(standing: Standing, attempt: Attempt, runs: dict[str, Run], plans: dict[str, str]) -> Rival:
    score = standing.score
    plan = plans.get(attempt.instruction) or attempt.title
    return Rival(
        id=attempt.id,
        title=attempt.title,
        mean=score.mean,
        error=score.error,
        views=len(standing.views),
        seconds=median(run.seconds for run in runs.values() if run.attempt == attempt.id),
        behind=standing.behind,
        plan=plan,
        code=None,
    )
