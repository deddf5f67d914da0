"""The real tables of a task, as views are made from them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from grading.base import Task
from grading.worker import tables
from grading.worker.cells import text
from grading.worker.forms import Form, Table
from grading.worker.relation import Codes


@dataclass(frozen=True)
class Source:
    """The real tables. `test` has no target columns; `sample` is in the order of test.

    `wanted` says which test rows have one; `rows` are their row numbers in the real sample submission.
    """

    train: Table
    test: Table
    sample: Table
    wanted: Codes
    rows: Codes


def read_source(task: Task, data: Path) -> Source:
    """Read the tables; a missing test or sample submission is made from the other one.

    Raises:
        TaskError: a table cannot be read.
    """
    train = tables.read(data / task.train)
    sample = tables.read(data / task.sample_submission) if (data / task.sample_submission).is_file() else None
    if (data / task.test).is_file():
        test = tables.read(data / task.test)
    else:
        assert sample is not None
        assert task.id is not None
        test = Table(pd.DataFrame({task.id: text(sample.frame[task.id])}), Form("csv"))
    test = replace(test, frame=test.frame.drop(columns=[c for c in task.targets if c in test.frame.columns]))
    if sample is None:
        sample = _made_sample(task, test.frame)
    wanted, rows = _aligned(task, test.frame, sample.frame)
    sample = replace(sample, frame=sample.frame.iloc[rows].reset_index(drop=True))
    return Source(train, test, sample, wanted, rows)


def _made_sample(task: Task, test: pd.DataFrame) -> Table:
    constant = "0"
    if task.output == "labels":
        constant = task.classes[0] if task.classes else "0"
    elif task.output == "probabilities":
        constant = str(round(1 / len(task.columns), 6)) if len(task.columns) > 1 and task.classes else "0.5"
    ids = {task.id: text(test[task.id])} if task.id is not None and task.id in test.columns else {}
    return Table(
        pd.DataFrame({**ids, **{c: pd.Series([constant] * len(test), dtype="str") for c in task.columns}}), Form("csv")
    )


def _aligned(task: Task, test: pd.DataFrame, sample: pd.DataFrame) -> tuple[Codes, Codes]:
    """Numbers of the test rows that the submission asks for, and of their rows in the sample submission, in test order.

    Where they cannot be joined, all of the sample in its own order.
    """
    rows = np.arange(len(sample), dtype=np.int64)
    if task.id is not None and task.id in test.columns and task.id in sample.columns:
        place = pd.Series(np.arange(len(sample)), index=text(sample[task.id]).to_numpy())
        given = text(test[task.id])
        found = given.map(place) if place.index.is_unique and given.is_unique else pd.Series(dtype="float64")
        if int(found.notna().sum()) == len(sample):
            wanted = np.flatnonzero(found.notna().to_numpy())
            return wanted.astype(np.int64), found.iloc[wanted].to_numpy(dtype="int64")
    return (rows if len(sample) <= len(test) else np.arange(len(test), dtype=np.int64)), rows


def sample_ids(task: Task, source: Source) -> pd.Series:
    """The ids of the submission as text, positions where there are none."""
    if task.id is None:
        return pd.Series([str(row) for row in source.rows], dtype="str")
    return text(source.sample.frame[task.id])
