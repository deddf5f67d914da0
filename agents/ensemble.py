"""ensemble: one script that combines the best few."""

from __future__ import annotations

from collections.abc import Sequence

from agents.brief import PLAN_CHARACTERS, Brief, shown, spell
from agents.scripts import Draft, whole_script
from agents.standing import Rival, scores_text
from agents.write import SCRIPT_TOKENS
from models.base import Data, Mind, Question

MEMBER_CHARACTERS = 7_000


def ensemble(mind: Mind, brief: Brief, rivals: Sequence[Rival], attempt: str) -> Draft:
    """A script that combines `rivals` (best first).

    Raises: NoAnswer, ReplayDiffers.
    """
    variables = brief.about() | brief.contract() | {
        "metric": brief.task.metric,
        "direction": brief.task.direction,
        "scores": scores_text(rivals),
        "plans": [Data(f"{rival.id}: {rival.plan}", keep=PLAN_CHARACTERS) for rival in rivals],
        "scripts": [shown(f"# script of {r.id}\n{r.code}", keep=MEMBER_CHARACTERS) for r in rivals if r.code],
        "seconds": spell(brief.script_seconds),
    }  # fmt: skip
    read = whole_script(brief.profile.modules)
    return mind.ask(
        Question(
            f"{attempt}/ensemble",
            "ensemble",
            "ensemble",
            variables,
            read,
            max_tokens=SCRIPT_TOKENS,
            seconds=brief.seconds,
        )
    )
