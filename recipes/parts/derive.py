"""From the columns of a table to plain numbers and categories: dates, codes, names and texts are taken apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

from recipes.parts.columns import as_dates, column_kind, delimiter
from recipes.parts.files import seed

MANY = 12
"""From so many values on, how often a category occurs is a feature of its own."""


@dataclass(frozen=True)
class Features:
    """Features of train and test in the same columns; numbers are float, categories are text."""

    train: pd.DataFrame
    test: pd.DataFrame
    numbers: list[str]
    categories: list[str]


def derive_features(
    train: pd.DataFrame, test: pd.DataFrame, key: str | None, drop: Sequence[str], safe: bool = False
) -> Features:
    """Features from every column that both tables have, apart from `drop`; no answers are used. `key`: the id column.

    `safe`: only the plain columns, without groups, sums and texts.
    """
    names = [name for name in test.columns if name in train.columns and name not in drop]
    both = pd.concat([train[names], test[names]], ignore_index=True)
    found: dict[str, pd.Series] = {}
    for name in names:
        found.update(_take_apart(name, both[name], len(train), name == key, safe))
    if not safe:
        found.update(row_totals(both, names))
    table = pd.DataFrame(found, index=both.index)
    table = table[_useful(table, len(train))]
    categories = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    numbers = [name for name in table if name not in categories]
    table[numbers] = table[numbers].astype(float).replace([np.inf, -np.inf], np.nan)
    head, tail = table.iloc[: len(train)], table.iloc[len(train) :]
    return Features(head.reset_index(drop=True), tail.reset_index(drop=True), numbers, categories)


def _useful(table: pd.DataFrame, train_rows: int) -> list[str]:
    """Columns that vary in train and are not copies of an earlier one."""
    seen: set[int] = set()
    kept = []
    for name in table:
        codes, values = pd.factorize(table[name].iloc[:train_rows], use_na_sentinel=False)
        mark = hash(codes.tobytes()) if len(values) < MANY else hash(table[name].to_numpy().tobytes())
        if len(values) > 1 and mark not in seen:
            seen.add(mark)
            kept.append(name)
    return kept


def _take_apart(name: str, column: pd.Series, train_rows: int, is_id: bool, safe: bool) -> dict[str, pd.Series]:
    """The features of one column."""
    kind = column_kind(column)
    if kind == "date":
        parts = date_parts(name, as_dates(column))
        return {label: part for label, part in parts.items() if _met_in_train(part, train_rows)}
    if kind == "number":
        return {} if is_id else {name: pd.to_numeric(column, errors="coerce").astype(float)}
    if kind == "flag":
        return {name: flag_numbers(column)}
    if kind in ("constant", "path") or pd.api.types.is_numeric_dtype(column):
        return {}
    if kind in ("text", "list"):
        return {} if safe else text_features(name, column)
    return code_features(name, column.astype(object).where(column.notna()), is_id or kind == "id", safe)


def _met_in_train(part: pd.Series, train_rows: int) -> bool:
    """Whether most of test's values lie between train's, or are among them where there are few."""
    train, test = part.iloc[:train_rows].dropna(), part.iloc[train_rows:].dropna()
    if train.nunique() <= 60:
        return bool(test.isin(train.unique()).mean() > 0.5)
    return bool(test.between(train.min(), train.max()).mean() > 0.5)


def flag_numbers(column: pd.Series) -> pd.Series:
    """Two-valued words and booleans as 1 and 0."""
    plain = column.map(lambda v: str(v).strip().lower().removesuffix(".0"), na_action="ignore")
    return plain.map({"true": 1.0, "yes": 1.0, "y": 1.0, "t": 1.0, "1": 1.0}).where(
        plain.isin(["true", "yes", "y", "t", "1"]), plain.map({"false": 0.0, "no": 0.0, "n": 0.0, "f": 0.0, "0": 0.0})
    ).astype(float)  # fmt: skip


def date_parts(name: str, dates: pd.Series) -> dict[str, pd.Series]:
    """Year, month, day, weekday, hour, minute, day of the year and days since the first date."""
    when = dates.dt
    parts = {
        "year": when.year,
        "month": when.month,
        "day": when.day,
        "weekday": when.day_of_week,
        "hour": when.hour,
        "minute": when.minute,
        "day of year": when.day_of_year,
        "days": (dates - dates.min()).dt.total_seconds() // 86400,
    }
    return {f"{name}: {part}": values.astype(float) for part, values in parts.items()}


def code_features(name: str, column: pd.Series, identifies: bool, safe: bool) -> dict[str, pd.Series]:
    """A category; for codes with parts ("B/12/S", "0042_01", "C85") the parts; how often each value occurs.

    `identifies`: the whole value names the row, so that only its parts can repeat.
    """
    distinct = column.nunique()
    found = {} if identifies or distinct > 0.5 * len(column) else {name: column.map(str, na_action="ignore")}
    if safe or distinct < MANY:
        return found
    if not identifies:
        found[f"{name}: count"] = column.map(column.value_counts())
    mark = delimiter(column.dropna().astype(str))
    if mark is not None:
        found.update(_composite(name, column, mark, identifies))
    elif not identifies:
        found.update(_letters_and_digits(name, column))
    return found


def _composite(name: str, column: pd.Series, mark: str, identifies: bool) -> dict[str, pd.Series]:
    parts = column.astype("string").str.split(re.escape(mark), expand=True, regex=True)
    parts = parts.iloc[:, : int(column.dropna().astype(str).str.count(re.escape(mark)).mode().iloc[0]) + 1]
    found: dict[str, pd.Series] = {}
    for place in parts:
        label, part = f"{name}: part {place + 1}", parts[place]
        if identifies and place == 0:
            found[f"{label} count"] = part.map(part.value_counts())
        numbers = pd.to_numeric(part, errors="coerce")
        if numbers.notna().sum() > 0.9 * part.notna().sum():
            found[label] = numbers.astype(float)
            found[f"{label} count"] = part.map(part.value_counts())
        elif part.nunique() <= 0.5 * len(part):
            found[label] = part.astype(object).map(str, na_action="ignore")
    return found


def _letters_and_digits(name: str, column: pd.Series) -> dict[str, pd.Series]:
    text = column.astype("string")
    letters = text.str.extract(r"^([A-Za-z]+)")[0].str.upper()
    digits = pd.to_numeric(text.str.extract(r"(\d+)(?!.*\d)")[0], errors="coerce")
    found: dict[str, pd.Series] = {}
    if digits.notna().sum() > 0.3 * column.notna().sum():
        found[f"{name}: number"] = digits.astype(float)
        found[f"{name}: letters"] = letters.astype(object).map(str, na_action="ignore")
    return found


def text_features(name: str, column: pd.Series, width: int = 8) -> dict[str, pd.Series]:
    """Length, number of words, how often the first and the last word occur, and main directions of the words."""
    text = column.map(as_text)
    words = text.str.findall(r"[\w']+")
    found = {
        f"{name}: characters": text.str.len(),
        f"{name}: words": words.str.len(),
    }
    for label, place in (("first", 0), ("last", -1)):
        word = words.map(lambda w, place=place: w[place] if w else "")
        found[f"{name}: {label} word count"] = word.map(word.value_counts())
    try:
        matrix = TfidfVectorizer(min_df=max(5, len(text) // 200), max_features=5000, sublinear_tf=True).fit_transform(
            text
        )
    except ValueError:  # no word occurs often enough
        return _floats(found)
    size = min(width, matrix.shape[1] - 1)
    if size >= 1:
        scores = TruncatedSVD(size, random_state=seed()).fit_transform(matrix)
        found.update({f"{name}: theme {k + 1}": pd.Series(scores[:, k], index=column.index) for k in range(size)})
    return _floats(found)


def as_text(value: object) -> str:
    """A cell as text; the items of a list as words."""
    if isinstance(value, list | tuple | set | np.ndarray):
        return " ".join(str(item).replace(" ", "_") for item in value)
    return "" if value is None or value is pd.NA or value != value else str(value)


def _floats(found: dict[str, pd.Series]) -> dict[str, pd.Series]:
    return {name: values.astype(float) for name, values in found.items()}


def row_totals(both: pd.DataFrame, names: Sequence[str]) -> dict[str, pd.Series]:
    """How much is missing in a row; the sum and the number of amounts (skewed numbers of which many are zero)."""
    found: dict[str, pd.Series] = {}
    missing = both[list(names)].isna().sum(axis=1)
    if missing.max() > 1:
        found["missing values"] = missing.astype(float)
    amounts = [name for name in names if _is_amount(both[name])]
    if len(amounts) >= 3:
        table = both[amounts].fillna(0)
        found["sum of amounts"] = table.sum(axis=1).astype(float)
        found["amounts above zero"] = (table > 0).sum(axis=1).astype(float)
    return found


def _is_amount(column: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column) or column.nunique() < 50:
        return False
    zeros = float((column == 0).mean())
    return bool(column.min() == 0) and 0.3 < zeros < 0.98
