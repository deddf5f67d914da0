"""Rows of one table put below those of another, in its columns and types."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from grading.worker.cells import numbers, text
from grading.worker.forms import Table


def with_rows(table: Table, rows: pd.DataFrame, given: dict[str, pd.Series], rng: np.random.Generator) -> Table:
    """The table with `rows` after its own. `given` columns go first; what both lack is drawn from the table's cells."""
    columns = {}
    for name in table.frame.columns:
        cells = table.frame[name]
        if name in given:
            new = given[name]
        elif name in rows.columns:
            new = rows[name]
        else:
            new = cells.iloc[rng.integers(len(cells), size=len(rows))]
        columns[name] = pd.concat([cells, _fitting(new, cells)], ignore_index=True)
    return replace(table, frame=pd.DataFrame(columns))


def _fitting(new: pd.Series, cells: pd.Series) -> pd.Series:
    """`new` in the type of `cells`: text for csv, Python values for json, the column's type for parquet."""
    new = new.reset_index(drop=True)
    if new.dtype == cells.dtype and new.dtype != object:
        return new
    if _is_text(cells):
        return text(new)
    values = numbers(new) if _is_text(new) else None
    if cells.dtype == object:
        return new.astype(object) if values is None else _python_numbers(values, cells)
    fitting = new if values is None else values
    return fitting.astype(cells.dtype) if _holds(cells, fitting) else fitting


def _is_text(column: pd.Series) -> bool:
    return bool(pd.api.types.is_string_dtype(column)) and column.dtype != object


def _holds(cells: pd.Series, new: pd.Series) -> bool:
    """Can `new` take the type of `cells` without loss?"""
    if not pd.api.types.is_numeric_dtype(new) or not pd.api.types.is_numeric_dtype(cells):
        return False
    return not pd.api.types.is_integer_dtype(cells) or bool((new % 1 == 0).all())


def _python_numbers(values: pd.Series, cells: pd.Series) -> pd.Series:
    """Numbers as json holds them in `cells`: as text if those are texts, whole ones as int."""
    plain = [int(value) if value % 1 == 0 else value for value in values.tolist()]
    texts = any(isinstance(value, str) for value in cells.tolist())
    return pd.Series([str(value) for value in plain] if texts else plain, dtype=object)
