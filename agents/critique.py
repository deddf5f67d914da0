"""critique: a researcher lists the flaws of the candidates, a resolver returns improved ones; both see the task."""

from __future__ import annotations

from collections.abc import Sequence

from agents.brief import PLAN_CHARACTERS, Brief, plan_text
from agents.forms import NumberedIdeas, Reviews
from agents.propose import instruction, recipe_lines
from models.answers import read_json
from models.base import BadAnswer, Data, Mind, Question
from recipes.base import Instruction

MOST_FLAWS = 4
LONGEST = 400
"""Characters of one flaw."""


def critique(
    mind: Mind, brief: Brief, candidates: Sequence[Instruction], recipes: Sequence[Instruction]
) -> list[Instruction]:
    """The candidates, improved: as many, with the same ids, in the same order. `recipes` run beside them.

    Raises: NoAnswer, ReplayDiffers.
    """
    shown = [Data(f"candidate {n}: {plan_text(c)}", keep=PLAN_CHARACTERS) for n, c in enumerate(candidates, start=1)]
    variables = brief.about() | brief.means() | {"candidates": shown, "recipes": recipe_lines(recipes)}
    flaws = mind.ask(
        Question("critique/flaws", "critique", "critique_flaws", variables, _flaws, Reviews, seconds=brief.seconds / 2)
    )
    if not flaws:
        return list(candidates)
    return mind.ask(
        Question(
            "critique/improve",
            "critique",
            "critique_improve",
            variables | {"flaws": Data(flaws)},
            lambda text: _improved(text, candidates),
            NumberedIdeas,
            seconds=brief.seconds / 2,
        )
    )


def _flaws(text: str) -> str:
    """The flaws as text, "" where none was found."""
    reviews = read_json(text, Reviews).reviews
    lines = [f"candidate {r.number}: {flaw[:LONGEST]}" for r in reviews for flaw in r.flaws[:MOST_FLAWS]]
    return "\n".join(lines)


def _improved(text: str, candidates: Sequence[Instruction]) -> list[Instruction]:
    answered = {idea.number: idea for idea in read_json(text, NumberedIdeas).ideas}
    missing = [str(n) for n in range(1, len(candidates) + 1) if n not in answered]
    if missing:
        raise BadAnswer(f"Candidate {', '.join(missing)} is missing; return all {len(candidates)}, by their numbers.")
    return [instruction(candidate.id, answered[n]) for n, candidate in enumerate(candidates, start=1)]
