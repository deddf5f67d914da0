"""Text from programs, made safe to keep and to show: bounded in the middle, without terminal codes."""

from __future__ import annotations

import re

KEEP = 20_000
"""Characters kept of a long text: half from its start, half from its end."""

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movement
    r"|\x1b[\]PX^_].*?(?:\x1b\\|\x07|\Z)"  # OSC and other strings: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]"  # two-character codes
    r"|\x9b[0-?]*[ -/]*[@-~]",  # CSI as one character
    re.DOTALL,
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def clean(text: str) -> str:
    """`text` as a terminal would leave it: no escape codes, no control characters, progress bars as last seen."""
    text = _ESCAPES.sub("", text)
    if "\r" in text:
        text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    return _CONTROL.sub("", text).encode("utf-8", "replace").decode("utf-8")


def elide(text: str, keep: int = KEEP) -> str:
    """`text` with its middle cut to `keep` characters and the number of characters cut written there."""
    shortened = Elided(keep)
    shortened.add(text)
    return shortened.text()


class Elided:
    """A text that grows piece by piece and never costs more than a few times `keep` characters."""

    def __init__(self, keep: int = KEEP) -> None:
        self._half = max(keep // 2, 1)
        self._head = ""
        self._tail = ""
        self._cut = 0

    def add(self, piece: str, cut: int = 0, tail: str = "") -> None:
        """Append `piece`; where its writer has already cut its middle, `cut` characters and `tail` follow it."""
        room = self._half - len(self._head)
        self._head += piece[:room]
        self._append(piece[room:] if room > 0 else piece)
        self._cut += max(cut, 0)
        self._append(tail)

    def _append(self, piece: str) -> None:
        self._tail += piece
        if len(self._tail) > 4 * self._half:
            self._trim()

    def _trim(self) -> None:
        surplus = len(self._tail) - self._half
        if surplus > 0:
            self._cut += surplus
            self._tail = self._tail[surplus:]

    def text(self) -> str:
        """The whole text, or its two ends around a line that says how many characters were cut."""
        self._trim()
        if not self._cut:
            return self._head + self._tail
        return f"{self._head}\n[... {self._cut:,} characters cut ...]\n{self._tail}"
