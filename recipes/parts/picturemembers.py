"""Which models look at pictures (and at the columns beside them), by what is asked and by how many rows there are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from recipes.parts.denses import (
    Block,
    boosted,
    column_table,
    dense_logistic,
    dense_ridge,
    discriminant,
    evened,
    kernel_classes,
    kernel_machine,
    main_directions,
    random_trees,
    scaled_blocks,
)
from recipes.parts.pictures import find_pictures, see_pictures
from recipes.parts.stack import Learn, Member

Family = Literal["all", "linear", "kernel", "trees", "safe"]
DIRECTIONS = 60
TREE_COST = 4_000_000
"""Rows times classes up to which boosted trees are affordable."""


def picture_blocks(
    train: pd.DataFrame, test: pd.DataFrame, shared: Sequence[str], key: str | None, drop: Sequence[str]
) -> list[Block]:
    """Blocks of features: shape, main directions of edges, those of pixels, then the table's columns if any."""
    ours, theirs = find_pictures(train, test, shared)
    total = len(ours) + len(theirs)
    seen, other = see_pictures(ours, total), see_pictures(theirs, total)
    blocks = [
        (seen.shape, other.shape),
        main_directions((seen.edges, other.edges), DIRECTIONS),
        main_directions((seen.pixels, other.pixels), DIRECTIONS),
    ]
    columns = column_table(train, test, key, drop, False)
    return [*blocks, columns] if columns else blocks


def picture_members(blocks: Sequence[Block], classes: int, family: Family) -> list[Callable[[], Member]]:
    """Linear models on shape, edges and columns; kernel machines on these and with pixels; trees on everything."""
    lean = [block for place, block in enumerate(blocks) if place != 2]
    scaled, full = scaled_blocks([(b, 1.0) for b in lean]), scaled_blocks([(b, 1.0) for b in blocks])
    even = evened((np.hstack([b[0] for b in lean]), np.hstack([b[1] for b in lean])))
    few = len(full[0]) * max(1, classes) ** 2 <= TREE_COST
    if not classes:
        linear = [(scaled, dense_ridge(30.0)), (full, dense_ridge(30.0)), (even, dense_ridge(30.0))]
        kernels = [(scaled, kernel_machine(1.0, 0.5)), (full, kernel_machine(1.0, 0.5))]
        trees = [(full, boosted(300, 0.05)), (full, random_trees(300))]
    else:
        linear = [(scaled, dense_logistic(10.0)), (scaled, discriminant(0.2))]
        kernels = [(scaled, kernel_classes(10.0, 1.0)), (full, kernel_classes(10.0, 1.0))]
        trees = [*([(full, boosted(200, 0.07))] if few else []), (full, random_trees(300))]
        if family != "safe":
            linear += [(even, dense_logistic(10.0)), (even, discriminant(0.2))]
    everything = [*linear, *kernels, *trees[:-1]]
    plans = {"all": everything, "linear": linear, "kernel": kernels, "trees": trees, "safe": linear}
    return [_later(block, learn) for block, learn in plans[family]]


def _later(block: Block, learn: Learn) -> Callable[[], Member]:
    return lambda: Member(*block, learn)
