"""Tables in JSON: an array of records, records line by line, or an object of columns."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import pandas as pd

from grading.base import TaskError
from grading.worker.forms import Form, Table, opened


def read_json(path: Path, form: Form, _rows: int | None) -> Table:
    """One JSON text, or records line by line under the name .json."""
    with opened(path, form) as stream:
        raw = stream.read().decode("utf-8-sig")
    try:
        value = json.loads(raw)
    except json.JSONDecodeError as error:
        if not error.msg.startswith("Extra data"):
            raise
        return Table(
            _records([json.loads(line) for line in raw.split("\n") if line.strip()], path), Form("jsonl", form.packing)
        )
    if isinstance(value, list):
        return Table(_records(value, path), form)
    return _read_columns(value, path, form)


def _read_columns(value: object, path: Path, form: Form) -> Table:
    if not isinstance(value, dict) or not value:
        raise TaskError(f"{path.name}: must be an array of records or an object of columns.")
    if all(isinstance(cells, dict) for cells in value.values()):
        rows = list(dict.fromkeys(key for cells in value.values() for key in cells))
        lists = {name: [cells.get(row) for row in rows] for name, cells in value.items()}
        return Table(_objects(lists), replace(form, orient="columns"))
    if all(isinstance(cells, list) for cells in value.values()) and len({len(cells) for cells in value.values()}) == 1:
        if len(value) == 1 and all(isinstance(record, dict) for record in next(iter(value.values()))):
            return Table(_records(next(iter(value.values())), path), form)
        return Table(_objects(value), replace(form, orient="lists"))
    raise TaskError(f"{path.name}: must be an array of records or an object of columns of one length.")


def read_jsonl(path: Path, form: Form, rows: int | None) -> Table:
    """Records line by line."""
    records = []
    with opened(path, form) as stream:
        for line in io.TextIOWrapper(stream, "utf-8-sig"):
            if line.strip():
                records.append(json.loads(line))
            if rows is not None and len(records) >= rows:
                break
    return Table(_records(records, path), form)


def _records(records: list[Any], path: Path) -> pd.DataFrame:
    names: dict[str, None] = {}
    for record in records:
        if not isinstance(record, dict):
            raise TaskError(f"{path.name}: must hold one object a row, but holds {json.dumps(record)[:60]}.")
        names.update(dict.fromkeys(record))
    return _objects({name: [record.get(name) for record in records] for name in names})


def _objects(columns: dict[str, list[object]]) -> pd.DataFrame:
    """Python values as they are: pandas would make 1 of True and 1.0 of 1 beside a missing value."""
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


def write_records(table: Table, stream: IO[str]) -> None:
    """Write a json or jsonl table in its form."""
    frame, form = table.frame, table.form
    cells = {name: [_plain(value) for value in frame[name].tolist()] for name in frame.columns}
    if form.kind == "jsonl" or form.orient == "records":
        lines = (
            json.dumps(dict(zip(cells, row, strict=True)), ensure_ascii=False)
            for row in zip(*cells.values(), strict=True)
        )
        start, between, end = ("", "\n", "\n") if form.kind == "jsonl" else ("[\n", ",\n", "\n]\n")
        stream.write(start + between.join(lines) + end)
    elif form.orient == "columns":
        json.dump(
            {n: {str(i): value for i, value in enumerate(column)} for n, column in cells.items()},
            stream,
            ensure_ascii=False,
        )
    else:
        json.dump(cells, stream, ensure_ascii=False)


def _plain(value: object) -> object:
    """A value that JSON can hold: missing ones as null, numpy scalars as Python's."""
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return None
    return value.item() if hasattr(value, "item") else value
