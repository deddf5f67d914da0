"""What the user hands over: `task.yaml`, a folder with one, or a plain data folder. Every mistake is one sentence."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from grading.base import Direction, TaskError
from grading.layout import folder_fields
from grading.metric_names import CUSTOM, metric_info, resolve_metric
from grading.task_paths import MAX_TEXT, check_files, own_code, read_description
from grading.task_text import fault, read_yaml, usable_path
from sandbox.script import MOUNT_NAME

TASK_FILE = "task.yaml"
KAGGLE_SLUG = r"^[A-Za-z0-9][A-Za-z0-9-]{0,99}$"
"""How a competition on Kaggle is named in the address of its page."""


class MetricMissing(TaskError):
    """A task that lacks nothing but its metric."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FileNames(_Section):
    """Names within the data folder; what is left out is found by name and contents."""

    train: str | None = None
    """The table with the target."""
    test: str | None = None
    """The table to predict for."""
    sample_submission: str | None = None
    """The form of the submission: the rows wanted and any values."""
    extra: list[str] | None = None
    """Further files that scripts may read; left out: everything else in the data folder."""
    media: list[str] | None = None
    """Folders with images, sounds and the like."""


class MetricSpec(_Section):
    """The score: a known metric by name, or the user's own function."""

    name: str | None = None
    """Canonical after loading; "custom" with a file."""
    file: str | None = None
    """A Python file with `score(y_true, y_pred) -> float`."""
    direction: Direction | None = None
    """Needed with a file, else known from the name."""
    why: str | None = Field(default=None, max_length=1000)
    """What speaks for it, where it was inferred; shown to the user."""

    @model_validator(mode="after")
    def _one_of_both(self) -> MetricSpec:
        if (self.name in (None, CUSTOM)) == (self.file is None):
            raise ValueError("needs either a name or a file")
        return self


class ViewsSpec(_Section):
    """How train is cut into what a script sees and what it is graded on; left out: found from the real test."""

    by: Literal["row", "group", "time"] | None = None
    """Single rows, whole groups of `column`, or the last part by the dates in `column`."""
    column: str | None = None
    """The group or the time column."""
    file: str | None = None
    """A Python file with `split(train) -> array` of fold numbers, one a row: -1 audit, 0 to 4 folds."""

    @model_validator(mode="after")
    def _enough_and_not_too_much(self) -> ViewsSpec:
        if self.file is not None and (self.by or self.column):
            raise ValueError("a file says everything; leave out by and column")
        if self.by in ("group", "time") and self.column is None:
            raise ValueError(f"by: {self.by} needs a column")
        if self.by == "row" and self.column is not None:
            raise ValueError("by: row needs no column")
        if self.by is None and self.column is not None:
            raise ValueError("column needs by: group or by: time")
        return self


class Limits(_Section):
    """What one script may use."""

    minutes: float | None = Field(default=None, gt=0, le=60 * 24)
    """Wall clock on the full data, a run on a view gets 60 % of it; left out: a quarter of the budget's minutes."""
    memory_mb: int | None = Field(default=None, ge=256)
    """Memory in MiB, without swap; left out: a script's share of 80 % of the machine's."""
    cpus: float | None = Field(default=None, gt=0, le=1024)
    """CPU cores; left out: half of the machine's, at most 4."""
    disk_mb: int | None = Field(default=None, ge=64)
    """Scratch disk in MiB; left out: 4096."""
    gpus: int = Field(default=0, ge=0, le=64)
    """GPUs of the engine's machine."""


class Budget(_Section):
    """What a whole run may use."""

    attempts: int = Field(default=6, ge=1, le=10_000)
    """Instructions tried; a repair of a script is no new attempt."""
    minutes: float = Field(default=30.0, gt=0)
    """Wall clock."""
    usd: float | None = Field(default=None, ge=0)
    """What all calls of models may cost together; left out: no cap."""


class PriceSpec(_Section):
    """What a model costs, where the table of prices does not know it."""

    input: float = Field(ge=0)
    """USD per million tokens of a prompt."""
    output: float = Field(ge=0)
    """USD per million tokens of an answer."""


class TaskSpec(_Section):
    """A task as its owner describes it. Only `data` and `metric` are required."""

    name: str = Field(default="", max_length=200)
    """For people and for file names; left out: the name of the folder."""
    description: str = Field(default="", max_length=MAX_TEXT)
    """What is to be predicted, in words; in the task file also the name of a .txt or .md file beside it."""
    data: Path
    """The data folder, relative to the task file; absolute after loading."""
    files: FileNames = FileNames()
    """Which file is which."""
    id: str | None = None
    """The column that names the rows of test and submission."""
    target: list[str] = []
    """Columns of train to predict, or the columns of the submission (a probability for each class)."""
    metric: MetricSpec
    """How submissions are scored."""
    views: ViewsSpec = ViewsSpec()
    """How scripts are graded on rows that they do not see."""
    limits: Limits = Limits()
    """Of one script."""
    budget: Budget = Budget()
    """Of the whole run."""
    image: str | None = None
    """A sandbox image of the user's own; left out: the one that the program builds."""
    runtime: str | None = Field(default=None, min_length=1)
    """The container runtime by the name that the engine knows it by, such as runsc (gVisor); left out: the engine's."""
    mounts: dict[str, Path] = {}
    """Files or folders that scripts see read-only as ./mounts/NAME, such as weights; relative to the task file."""
    models: dict[str, str] = {}
    """The model of each role, and under "default" that of all others; in the task file also one name for all."""
    prices: dict[str, PriceSpec] = {}
    """By the name of a model."""
    privacy: Literal["schema", "samples", "output"] = "samples"
    """What may leave for a model: names and statistics; a few cell values too; what programs print too."""
    kaggle: str | None = Field(default=None, pattern=KAGGLE_SLUG)
    """The competition on Kaggle that it is, as in the address of its page; --submit sends submissions there."""

    @field_validator("target", mode="before")
    @classmethod
    def _one_or_many(cls, value: object) -> object:
        if value is not None and not isinstance(value, (str, list)):
            raise ValueError("must be the name of a column or a list of names")
        return [value] if isinstance(value, str) else value or []

    @field_validator("mounts")
    @classmethod
    def _plain_names(cls, mounts: dict[str, Path]) -> dict[str, Path]:
        for name in mounts:
            if not MOUNT_NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no plain name; use letters, digits, dots, dashes and underscores")
        return mounts

    @field_validator("models", mode="before")
    @classmethod
    def _one_for_all(cls, value: object) -> object:
        return {"default": value} if isinstance(value, str) else value

    @field_validator("metric", mode="before")
    @classmethod
    def _bare_name(cls, value: object) -> object:
        if not isinstance(value, (str, dict, MetricSpec)):
            raise ValueError("must be the name of a metric, or {file: my_metric.py, direction: minimize}")
        return {"name": value} if isinstance(value, str) else value

    def for_worker(self) -> dict[str, Any]:
        """What the grader's container needs, JSON-able.

        Files in the data folder are relative to it; the user's own code (metric.file, views.file) are bare names.
        """
        spec = self.model_dump(mode="json", include={"name", "description", "files", "id", "target", "metric", "views"})
        for section in ("metric", "views"):
            if spec[section]["file"] is not None:
                spec[section]["file"] = Path(spec[section]["file"]).name
        return spec


def load_spec(path: Path, overrides: Mapping[str, object] | None = None) -> TaskSpec:
    """Read a task file, a folder with a `task.yaml`, a plain data folder, or a competition of MLE-bench.

    `overrides` are flags and win over the file; a dot reaches into a section ("budget.attempts"); None means not given.

    Raises:
        MetricMissing: the metric is missing, and nothing else was found to be wrong before that.
        TaskError: one sentence that names file, field and remedy.
    """
    path = path.expanduser()
    source = path / TASK_FILE if (path / TASK_FILE).is_file() else path
    if source.is_dir():
        fields = folder_fields(source)
    elif source.is_file():
        fields = read_yaml(source)
    else:
        raise TaskError(f"{path}: there is no such file or folder; give a task.yaml or a data folder.")
    _override(fields, overrides or {})
    where = source.parent if source.is_file() else source
    if fields.get("metric") is None and not set(fields) - set(TaskSpec.model_fields):
        raise MetricMissing(f"{source}: metric is missing; add a line such as `metric: accuracy`, or give --metric.")
    return _resolved(_validated(fields, source), source, where.resolve())


def _override(fields: dict[str, object], overrides: Mapping[str, object]) -> None:
    for name, value in overrides.items():
        if value is None:
            continue
        section, _, inner = name.partition(".")
        if not inner:
            fields[section] = value
            continue
        old = fields.get(section)
        fields[section] = {**(old if isinstance(old, dict) else {}), inner: value}


def _validated(fields: dict[str, object], source: Path) -> TaskSpec:
    try:
        return TaskSpec.model_validate(fields)
    except ValidationError as error:
        raise TaskError(f"{source}: {fault(error, TaskSpec)}") from error


def _resolved(spec: TaskSpec, source: Path, where: Path) -> TaskSpec:
    """Paths absolute and checked, the metric canonical, the description read."""
    data = _data(spec.data, source, where)
    for field, value in spec.files:
        with usable_path(source, f"files.{field}"):
            check_files({field: value}, source, data)
    changes: dict[str, object] = {
        "data": data,
        "name": spec.name or (where.name if source.is_file() else data.name),
        "description": read_description(spec.description, source, where),
        "metric": _metric(spec.metric, source, where),
        "mounts": {name: _mounted(name, path, source, where) for name, path in spec.mounts.items()},
    }
    if spec.views.file is not None:
        changes["views"] = spec.views.model_copy(
            update={"file": _own_code(spec.views.file, "views.file", source, where)}
        )
    return spec.model_copy(update=changes)


def _data(path: Path, source: Path, where: Path) -> Path:
    with usable_path(source, "data"):
        data = (where / path.expanduser()).resolve()
        if not data.is_dir():
            fault = "is a file, not a folder" if data.exists() else "does not exist"
            raise TaskError(f"{source}: data: {data} {fault}; give the folder that holds train and test.")
    return data


def _mounted(name: str, path: Path, source: Path, where: Path) -> Path:
    with usable_path(source, f"mounts.{name}"):
        found = (where / path.expanduser()).resolve()
        if not found.exists():
            raise TaskError(f"{source}: mounts.{name}: {found} does not exist; name a file or folder, or leave it out.")
    return found


def _own_code(name: str, field: str, source: Path, where: Path) -> str:
    with usable_path(source, field):
        return own_code(name, field, source, where)


def _metric(metric: MetricSpec, source: Path, where: Path) -> MetricSpec:
    if metric.file is not None:
        if metric.direction is None:
            raise TaskError(f"{source}: metric.direction is missing; with a file, say minimize or maximize.")
        file = _own_code(metric.file, "metric.file", source, where)
        return metric.model_copy(update={"name": CUSTOM, "file": file})
    name = resolve_metric(str(metric.name), f"{source}: metric")
    known = metric_info(name).direction
    if metric.direction not in (None, known):
        raise TaskError(
            f"{source}: metric.direction: {name} is to {known}, not to {metric.direction}; leave the direction out."
        )
    return metric.model_copy(update={"name": name, "direction": known})
