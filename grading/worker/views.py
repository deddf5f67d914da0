"""Views on disk: the real task's files with some rows of train moved, without their targets, among the test rows."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from grading.base import AUDIT_VIEW, FULL_VIEW, SAMPLE_SHARE, SAMPLE_VIEW, Task, TaskError, View
from grading.worker import tables
from grading.worker.cells import text
from grading.worker.clocks import read_clock
from grading.worker.fitting import with_rows
from grading.worker.forms import Table
from grading.worker.ids import hidden_ids
from grading.worker.infer import plan_of
from grading.worker.plans import Cut, Plan, at_most
from grading.worker.relation import Codes
from grading.worker.source import Source, read_source, sample_ids
from grading.worker.truth import truth


@dataclass(frozen=True)
class _Made:
    """The tables of a view and the grader's own."""

    train: Table
    test: Table
    sample: Table
    answers: pd.DataFrame


_NONE = np.zeros(0, dtype=np.int64)
_NOTHING = Cut(np.zeros(0, dtype=np.bool_), _NONE, _NONE)


def make_view(
    task: Task, data: Path, views: Path, hidden: Path, number: int, seed: int, split_file: Path | None = None
) -> View:
    """Write `views/view-<number>` (for scripts) and `hidden/view-<number>.parquet` (for the grader alone).

    A view that is there already stays as it is. The same task, number and seed give the same files.
    `split_file` is the user's, where the task was inferred with one.

    Raises:
        TaskError: the task has no such view.
    """
    done = hidden / f"view-{number}.json"
    if done.is_file() and (views / f"view-{number}").is_dir():
        return View(**json.loads(done.read_text(encoding="utf-8")))
    source = read_source(task, data)
    made = _make(task, source, number, seed, split_file)
    folder = _write(task, data, made, views, number)
    hidden_rows = int((made.answers["role"] != "test").sum())
    view = View(number, f"{views.name}/{folder.name}", len(made.train.frame), len(made.test.frame), hidden_rows)
    _write_hidden(made.answers, view, hidden)
    return view


def _make(task: Task, source: Source, number: int, seed: int, split_file: Path | None) -> _Made:
    if number == FULL_VIEW:
        y = truth(source.train.frame, task.targets, task.problem)
        answers = _answers(source, _NOTHING, source.rows[:0], y, sample_ids(task, source))
        return _Made(source.train, source.test, source.sample, answers)
    plan, y = plan_of(task, source.train.frame, source.test.frame, seed, split_file)
    if number == SAMPLE_VIEW and task.can_sample:
        cut = _sampled(plan.cuts[task.first_view], plan.units, np.random.default_rng([seed, number]))
        return _blind(task, source, plan, cut, y, np.random.default_rng([seed, task.first_view]))
    allowed = 1 <= number <= task.views or (number == AUDIT_VIEW and task.split == "time" and task.views > 0)
    if number not in plan.cuts or not allowed:
        raise TaskError(f"view {number}: the task has {task.views} views.")
    return _blind(task, source, plan, plan.cuts[number], y, np.random.default_rng([seed, number]))


def _sampled(cut: Cut, units: Codes, rng: np.random.Generator) -> Cut:
    """A share of the rows to learn from, by whole units; what is hidden stays."""
    rows = np.flatnonzero(cut.known)
    known = np.zeros_like(cut.known)
    known[at_most(rows, units, int(SAMPLE_SHARE * len(rows)), rng)] = True
    return replace(cut, known=known)


def _blind(task: Task, source: Source, plan: Plan, cut: Cut, y: pd.DataFrame, rng: np.random.Generator) -> _Made:
    moved = source.train.frame.iloc[np.concatenate([cut.fold, cut.audit])]
    real = sample_ids(task, source)
    ids = _ids_of(task, source, moved, real, rng)
    given = {task.id: ids} if task.id is not None else {}
    drawn = source.sample.frame.iloc[rng.integers(len(source.sample.frame), size=len(moved))]
    test = with_rows(source.test, moved, given, rng)
    sample = with_rows(source.sample, drawn, given, rng)
    order = _order(task, source, np.concatenate([cut.fold, cut.audit]), rng)
    asked = _asked(source, order)
    answers = _answers(source, cut, plan.units, y, pd.concat([real, ids], ignore_index=True))
    answers = answers.iloc[asked].reset_index(drop=True)
    if task.id is None:
        answers["id"] = [str(row) for row in range(len(answers))]
    return _Made(
        replace(source.train, frame=source.train.frame[cut.known]),
        replace(test, frame=test.frame.iloc[order]),
        replace(sample, frame=sample.frame.iloc[asked]),
        answers,
    )


def _ids_of(task: Task, source: Source, moved: pd.DataFrame, real: pd.Series, rng: np.random.Generator) -> pd.Series:
    own = text(moved[task.id]) if task.id in moved.columns else None
    taken = text(source.test.frame[task.id]) if task.id in source.test.frame.columns else real
    return hidden_ids(own, taken, len(moved), rng)


def _asked(source: Source, order: Codes) -> list[int]:
    """The rows of submission and answers (real ones first, then hidden ones) in the order of the view's test."""
    both = [*source.wanted.tolist(), *range(len(source.test.frame), len(order))]
    place = {row: i for i, row in enumerate(both)}
    return [place[row] for row in order.tolist() if row in place]


def _answers(source: Source, cut: Cut, units: Codes, y: pd.DataFrame, ids: pd.Series) -> pd.DataFrame:
    """One row for each row of the view's submission: the real ones, then the fold, then the audit."""
    moved = np.concatenate([cut.fold, cut.audit])
    real = len(source.rows)
    frame = pd.DataFrame({
        "id": ids.to_numpy(dtype=object),
        "role": ["test"] * real + ["fold"] * len(cut.fold) + ["audit"] * len(cut.audit),
        "row": np.concatenate([source.rows, moved]),
        "unit": np.concatenate([np.full(real, -1, dtype=np.int64), units[moved]]),
    })  # fmt: skip
    for name in y.columns:
        kind = "float64" if pd.api.types.is_float_dtype(y[name]) else "str"
        cells: list[object] = [None] * real + y[name].iloc[moved].tolist()
        frame[name] = pd.Series(cells, dtype=kind)
    return frame


def _order(task: Task, source: Source, moved: Codes, rng: np.random.Generator) -> Codes:
    """Shuffled; in the order of time where time splits."""
    order = rng.permutation(len(source.test.frame) + len(moved)).astype(np.int64)
    if task.split not in ("time", "block") or task.time is None:
        return order
    clock = read_clock(task.time, source.train.frame, source.test.frame)
    if clock is None:
        return order
    times = np.concatenate([clock.test, clock.train[moved]])
    return order[np.argsort(times[order], kind="stable")]


def _write(task: Task, data: Path, made: _Made, views: Path, number: int) -> Path:
    """Into a folder beside, then renamed: a view is whole or not there."""
    folder, partial = views / f"view-{number}", views / f".view-{number}.partial"
    for old in (folder, partial):
        if old.exists():
            shutil.rmtree(old)
    partial.mkdir(parents=True)
    for name, table in ((task.train, made.train), (task.test, made.test), (task.sample_submission, made.sample)):
        if number == FULL_VIEW and name == task.train:
            (partial / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(data / name, partial / name)
        else:
            tables.write(table, partial / name)
    for name in task.shared:
        _mountpoint(partial / name, (data / name).is_dir())
    for path in (partial, *partial.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    partial.rename(folder)
    return folder


def _mountpoint(path: Path, folder: bool) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if folder:
        path.mkdir(exist_ok=True)
    else:
        path.touch()


def _write_hidden(answers: pd.DataFrame, view: View, hidden: Path) -> None:
    hidden.mkdir(mode=0o700, parents=True, exist_ok=True)
    partial = hidden / f".view-{view.number}.partial"
    partial.touch(mode=0o600)
    answers.to_parquet(partial, index=False)
    partial.rename(hidden / f"view-{view.number}.parquet")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(asdict(view)), encoding="utf-8")
    partial.rename(hidden / f"view-{view.number}.json")
