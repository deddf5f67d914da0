"""What lies in data/: tables with their columns, folders with what they hold, other files with their size."""

from __future__ import annotations

import importlib
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

import pandas as pd

from recipes.parts.files import read_table, time_left, time_limit
from recipes.parts.shown import CELL, SHOWN_COLUMNS, shown_name

MOST_FILES = 60
MOST_WALKED = 2000
"""Files of a folder that are looked at."""
FEW_FILES = 10
"""The tables in a folder with so few files are named one by one."""
LARGEST_TABLE = 50_000_000
"""Bytes of a further table that is read; of a packed one a tenth."""
FEW_PICTURES = 20
"""Pictures of a folder whose size is looked at."""
PICTURES = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"}
TABLES = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet", ".pq")
UNREADABLE = (OSError, ValueError, TypeError, KeyError, EOFError, RecursionError, zipfile.BadZipFile, zlib.error)


def data_files(known: Mapping[str, pd.DataFrame], shared: Sequence[str]) -> list[dict[str, str]]:
    """Name and facts of the tables already read, then of what all views share."""
    names = list(dict.fromkeys(name for entry in shared for name in (entry, *tables_within(entry))))
    found = [{"name": shown_name(name), "facts": table_facts(table)} for name, table in known.items()]
    places = [(name, Path("data") / name) for name in names if name not in known]
    found += [{"name": shown_name(name), "facts": guarded_facts(path)} for name, path in places[:MOST_FILES]]
    more = len(places) - MOST_FILES
    return found + ([{"name": "...", "facts": f"{more} more files"}] if more > 0 else [])


def tables_within(entry: str) -> list[str]:
    """The tables in a small folder."""
    folder = Path("data") / entry
    inside = list(islice(walk(folder), FEW_FILES + 1)) if folder.is_dir() else []
    if len(inside) > FEW_FILES:
        return []
    return sorted(f"{entry}/{name}" for name in inside if name.lower().removesuffix(".gz").endswith(TABLES))


def walk(folder: Path) -> Iterator[str]:
    """Files below a folder, relative to it."""
    for place, _, names in os.walk(folder):
        yield from (os.path.relpath(os.path.join(place, name), folder) for name in names)


def guarded_facts(path: Path) -> str:
    """The facts of a file or folder, also of one that cannot be read."""
    try:
        return path_facts(path)
    except UNREADABLE:
        return "cannot be read"


def path_facts(path: Path) -> str:
    """What a file or folder is."""
    if path.is_dir():
        names = list(islice(walk(path), MOST_WALKED + 1))
        return holding("folder", names) + picture_sizes([path / name for name in sorted(names)])
    if not path.is_file():
        return "not a plain file"
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path) as archive:
            return holding("zip archive", archive.namelist()[: MOST_WALKED + 1])
    table = further_table(path)
    return table_facts(table) if table is not None else file_facts(path) + picture_sizes([path])


def table_facts(table: pd.DataFrame) -> str:
    """ "table, 713 rows, columns PassengerId, Survived"."""
    names = [shown_name(name, CELL) for name in table.columns[:SHOWN_COLUMNS]]
    more = len(table.columns) - len(names)
    return f"table, {len(table)} rows, columns {', '.join(names)}" + (f" ... and {more} more" if more else "")


def holding(what: str, names: list[str]) -> str:
    """ "folder, 990 files such as 1.jpg (.jpg 990)"."""
    names = [name for name in names if not name.endswith("/")]
    if not names:
        return f"{what}, empty"
    many = len(names) > MOST_WALKED
    endings = Counter(Path(name).suffix.lower() or "no ending" for name in names[:MOST_WALKED])
    counts = ", ".join(f"{shown_name(ending, CELL)} {count}" for ending, count in endings.most_common(8))
    number = f"more than {MOST_WALKED} files" if many else f"{len(names)} files"
    return f"{what}, {number} such as {shown_name(min(names), CELL)} ({counts}{', of those looked at' if many else ''})"


def further_table(path: Path) -> pd.DataFrame | None:
    """A table beside those of the task; None where it is none, or too large to be read in passing."""
    name = path.name.lower()
    plain = name.removesuffix(".gz")
    most = LARGEST_TABLE if name == plain else LARGEST_TABLE // 10
    if not plain.endswith(TABLES) or path.stat().st_size > most or time_left() < time_limit() / 2:
        return None
    if name.endswith(".json") and not path.read_bytes().lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"["):
        return None  # the keys of an object may be what elsewhere is a cell
    try:
        return read_table(str(path))
    except UNREADABLE:
        return None


def picture_sizes(paths: Sequence[Path]) -> str:
    """ ", pictures of 8 x 8 pixels (L)", from the smallest to the largest of the first; "" without pictures."""
    try:
        images = importlib.import_module("PIL.Image")
    except ImportError:
        return ""
    seen: set[tuple[int, int, str]] = set()
    for path in [path for path in paths if path.suffix.lower() in PICTURES][:FEW_PICTURES]:
        try:
            with images.open(path) as picture:
                seen.add((picture.width, picture.height, picture.mode))
        except (*UNREADABLE, images.DecompressionBombError):
            continue
    ends = [f"{width} x {height}" for width, height, _ in (min(seen), max(seen))] if seen else []
    modes = ", ".join(sorted({mode for _, _, mode in seen}))
    return f", pictures of {' to '.join(dict.fromkeys(ends))} pixels ({modes})" if seen else ""


def file_facts(path: Path) -> str:
    """ "124 kB of text"."""
    with path.open("rb") as file:
        head = file.read(4096)
    plain = b"\0" not in head and len(head.decode("utf-8", "ignore").encode()) >= 0.95 * len(head)
    return f"{size(path.stat().st_size)} of {'text' if plain else 'binary data'}"


def size(number: float) -> str:
    """Bytes as "124 kB"."""
    for unit in ("B", "kB", "MB"):
        if number < 999.5:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:.3g} GB"
