"""Runs a rendered recipe on a made-up task in a folder of its own."""

from __future__ import annotations

import contextlib
import runpy
from pathlib import Path

import pandas as pd

from grading.base import Task
from recipes.render import render


def write_data(folder: Path, task: Task, train: pd.DataFrame, test: pd.DataFrame) -> None:
    """Train, test, and a sample submission in another order than test; JSON where the names say so."""
    data = folder / "data"
    data.mkdir(exist_ok=True)
    for name, table in ((task.train, train), (task.test, test)):
        if name.endswith(".json"):
            table.to_json(data / name, orient="records")
        else:
            table.to_csv(data / name, index=False)
    sample = test[[task.id]].iloc[::-1].assign(**dict.fromkeys(task.columns, 0))
    sample.to_csv(data / task.sample_submission, index=False)


def run_recipe(folder: Path, name: str, task: Task, safe: bool = False) -> pd.DataFrame:
    """The submission, checked for form, its rows in the order of test."""
    script = folder / "solution.py"
    script.write_text(render(name, task, safe), encoding="utf-8")
    with contextlib.chdir(folder):
        runpy.run_path(str(script), run_name="__main__")
    found = pd.read_csv(folder / "submission.csv", dtype={str(task.id): str})
    sample = pd.read_csv(folder / "data" / task.sample_submission, dtype=str)
    assert list(found.columns) == [task.id, *task.columns]
    assert list(found[task.id]) == list(sample[task.id])
    assert found[task.columns].notna().all().all()
    return found.iloc[::-1].reset_index(drop=True)
