"""How a table lies on disk: format, packing, bounded opening."""

from __future__ import annotations

import contextlib
import gzip
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Literal, cast

import pandas as pd

from grading.base import TaskError

Kind = Literal["csv", "json", "jsonl", "parquet"]
Packing = Literal["", "gz", "zip"]

MAX_BYTES = 8 * 2**30
"""Largest table, decompressed."""
ENDINGS: dict[str, Kind] = {
    ".csv": "csv", ".tsv": "csv", ".txt": "csv", ".tab": "csv", ".data": "csv",
    ".json": "json", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".pq": "parquet",
}  # fmt: skip
FORMATS = "csv, tsv, json, jsonl, parquet, and these but parquet in .gz or .zip"


@dataclass(frozen=True)
class Form:
    """How a table lies on disk, so that it can be written again in the same way."""

    kind: Kind
    packing: Packing = ""
    separator: str = ","
    """Of csv."""
    orient: Literal["records", "columns", "lists"] = "records"
    """Of json: an array of records, {column: {row: cell}} or {column: [cells]}."""


@dataclass(frozen=True)
class Table:
    """A table and its form on disk. Text formats have text columns, json any values, parquet its own types."""

    frame: pd.DataFrame
    form: Form


def stem(name: str) -> str:
    """The file name without folder, packing and format: "data/train.csv.zip" -> "train"."""
    path = Path(name)
    if path.suffix.lower() in (".gz", ".zip"):
        path = path.with_suffix("")
    return path.stem if path.suffix.lower() in ENDINGS else path.name


def is_table(path: Path) -> bool:
    """Does the name promise a table? (.txt and .data are tables only where a person says so.)"""
    inner = _inner(path)
    if not inner and path.suffix.lower() == ".zip":
        return only_member(path) is not None
    return inner not in ("", ".txt", ".data")


def form_of(path: Path) -> Form:
    """The form that the name promises; the separator and the orient are found by reading.

    Raises:
        TaskError: no table format.
    """
    suffix = path.suffix.lower()
    inner = _inner(path) or (Path(only_member(path) or "").suffix.lower() if suffix == ".zip" else "")
    if inner not in ENDINGS or (suffix in (".gz", ".zip") and ENDINGS[inner] == "parquet"):
        raise TaskError(f"{path.name}: not a table that can be read; use {FORMATS}.")
    packing: Packing = "gz" if suffix == ".gz" else "zip" if suffix == ".zip" else ""
    return Form(ENDINGS[inner], packing, "\t" if inner in (".tsv", ".tab") else ",")


def _inner(path: Path) -> str:
    """The ending that tells the format, "" where there is none."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zip"):
        suffixes.pop()
    return suffixes[-1] if suffixes and suffixes[-1] in ENDINGS else ""


class Bounded(io.RawIOBase):
    """A stream that refuses to give more than `most` bytes (a small archive may hold a huge file)."""

    def __init__(self, inner: IO[bytes], name: str, most: int = MAX_BYTES) -> None:
        self._inner, self._name, self._most, self._left = inner, name, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]
        data = self._inner.read(len(view))
        self._left -= len(data)
        if self._left < 0:
            raise TaskError(f"{self._name}: larger than {self._most / 2**30:.2g} GiB; give a smaller table.")
        view[: len(data)] = data
        return len(data)


@contextlib.contextmanager
def opened(path: Path, form: Form) -> Iterator[IO[bytes]]:
    """A bounded stream of the table's own bytes, unpacked."""
    with contextlib.ExitStack() as stack:
        if form.packing == "gz":
            raw = cast(IO[bytes], stack.enter_context(gzip.open(path, "rb")))
        elif form.packing == "zip":
            raw = stack.enter_context(stack.enter_context(zipfile.ZipFile(path)).open(_member(path)))
        else:
            raw = stack.enter_context(path.open("rb"))
        yield io.BufferedReader(Bounded(raw, path.name), 2**20)


def only_member(path: Path) -> str | None:
    """The one table inside a zip file, None where there is not exactly one file or it is no table."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX")]
    except (zipfile.BadZipFile, OSError):
        return None
    return names[0] if len(names) == 1 and Path(names[0]).suffix.lower() in ENDINGS else None


def _member(path: Path) -> str:
    member = only_member(path)
    if member is None:
        raise TaskError(f"{path.name}: must hold exactly one table; unpack it into the data folder.")
    return member


@contextlib.contextmanager
def packed(path: Path, form: Form) -> Iterator[IO[bytes]]:
    """A stream to write a table's bytes to. The same bytes give the same file."""
    with contextlib.ExitStack() as stack:
        if form.packing == "zip":
            archive = stack.enter_context(zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED))
            member = zipfile.ZipInfo(path.stem if Path(path.stem).suffix else f"{path.stem}.{form.kind}")
            yield stack.enter_context(archive.open(member, "w", force_zip64=True))
        elif form.packing == "gz":
            plain = stack.enter_context(path.open("wb"))
            yield cast(IO[bytes], stack.enter_context(gzip.GzipFile("", "wb", 6, plain, mtime=0)))
        else:
            yield stack.enter_context(path.open("wb"))
