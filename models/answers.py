"""From the text of an answer to what it holds: JSON of a given form, or fenced blocks. Nothing in it is executed."""

from __future__ import annotations

import json
import re
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from models.base import BadAnswer

M = TypeVar("M", bound=BaseModel)
_BLOCK = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n(.*?)^[ \t]*```[ \t]*$", re.DOTALL | re.MULTILINE)
_OPEN = re.compile(r"^[ \t]*```[ \t]*([\w+-]*)[^\n]*\n", re.MULTILINE)
MAX_FAULTS = 3
"""Faults of one answer that the model is told of."""


def blocks(text: str, *languages: str) -> list[str]:
    """The contents of the fenced blocks that name one of `languages` ("" for none), in order."""
    return [body for language, body in _BLOCK.findall(text) if language.lower() in languages]


def unclosed(text: str) -> bool:
    """Whether the last fenced block has no end."""
    return len(_OPEN.findall(_BLOCK.sub("", text))) > 0


def read_json(text: str, form: type[M]) -> M:
    """The one JSON object of an answer: the whole of it, a fenced block, or the part between the outer braces.

    Raises: BadAnswer, which says what is wrong.
    """
    faults: list[str] = []
    for candidate in _candidates(text):
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


def form_of(model: type[BaseModel]) -> str:
    """The JSON schema of a form, for a prompt."""
    return json.dumps(model.model_json_schema(), separators=(",", ":"))
