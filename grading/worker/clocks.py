"""Columns that tell the time: dates in the usual spellings, and numbers whose name says that they count time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from grading.worker.cells import missing, numbers, text

Floats: TypeAlias = npt.NDArray[np.float64]

FORMATS = (
    "ISO8601", "%m/%d/%Y", "%d/%m/%Y", "%d.%m.%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y", "%Y.%m.%d", "%m/%d/%y",
    "%d/%m/%y",
    "%m/%d/%Y %H:%M", "%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y %H:%M",
    "%d.%m.%Y %H:%M:%S", "%Y/%m/%d %H:%M", "%Y/%m/%d %H:%M:%S", "%m/%d/%Y %I:%M:%S %p", "%d-%b-%Y", "%d-%b-%y",
    "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%b-%Y", "%B %Y", "%a %b %d %H:%M:%S %Y",
)  # fmt: skip
"""Spellings of dates that are tried, the first that fits nearly all values wins."""
_DATE_LIKE = re.compile(
    r"\d{1,4}[-/.]\d{1,2}([-/.]\d{1,4})?([ T].*)?|.*\b[A-Za-z]{3,9}\b.*\d{2,4}.*|\d{1,2}[- ][A-Za-z]{3,9}[- ]\d{2,4}.*"
)
_TIME_WORDS = frozenset(
    [
        "date",
        "time",
        "timestamp",
        "datetime",
        "day",
        "week",
        "month",
        "year",
        "yr",
        "quarter",
        "hour",
        "epoch",
        "unix",
        "dt",
        "yearmonth",
    ]
)
ENOUGH = 0.98
"""Share of a column's values that must be there and be dates."""


@dataclass(frozen=True)
class Clock:
    """The times of both tables, in days for dates, else in the column's own unit; NaN where missing."""

    column: str
    train: Floats
    test: Floats
    dated: bool


def read_clock(column: str, train: pd.DataFrame, test: pd.DataFrame) -> Clock | None:
    """The column as times, None where it tells none."""
    both = pd.concat([text(train[column]), text(test[column])], ignore_index=True)
    times, dated = _dates(both), True
    if times is None:
        times, dated = _counts(column, both), False
    if times is None or np.isfinite(times).mean() < ENOUGH or len(np.unique(times[np.isfinite(times)])) < 2:
        return None
    return Clock(column, times[: len(train)], times[len(train) :], dated)


def find_clocks(train: pd.DataFrame, test: pd.DataFrame, skip: str | None) -> list[Clock]:
    """All clocks that both tables have, dates before numbers. `skip` (the id) counts only where it holds dates."""
    found = []
    for column in train.columns:
        if column in test.columns:
            clock = read_clock(column, train, test)
            if clock is not None and (clock.dated or column != skip):
                found.append(clock)
    return sorted(found, key=lambda clock: not clock.dated)


def _dates(cells: pd.Series) -> Floats | None:
    some = cells.iloc[:: len(cells) // 200 + 1].str.strip()
    some = some[~missing(some)]
    if not len(some) or bool(some.str.len().gt(40).any()) or some.map(_DATE_LIKE.fullmatch).isna().mean() > 1 - ENOUGH:
        return None
    codes, values = pd.factorize(cells)
    values = pd.Series(values, dtype="str").str.strip()
    gone = missing(values)
    for form in FORMATS:
        if _parsed(some, form).notna().mean() >= ENOUGH:
            days = _parsed(values.mask(gone), form)
            if days[~gone].notna().mean() >= ENOUGH:
                return np.asarray(days.to_numpy(dtype="float64")[codes], dtype="float64")
    return None


def _parsed(values: pd.Series, form: str) -> pd.Series:
    """Days since 1970."""
    found = pd.to_datetime(values, format=form, errors="coerce", utc=True)
    return (found - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)


def _counts(column: str, cells: pd.Series) -> Floats | None:
    """Numbers under a name such as `year`, `week_num`, `Timestamp` or `unixTime`; 20160131 as a date."""
    words = re.findall(r"[a-z]+", re.sub(r"([a-z])([A-Z])", r"\1 \2", column).lower())
    if not _TIME_WORDS.intersection(words):
        return None
    values = numbers(cells)
    if values is None:
        return None
    whole = values.dropna()
    if bool(((whole % 1 == 0) & (whole > 19000000) & (whole < 21000000)).all()):
        days = _parsed(values.astype("Int64").astype("str"), "%Y%m%d")
        if days.notna().mean() >= ENOUGH:
            return np.asarray(days.to_numpy(dtype="float64"), dtype="float64")
    return np.asarray(values.to_numpy(), dtype="float64")


def step(times: Floats) -> float:
    """The usual distance between neighbouring distinct times."""
    distinct = np.unique(times[np.isfinite(times)])
    return float(np.median(np.diff(distinct))) if len(distinct) > 1 else 0.0
