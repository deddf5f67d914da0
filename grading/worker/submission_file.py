"""Reads a CSV that an enemy may have written: bounded before it is parsed, every cell kept as text."""

from __future__ import annotations

import csv
import io
import os
import stat
import warnings
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

_CELL_BYTES = 128
"""Room for one number, label or id with its comma."""
_TEXT_BYTES = 16_384
"""Room for one cell of free text."""
_SLACK_BYTES = 1 << 20
_MAX_HEADER = 1 << 20


class BadFileError(ValueError):
    """The file cannot be read as a table; the text is one sentence for its author."""


def read_bytes(path: Path, limit: int) -> bytes:
    """The bytes of a regular file, never through a link.

    Raises: BadFileError: it is missing, no regular file, or larger than `limit`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise BadFileError("submission.csv was not written.") from error
    status = os.fstat(handle)
    if not stat.S_ISREG(status.st_mode):
        os.close(handle)
        raise BadFileError("submission.csv is not a regular file.")
    with os.fdopen(handle, "rb") as file:
        if status.st_size > limit:
            raise BadFileError(f"submission.csv has {status.st_size:,} bytes, far more than its rows need ({limit:,}).")
        return file.read(limit + 1)


def parse(path: Path, wanted: Sequence[str], rows: int, free_text: bool) -> pd.DataFrame:
    """All cells as text. `wanted` columns and `rows` bound what is read.

    Raises: BadFileError.
    """
    cell = _TEXT_BYTES if free_text else _CELL_BYTES + max(len(name) for name in wanted)
    data = read_bytes(path, _SLACK_BYTES + (rows + 1) * (_CELL_BYTES + cell * len(wanted)))
    if not data.strip():
        raise BadFileError("submission.csv is empty.")
    if b"\0" in data:
        raise BadFileError("submission.csv holds zero bytes: write it as text in UTF-8.")
    lines = max(data.count(b"\n"), data.count(b"\r"))
    if not free_text and lines > 4 * rows + 1000:
        raise BadFileError(f"submission.csv has {lines:,} lines, the sample submission has {rows:,} rows.")
    try:
        header = _header(data, len(wanted))
        return _frame(data, header)
    except UnicodeDecodeError as error:
        raise BadFileError("submission.csv is not text in UTF-8.") from error


def _header(data: bytes, wanted: int) -> list[str]:
    line = data[: data.find(b"\n") if b"\n" in data else len(data)].decode("utf-8-sig").rstrip("\r")
    if len(line) > _MAX_HEADER or line.count(",") > 2 * wanted + 1000:
        raise BadFileError(f"submission.csv has {line.count(',') + 1:,} columns, wanted are {wanted}.")
    try:
        names = next(csv.reader([line]), [])
    except csv.Error as error:
        raise BadFileError(f"submission.csv has a header that cannot be read: {error}.") from error
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise BadFileError(f"submission.csv has the column {quoted(repeated[0])} more than once.")
    return names


def _frame(data: bytes, header: list[str]) -> pd.DataFrame:
    try:
        with warnings.catch_warnings():
            # pandas only warns where rows have more cells than the header, and drops the rest
            warnings.simplefilter("error", pd.errors.ParserWarning)
            return pd.read_csv(
                io.BytesIO(data), header=0, names=header, dtype=str, keep_default_na=False, na_filter=False,
                index_col=False, encoding="utf-8-sig", skip_blank_lines=len(header) > 1,
            ).fillna("")  # fmt: skip
    except UnicodeDecodeError:
        raise
    except (ValueError, pd.errors.ParserWarning) as error:
        raise BadFileError(f"submission.csv cannot be parsed as CSV: {str(error).strip()[:200]}.") from error


def quoted(text: object) -> str:
    """A value of the submission for a message: quoted, control characters escaped, cut to 40 characters."""
    shown = str(text)
    return repr(shown if len(shown) <= 40 else shown[:37] + "...")
