"""What a local model is told and says, as text: the half of models/local_child.py that needs no torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

LONGEST_CHARACTER = 4
"""Bytes of a UTF-8 character, and so tokens of it at most."""

Say = Callable[[Mapping[str, object]], None]


def plain(messages: Sequence[Mapping[str, str]]) -> str:
    """A conversation for models that have no form of their own for it."""
    return "\n".join([*(f"{message['role']}: {message['content']}" for message in messages), "assistant:"])


def alternating(messages: Sequence[Mapping[str, str]]) -> list[dict[str, str]]:
    """The same conversation without system turns and without two turns of one side in a row."""
    turns: list[dict[str, str]] = []
    for message in messages:
        role = "user" if message["role"] == "system" else message["role"]
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"] += "\n\n" + message["content"]
        else:
            turns.append({"role": role, "content": message["content"]})
    return turns


class Speaker:
    """Says the text of tokens as they come. It is a streamer as transformers' `generate` wants it: `put` and `end`.

    Text is decoded from a little before the new tokens and compared, since tokens decode differently in company; a
    piece that ends inside a character waits (the way of vLLM's `detokenize_incrementally`).
    """

    def __init__(self, tokenizer: Any, stops: Sequence[str], say: Say) -> None:
        self._tokenizer = tokenizer
        self._stops = [stop for stop in stops if stop]
        self._say = say
        self._prompt_seen = False
        self._from, self._read = 0, 0
        self._held = ""
        self.ids: list[int] = []
        """The answer so far."""
        self.stopped = False
        """Whether one of `stops` came; neither it nor anything after it is said."""

    def put(self, value: Any) -> None:
        """Take a tensor of token ids. The first one is the prompt."""
        if self._prompt_seen:
            self.hear(value.flatten().tolist())
        self._prompt_seen = True

    def hear(self, ids: Sequence[int]) -> None:
        """Take the next tokens of the answer."""
        self.ids += ids
        self._hold(self._decoded(last=False), last=False)

    def end(self) -> None:
        """Say what was held back."""
        self._hold(self._decoded(last=True), last=True)

    def _decoded(self, last: bool) -> str:
        known, text = self._text(self._from, self._read), self._text(self._from, len(self.ids))
        inside = text.endswith("\ufffd") and len(self.ids) - self._read < LONGEST_CHARACTER
        if len(text) <= len(known) or (inside and not last):
            return ""
        self._from, self._read = self._read, len(self.ids)
        return text[len(known) :]

    def _text(self, start: int, end: int) -> str:
        options = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
        return str(self._tokenizer.decode(self.ids[start:end], **options))

    def _hold(self, text: str, last: bool) -> None:
        """Say all but what may be the beginning of a stop."""
        if self.stopped:
            return
        self._held += text
        found = [at for at in map(self._held.find, self._stops) if at >= 0]
        self.stopped = bool(found)
        end = min(found) if found else len(self._held) - (0 if last else self._maybe_stop())
        if end:
            self._say({"text": self._held[:end]})
        self._held = self._held[end:]

    def _maybe_stop(self) -> int:
        parts = (stop[:size] for stop in self._stops for size in range(1, len(stop)))
        return max((len(part) for part in parts if self._held.endswith(part)), default=0)
