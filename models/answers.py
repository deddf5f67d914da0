"""From the text of an answer to what it holds: JSON of a given form, or fenced blocks. Nothing in it is executed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from models.base import BadAnswer

M = TypeVar("M", bound=BaseModel)
Whole = Callable[[str], object]
"""Says whether the contents of a block are all of it."""
_FENCE = re.compile(r"([ \t]*+)(`{3,}+|~{3,}+)[ \t]*+([\w+-]*+)([^`]*+)")
_THINKING = re.compile(r"\A(?:\s*<think>.*?</think>|.*?^</think>[ \t]*$)", re.DOTALL | re.MULTILINE)
MAX_FAULTS = 3
"""Faults of one answer that the model is told of."""
MOST_ENDS = 10
"""Fences that are tried as the end of a block."""


@dataclass(frozen=True)
class Fence:
    """A line that begins or ends a block (https://spec.commonmark.org/0.31.2/#fenced-code-blocks)."""

    line: int
    indent: int
    mark: str
    language: str
    bare: bool
    """Whether nothing else stands in the line."""

    def ends(self, other: Fence) -> bool:
        """Whether it can end the block that `other` begins."""
        return self.bare and self.mark[0] == other.mark[0] and len(self.mark) >= len(other.mark)


def spoken(text: str) -> str:
    """An answer without what its model thought aloud, with plain ends of lines."""
    return _THINKING.sub("", text.replace("\r\n", "\n"), count=1)


def blocks(text: str, *languages: str, whole: Whole = bool) -> list[str]:
    """The contents of the fenced blocks that name one of `languages` ("" for none), in order.

    Fences may also stand inside of what a block holds, as in a docstring: a block ends at the first fence that leaves
    it `whole`, where there is none at the first fence.
    """
    return [body for language, body in _blocks(text, languages, whole) if body is not None and language in languages]


def unclosed(text: str, *languages: str, whole: Whole = bool) -> bool:
    """Whether a block of one of `languages` has no end."""
    return any(body is None and language in languages for language, body in _blocks(text, languages, whole))


def _blocks(text: str, languages: tuple[str, ...], whole: Whole) -> Iterator[tuple[str, str | None]]:
    """Language and contents of each block; None for contents without an end: with them the text is over."""
    lines = text.split("\n")
    fences = [fence for number, line in enumerate(lines) if (fence := _fence(number, line))]
    place = 0
    while place < len(fences):
        begin = fences[place]
        ends = list(islice((n for n in range(place + 1, len(fences)) if fences[n].ends(begin)), MOST_ENDS))
        if not ends:
            yield begin.language, None
            return
        tried = ends if begin.language in languages else []
        place = next((end for end in tried if whole(_body(lines, begin, fences[end]))), ends[0])
        yield begin.language, _body(lines, begin, fences[place])
        place += 1


def _fence(number: int, line: str) -> Fence | None:
    found = _FENCE.fullmatch(line)
    if not found:
        return None
    indent, mark, language, rest = found.groups()
    return Fence(number, len(indent), mark, language.lower(), not (language or rest.strip()))


def _body(lines: list[str], begin: Fence, end: Fence) -> str:
    """The lines between two fences, moved to the left by as much as the first one is indented."""
    inside = lines[begin.line + 1 : end.line]
    return "".join(f"{line[min(begin.indent, len(line) - len(line.lstrip())) :]}\n" for line in inside)


def read_json(text: str, form: type[M]) -> M:
    """The one JSON object of an answer: the whole of it, a fenced block, or the part between the outer braces.

    Raises: BadAnswer, which says what is wrong.
    """
    faults: list[str] = []
    for candidate in _candidates(spoken(text)):
        try:
            return form.model_validate_json(candidate)
        except ValidationError as fault:
            faults.append(_say(fault))
    raise BadAnswer(faults[0] if faults else "There is no JSON object in it.")


def _candidates(text: str) -> list[str]:
    start, end = text.find("{"), text.rfind("}")
    found = [text, *blocks(text, "json", ""), text[start : end + 1] if 0 <= start < end else ""]
    return [candidate for candidate in found if candidate.lstrip().startswith("{")]


def _say(fault: ValidationError) -> str:
    faults = fault.errors(include_url=False)
    said = [f"{'.'.join(str(part) for part in f['loc']) or 'the object'}: {f['msg']}" for f in faults[:MAX_FAULTS]]
    more = f" and {len(faults) - MAX_FAULTS} more faults" if len(faults) > MAX_FAULTS else ""
    return f"The JSON is not of the form asked for: {'; '.join(said)}{more}."
