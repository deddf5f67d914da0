"""describe, with a model: what matters about the task, in words, beside what was counted."""

from __future__ import annotations

from agents.brief import Brief, Insight
from agents.forms import InsightForm
from models.answers import read_json
from models.base import BadAnswer, Mind, Question

MOST_PITFALLS = 5
LONGEST = 400
"""Characters of one sentence."""


def find_insight(mind: Mind, brief: Brief) -> Insight:
    """What a model makes of the task.

    Raises: NoAnswer, ReplayDiffers.
    """
    return mind.ask(
        Question("describe", "describe", "describe", brief.about(), _read, InsightForm, seconds=brief.seconds)
    )


def _read(text: str) -> Insight:
    form = read_json(text, InsightForm)
    if not form.objective.strip():
        raise BadAnswer("objective is empty.")
    pitfalls = [pitfall[:LONGEST] for pitfall in form.pitfalls if pitfall.strip()][:MOST_PITFALLS]
    return Insight(form.objective[:LONGEST], form.modality[:LONGEST], pitfalls)
