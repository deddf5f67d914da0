"""From a question to the text of its prompt: what may leave, marked as data, within a number of tokens."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from models.base import LEVELS, Data, Level, Question
from models.chat import CHARACTERS_A_TOKEN
from models.secrets import redact
from prompts.render import render
from sandbox.elide import clean, elide

PROMPT_TOKENS = 12_000
"""A prompt at most; what is data in it is cut until it fits."""
FEWEST = 80
"""Characters that are kept of each piece of data, however short the prompt must be."""
SMALLEST = 0.003
"""Share of the data from which on nothing is cut any more: by then even scripts are down to `FEWEST`."""
_GAP = r"[\s\u200b-\u200f\u2060\ufeff]*"
_FENCE = re.compile(rf"<(?={_GAP}/{_GAP}data|data\s*>|{_GAP}data\s+name\s*=)", re.IGNORECASE)
"""What looks like a fence; `x < data.size` in a script does not."""


@dataclass(frozen=True)
class Prompt:
    """What is sent, and what was held back."""

    system: str
    user: str
    sent: list[str]
    """Names of the data that it shows."""
    withheld: list[str]
    """Names of the data that the privacy level holds back."""

    @property
    def tokens(self) -> int:
        """About how many."""
        return int((len(self.system) + len(self.user)) / CHARACTERS_A_TOKEN) + 1


def compose(question: Question[Any], level: Level, tokens: int = PROMPT_TOKENS) -> Prompt:
    """The prompt of a question at a privacy level, in at most about `tokens` tokens (less its fixed words).

    Longer data are cut in the middle, all by the same share.
    """
    scale = 1.0
    while True:
        prompt = _compose(question, level, scale)
        if prompt.tokens <= tokens or scale < SMALLEST:
            return prompt
        scale *= min(0.9, tokens / prompt.tokens)


def _compose(question: Question[Any], level: Level, scale: float) -> Prompt:
    shown = {name: _show(name, value, level, scale) for name, value in question.variables.items()}
    leaves = {name: [may_leave(piece, level) for piece in _data(value)] for name, value in question.variables.items()}
    sent, held = (sorted(name for name, left in leaves.items() if wanted in left) for wanted in (True, False))
    # The fixed words of a prompt hold no secret; what is redacted in them came with the data.
    user = redact(render(question.template, **shown))
    return Prompt(redact(render("system")), user, sent, held)


def may_leave(data: Data, level: Level) -> bool:
    """Whether `level` lets it leave."""
    return LEVELS.index(data.level) <= LEVELS.index(level)


def _data(value: object) -> list[Data]:
    return [piece for piece in (value if isinstance(value, list | tuple) else [value]) if isinstance(piece, Data)]


def _show(name: str, value: object, level: Level, scale: float) -> object:
    if isinstance(value, list | tuple):
        return [_show(name, piece, level, scale) for piece in value]
    if not isinstance(value, Data):
        return value
    if not may_leave(value, level):
        return f'<data name="{name}">(held back by the privacy level "{level}")</data>'
    # Secrets go before the text is cut: half of one would not be known as such.
    text = elide(redact(clean(value.text)), min(value.keep, max(FEWEST, int(value.keep * scale))))
    return fenced(name, text)


def fenced(name: str, text: str) -> str:
    """`text` between marks that it cannot close."""
    body = _FENCE.sub("‹", text).strip("\n")
    return f'<data name="{name}">\n{body}\n</data>'
