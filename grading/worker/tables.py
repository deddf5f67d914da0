"""Tables as people hand them over: csv, tsv, json, jsonl, parquet, and the text ones in .gz or .zip.

Text formats are read as text, cell by cell, so that "0001" is still "0001" when a view is written; what is a number is
decided by who asks (grading.worker.cells). Sizes are bounded, also after decompression (grading.worker.forms).
"""

from __future__ import annotations

import contextlib
import csv
import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow
import pyarrow.parquet

from grading.base import TaskError
from grading.worker.forms import MAX_BYTES, Form, Table, form_of, opened, packed
from grading.worker.records import read_json, read_jsonl, write_records


def read(path: Path, rows: int | None = None) -> Table:
    """Read a table; `rows` stops a csv or jsonl file after so many.

    Raises:
        TaskError: missing, too big, unreadable, empty, or with repeated column names.
    """
    if not path.is_file():
        raise TaskError(f"{path.name}: there is no such file in the data folder; correct its name under files.")
    form = form_of(path)
    try:
        table = _READERS[form.kind](path, form, rows)
    except (
        ValueError,
        OSError,
        EOFError,
        csv.Error,
        zipfile.BadZipFile,
        pyarrow.ArrowException,
        RecursionError,
    ) as error:
        if isinstance(error, TaskError):
            raise
        raise TaskError(
            f"{path.name}: cannot be read as {form.kind} ({_first_line(error)}); repair the file."
        ) from error
    return _checked(table, path)


def _checked(table: Table, path: Path) -> Table:
    names = [str(name) for name in table.frame.columns]
    repeated = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if repeated:
        raise TaskError(f"{path.name}: column {repeated[0]!r} occurs more than once; rename one of them.")
    if not names:
        raise TaskError(f"{path.name}: the table has no columns; give a file with a header line and rows.")
    table.frame.columns = pd.Index(names)
    return table


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]


def _read_csv(path: Path, form: Form, rows: int | None) -> Table:
    form = replace(form, separator=_separator(path, form))
    for encoding in ("utf-8-sig", "latin-1"):
        with opened(path, form) as stream, contextlib.suppress(UnicodeDecodeError):
            _refuse_repeats(path, stream, form.separator, encoding)
            return Table(_parse(stream, form.separator, encoding, rows), form)
    raise TaskError(f"{path.name}: is neither UTF-8 nor Latin-1; save it as UTF-8.")


def _parse(stream: IO[bytes], separator: str, encoding: str, rows: int | None) -> pd.DataFrame:
    return pd.read_csv(
        stream, sep=separator, encoding=encoding, dtype="str", keep_default_na=False, na_filter=False,
        index_col=False, nrows=rows, low_memory=False,
    )  # fmt: skip


def _refuse_repeats(path: Path, stream: IO[bytes], separator: str, encoding: str) -> None:
    """pandas renames the second "a" to "a.1", so the header is looked at before."""
    head = stream.peek()[: 2**20] if isinstance(stream, io.BufferedReader) else b""
    header = next(csv.reader(io.StringIO(head.decode(encoding, errors="ignore")), delimiter=separator), [])
    repeated = [name for name in header if name and header.count(name) > 1]
    if repeated:
        raise TaskError(f"{path.name}: column {repeated[0]!r} occurs more than once; rename one of them.")
    if not "".join(header).strip():
        raise TaskError(f"{path.name}: the table is empty; give a file with a header line and rows.")


def _separator(path: Path, form: Form) -> str:
    """The comma, unless the header has none and another separator cuts it."""
    if form.separator != ",":
        return form.separator
    with opened(path, form) as stream:
        header = stream.read(2**16).decode("utf-8", errors="replace").splitlines()[:1]
    widths = {separator: len(next(csv.reader(header, delimiter=separator), [])) for separator in (",", ";", "\t", "|")}
    return "," if widths[","] > 1 else max(widths, key=lambda separator: widths[separator])


def _read_parquet(path: Path, form: Form, _rows: int | None) -> Table:
    meta = pyarrow.parquet.read_metadata(path)
    size = sum(meta.row_group(i).total_byte_size for i in range(meta.num_row_groups))
    if max(size, path.stat().st_size) > MAX_BYTES:
        raise TaskError(f"{path.name}: larger than {MAX_BYTES // 2**30} GiB; give a smaller table.")
    frame = pd.read_parquet(path)
    return Table(frame.reset_index() if frame.index.names != [None] else frame.reset_index(drop=True), form)


_READERS = {"csv": _read_csv, "json": read_json, "jsonl": read_jsonl, "parquet": _read_parquet}


def write(table: Table, path: Path) -> None:
    """Write a table in its form. The same table gives the same bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if table.form.kind == "parquet":
        table.frame.to_parquet(path, index=False)
        return
    with packed(path, table.form) as raw, io.TextIOWrapper(raw, "utf-8", newline="") as stream:
        if table.form.kind == "csv":
            table.frame.to_csv(stream, sep=table.form.separator, index=False, lineterminator="\n")
        else:
            write_records(table, stream)
