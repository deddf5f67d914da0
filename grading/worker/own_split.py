"""The user's own way to cut train: `split(train)` from a file, run in the grader's container only."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from grading.base import MAX_VIEWS, TaskError
from grading.worker.cells import numbers
from grading.worker.custom_metric import RAISED
from grading.worker.plans import AUDIT, Flags, Plan, from_folds


def plan_file(path: Path, train: pd.DataFrame, labelled: Flags, seed: int) -> Plan:
    """The user's `split(train) -> fold numbers`, one a row: -1 audit, 0 to 4 folds. Columns of numbers come as float64.

    Raises:
        TaskError: no such function, or not such numbers.
    """
    split = _load(path)
    typed = pd.DataFrame({c: values if (values := numbers(train[c])) is not None else train[c] for c in train.columns})
    try:
        fold = np.asarray(split(typed))
    except RAISED as error:
        raise TaskError(f"views.file: split() of {path.name} raised {type(error).__name__}: {error}") from error
    if fold.shape != (len(train),) or not np.issubdtype(fold.dtype, np.integer):
        raise TaskError(
            f"views.file: split(train) of {path.name} must return {len(train)} whole numbers, one a row of train."
        )
    folds = sorted(set(fold.tolist()) - {AUDIT})
    if not folds or folds != list(range(len(folds))) or len(folds) > MAX_VIEWS:
        raise TaskError(
            f"views.file: split(train) of {path.name} must return -1 (audit) and folds 0, 1, ... up to 4, "
            f"not {folds[:8]}."
        )
    units = np.arange(len(train), dtype=np.int64)
    return from_folds(fold.astype(np.int64), units, labelled, np.random.default_rng(seed))


def _load(path: Path) -> Callable[[pd.DataFrame], object]:
    spec = importlib.util.spec_from_file_location("user_split", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise TaskError(f"views.file: {path.name} is no Python file; correct the path.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except RAISED as error:
        raise TaskError(f"views.file: {path.name} cannot be loaded: {type(error).__name__}: {error}") from error
    split = getattr(module, "split", None)
    if not callable(split):
        raise TaskError(f"views.file: {path.name} has no function split(train); add it.")
    return split  # type: ignore[no-any-return]
