"""Ids for hidden rows: their own from train where that is possible, else made up in the form of the real ones."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
import pandas as pd

_WHOLE = re.compile(r"0|-?[1-9]\d{0,17}")
MAX_POOL = 20_000_000
"""Whole numbers between the smallest and the largest id that are listed to draw free ones from."""


def hidden_ids(own: pd.Series | None, real: pd.Series, count: int, rng: np.random.Generator) -> pd.Series:
    """Ids as text for `count` hidden rows, different from each other and from all `real` ids of the test.

    `own` are the rows' ids in train (they keep media files usable); they stay unless one is empty, repeats or is taken.
    """
    if own is not None and own.is_unique and not own.isin(real).any() and not (own == "").any():
        return own.reset_index(drop=True)
    return pd.Series(made_up(real, count, rng), dtype="str")


def made_up(real: pd.Series, count: int, rng: np.random.Generator) -> list[str]:
    """`count` new ids that look like the real ones, so that a script cannot tell which rows are graded."""
    if bool(real.str.fullmatch(_WHOLE).all()):
        return [str(number) for number in _free_numbers(real.astype("int64").to_numpy(), count, rng)]
    taken = set(real)
    found: list[str] = []
    for name in _likenesses(real.tolist(), rng):
        if name not in taken:
            taken.add(name)
            found.append(name)
        if len(found) == count:
            break
    return found


def common_start(names: list[str]) -> int:
    """How many characters all names begin with alike."""
    first, last = min(names), max(names)
    return next((i for i, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), min(len(first), len(last)))


def _free_numbers(real: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:  # type: ignore[type-arg]
    """Drawn from the gaps; where these do not suffice, from as many numbers after the largest."""
    low, high = int(real.min()), int(real.max())
    if high - low > MAX_POOL:
        high = low + MAX_POOL
    gaps = np.setdiff1d(np.arange(low, high + 1), real)
    if len(gaps) < 2 * count:
        start = max(high, int(real.max())) + 1
        gaps = np.concatenate([gaps, np.arange(start, start + 2 * count - len(gaps))])
    return [int(number) for number in rng.choice(gaps, count, replace=False)]


def _likenesses(real: list[str], rng: np.random.Generator) -> Iterator[str]:
    """Real ids with each letter and digit drawn anew among those that the ids use.

    After many rounds with a growing tail, so that new ones are found also where all short ones are taken.
    """
    fixed = len(real[0][: common_start(real)].rstrip("0123456789")) if len(set(real)) > 1 else 0
    used = {char for name in real[:10_000] for char in name[fixed:]}
    kinds = [sorted(c for c in used if test(c)) for test in (str.isdigit, str.islower, str.isupper)]
    anew = {char: kind for kind in kinds for char in kind}
    drawn = 0
    while True:
        name = str(real[int(rng.integers(len(real)))])
        tail = [anew.get(c, [c]) for c in name[fixed:]]
        new = "".join(choices[int(rng.integers(len(choices)))] for choices in tail)
        more = "".join(str(digit) for digit in rng.integers(10, size=drawn // (50 * len(real) + 1000)))
        drawn += 1
        yield name[:fixed] + new + more
