"""Views of tasks whose test lies after train in time."""

from __future__ import annotations

from itertools import combinations
from typing import TypeAlias

import numpy as np
import pandas as pd

from grading.base import AUDIT_VIEW, MAX_VIEWS
from grading.worker.cells import numbers, text
from grading.worker.clocks import Clock, Floats, step
from grading.worker.plans import MAX_AUDIT, MAX_FOLD, Cut, Flags, Plan, at_most
from grading.worker.relation import Codes

Keys: TypeAlias = tuple[pd.Series, pd.Series]

MIN_ENTITIES = 20
"""Series side by side in time, from which on they are the units of the bootstrap."""


def plan_time(clock: Clock, entity: Keys | None, series: Codes | None, labelled: Flags, seed: int) -> Plan:
    """Forward in time: the audit rows are the last stretch of train, as long as the test.

    View k hides the stretch before it, half a stretch earlier for each further view. Where test starts some time after
    train, so do the hidden rows. `entity` (of train and test rows): time counts from the end of train of each entity.
    `series`: the units of resampling where many series live side by side; else these are tenths of a stretch of time.
    """
    rng = np.random.default_rng(seed)
    times, test = (clock.train, clock.test) if entity is None else _aligned(clock, entity, labelled)
    tick = step(test) or step(times) or 1.0
    first, last = float(np.nanmin(times)), float(np.nanmax(times[labelled]))
    span = last - first + tick
    stretch = min(_length(test, entity) + tick, span / 3)
    gap = min(max(0.0, float(np.nanmin(test)) - last - tick), stretch)
    units = series if series is not None else _stretches(times, max(stretch / 10, tick))
    cuts: dict[int, Cut] = {}
    for back in range(4 * MAX_VIEWS):
        stop = last - stretch - back * stretch / 2
        if len(cuts) == MAX_VIEWS or (cuts and stop - stretch - first + tick < span / 2):
            break
        cut = _window(times, labelled, stop - stretch, stop, gap, tick)
        if _usable(cut, list(cuts.values())):
            cuts[len(cuts) + 1] = cut
    end = _window(times, labelled, last - stretch, last, gap, tick)
    cuts[AUDIT_VIEW] = Cut(end.known, end.audit, end.fold)
    if not end.known.any() or len(cuts) == 1:
        return Plan(units, {}, 0)
    return Plan(units, {number: _bounded(cut, units, rng) for number, cut in cuts.items()}, len(cuts) - 1)


def _aligned(clock: Clock, entity: Keys, labelled: Flags) -> tuple[Floats, Floats]:
    """Times since the end of train of each entity; NaN for entities that train has not."""
    mine, theirs = (keys.reset_index(drop=True) for keys in entity)
    ends = pd.Series(np.where(labelled, clock.train, np.nan)).groupby(mine).max()
    since = [
        times - keys.map(ends).to_numpy(dtype="float64") for times, keys in ((clock.train, mine), (clock.test, theirs))
    ]
    return since[0], since[1]


def _length(test: Floats, entity: Keys | None) -> float:
    """How long test lasts: as a whole, or for the usual entity."""
    if entity is None:
        return float(np.nanmax(test) - np.nanmin(test))
    spans = pd.Series(test).groupby(entity[1].reset_index(drop=True)).agg(["min", "max"])
    return float((spans["max"] - spans["min"]).median())


def _window(times: Floats, labelled: Flags, start: float, stop: float, gap: float, tick: float) -> Cut:
    edge = tick * 1e-6
    hidden = np.flatnonzero((times > start + edge) & (times <= stop + edge) & labelled)
    return Cut(~(times > start - gap + edge), hidden, hidden[:0])


def _usable(cut: Cut, earlier: list[Cut]) -> bool:
    return bool(
        len(cut.fold) >= 2 and cut.known.any() and not any(np.array_equal(cut.fold, old.fold) for old in earlier)
    )


def _bounded(cut: Cut, units: Codes, rng: np.random.Generator) -> Cut:
    return Cut(cut.known, at_most(cut.fold, units, 2 * MAX_FOLD, rng), at_most(cut.audit, units, 2 * MAX_AUDIT, rng))


def _stretches(times: Floats, length: float) -> Codes:
    place = np.floor((times - np.nanmin(times)) / length)
    return np.where(np.isfinite(place), place, -1).astype(np.int64)


def find_series(train: pd.DataFrame, test: pd.DataFrame, clock: Clock, skip: set[str]) -> Codes | None:
    """The series that live side by side: up to three columns that, with the time, tell every row of train.

    None for a single series, or for fewer than MIN_ENTITIES.
    """
    options = {}
    for column in train.columns:
        if column in test.columns and column not in skip and column != clock.column and _is_key(train[column]):
            codes, names = pd.factorize(text(train[column]))
            if 2 <= len(names) <= len(train) / 3:
                options[column] = (len(names), codes.astype(np.int64))
    small = sorted(options, key=lambda column: options[column][0])[:6]
    stamps = pd.factorize(clock.train)[0].astype(np.int64)
    for count in (1, 2, 3):
        for columns in combinations(small, count):
            series = _combined([options[column][1] for column in columns])
            if len(np.unique(_combined([series, stamps]))) >= 0.99 * len(train):
                return series if MIN_ENTITIES <= int(series.max()) + 1 <= len(train) / 3 else None
    return None


def _is_key(column: pd.Series) -> bool:
    values = numbers(column)
    return values is None or bool((values.dropna() % 1 == 0).all())


def _combined(codes: list[Codes]) -> Codes:
    total = codes[0]
    for other in codes[1:]:
        total = np.unique(total * (int(other.max(initial=0)) + 2) + other + 1, return_inverse=True)[1].reshape(-1)
    return total.astype(np.int64)
