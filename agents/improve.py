"""improve: one change to a script that works, chosen from how it does against the others."""

from __future__ import annotations

from collections.abc import Sequence

from agents.brief import PLAN_CHARACTERS, Brief, shown
from agents.scripts import Draft, changed_script
from agents.standing import Rival, scores_text
from agents.write import SCRIPT_TOKENS
from models.base import Data, Mind, Question
from models.secrets import redact

MOST_PICTURES = 2
PRINTED_CHARACTERS = 2_000


def improve(
    mind: Mind,
    brief: Brief,
    own: Rival,
    rivals: Sequence[Rival],
    printed: str,
    plots: Sequence[bytes],
    tried: Sequence[str],
    attempt: str,
) -> Draft:
    """The script of `own` with one change.

    Args:
        own: what is improved; its code is not None.
        printed: the end of what it printed on its first view.
        plots: PNG pictures that it displayed, written anew.
        tried: what earlier improvements changed, and what came of it.

    Raises: NoAnswer, ReplayDiffers.
    """
    code = own.code or ""
    pictures = list(plots[:MOST_PICTURES])
    variables = brief.about() | brief.contract() | {
        "script": shown(code),
        "metric": brief.task.metric,
        "direction": brief.task.direction,
        "scores": scores_text(rivals, own.id),
        "printed": Data(redact(printed)[-PRINTED_CHARACTERS:], "output", PRINTED_CHARACTERS),
        "pictures": Data(f"Where you can see pictures: {len(pictures)} of its plots are shown.", "output")
        if pictures
        else None,
        "tried": Data("\n".join(tried), keep=PLAN_CHARACTERS) if tried else None,
    }  # fmt: skip
    read = changed_script(code, brief.profile.modules)
    return mind.ask(
        Question(
            f"{attempt}/improve", "improve", "improve", variables, read, None, SCRIPT_TOKENS, brief.seconds, pictures
        )
    )
