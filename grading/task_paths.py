"""The files that a task file names: where they are, and what is wrong with a path in one sentence."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from grading.base import TaskError

MAX_TEXT = 100_000
"""Characters of a description."""
TABLES = ("train", "test", "sample_submission")


def check_files(files: Mapping[str, object], source: Path, data: Path) -> None:
    """`files` is the section of a task file.

    Raises:
        TaskError: a name that is not in the data folder, or a folder where a table is meant.
    """
    for field, value in files.items():
        for name in value if isinstance(value, list) else [value]:
            if name is not None:
                _check_file(f"files.{field}", str(name), source, data, field in TABLES)


def _check_file(field: str, name: str, source: Path, data: Path, table: bool) -> None:
    full = (data / name).resolve()
    if not full.is_relative_to(data) or full == data:
        raise TaskError(f"{source}: {field}: {name} lies outside of the data folder; move it into {data}.")
    if not full.exists():
        raise TaskError(f"{source}: {field}: {name} is not in {data}; {_there(name, data)}.")
    if full.is_dir() and table:
        raise TaskError(f"{source}: {field}: {name} is a folder; name a table (csv, tsv, json, jsonl or parquet).")


def _there(name: str, data: Path) -> str:
    names = sorted(entry.name for entry in data.iterdir() if not entry.name.startswith("."))[:1000]
    close = difflib.get_close_matches(name, names, n=2, cutoff=0.4) or names[:5]
    return f"there are {', '.join(close)}" if close else "the folder is empty"


def read_description(text: str, source: Path, where: Path) -> str:
    """The text itself, or the contents of the file that it names.

    Raises:
        TaskError: no such file, or one that is no text of bounded length.
    """
    name = text.strip()
    if len(name) > 255 or len(name.split()) != 1 or not name.lower().endswith((".txt", ".md", ".rst")):
        return text
    file = where / name
    if not file.is_file():
        raise TaskError(
            f"{source}: description: there is no file {name} beside the task file; "
            "write the text itself or add the file."
        )
    try:
        found = file.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise TaskError(f"{source}: description: {name} cannot be read as UTF-8 text; save it as UTF-8.") from error
    if len(found) > MAX_TEXT:
        raise TaskError(f"{source}: description: {name} is longer than {MAX_TEXT} characters; shorten it.")
    return found


def own_code(name: str, field: str, source: Path, where: Path) -> str:
    """The absolute path of a Python file of the user's.

    Raises:
        TaskError: there is none.
    """
    file = (where / Path(name).expanduser()).resolve()
    if not file.is_file() or file.suffix != ".py":
        raise TaskError(f"{source}: {field}: {file} is no Python file; correct the path.")
    return str(file)
