"""Values and names of hostile data as one line of plain text: no control character, no endless cell."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from typing import Any

import pandas as pd

CELL = 60
"""Characters of a cell."""
NAME = 200
"""Characters of a column's name."""
SHOWN_ROWS = 3
SHOWN_COLUMNS = 40
"""Columns of a row, and names in a list of columns."""


def shown(value: object, most: int = CELL) -> str:
    """`value` as text of at most `most` characters that can all be printed."""
    text = str(value)[: 20 * most]
    plain = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in text).strip()
    return plain if len(plain) <= most else f"{plain[: most - 3]}..."


def shown_name(name: object, most: int = NAME) -> str:
    """A name with escapes where a character cannot be printed, so that code can still spell it."""
    text = str(name)[:most]
    return shown("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text), most)


def is_missing(value: Any) -> bool:
    """Whether a cell holds nothing."""
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def shown_cell(value: Any) -> str:
    """A cell as text, "" where it holds nothing."""
    return "" if is_missing(value) else shown(value)


def first_rows(table: pd.DataFrame, wanted: Collection[str]) -> list[str]:
    """The first rows as csv lines, header first; columns in `wanted` are kept where not all have room."""
    places = chosen_columns(list(table.columns), wanted)
    more = len(table.columns) - len(places)
    head = [shown_name(table.columns[place], CELL) for place in places]
    lines = [csv_line(head + ([f"... and {more} more"] if more else []))]
    for row in range(min(SHOWN_ROWS, len(table))):
        cells = [shown_cell(table.iloc[row, place]) for place in places]
        lines.append(csv_line(cells + (["..."] if more else [])))
    return lines


def chosen_columns(names: list[Any], wanted: Collection[str]) -> list[int]:
    """Places of the columns that have room: those of `wanted`, then the first ones, in the order of the table."""
    order = sorted(range(len(names)), key=lambda place: names[place] not in wanted)
    return sorted(order[:SHOWN_COLUMNS])


def csv_line(cells: list[str]) -> str:
    """One line of csv without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(cells)
    return line.getvalue()
