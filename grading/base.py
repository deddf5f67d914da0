"""Values that the grader and the rest of the program exchange. Small, frozen and JSON-able."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Problem = Literal["binary", "multiclass", "multilabel", "regression"]
Output = Literal["labels", "probabilities", "values"]
Split = Literal["row", "group", "block", "time"]
Direction = Literal["minimize", "maximize"]

FULL_VIEW = 0
"""The view with all rows of train and the real test alone: nothing in it can be graded."""
AUDIT_VIEW = 99
"""Where time splits: the view whose hidden rows are the audit rows (train ends before them)."""
SAMPLE_VIEW = 98
"""The first view with a sample of the rows to learn from: quick, and its hidden rows are those of the first view."""
SAMPLE_SHARE = 0.25
"""Share of the first view's train in a sample view."""
SAMPLED_ROWS = 10_000
"""Rows of train from which on a sample says enough of which script is better."""
MAX_VIEWS = 5
"""Folds, and so views 1..5 at most."""


class TaskError(ValueError):
    """A mistake in what the user handed over: one sentence that names file, field and remedy."""


class Stored:
    """A dataclass of which one checkpoint holds hundreds.

    LangGraph stores it as it would any dataclass, several times faster: it asks a value for `_asdict`, as named tuples
    have it, before it compares it with a Protocol (langgraph.checkpoint.serde.jsonplus).
    """

    def _asdict(self) -> dict[str, object]:
        """The fields by name, not copied."""
        return vars(self)


@dataclass(frozen=True)
class Task:
    """A task as the grader found it: nothing left to guess. File names are relative to the data folder."""

    name: str
    description: str
    metric: str
    """Canonical name (grading.worker.metrics), or "custom"."""
    direction: Direction
    train: str
    test: str
    sample_submission: str
    """Its name in a view; made by the grader where the user has none."""
    shared: list[str]
    """Extra files and media folders that every script sees unchanged."""
    id: str | None
    """Id column of test and submission; None where rows are matched by position."""
    targets: list[str]
    """Target columns of train."""
    columns: list[str]
    """Columns of the submission without the id, in order."""
    problem: Problem
    output: Output
    classes: list[str]
    """Class labels as text where the problem is binary or multiclass, else empty."""
    train_only: list[str]
    """Columns that train has, test lacks and that are no target (they cannot be used as features)."""
    split: Split
    """How test differs from train, and so how views are cut."""
    split_column: str | None
    """The group key, block date or time column behind `split`."""
    time: str | None
    """A date or time column, also where it does not split."""
    train_rows: int
    test_rows: int
    views: int
    """How many views (folds) can be made, 0..5. 0: nothing can be graded blind."""
    unblind: str | None
    """Why no blind view can be made, where `views` is 0."""
    notes: list[str] = field(default_factory=list)
    """What was inferred and from what, a sentence each, for the user."""

    @property
    def first_view(self) -> int:
        """The view on which every attempt starts: all rows where nothing can be graded blind."""
        return 1 if self.views else FULL_VIEW

    @property
    def can_sample(self) -> bool:
        """Whether there is a sample view: enough rows, and none that is learnt from those before it in time."""
        return self.views > 0 and self.train_rows >= SAMPLED_ROWS and self.split in ("row", "group")


@dataclass(frozen=True)
class View:
    """A view on disk, ready to be mounted."""

    number: int
    folder: str
    """Relative to the run folder."""
    train_rows: int
    test_rows: int
    """Real test rows plus hidden rows."""
    hidden_rows: int


@dataclass(frozen=True)
class Grade:
    """One submission on one view."""

    faults: list[str]
    """What is wrong with its form (no hidden values in it); empty when valid."""
    value: float | None
    """The metric on the view's fold rows; None when invalid or when nothing is hidden."""
    error: float | None
    """Standard error of `value` by 100 resamples."""


@dataclass(frozen=True)
class Score(Stored):
    """A candidate's blind score over the views that it ran on."""

    folds: list[float]
    mean: float
    error: float
    """Standard error of `mean`."""
    direction: Direction


@dataclass(frozen=True)
class Standing(Stored):
    """Where a candidate stands. A candidate is one attempt, or a blend of several."""

    members: dict[str, float]
    """Attempt id -> weight; one member with weight 1.0 for an attempt."""
    views: list[int]
    score: Score
    behind: float
    """How far behind the leader, on the views that both ran on, in units of the metric; 0 for the leader.
    Below 0: ahead, on too few views to lead."""
    behind_error: float
    """Paired standard error of `behind`."""


@dataclass(frozen=True)
class Standings:
    """All valid attempts, best first, and the best blend where one beats them."""

    attempts: list[Standing]
    blend: Standing | None


@dataclass(frozen=True)
class Delivery:
    """What was delivered, and what it can be trusted to score."""

    source: Literal["refit", "views"]
    """"refit": trained on all rows. "views": the average of the graded predictions."""
    reason: str
    """Why, in one sentence."""
    rows: int
    """Audit rows behind the estimate."""
    estimate: float | None
    """The metric on the audit rows."""
    low: float | None
    high: float | None
    """95 % prediction interval of the metric for a test set of the real size."""
    faults: list[str] = field(default_factory=list)
