"""What lies in the grader's folders, read once: hidden tables and predictions. Nothing here is state, only memory."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TypeAlias

import numpy as np
import pandas as pd

from grading.base import Task
from grading.worker import tables
from grading.worker.arrays import Array, truth
from grading.worker.blend import Fold
from grading.worker.check import check
from grading.worker.estimate import Rows
from grading.worker.metrics import Metric, metric_of
from grading.worker.score import Mark, mark

MEMORY = 512 * 2**20
"""Bytes of predictions that are kept."""
Checked: TypeAlias = "tuple[Array | None, list[str]]"


@dataclass(frozen=True)
class Folders:
    """The parts of the run folder that the grader sees, and the user's data and code, below one root."""

    root: Path

    @property
    def data(self) -> Path:
        """The user's data folder."""
        return self.root / "data"

    @property
    def views(self) -> Path:
        """What scripts see."""
        return self.root / "views"

    @property
    def hidden(self) -> Path:
        """Labels of the hidden rows."""
        return self.root / "hidden"

    @property
    def graded(self) -> Path:
        """Where the submission is written."""
        return self.root / "graded"

    @property
    def custom(self) -> Path:
        """The user's metric and split files."""
        return self.root / "custom"

    def inside(self, relative: str) -> Path:
        """A path of the run folder. Raises: ValueError: it would lead out of it."""
        path = PurePosixPath(relative)
        if path.is_absolute() or ".." in path.parts:
            raise ValueError(f"{relative!r} is no path inside the run folder")
        return self.root / path


@dataclass(frozen=True)
class Hidden:
    """One view's rows as the grader knows them."""

    table: pd.DataFrame
    """Columns id, role, row, unit and the answers "y:<target>", in the order of the view's sample submission."""
    header: list[str]
    """The columns of its sample submission."""

    def rows(self, role: str) -> Array:
        """Positions of the rows with this role ("test", "fold", "audit")."""
        return np.flatnonzero((self.table["role"] == role).to_numpy(bool))

    def test_rows(self) -> Array:
        """Positions of the real test rows, in the order of the real sample submission."""
        rows = self.rows("test")
        return rows[np.argsort(self.table["row"].to_numpy()[rows], kind="stable")]


class Store:
    """Reads hidden tables and predictions of one task, and remembers them."""

    def __init__(self, folders: Folders, task: Task, seed: int, metric_file: str | None = None) -> None:
        self.folders, self.task, self.seed = folders, task, seed
        self.metric: Metric = metric_of(task, folders.custom / Path(metric_file).name if metric_file else None)
        self._hidden: dict[int, Hidden] = {}
        self._answers: dict[tuple[int, str], Rows] = {}
        self._checked: OrderedDict[tuple[object, ...], Checked] = OrderedDict()
        self._marks: dict[tuple[object, ...], Mark | None] = {}

    def hidden(self, view: int) -> Hidden:
        """The hidden table of a view that was made."""
        if view not in self._hidden:
            table = pd.read_parquet(self.folders.hidden / f"view-{view}.parquet")
            sample = self.folders.views / f"view-{view}" / self.task.sample_submission
            header = [str(name) for name in tables.read(sample, rows=1).frame.columns]
            self._hidden[view] = Hidden(table, header)
        return self._hidden[view]

    def forget(self, view: int) -> None:
        """The view is made anew."""
        self._hidden.pop(view, None)
        for role in ("fold", "audit"):
            self._answers.pop((view, role), None)

    def answers(self, view: int, role: str) -> Rows:
        """Answers and units of the rows with this role (no predictions yet: `p` is empty)."""
        if (view, role) not in self._answers:
            table = self.hidden(view).table.iloc[self.hidden(view).rows(role)]
            rows = Rows(truth(table, self.task), np.empty((0, 0)), table["unit"].to_numpy())
            self._answers[view, role] = rows
        return self._answers[view, role]

    def predictions(self, path: str, view: int) -> Checked:
        """Predictions for all rows of the view's sample submission, or the faults of the file."""
        key = self._key(path, view)
        if key not in self._checked:
            hidden = self.hidden(view)
            self._checked[key] = check(self.folders.inside(path), self.task, hidden.table, hidden.header)
            while sum(p.nbytes for p, _ in self._checked.values() if p is not None) > MEMORY and len(self._checked) > 1:
                self._checked.popitem(last=False)
        self._checked.move_to_end(key)
        return self._checked[key]

    def known(self, path: str, view: int) -> Array | None:
        """Valid predictions, or None."""
        return self.predictions(path, view)[0]

    def mark(self, path: str, view: int) -> Mark | None:
        """The mark on the view's fold rows; None where invalid or nothing is hidden."""
        key = self._key(path, view)
        if key not in self._marks:
            p, answers = self.known(path, view), self.answers(view, "fold")
            fold = self.hidden(view).rows("fold")
            self._marks[key] = (
                None if p is None else mark(self.metric, answers.y, p[fold], answers.unit, view, self.seed)
            )
        return self._marks[key]

    def fold(self, view: int, paths: dict[str, str]) -> Fold:
        """A view's fold rows with the predictions of the attempts that are valid on it."""
        answers, rows = self.answers(view, "fold"), self.hidden(view).rows("fold")
        known = {name: p for name, path in paths.items() if (p := self.known(path, view)) is not None}
        return Fold(answers.y, answers.unit, {name: p[rows] for name, p in known.items()})

    def _key(self, path: str, view: int) -> tuple[object, ...]:
        """The file as it is now: a file written again is read again."""
        try:
            status = self.folders.inside(path).lstat()
        except OSError:
            return path, view, None
        return path, view, status.st_mtime_ns, status.st_size, status.st_ino
