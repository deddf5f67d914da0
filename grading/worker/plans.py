"""Views of train, however they are cut."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from grading.worker.relation import Codes

Flags: TypeAlias = npt.NDArray[np.bool_]

AUDIT_SHARE = 0.1
MIN_AUDIT = 30
"""Audit rows, where that is at most a fifth of train."""
MAX_AUDIT = 10_000
"""Audit rows; with as many of the fold a view hides 20,000 rows at most."""
MAX_FOLD = 10_000
"""Rows of a fold that are graded in a view; the others are in neither part of it."""
MIN_ROWS = 20
"""Rows with a target, below which nothing can be held back."""
MIN_UNITS = 3
"""Groups or blocks, below which they cannot be dealt to audit and folds."""
AUDIT, KNOWN = -1, -2


@dataclass(frozen=True)
class Cut:
    """One view of train."""

    known: Flags
    """Rows of train that the script gets with their targets."""
    fold: Codes
    """Numbers of the rows that are hidden and used for choosing."""
    audit: Codes
    """Numbers of the rows that are hidden and kept for the last estimate."""


@dataclass(frozen=True)
class Plan:
    """All views of train but the full one."""

    units: Codes
    """The unit of resampling of each row of train."""
    cuts: dict[int, Cut]
    """By the view's number."""
    folds: int
    """Views 1 to this number can be made."""


def at_most(rows: Codes, units: Codes, most: int, rng: np.random.Generator) -> Codes:
    """Whole units drawn at random until there are enough rows."""
    if len(rows) <= most:
        return rows
    codes, mine = np.unique(units[rows], return_inverse=True)
    place = rng.permutation(len(codes))[mine.reshape(-1)]
    return np.sort(rows[np.argsort(place, kind="stable")][:most])


def from_folds(fold: Codes, units: Codes, labelled: Flags, rng: np.random.Generator) -> Plan:
    """Rows without a target may be in a part too (the user's): they are never graded."""
    audit = at_most(np.flatnonzero((fold == AUDIT) & labelled), units, MAX_AUDIT, rng)
    cuts, folds = {}, int(fold.max()) + 1
    for k in range(folds):
        hidden = at_most(np.flatnonzero((fold == k) & labelled), units, MAX_FOLD, rng)
        cuts[k + 1] = Cut((fold != k) & (fold != AUDIT), hidden, audit)
    return Plan(units, cuts, folds)
