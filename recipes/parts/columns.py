"""What kind of thing each column holds: number, flag, category, text, list, date, path, constant or id."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

SAMPLE_ROWS = 3000
FLAG_WORDS = [{"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"0", "1"}]
PATH = re.compile(r"\.(?:jpe?g|png|gif|bmp|tiff?|webp|wav|mp3|flac|ogg|npy|dcm)$", re.IGNORECASE)
DATE = re.compile(
    r"^\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})(?:[ T]+\d{1,2}:\d{2}.*)?\s*$"
)


def column_kinds(table: pd.DataFrame, names: Sequence[str]) -> dict[str, str]:
    """The kind of each named column, judged by at most 3000 of its known values."""
    return {name: column_kind(table[name]) for name in names}


def column_kind(column: pd.Series) -> str:
    """The kind of one column."""
    known = column.dropna()
    if len(known) == 0:
        return "constant"
    sample = known if len(known) <= SAMPLE_ROWS else known.sample(SAMPLE_ROWS, random_state=0)
    if isinstance(sample.iloc[0], list | tuple | set | np.ndarray | dict):
        return "list"
    if known.nunique() == 1 and len(known) == len(column):
        return "constant"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if pd.api.types.is_bool_dtype(column) or _is_flag(known):
        return "flag"
    if pd.api.types.is_numeric_dtype(column):
        return "id" if _is_counter(column) else "number"
    return _kind_of_text(sample.astype(str))


def _is_flag(known: pd.Series) -> bool:
    values = known.unique()
    return len(values) <= 2 and {_plain_value(value) for value in values} in FLAG_WORDS


def _plain_value(value: Any) -> str:
    text = str(value).strip().lower()
    return text.removesuffix(".0")


def _is_counter(column: pd.Series) -> bool:
    """A whole number that counts rows: all different, rising, without large gaps."""
    if len(column) < 50 or not column.is_monotonic_increasing or not column.is_unique:
        return False
    whole = bool((column == column.round()).all())
    return whole and float(column.iloc[-1] - column.iloc[0]) < 3 * len(column)


def _kind_of_text(sample: pd.Series) -> str:
    if sample.str.contains(PATH).mean() > 0.9:
        return "path"
    if sample.str.match(DATE).mean() > 0.95 and as_dates(sample).notna().mean() > 0.95:
        return "date"
    numbers = pd.to_numeric(sample, errors="coerce")
    if numbers.notna().mean() > 0.98:
        return "number"
    words = float(sample.str.count(r"\s+").mean()) + 1
    distinct = sample.nunique() / len(sample)
    if distinct > (0.1 if words >= 12 else 0.5) and words >= 1.8:
        return "text"
    if distinct > 0.98 and len(sample) >= 50 and not is_composite(sample):
        return "id"
    return "category"


def is_composite(sample: pd.Series) -> bool:
    """Parts joined by one delimiter that stands the same number of times in nearly all values: "B/12/S", "0042_01"."""
    return delimiter(sample) is not None


def delimiter(sample: pd.Series) -> str | None:
    """The delimiter of a composite column, or None."""
    for mark in ("/", "_", "|", ":", ";", "-", "."):
        counts = sample.astype(str).str.count(re.escape(mark))
        usual = int(counts.mode().iloc[0])
        if 1 <= usual <= 5 and (counts == usual).mean() > 0.95:
            return mark
    return None


def as_dates(column: pd.Series) -> pd.Series:
    """The column as timestamps without a time zone (NaT where a value is no date)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dates = pd.to_datetime(column, errors="coerce", utc=True)
        except (ValueError, TypeError):
            dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
        if dates.isna().mean() > column.isna().mean() + 0.02:
            dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
    return dates.dt.tz_localize(None)


def free_text(table: pd.DataFrame, kinds: dict[str, str]) -> list[str]:
    """Columns whose text is long enough to carry a row by itself (lists of strings too), longest first."""
    lengths: dict[str, float] = {}
    for name, kind in kinds.items():
        if kind in ("text", "list"):
            sample = table[name].dropna().head(SAMPLE_ROWS)
            size = sample.map(len).mean() if kind == "list" else sample.astype(str).str.count(r"\s+").mean() + 1
            if size >= (3 if kind == "list" else 6):
                lengths[name] = float(size)
    return sorted(lengths, key=lambda name: -lengths[name])
