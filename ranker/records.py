"""Records: what came of an instruction on a task, one JSON line each. Made by runs and by ranker.generate."""

from __future__ import annotations

import gzip
import hashlib
import math
import os
import zlib
from collections.abc import Iterable, Iterator, Mapping
from io import BufferedReader
from pathlib import Path
from statistics import median
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from sandbox.files import write_atomically

IN_A_RUN = "records.jsonl"
"""Name of the file in a run folder."""
MOST_BYTES = 2_000_000_000
"""Of a file, unpacked."""
LONGEST_LINE = 300_000
"""Bytes; a record has about 2,000, and the longest texts, all escapes, have 240,000."""
MOST_SHOWN = 200
"""Characters of a file's own words in a message."""
Text = Annotated[str, StringConstraints(min_length=1, max_length=20_000)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=300)]
Finite = Annotated[float, Field(allow_inf_nan=False)]


class RecordError(ValueError):
    """A file of records cannot be used; the text names the file, the line and the field."""


class TaskRecord(BaseModel):
    """The task of an outcome."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Name
    family: str = ""
    """How a made task was made; "" for a user's."""
    role: Literal["train", "test"] = "train"
    """Made tasks that are kept for testing are never learned from."""
    text: Text
    """The description as the language model reads it."""
    numbers: dict[str, Finite]
    """As recipes.parts.probes.task_numbers makes them."""


class InstructionRecord(BaseModel):
    """The instruction of an outcome."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: Name
    text: Text
    source: str
    """"recipe:NAME", "llm", "improve:ATTEMPT" or "composition"."""


class Record(BaseModel):
    """One graded attempt."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    task: TaskRecord
    instruction: InstructionRecord
    score: Finite | None
    """Raw blind score, on the same rows as those of the task's other attempts; None where there is none."""
    error: Finite | None
    """Its standard error."""
    higher_is_better: bool
    metric: str = ""
    seconds: Annotated[float, Field(ge=0)]
    status: str
    """"ok", or how it failed."""
    versions: dict[str, str] = {}
    quick: Finite | None = None
    """Raw score of one split of a few rows, where that was tried to compare racing with ranking."""
    quick_seconds: Annotated[float, Field(ge=0)] = 0.0


def read_records(path: Path) -> Iterator[Record]:
    """Every whole line of the file, packed (.gz) or not; a last line that was cut off by a kill is passed over.

    Raises: RecordError.
    """
    try:
        with _open(path) as lines:
            number, size = 0, 0
            while line := lines.readline(LONGEST_LINE):
                number, size = number + 1, size + len(line)
                if size > MOST_BYTES:
                    raise RecordError(f"{path} is larger than {MOST_BYTES:,} bytes unpacked; split it.")
                if not line.endswith(b"\n"):
                    if len(line) == LONGEST_LINE:
                        raise RecordError(f"{path}, line {number}: longer than {LONGEST_LINE:,} bytes.")
                    return
                yield _record(path, number, line)
    except (OSError, EOFError, zlib.error) as fault:
        raise RecordError(f"{path} cannot be read ({fault}); name a file of records.") from fault


def append_record(path: Path, record: Record) -> None:
    """Add one line: a reader sees all of it or none, also where another process writes."""
    line = record.model_dump_json() + "\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def write_records(path: Path, records: Iterable[Record]) -> None:
    """Write all at once, packed where the name ends in .gz."""
    text = "".join(record.model_dump_json() + "\n" for record in records).encode()
    write_atomically(path, gzip.compress(text) if path.suffix == ".gz" else text)


def share_of(name: str) -> float:
    """A number in 0..1 that is always the same for a name: what is held out does not move."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) / 2**32


def finite(numbers: Mapping[str, float]) -> dict[str, float]:
    """The numbers that a record may hold."""
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def normalised(scores: list[float | None], higher_is_better: bool) -> list[float]:
    """Scores of one task's instructions as 0..1: the best is 1, a failure 0.

    What is further behind the best than three times the median is counts as 0, so that one hopeless plan does not
    make all others look alike. Where the median is the best, only the worst is 0.
    """
    known = [score if higher_is_better else -score for score in scores if score is not None]
    if not known:
        return [0.0 for _ in scores]
    best = max(known)
    floor = max(min(known), best - (3 * (best - median(known)) or math.inf))
    span = best - floor
    signed = [None if score is None else score if higher_is_better else -score for score in scores]
    return [0.0 if s is None else 1.0 if span <= 0 else min(1.0, max(0.0, (s - floor) / span)) for s in signed]


def _open(path: Path) -> gzip.GzipFile | BufferedReader:
    if path.stat().st_size > MOST_BYTES:
        raise RecordError(f"{path} is larger than {MOST_BYTES:,} bytes; split it.")
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def _record(path: Path, number: int, line: bytes) -> Record:
    try:
        return Record.model_validate_json(line)
    except ValidationError as fault:
        first = fault.errors()[0]
        field = _shown(".".join(str(part) for part in first["loc"])) or "the line"
        raise RecordError(f"{path}, line {number}: {field}: {_shown(first['msg'])}.") from fault


def _shown(text: str) -> str:
    """A file's own words for a message: short, on one line, nothing that a terminal obeys."""
    return "".join(letter if letter.isprintable() else "?" for letter in text[:MOST_SHOWN])
