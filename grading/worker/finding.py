"""Which file is which in a data folder, and what else scripts may read."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from grading.base import TaskError
from grading.worker import tables
from grading.worker.forms import ENDINGS, is_table, stem

MAX_SHARED = 200
"""Names of shared files and folders that a view can hold."""
MAX_LOOKED_AT = 2000
"""Entries of one folder that are looked at for copies of the labels."""
NOT_DATA = frozenset(["task.yaml", "task.yml"])
_TRAIN = re.compile(r"(?<![a-z])(train|training|learn)(?![a-z])")
_TEST = re.compile(r"(?<![a-z])(test|testing)(?![a-z])")
_SAMPLE = re.compile(
    r"sub(mission|mit|m)?(?![a-z])|submission|sample[ _-]?(entry|prediction|solution|answer)|entry[ _-]?form"
)


@dataclass(frozen=True)
class Files:
    """Names relative to the data folder."""

    train: str
    test: str | None
    """None where there is no table of test rows (then the sample submission names them)."""
    sample: str | None
    notes: list[str]


def find_files(named: dict[str, str | None], data: Path) -> Files:
    """The three tables: those that the user named, the others by name, and at last by their columns.

    Raises:
        TaskError: no train, or neither test nor sample submission.
    """
    found = {"train": named.get("train"), "test": named.get("test"), "sample": named.get("sample_submission")}
    free = [name for name in _table_names(data) if name not in found.values()]
    notes = []
    for role, rank in (("sample", _sample_rank), ("train", _train_rank), ("test", _test_rank)):
        best = min((r for name in free if (r := rank(name)) is not None), default=None)
        if found[role] is None and best is not None:
            found[role] = best[-1]
            free.remove(best[-1])
            notes.append(f"{_ROLES[role]} is {best[-1]}, by its name.")
    if found["train"] is None or (found["test"] is None and found["sample"] is None):
        notes += _by_columns(found, free, data)
    if found["train"] is None:
        raise TaskError(f"{data.name}: found no train table; name it in files.train ({_listing(data)}).")
    if found["test"] is None and found["sample"] is None:
        raise TaskError(
            f"{data.name}: found neither a test table nor a sample submission; name one under files ({_listing(data)})."
        )
    return Files(found["train"], found["test"], found["sample"], notes)


_ROLES = {"train": "Train", "test": "Test", "sample": "The sample submission"}
Rank = tuple[int, int, int, str]


def _table_names(data: Path) -> list[str]:
    """Tables in the folder itself, then one folder below it."""
    top = sorted(p for p in data.iterdir() if not p.name.startswith("."))
    below = [p for folder in top if folder.is_dir() for p in _some(folder)]
    return [str(p.relative_to(data)) for p in [*top, *below] if p.is_file() and is_table(p)]


def _some(folder: Path) -> list[Path]:
    return sorted(
        path for path, _ in zip(folder.iterdir(), range(MAX_LOOKED_AT), strict=False) if not path.name.startswith(".")
    )


def _rank(name: str, word: re.Pattern[str], exact: tuple[str, ...]) -> Rank | None:
    """Smaller is better: the exact word, the upper folder, the plainer format, the shorter name."""
    plain = stem(name).lower()
    if not word.search(plain):
        return None
    folders = name.count("/")
    packed = Path(name).suffix.lower() in (".gz", ".zip")
    return (folders * 2 + (plain not in exact), int(packed), len(plain), name)


def _sample_rank(name: str) -> Rank | None:
    return _rank(name, _SAMPLE, ("sample_submission", "samplesubmission", "submission"))


def _train_rank(name: str) -> Rank | None:
    return None if _sample_rank(name) else _rank(name, _TRAIN, ("train",))


def _test_rank(name: str) -> Rank | None:
    return None if _sample_rank(name) else _rank(name, _TEST, ("test",))


def _by_columns(found: dict[str, str | None], free: list[str], data: Path) -> list[str]:
    """Train has the columns of test and more; a label table has columns that the sample submission has."""
    heads = {name: set(tables.read(data / name, rows=50).frame.columns) for name in free[:50]}
    best: tuple[int, str, str] | None = None
    trains = [found["train"]] if found["train"] else list(heads)
    for train in trains:
        columns = heads[train] if train in heads else set(tables.read(data / train, rows=50).frame.columns)
        for test, fewer in heads.items():
            if test != train and fewer < columns and len(fewer) > 1 and (best is None or len(fewer) > best[0]):
                best = (len(fewer), train, test)
    if best is not None and found["test"] is None:
        found["train"], found["test"] = best[1], best[2]
        return [f"Train is {best[1]} and test is {best[2]}, because train has all columns of test and more."]
    if found["train"] is None and found["sample"] is not None:
        wanted = set(tables.read(data / found["sample"], rows=50).frame.columns)
        if found["test"] is not None:
            wanted |= set(tables.read(data / found["test"], rows=50).frame.columns)
        shared = max(((len(columns & wanted), name) for name, columns in heads.items()), default=(0, ""))
        if shared[0]:
            found["train"] = shared[1]
            return [f"Train is {shared[1]}, because it shares columns with the sample submission."]
    return []


def _listing(data: Path) -> str:
    names = [entry.name for entry in _some(data)]
    return (
        f"the folder holds {', '.join(names[:8])}{', ...' if len(names) > 8 else ''}"
        if names
        else "the folder is empty"
    )


def shared_names(data: Path, files: Files, named: list[str] | None, targets: list[str]) -> tuple[list[str], list[str]]:
    """What every script sees: what the user names, or all but the three tables and copies of labels. And notes."""
    if named is not None:
        leaking = [name for name in named if _holds(data / name, targets)]
        notes = [f"{name} holds the target column; scripts see it because files.extra names it." for name in leaking]
        return list(dict.fromkeys(named)), notes
    own = {name for name in (files.train, files.test, files.sample) if name}
    names = sorted(_others(data, data, own))
    leaking = [name for name in names if _holds(data / name, targets)]
    notes = [
        f"{name} is hidden from scripts, because it holds the target column (files.extra can name it)."
        for name in leaking
    ]
    kept = [name for name in names if name not in leaking]
    if len(kept) > MAX_SHARED:
        notes.append(f"Of {len(kept)} further files only the first {MAX_SHARED} are shown to scripts.")
    return kept[:MAX_SHARED], notes


def _others(folder: Path, data: Path, own: set[str]) -> Iterator[str]:
    """Names beside the three tables; a folder that holds one of these is entered, any other is given whole."""
    for entry in folder.iterdir():
        name = str(entry.relative_to(data))
        if name in own or entry.name.startswith(".") or name in NOT_DATA or not entry.exists():
            continue
        if entry.is_dir() and any(file.startswith(f"{name}/") for file in own):
            yield from _others(entry, data, own)
        else:
            yield name


def _holds(path: Path, targets: list[str]) -> bool:
    """Is it a table with all target columns, or a folder or archive with one? Hidden labels could be read from it."""
    if path.is_dir():
        inside = (p for p, _ in zip(path.rglob("*"), range(MAX_LOOKED_AT), strict=False))
        return any(_holds(p, targets) for p in inside if p.is_file())
    if is_table(path):
        try:
            columns = tables.read(path, rows=5).frame.columns
        except TaskError:
            return False
        return set(targets) <= set(columns)
    return path.suffix.lower() == ".zip" and _archive_of_train(path)


def _archive_of_train(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()[:MAX_LOOKED_AT]
    except (zipfile.BadZipFile, OSError):
        return False
    return any(_train_rank(name) is not None and Path(name).suffix.lower() in ENDINGS for name in names)
