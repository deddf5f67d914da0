"""Which rows of train each view hides: audit rows and folds, cut by the unit by which test differs from train."""

from __future__ import annotations

import numpy as np
import pandas as pd

from grading.base import MAX_VIEWS, Split, TaskError
from grading.worker.cells import text
from grading.worker.clocks import Clock, Floats, read_clock
from grading.worker.forward import find_series, plan_time
from grading.worker.plans import (
    AUDIT,
    AUDIT_SHARE,
    KNOWN,
    MAX_AUDIT,
    MIN_AUDIT,
    MIN_ROWS,
    MIN_UNITS,
    Flags,
    Plan,
    from_folds,
)
from grading.worker.relation import Codes, group_codes, runs_of


def plan_rows(strata: Floats, labelled: Flags, seed: int) -> Plan:
    """Single rows, in each stratum (class or quantile of the target) alike."""
    return _dealt(np.arange(len(labelled)), strata, labelled, seed)


def plan_groups(codes: Codes, labelled: Flags, seed: int) -> Plan:
    """Whole groups, large and small ones alike in all parts."""
    return _dealt(codes, np.bincount(codes)[codes].astype(float), labelled, seed)


def plan_blocks(clock: Clock, labelled: Flags, seed: int) -> Plan:
    """Pieces of the time of train, each about as long as a period of test."""
    codes = block_codes(clock)
    first = pd.Series(clock.train).groupby(codes).transform("min").to_numpy(dtype="float64")
    return _dealt(codes, first, labelled, seed)


def block_codes(clock: Clock) -> Codes:
    """The piece of time of each row: runs of train, cut into pieces as long as the usual run of test."""
    runs = runs_of(clock)
    times = np.unique(clock.train[np.isfinite(clock.train)])
    run, length = np.zeros(len(times), dtype=np.int64), max(1, len(times) // 20)
    if runs is not None:
        lengths = np.bincount(runs.run[runs.of_test])
        run = runs.run[np.searchsorted(runs.times, times)]
        length = max(1, min(int(np.median(lengths[lengths > 0])), length))
    starts = np.flatnonzero(np.diff(run, prepend=run[0] - 1))
    place = np.arange(len(times)) - np.repeat(starts, np.diff(np.append(starts, len(times))))
    size = np.repeat(np.diff(np.append(starts, len(times))), np.diff(np.append(starts, len(times))))
    pieces = np.maximum(1, np.round(size / length))
    _, piece = np.unique(np.stack([run, np.floor(place * pieces / size)]), axis=1, return_inverse=True)
    codes = np.full(len(clock.train), int(piece.max()) + 1, dtype=np.int64)
    there = np.isfinite(clock.train)
    codes[there] = piece.reshape(-1)[np.searchsorted(times, clock.train[there])]
    return codes


def _dealt(units: Codes, strata: Floats, labelled: Flags, seed: int) -> Plan:
    """Deal the units to audit and folds like cards, after sorting them by stratum.

    Every ten in a row (fewer, for a larger audit) give one to the audit and the others to the folds, in random order.
    """
    rng = np.random.default_rng(seed)
    rows = int(labelled.sum())
    found = np.unique(units[labelled])
    if rows < MIN_ROWS or len(found) < MIN_UNITS:
        return Plan(units, {}, 0)
    first = pd.Series(strata[labelled]).groupby(units[labelled]).first().to_numpy()
    order = rng.permutation(len(found))
    order = order[np.argsort(first[order], kind="stable")]
    part = dict(zip(found[order].tolist(), _deal(len(found), _audit_share(rows), rng).tolist(), strict=True))
    fold = np.array([part.get(unit, KNOWN) for unit in units.tolist()], dtype=np.int64)
    fold[~labelled] = KNOWN
    return from_folds(fold, units, labelled, rng)


def _audit_share(rows: int) -> float:
    return min(max(AUDIT_SHARE, MIN_AUDIT / rows), 0.2, MAX_AUDIT / rows)


def _deal(count: int, share: float, rng: np.random.Generator) -> Codes:
    chunk = min(max(2, round(1 / share)), count)
    parts: list[int] = []
    turn = 0
    while len(parts) < count:
        folds = [(turn + i) % MAX_VIEWS for i in range(chunk - 1)]
        turn += chunk - 1
        parts += rng.permutation([AUDIT, *folds]).tolist()
    return np.array(parts[:count], dtype=np.int64)


def make_plan(
    split: Split,
    column: str | None,
    time: str | None,
    train: pd.DataFrame,
    test: pd.DataFrame,
    strata: Floats,
    labelled: Flags,
    seed: int,
    skip: set[str],
) -> Plan:
    """The plan for a split as a Task names it. `skip`: id and targets, which are no series.

    Raises:
        TaskError: the time column holds no times.
    """
    if split == "row" or column is None:
        return plan_rows(strata, labelled, seed)
    if split == "group":
        return plan_groups(group_codes(column, train, test), labelled, seed)
    clock = read_clock(time or column, train, test)
    if clock is None:
        raise TaskError(f"views.column: {time or column!r} holds no dates or times; name a column that does.")
    if split == "block":
        return plan_blocks(clock, labelled, seed)
    entity = (text(train[column]), text(test[column])) if column != clock.column else None
    return plan_time(clock, entity, find_series(train, test, clock, skip), labelled, seed)
