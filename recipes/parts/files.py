"""Reading the task's tables, writing the submission, and the limits that the environment sets."""

from __future__ import annotations

import gzip
import io
import json
import os
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

STARTED = time.monotonic()


def seed() -> int:
    """The seed of this run (SEED)."""
    return int(os.environ.get("SEED", "0"))


def cpus() -> int:
    """Cores to use, at least one (CPUS)."""
    return max(1, int(float(os.environ.get("CPUS", "1"))))


def time_limit() -> float:
    """Seconds that the whole script may take (TIME_LIMIT_S)."""
    return float(os.environ.get("TIME_LIMIT_S", "600"))


def time_left() -> float:
    """Seconds until the time limit, counted from the start of the script; a guard, not a plan."""
    return time_limit() - (time.monotonic() - STARTED)


def read_table(path: str, text: Sequence[str] = ()) -> pd.DataFrame:
    """The table in a csv, tsv, json, jsonl or parquet file, which may be packed as .gz or .zip.

    Columns named in `text` come back as the exact text of the file ("" where empty), for ids and class labels.
    """
    name, data = path.lower(), Path(path).read_bytes()
    if name.endswith(".gz"):
        name, data = name[:-3], gzip.decompress(data)
    elif name.endswith(".zip"):
        name, data = _unzip(data)
    if name.endswith((".parquet", ".pq")):
        return _as_text(pd.read_parquet(io.BytesIO(data)), text)
    if name.endswith((".json", ".jsonl", ".ndjson")):
        return _as_text(pd.DataFrame(_records(data.decode("utf-8-sig"))), text)
    return _read_delimited(data, "\t" if name.endswith((".tsv", ".tab")) else None, text)


def _unzip(data: bytes) -> tuple[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        inner = next(n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX"))
        return inner.lower(), archive.read(inner)


def _records(text: str) -> Any:
    """A JSON array, an object of columns, or one JSON object a line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def _read_delimited(data: bytes, separator: str | None, text: Sequence[str]) -> pd.DataFrame:
    header = data[:65536].split(b"\n", 1)[0].decode("utf-8", "replace")
    if separator is None:
        separator = "," if "," in header else max(",;\t|", key=header.count)
    try:
        data.decode("utf-8")
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "latin-1"
    kept: dict[Any, Any] = dict.fromkeys(text, str)
    return pd.read_csv(io.BytesIO(data), sep=separator, encoding=encoding, converters=kept, low_memory=False)


def _as_text(table: pd.DataFrame, text: Sequence[str]) -> pd.DataFrame:
    wanted = [column for column in text if column in table]
    return table.assign(**{c: table[c].map(lambda v: "" if _missing(v) else str(v)).astype(object) for c in wanted})


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def write_submission(
    sample: str, key: str | None, columns: Sequence[str], ids: Sequence[str] | None, answers: Any
) -> None:
    """Write ./submission.csv in the form of the sample submission.

    `answers` holds one row for each row of test and one column for each of `columns`; `key` is the id column and
    `ids` are test's ids as text (None: rows are matched by position).
    """
    table = read_table(sample, text=[key] if key else [])
    cells = np.asarray(answers).reshape(len(answers), len(columns))
    if key and ids is not None and list(ids) != list(table[key]):
        place = {name: row for row, name in enumerate(ids)}
        if all(name in place for name in table[key]):
            cells = cells[[place[name] for name in table[key]]]
    out = pd.DataFrame({key: table[key]} if key else {}, index=table.index)
    for number, column in enumerate(columns):
        out[column] = cells[:, number]
    order = [c for c in table.columns if c in out.columns]
    out[order].to_csv("submission.csv", index=False)
