"""Which script an attempt tries first, and which after a failure: by a recipe, a person, or a model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from agents.brief import Brief
from agents.ensemble import ensemble
from agents.improve import improve
from agents.propose import LLM
from agents.repair import MAX_TRIES, Failed, repair
from agents.scripts import Draft
from agents.standing import Rival
from agents.write import RECIPE, from_recipe, write
from graphs.keeping import OUTPUT, kept, plots
from graphs.live import Live, live
from graphs.presets import PRESETS
from graphs.state import AttemptState

LEAST_SECONDS = 3.0
"""With less time to spare nothing is repaired."""
START = "start"
"""The source of a script that a person handed in."""


def first_script(state: AttemptState) -> Draft:
    """The script of an attempt's first try.

    Raises: NoAnswer, ReplayDiffers, AskingStopped.
    """
    things, assignment, instruction = live(state["run"]), state["assignment"], state["instruction"]
    if instruction.source.startswith(RECIPE):
        return Draft(from_recipe(instruction, state["facts"]))
    if instruction.source == START:
        return Draft(things.folder.start.read_text(encoding="utf-8"))
    brief = things.brief(state["facts"], things.spare(assignment.ask_seconds))
    if instruction.source == LLM:
        return write(things.mind, brief, instruction, assignment.attempt)
    rivals = [_with_script(things, rival, state["scripts"]) for rival in state["rivals"]]
    if assignment.kind == "ensemble":
        members = [rival for rival in rivals if rival.id in assignment.parents]
        return ensemble(things.mind, brief, members, assignment.attempt)
    return _improved(things, brief, state, rivals)


def next_script(state: AttemptState) -> Draft | None:
    """The script after a failed try; None where there is nothing left to try.

    Raises: NoAnswer, ReplayDiffers, AskingStopped.
    """
    instruction, tries, preset = state["instruction"], state["tries"], live(state["run"]).settings.preset
    if tries >= (PRESETS[preset].tries if preset else MAX_TRIES):
        return None
    if instruction.source.startswith(RECIPE):
        safe = from_recipe(instruction, state["facts"], safe=True)
        return Draft(safe, "the recipe's smaller variant") if tries == 1 else None
    things, assignment = live(state["run"]), state["assignment"]
    seconds = things.spare(assignment.ask_seconds)
    if not things.mind.awake("repair") or seconds < LEAST_SECONDS:
        return None
    script = things.folder.path / state["script"]
    ran = kept(_home(script, assignment.view))
    failed = Failed(
        script.read_text(encoding="utf-8"), ran.result, state["faults"], assignment.seconds, state.get("tried", [])
    )
    brief = things.brief(state["facts"], seconds)
    return repair(things.mind, brief, failed, assignment.attempt, tries)


def _improved(things: Live, brief: Brief, state: AttemptState, rivals: list[Rival]) -> Draft:
    parent = state["assignment"].parents[0]
    own = next(rival for rival in rivals if rival.id == parent)
    home = _home(things.folder.path / state["scripts"][parent], 1)
    printed = (home / OUTPUT).read_text(encoding="utf-8")
    return improve(things.mind, brief, own, rivals, printed, plots(home), state["earlier"], state["assignment"].attempt)


def _with_script(things: Live, rival: Rival, scripts: dict[str, str]) -> Rival:
    path = scripts.get(rival.id)
    return replace(rival, code=(things.folder.path / path).read_text(encoding="utf-8")) if path else rival


def _home(script: Path, view: int) -> Path:
    return script.parent / f"view-{view}"
