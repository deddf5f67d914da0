"""What is missing of a batch: the tasks that are to be worked on, each with its options and what it may spend."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from agents.batch_job import Job
from agents.batch_loop import Entry
from agents.batch_money import Wish
from agents.batch_report import cap_of, money
from agents.batch_share import Share, share_options
from agents.batch_table import AGAIN, ENDED, Row
from agents.batch_tasks import BatchTask
from grading.base import TaskError
from grading.task import TaskSpec, load_spec
from graphs.delivered import delivered
from graphs.folder import RunFolder
from models.setup import role_models


@dataclass(frozen=True)
class Orders:
    """What all tasks of a batch have in common."""

    out: Path
    share: Share
    options: Sequence[str] = ()
    """Of agents.run."""
    metric: str | None = None
    model: str | None = None
    usd: float | None = None
    """The cap of each task, where the user gives one."""
    root: str = ""
    """Where runs are started; nothing: here."""
    command: tuple[str, ...] = ()
    """What runs a task; nothing: agents.run."""


@dataclass(frozen=True)
class Prepared:
    """A task as the batch sees it before it is begun."""

    task: BatchTask
    orders: Orders

    @cached_property
    def spec(self) -> TaskSpec | None:
        """Its task file; None where only its own process can say what is wrong with it, or what it is."""
        try:
            return load_spec(self.task.path, {"metric": self.orders.metric} if self.orders.metric else {})
        except Exception:  # noqa: BLE001 - whatever is wrong with one task costs no other
            return None

    def size(self) -> int:
        """Bytes of its tables; 0 where they are not known."""
        try:
            return sum(path.stat().st_size for path in self.spec.data.iterdir() if path.is_file()) if self.spec else 0
        except OSError:
            return 0

    def job(self, usd: float | None, anew: bool) -> Job:
        """What is to be begun."""
        orders = self.orders
        options = (*orders.options, *share_options(orders.share, self.spec))
        root, out = orders.root or os.getcwd(), str(orders.out)
        return Job(self.task.name, str(self.task.path), out, options, usd, anew, root, orders.command)

    def wish(self, anew: bool) -> Wish:
        """What it may spend by itself. Where its folder says nothing, what its task says."""
        folder = self.orders.out / "runs" / self.task.name
        try:
            if anew:
                return self._fresh
            asks, cap = cap_of(folder)
            return Wish(asks, None if cap is None else max(0.0, cap - money(folder)), begun=True)
        except TaskError:
            return self._fresh

    @cached_property
    def _fresh(self) -> Wish:
        own = self.spec.budget.usd if self.spec else None
        try:
            asks = bool(role_models(self.spec.models if self.spec else {}, self.orders.model))
        except TaskError:  # its own process refuses it
            asks = False
        return Wish(asks, own if self.orders.usd is None else self.orders.usd)


def missing(tasks: Sequence[BatchTask], rows: Mapping[str, Row], orders: Orders, again: bool) -> list[Entry]:
    """What is to be worked on: all but what came to its end; with `again` also what ended without a submission.

    A run whose submission was removed since is gone on with, which puts it back, or begun anew where nothing can.
    Large tables come first: they mostly take longest, and one that begins last has the machine for itself.
    """
    found = []
    for task in tasks:
        row = rows.get(task.name, Row(task.name, str(task.path)))
        anew = (again and row.status in AGAIN) or _lost(row, orders.out)
        if anew or row.status not in ENDED or not _kept(row, orders.out):
            prepared = Prepared(task, orders)
            found.append((prepared.size(), Entry(row, prepared.job, prepared.wish, anew)))
    return [entry for _, entry in sorted(found, key=lambda pair: -pair[0])]


def _kept(row: Row, out: Path) -> bool:
    """Whether what the row says is still there."""
    return row.status != "done" or (out / "runs" / row.name / "submission.csv").is_file()


def _lost(row: Row, out: Path) -> bool:
    """Whether a run has ended and nothing is left of what it delivered. One on another machine knows that itself."""
    folder = RunFolder(out / "runs" / row.name)
    ended = row.status == "done" or (row.status not in ENDED and folder.report.exists())
    if not ended or not folder.record.exists():
        return False
    try:
        delivered(folder)
    except TaskError:
        return True
    return False


def spent_so_far(rows: Mapping[str, Row], out: Path) -> dict[str, float]:
    """Task -> USD; of those that were cut off, what their folders say."""
    return {
        name: row.usd if row.status in ENDED else max(row.usd, Job(name, row.task, str(out)).spent())
        for name, row in rows.items()
    }
