"""What a column's values are like, in a few words: numbers, dates, lengths, shares. No text of a cell is in them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from recipes.parts.columns import as_dates
from recipes.parts.shown import shown, shown_name

FACT_ROWS = 20_000
"""Rows that lengths, shares, dates and examples are taken from."""
MOST_EXAMPLES = 3
WIDE = 100
"""Of so many columns one example each must do."""
MOST_CLASSES = 12
SKEWED = 1.0
"""Skewness from which a column is called skewed (Bulmer, Principles of Statistics, 1979: "highly skewed")."""


def column_facts(name: str, column: pd.Series, kind: str, width: int) -> dict[str, Any]:
    """What is known of a feature, one of `width`."""
    found = facts_of(name, column, kind, guarded_statistics(column, kind))
    return found | {"examples": found["examples"][: 1 if width > WIDE else MOST_EXAMPLES]}


def target_facts(name: str, column: pd.Series, kind: str) -> dict[str, Any]:
    """What is known of a target: of numbers ("values"), of class labels ("classes") or of free "text"."""
    column = column if kind == "values" else column.mask(column == "")
    return facts_of(name, column, "target", guarded_statistics(column, kind))


def facts_of(name: str, column: pd.Series, kind: str, numbers: str) -> dict[str, Any]:
    """The fields of recipes.base.ColumnFacts."""
    return {
        "name": shown_name(name),
        "kind": kind,
        "missing": round(float(column.isna().mean()), 4),
        "unique": distinct(column),
        "numbers": numbers,
        "examples": frequent(column),
    }


def distinct(column: pd.Series) -> int:
    """Different known values, also of lists."""
    try:
        return int(column.nunique())
    except TypeError:
        return int(column.dropna().map(str).nunique())


def frequent(column: pd.Series) -> list[str]:
    """A few different values as text, the most frequent first."""
    counts = some_rows(column).map(str).value_counts()
    texts = (shown(value) for value in counts.index[: 10 * MOST_EXAMPLES])
    return list(dict.fromkeys(text for text in texts if text))[:MOST_EXAMPLES]


def some_rows(column: pd.Series) -> pd.Series:
    """Known values, of many a sample in the order of the table."""
    known = column.dropna()
    return known if len(known) <= FACT_ROWS else known.sample(FACT_ROWS, random_state=0).sort_index()


def guarded_statistics(column: pd.Series, kind: str) -> str:
    """The statistics, "" where the values defy them: one odd column must not cost the others theirs."""
    try:
        return statistics(column, kind)
    except (TypeError, ValueError, ArithmeticError, AttributeError):
        return ""


def statistics(column: pd.Series, kind: str) -> str:
    """What stands for a column of this kind."""
    if not column.notna().any():
        return "no values"
    match kind:
        case "number":
            return number_statistics(column)
        case "values":
            return ", ".join([number_statistics(column), *sign_shares(column)])
        case "classes":
            return class_counts(column)
        case "date":
            return date_range(column)
        case "text":
            return word_counts(column)
        case "list":
            return item_counts(column)
        case "id" | "path" if column.dropna().is_unique:
            return "different in each row"
        case _:
            return top_share(column)


def as_numbers(column: pd.Series) -> pd.Series:
    """Finite values as floats."""
    values = pd.to_numeric(column.dropna(), errors="coerce").dropna().astype("float64")
    return values[np.isfinite(values)]


def number_statistics(column: pd.Series) -> str:
    """ "min 0.42, median 14.5, mean 32.2, max 512.3, skewed right"."""
    values = as_numbers(column)
    if values.empty:
        return "no finite numbers"
    found = {"min": values.min(), "median": values.median(), "mean": values.mean(), "max": values.max()}
    parts = [f"{name} {short(value)}" for name, value in found.items()]
    skew = float(values.skew())
    if abs(skew) > SKEWED:
        parts.append("skewed right" if skew > 0 else "skewed left")
    return ", ".join(parts)


def sign_shares(column: pd.Series) -> list[str]:
    """Shares of zeros and of values below zero, where there are any."""
    values = as_numbers(column)
    shares = {"zero": float((values == 0).mean()), "negative": float((values < 0).mean())}
    return [f"{percent(share)} {name}" for name, share in shares.items() if share > 0]


def class_counts(column: pd.Series) -> str:
    """ "0: 443, 1: 270": rows of each class, the most frequent first."""
    counts = column.value_counts()
    parts = [f"{shown(label)}: {count}" for label, count in counts.head(MOST_CLASSES).items()]
    more = len(counts) - len(parts)
    return ", ".join(parts + ([f"... and {more} more"] if more else []))


def date_range(column: pd.Series) -> str:
    """ "2011-01-01 to 2012-12-19", with the time of day where there is one."""
    known = column.dropna().drop_duplicates()
    ends = [known.iloc[[0, -1]], known.sort_values().iloc[[0, -1]]]
    dates = as_dates(pd.concat([some_rows(known), *ends])).dropna()
    form = "%Y-%m-%d" if bool((dates == dates.dt.normalize()).all()) else "%Y-%m-%d %H:%M"
    return f"{dates.min().strftime(form)} to {dates.max().strftime(form)}"


def word_counts(column: pd.Series) -> str:
    """ "12 words on average, at most 80"."""
    words = some_rows(column).map(str).str.count(r"\S+")
    return f"{short(words.mean(), 3)} words on average, at most {int(words.max())}"


def item_counts(column: pd.Series) -> str:
    """ "3.2 items on average, at most 10"."""
    sizes = some_rows(column).map(lambda value: len(value) if hasattr(value, "__len__") else 1)
    return f"{short(sizes.mean(), 3)} items on average, at most {int(sizes.max())}"


def top_share(column: pd.Series) -> str:
    """ "top value 61 % of rows", of the rows that have one."""
    counts = some_rows(column).map(str).value_counts(normalize=True)
    if len(counts) == 1:
        return "one value"
    return f"top value {percent(counts.iloc[0])} of rows"


def percent(share: float) -> str:
    """A share as "61 %"."""
    return f"{100 * share:.3g} %"


def short(value: float, digits: int = 4) -> str:
    """A number with few digits, in plain form unless it is very large or small."""
    return f"{float(f'{value:.{digits}g}'):g}"
