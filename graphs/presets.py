"""Presets: pipelines of others in the place of ours, so that both can be measured in one sandbox by one score."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from agents.brief import Brief
from agents.linguacodus import PLACES, place_instructions, refined
from agents.modules import MODULES
from grading.base import TaskError
from graphs.context import Context
from models.base import Mind, Role
from recipes.base import Instruction


@dataclass(frozen=True)
class Preset:
    """What a pipeline does in its own way. It has no recipes, no description by a model and no improvements."""

    propose: Callable[[Mind, Brief], list[Instruction]]
    """All candidates."""
    critique: Callable[[Mind, Brief, Sequence[Instruction]], list[Instruction]]
    """What is left of the candidates to be tried."""
    attempts: int
    tries: int
    """Of one attempt, the first one included."""
    questions: Mapping[Role, int]
    """How often each role is asked at most before the first script runs."""


PRESETS: Mapping[str, Preset] = {
    "linguacodus": Preset(
        place_instructions, refined, 1, 4, {"propose": len(PLACES), "critique": 2, "write": len(MODULES)}
    ),
}
NEEDED: tuple[Role, ...] = ("propose", "write")
"""Without models of these roles a preset can do nothing."""


def find_preset(name: str, said: Context, models: Mapping[Role, str]) -> Preset:
    """The preset of a name, where it goes with what else the user said.

    Raises: TaskError for a name that is none, for models that are missing, and for options that mean another pipeline.
    """
    preset = PRESETS.get(name)
    if preset is None:
        raise TaskError(f"--preset {name}: is no preset; there is {', '.join(PRESETS)}.")
    if missing := [role for role in NEEDED if role not in models]:
        raise TaskError(
            f"--preset {name}: no model is named for the role {missing[0]}, and it has no recipes; add --model, or "
            f"models.{missing[0]} to the task."
        )
    others = {
        "--start": said.start is not None,
        "--review": said.review,
        f"--attempts {said.attempts}": said.attempts not in (None, preset.attempts),
    }
    if wrong := [option for option, given in others.items() if given]:
        tries = "one attempt" if preset.attempts == 1 else f"{preset.attempts} attempts"
        raise TaskError(f"--preset {name}: makes {tries} of its own instructions; leave {wrong[0]} out.")
    return preset
