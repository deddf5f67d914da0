"""Cells of a table: exact text, numbers, class labels."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

MISSING = frozenset(
    ["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
     "NULL", "NaN", "None", "n/a", "nan", "null"]
)  # fmt: skip
"""Texts that pandas.read_csv reads as missing (its default `na_values`)."""
NO_CLASS = frozenset(["", "nan", "NaN", "<NA>"])
"""Of these, the texts that are no class label: a class may well be called "None" or "NA"."""


def text(column: pd.Series) -> pd.Series:
    """Every cell as the exact text that a CSV file would hold: 7 -> "7", missing -> "", a list -> its JSON."""
    if pd.api.types.is_string_dtype(column) and column.dtype != object:
        return column.fillna("").astype("str")
    return pd.Series(
        [_cell_text(value) for value in column.tolist()], index=column.index, dtype="str", name=column.name
    )


def _cell_text(value: object) -> str:
    if value is None or value is pd.NaT or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    if isinstance(value, np.ndarray):
        value = value.tolist()
    return json.dumps(value, ensure_ascii=False) if isinstance(value, (list, dict)) else str(value)


def missing(cells: pd.Series) -> pd.Series:
    """Which cells of a text column pandas would read as missing."""
    return cells.str.strip().isin(MISSING)


def numbers(column: pd.Series) -> pd.Series | None:
    """The column as float64 with NaN where missing; None where a cell is no number, or all are missing."""
    if pd.api.types.is_bool_dtype(column):
        return None
    if pd.api.types.is_numeric_dtype(column):
        values = column.astype("float64")
        return None if values.isna().all() else values
    cells = text(column)
    gone = missing(cells)
    if gone.all() or not _looks_numeric(cells[~gone].iloc[:20]):
        return None
    values = pd.to_numeric(cells.mask(gone), errors="coerce").astype("float64")
    return None if bool((values.isna() & ~gone).any()) else values


def _looks_numeric(some: pd.Series) -> bool:
    return not bool(pd.to_numeric(some, errors="coerce").isna().any())


def class_text(column: pd.Series) -> pd.Series:
    """Class labels as text; missing as None (dtype object).

    Whole numbers as "1" (also 1.0 and "01"), booleans in any spelling as "True"/"False", otherwise the text itself.
    """
    codes, values = pd.factorize(text(column))
    labels = _class_texts(pd.Series(values, dtype="str").str.strip())
    return pd.Series(
        labels.to_numpy()[codes] if len(labels) else [], index=column.index, dtype=object, name=column.name
    )


def _class_texts(cells: pd.Series) -> pd.Series:
    gone = cells.isin(NO_CLASS)
    present = cells[~gone]
    if len(present) and bool(present.str.casefold().isin(["true", "false"]).all()):
        cells = cells.str.capitalize()
    else:
        values = numbers(cells.mask(gone, ""))
        if values is not None:
            cells = pd.Series([_number_text(value) for value in values], dtype=object)
            gone = values.isna()
    return cells.astype(object).mask(gone, None)


def _number_text(value: float) -> str:
    return str(int(value)) if np.isfinite(value) and value == int(value) else repr(float(value))


def sorted_classes(labels: pd.Series) -> list[str]:
    """The distinct class texts: by value where all are numbers, else by text ("False" < "True", "no" < "yes")."""
    found = [str(label) for label in labels.dropna().unique()]
    values = numbers(pd.Series(found, dtype="str")) if found else None
    if values is None:
        return sorted(found)
    return [found[i] for i in np.argsort(values.to_numpy(), kind="stable")]
