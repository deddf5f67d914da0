"""Small tasks and hidden tables for the tests of the grader's worker (not itself a test)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from grading.base import Task

RMSE = Task(
    name="houses", description="", metric="rmse", direction="minimize", train="train.csv", test="test.csv",
    sample_submission="sample_submission.csv", shared=[], id="id", targets=["price"], columns=["price"],
    problem="regression", output="values", classes=[], train_only=[], split="row", split_column=None, time=None,
    train_rows=100, test_rows=20, views=5, unblind=None,
)  # fmt: skip


def hidden_table(task: Task, answers: Mapping[str, Sequence[object]], roles: Sequence[str]) -> pd.DataFrame:
    """A hidden table as views are written: `answers` has a value a row (ignored for role "test")."""
    rows = len(roles)
    table = pd.DataFrame({"id": [f"r{i}" for i in range(rows)], "role": list(roles)})
    table["row"] = np.arange(rows)
    table["unit"] = np.arange(rows)
    for target in task.targets:
        values = [None if role == "test" else value for role, value in zip(roles, answers[target], strict=True)]
        table[f"y:{target}"] = pd.Series(values, dtype="float64" if task.problem != "multiclass" else object)
    return table


def write_view(root: Path, task: Task, number: int, table: pd.DataFrame) -> None:
    """Lay a hidden table and the sample submission of its view where the worker looks for them."""
    folder = root / "views" / f"view-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    (root / "hidden").mkdir(exist_ok=True)
    table.to_parquet(root / "hidden" / f"view-{number}.parquet")
    sample = pd.DataFrame({task.id or "id": table["id"], **dict.fromkeys(task.columns, 0)})
    sample.to_csv(folder / task.sample_submission, index=False)


def write_predictions(root: Path, attempt: str, view: int, table: pd.DataFrame, **columns: Sequence[object]) -> str:
    """A submission for all rows of a hidden table; returns its path relative to the run folder."""
    path = Path("attempts") / attempt / "try-1" / f"view-{view}" / "predictions.csv"
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"id": table["id"], **columns}).to_csv(root / path, index=False)
    return str(path)
