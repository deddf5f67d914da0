"""The file that says how well each notebook did: read, checked whole, and turned into ranks."""

from __future__ import annotations

import csv
import io
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from grading.base import Direction, TaskError
from grading.metric_names import metric_info, resolve_metric
from ranker.notebooks import SUFFIXES
from sandbox.elide import clean

MAX_BYTES = 100_000_000
MAX_FAULTS = 10
"""So many faults of one file are told at once."""
REMEDIES = {
    "file": "name an .ipynb or .py file below the folder of notebooks, such as titanic/forest.ipynb",
    "competition": "name the competition in at most 200 characters",
    "score": "write a finite number such as 0.7894",
    "direction": "write minimize (lower is better) or maximize (higher is better)",
    "task": "say in at most 20,000 characters what the competition asks for, or leave it out",
    "data_type": "write a short word such as tabular, or leave it out",
    "metric": "write a short name such as rmse, or leave it out",
}
"""Field -> what to do."""
_WORDS: dict[str, Direction] = {
    "minimize": "minimize", "minimise": "minimize", "min": "minimize", "lower": "minimize",
    "maximize": "maximize", "maximise": "maximize", "max": "maximize", "higher": "maximize",
}  # fmt: skip


@dataclass(frozen=True)
class Listed:
    """A notebook of which the score is known."""

    file: str
    """Relative to the folder of notebooks."""
    path: Path
    competition: str
    task: str
    """What the competition asks for; its name where nobody said it."""
    data_type: str
    metric: str
    rank: int
    """1 is the best listed of its competition. Equal scores share the better rank: 1, 2, 2, 4."""


def _direction(value: object) -> object:
    words = str(value).lower().replace("_", " ").replace("-", " ").removesuffix("is better").strip()
    return _WORDS.get(words, value)


class _Score(BaseModel):
    """One line of the file. Fields that are not named here are read over."""

    model_config = ConfigDict(extra="ignore", frozen=True, str_strip_whitespace=True, coerce_numbers_to_str=True)

    file: Annotated[str, StringConstraints(min_length=1, max_length=500)]
    competition: Annotated[str, StringConstraints(min_length=1, max_length=200)]
    score: Annotated[float, Field(allow_inf_nan=False)]
    direction: Annotated[Direction | None, BeforeValidator(_direction)] = None
    task: Annotated[str, StringConstraints(max_length=20_000)] = ""
    data_type: Annotated[str, StringConstraints(max_length=100)] = ""
    metric: Annotated[str, StringConstraints(max_length=200)] = ""


@dataclass(frozen=True)
class _Row:
    number: int
    """Line of the file, from 1."""
    said: _Score


Fields = Mapping[str, object]
_FIELDS = TypeAdapter(dict[str, Any])


def read_scores(scores: Path, notebooks: Path) -> list[Listed]:
    """Every notebook that the file lists, in its order, with the rank among those of its competition.

    What one line says of a competition (direction, task, data_type, metric) holds for all its lines.

    Raises: TaskError with a sentence for each fault, up to MAX_FAULTS: file, line, field and remedy.
    """
    if not notebooks.is_dir():
        raise TaskError(f"NOTEBOOKS {notebooks}: is no folder; name the folder that holds the notebooks.")
    rows: list[_Row] = []
    faults: list[str] = []
    for number, fields in _lines(scores):
        try:
            rows.append(_Row(number, _Score.model_validate({n: v for n, v in fields.items() if v not in (None, "")})))
        except ValidationError as fault:
            faults += [_sentence(number, str(part["loc"][0]), part["type"], part["input"]) for part in fault.errors()]
    faults += _misplaced(rows, notebooks)
    competitions = _by_competition(rows)
    found = [listed for members in competitions.values() for listed in _ranked(members, notebooks, faults)]
    if faults:
        more = [f"and {len(faults) - MAX_FAULTS} more faults."] if len(faults) > MAX_FAULTS else []
        raise TaskError("\n".join([*(f"{scores}, {fault}" for fault in faults[:MAX_FAULTS]), *more]))
    if not found:
        raise TaskError(f"{scores}: lists no notebook; write a line for each: file, competition, score, direction.")
    return found


def _ranked(rows: Sequence[_Row], notebooks: Path, faults: list[str]) -> Iterator[Listed]:
    """The lines of one competition; what is wrong with them together is added to `faults`."""
    task, data_type, metric = (_agreed(rows, field, faults) for field in ("task", "data_type", "metric"))
    direction = _agreed(rows, "direction", faults) or _usual(metric)
    if direction not in ("minimize", "maximize"):
        faults.append(_sentence(rows[0].number, "direction", "missing", ""))
        return
    if metric and _usual(metric) not in ("", direction):
        faults.append(
            f"line {rows[0].number}: direction: {metric} is to {_usual(metric)}, not to {direction}; leave one out."
        )
    sign = -1.0 if direction == "maximize" else 1.0
    ordered = sorted(sign * row.said.score for row in rows)
    for row in rows:
        said, rank = row.said, bisect_left(ordered, sign * row.said.score) + 1
        path = notebooks / said.file
        yield Listed(said.file, path, said.competition, task or said.competition, data_type, metric, rank)


def _agreed(rows: Sequence[_Row], field: str, faults: list[str]) -> str:
    """The one value that the lines of a competition have; "" where none has any."""
    having = [(row.number, str(getattr(row.said, field))) for row in rows if getattr(row.said, field)]
    first, value = having[0] if having else (0, "")
    for number, other in having:
        if other != value:
            faults.append(f"line {number}: {field}: differs from line {first} of the same competition; say it once.")
    return value


def _usual(metric: str) -> str:
    """The direction of a metric that is known by its name, else ""."""
    try:
        return metric_info(resolve_metric(metric)).direction if metric else ""
    except TaskError:
        return ""


def _misplaced(rows: Iterable[_Row], notebooks: Path) -> Iterator[str]:
    """A sentence for each file that is twice in the list, not there, or not below the folder."""
    root, seen = notebooks.resolve(), dict[Path, int]()
    for row in rows:
        path = _inside(root, row.said.file)
        if path is None:
            yield _sentence(row.number, "file", "path", row.said.file)
        elif path in seen:
            yield f"line {row.number}: file: {row.said.file} is on line {seen[path]} already; leave one of them out."
        elif not path.is_file():
            yield f"line {row.number}: file: {row.said.file} is not in {notebooks}; add it, or leave the line out."
        else:
            seen[path] = row.number


def _inside(root: Path, file: str) -> Path | None:
    """Where a file lies; None where that is not below `root`, or no name of a notebook."""
    pure = PurePosixPath(file)
    if clean(file) != file or "\n" in file or pure.is_absolute() or ".." in pure.parts or pure.suffix not in SUFFIXES:
        return None
    path = (root / file).resolve()
    return path if path.is_relative_to(root) else None


def _by_competition(rows: Iterable[_Row]) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = {}
    for row in rows:
        found.setdefault(row.said.competition, []).append(row)
    return found


def _sentence(number: int, field: str, kind: str, value: object) -> str:
    said = "is missing" if kind == "missing" else f"{str(value)[:60]!r} cannot be used"
    return f"line {number}: {field}: {said}; {REMEDIES[field]}."


def _lines(path: Path) -> Iterator[tuple[int, Fields]]:
    """Number and fields of each line. Raises: TaskError where the file is no csv and no JSON lines."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as fault:
        raise TaskError(f"--scores {path}: cannot be read ({fault}); name a csv or JSON lines file in UTF-8.") from None
    if len(data) > MAX_BYTES:
        raise TaskError(f"--scores {path}: has more than {MAX_BYTES // 1_000_000} MB; split it.")
    readers = {".csv": _csv, ".jsonl": _json, ".ndjson": _json, ".json": _json}
    if path.suffix not in readers:
        raise TaskError(f"--scores {path}: is named neither .csv nor .jsonl; name a csv or JSON lines file.")
    return readers[path.suffix](path, text)


def _csv(path: Path, text: str) -> Iterator[tuple[int, Fields]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for fields in reader:
            if None in fields:
                raise TaskError(
                    f"{path}, line {reader.line_num}: has more fields than the header; quote what has commas."
                )
            yield reader.line_num, fields
    except csv.Error as fault:
        raise TaskError(
            f"{path}, line {reader.line_num}: is no csv ({fault}); quote its texts, or use JSON lines."
        ) from None


def _json(path: Path, text: str) -> Iterator[tuple[int, Fields]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                yield number, _FIELDS.validate_json(line)
            except ValidationError:
                raise TaskError(f"{path}, line {number}: is no JSON object; write one object a line.") from None
