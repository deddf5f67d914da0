"""The text of a task file: YAML that is bounded, and what is wrong with it in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import yaml
from pydantic import BaseModel, ValidationError

from grading.base import TaskError

MAX_YAML = 1_000_000
"""Bytes of a task file."""


def read_yaml(path: Path) -> dict[str, object]:
    """The fields of a task file.

    Raises:
        TaskError: too long, not UTF-8, not YAML (with the line), or no fields.
    """
    try:
        if path.stat().st_size > MAX_YAML:
            raise TaskError(
                f"{path}: larger than {MAX_YAML // 1000} kB, which is no task file; give a task.yaml or a data folder."
            )
        text = path.read_text(encoding="utf-8")
        if any(isinstance(token, yaml.AliasToken) for token in yaml.scan(text)):
            raise TaskError(
                f"{path}: holds a YAML alias (*name), which a few lines can blow up without end; write it out."
            )
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise TaskError(f"{path}: {_yaml_fault(error)}; correct the YAML.") from error
    except (UnicodeDecodeError, OSError, RecursionError, ValueError) as error:
        if isinstance(error, TaskError):
            raise
        raise TaskError(
            f"{path}: cannot be read as UTF-8 YAML ({error}); give a task.yaml or a data folder."
        ) from error
    if not isinstance(value, dict):
        raise TaskError(f"{path}: must hold fields such as `data: folder` and `metric: accuracy`, one a line.")
    return {str(key): item for key, item in value.items()}


def _yaml_fault(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).splitlines()[0]
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark is not None else str(problem)


@contextmanager
def usable_path(source: Path, field: str) -> Iterator[None]:
    """What is done meanwhile looks up the path that a field names.

    Raises:
        TaskError: the machine cannot look it up: it holds a null byte, is too long, runs in a circle, or names a home
            folder that is not there.
    """
    try:
        yield
    except TaskError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error).rstrip(".")
        raise TaskError(f"{source}: {field}: the path cannot be used ({reason}); correct the path.") from error


def fault(error: ValidationError, model: type[BaseModel]) -> str:
    """The first fault as a sentence; an unknown field goes first, since it often is the cause of a missing one."""
    faults = sorted(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    place = faults[0]["loc"]
    field = ".".join(str(part) for part in place)
    if faults[0]["type"] == "extra_forbidden":
        return f"there is no field {field!r}; {_nearest(str(place[-1]), _fields_at(place[:-1], model))}."
    if faults[0]["type"] == "missing":
        return f"{field} is missing; add it."
    message = faults[0]["msg"].removeprefix("Value error, ")
    given = faults[0]["input"]
    shown = f" (it is {given!r})" if isinstance(given, (str, int, float)) and len(repr(given)) < 80 else ""
    return f"{field}{shown}: {message[:1].lower()}{message[1:]}; correct the field."


def _fields_at(place: tuple[int | str, ...], model: type[BaseModel]) -> list[str]:
    """The fields of the section at a place; a part of it that is no field is the name of an entry, as of a price."""
    for part in place:
        field = model.model_fields.get(str(part))
        kinds = (field.annotation, *get_args(field.annotation)) if field else ()
        model = next((kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)), model)
    return list(model.model_fields)


def _nearest(name: str, names: list[str]) -> str:
    close = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    return (
        f"the nearest {'are' if len(close) > 1 else 'is'} {', '.join(close)}"
        if close
        else f"known are {', '.join(names)}"
    )
