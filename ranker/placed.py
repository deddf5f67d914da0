"""Placed instructions: what notebooks of past competitions did, and how well they did, as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sandbox.files import write_atomically

Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]


class PlacedError(ValueError):
    """A file of placed instructions cannot be used; the text names file, line and field."""


class Placed(BaseModel):
    """One line: what one notebook did for a competition. Fields that are not named here are read over."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    task_id: int | str
    """Competition: lines with the same one are placed among each other."""
    task: Text
    """What the competition asks for."""
    data_type: str = ""
    """tabular, text, image, ..."""
    metric: str = ""
    rank: Annotated[int, Field(ge=1)]
    """1 is the best of the notebooks collected for this competition."""
    instruction: Text
    """What the notebook does: preprocessing, model, training."""


def read_placed(path: Path) -> list[Placed]:
    """Every line of the file.

    Raises: PlacedError where the file cannot be read, holds no line, or a line is no placed instruction.
    """
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as fault:
        raise PlacedError(f"{path} cannot be read ({fault}); name a file of JSON lines.") from fault
    found = [_placed(path, number, line) for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise PlacedError(f"{path} holds no line; make one with python -m ranker.extract.")
    return found


def write_placed(path: Path, lines: Iterable[Placed]) -> None:
    """Write all lines, the competitions one after the other; a reader never sees half of them."""
    write_atomically(path, "".join(f"{line}\n" for line in _as_json(lines)).encode())


def _as_json(lines: Iterable[Placed]) -> Iterator[str]:
    for line in lines:
        yield json.dumps(line.model_dump(), ensure_ascii=False)


def _placed(path: Path, number: int, line: str) -> Placed:
    try:
        return Placed.model_validate_json(line)
    except ValidationError as fault:
        first = fault.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "the line"
        raise PlacedError(f"{path}, line {number}: {field}: {first['msg']}.") from fault
