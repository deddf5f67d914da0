"""review: what a person sees of the ranked instructions, and what of it may be changed before any code is written."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError

from agents.propose import LLM, LONGEST_PART, LONGEST_TITLE
from grading.base import TaskError
from grading.task_text import MAX_YAML
from ranker.base import Ranked
from recipes.base import Instruction

HEAD = """\
# The instructions in the order in which they will be tried. Delete one to drop it, move it to change the order,
# change its words, or add one (title, preprocessing, model and training; no id). What a recipe does is not changed by
# other words: a recipe with changed words is written anew by the model. Then go on with the command below.
"""
Entries = list[dict[str, Any]]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Entry(BaseModel):
    """One instruction as a person writes it."""

    model_config = ConfigDict(extra="forbid")

    id: str = ""
    """Empty for a new one."""
    title: Words
    preprocessing: Words
    model: Words
    training: Words
    source: str = ""
    """For the reader only."""
    why: str = ""
    """For the reader only."""


_ENTRIES = TypeAdapter(list[Entry])
_WORDS = ("title", "preprocessing", "model", "training")


def review_entries(pool: Sequence[Instruction], ranking: Sequence[Ranked]) -> Entries:
    """The ranked instructions as plain values, the first to be tried first."""
    known = {instruction.id: instruction for instruction in pool}
    return [
        {"id": r.instruction, **{word: getattr(known[r.instruction], word) for word in _WORDS}}
        | {"source": known[r.instruction].source, "why": r.why}
        for r in ranking
    ]


def review_text(entries: Entries, command: str) -> str:
    """The file that a person changes; `command` goes on with the run."""
    body = yaml.safe_dump(entries, sort_keys=False, allow_unicode=True, width=110)
    return f"{HEAD}#     {command}\n\n{body}"


def read_review(path: Path) -> Entries:
    """What a person made of the file.

    Raises: TaskError, which names the entry and the field.
    """
    try:
        if path.stat().st_size > MAX_YAML:
            raise TaskError(f"{path}: is larger than {MAX_YAML // 1000} kB; shorten it.")
        # The base loader makes texts of all that is no list and no mapping: a title may be 2024, yes or a date.
        value = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as fault:
        text = " ".join(str(fault).split())
        raise TaskError(f"{path}: cannot be read as YAML ({text}); correct it and resume again.") from None
    _checked(value, str(path))
    entries: Entries = value
    return entries


def apply_review(
    answer: object, pool: Sequence[Instruction], ranking: Sequence[Ranked], can_write: bool = True
) -> tuple[list[Instruction], list[Ranked]]:
    """The pool and the ranking as the person left them; `can_write` says whether a model can write new ones.

    Raises: TaskError for an answer that is no list of instructions, names one that there is not, or asks for a script
    that nobody can write.
    """
    entries = _checked(answer, "The review")
    known, places = {i.id: i for i in pool}, {r.instruction: r for r in ranking}
    kept: list[Instruction] = []
    order: list[Ranked] = []
    for number, entry in enumerate(entries, start=1):
        if entry.id and entry.id not in known:
            raise TaskError(f"The review: entry {number}: there is no instruction {entry.id}; leave id out to add one.")
        instruction = _instruction(entry, known.get(entry.id), f"review-{number}")
        if instruction.id in {other.id for other in kept}:
            raise TaskError(f"The review: entry {number}: {instruction.id} stands there twice; drop one.")
        if instruction.source == LLM and not can_write:
            raise TaskError(
                f"The review: entry {number}: its words are new, and there is no model to write it; drop it."
            )
        kept.append(instruction)
        before = places.get(instruction.id)
        order.append(Ranked(instruction.id, before.score if before else 0.0, f"place {number} in the review"))
    return kept, order


def _checked(value: object, where: str) -> list[Entry]:
    try:
        entries = _ENTRIES.validate_python(value)
    except ValidationError as fault:
        # An unknown field goes first, since it often is the cause of a missing one.
        first = min(fault.errors(include_url=False), key=lambda f: f["type"] != "extra_forbidden")
        place = [f"entry {int(first['loc'][0]) + 1}", *map(str, first["loc"][1:])] if first["loc"] else []
        raise TaskError(": ".join([where, *place, f"{first['msg']}; correct it and resume again."])) from None
    if not entries:
        raise TaskError(f"{where}: holds no instruction, so there is nothing to try; keep at least one.")
    return entries


def _instruction(entry: Entry, before: Instruction | None, new: str) -> Instruction:
    """The same instruction, or one that a model is to write where the words are new."""
    if before and all(_same(getattr(entry, word), getattr(before, word)) for word in _WORDS):
        return before
    preprocessing, model, training = (getattr(entry, word)[:LONGEST_PART] for word in _WORDS[1:])
    name = new if before is None or before.source != LLM else before.id
    title = " ".join(entry.title.split())[:LONGEST_TITLE]
    return Instruction(name, title, preprocessing, model, training, source=LLM)


def _same(text: str, before: str) -> bool:
    """Editors wrap lines and drop spaces at their ends, and YAML knows no character NEL: these change no words."""
    return text.split() == before.split()
