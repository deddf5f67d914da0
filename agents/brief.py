"""What every prompt says of a task: its text, its data and the contract of a script, as data of a privacy level."""

from __future__ import annotations

from dataclasses import dataclass, field

from grading.base import Task
from models.base import Data, Level
from recipes.base import ColumnFacts, Instruction, Profile
from sandbox.base import Limits

DESCRIPTION_CHARACTERS = 4_000
COLUMNS_CHARACTERS = 6_000
ROWS_CHARACTERS = 1_500
PLAN_CHARACTERS = 3_000
_SPLITS = {
    "row": "its rows are drawn at random, like those of train",
    "group": "it holds whole groups of {column}, of which none is in train: validate on whole groups",
    "block": "it holds whole blocks of time ({column}) between those of train: validate on whole blocks",
    "time": "it lies after train in time ({column}): validate on the last part of train",
}
_OWN_SPLIT = "its owner says by code of their own how it differs from train"
SCRIPT_CHARACTERS = 24_000
"""A longer script is shown without its middle."""


@dataclass(frozen=True)
class Insight:
    """What a model says of a task before anything is tried."""

    objective: str
    modality: str
    pitfalls: list[str]


@dataclass(frozen=True)
class Brief:
    """All that a prompt may say of a task and of what a script may use."""

    task: Task
    profile: Profile
    limits: Limits
    script_seconds: float
    """What one run of a script may take."""
    insight: Insight | None = None
    metric_code: str | None = None
    """The user's own metric, as Python."""
    own_split: bool = False
    """Whether the user cuts train by own code, so that nothing is known of how test differs."""
    seconds: float = 600.0
    """What an answer may take."""
    mounted: list[str] = field(default_factory=list)
    """Names of what the user has mounted besides the data."""

    def about(self) -> dict[str, object]:
        """The variables of _task.md.j2."""
        return {
            "task": Data(facts_text(self.task, self.own_split), keep=PLAN_CHARACTERS),
            "metric_code": Data(self.metric_code, keep=PLAN_CHARACTERS) if self.metric_code else None,
            "description": Data(self.task.description or "(no description was given)", keep=DESCRIPTION_CHARACTERS),
            "insight": Data(_insight_text(self.insight), keep=PLAN_CHARACTERS) if self.insight else None,
            "files": Data("\n".join(f"{file.name}: {file.facts}" for file in self.profile.files), keep=PLAN_CHARACTERS),
            "columns": Data("\n".join(_column_line(c) for c in self.profile.facts), keep=COLUMNS_CHARACTERS),
            "examples": sample("\n".join(_examples(self.profile.facts)), COLUMNS_CHARACTERS // 2),
            "train_rows": sample("\n".join(self.profile.train_rows)),
            "submission_rows": sample("\n".join(self.profile.submission_rows)),
        }

    def means(self) -> dict[str, object]:
        """What a script may use, as propose and critique say it."""
        return {
            "time": spell(self.script_seconds),
            "cpus": f"{self.limits.cpus:g}",
            "gpus": f"{self.limits.gpus} GPU(s)" if self.limits.gpus else "no GPU",
            "mounted": [f"./mounts/{name}" for name in self.mounted],
            "packages": ", ".join(self.profile.packages) or "the usual packages for data science",
        }

    def contract(self) -> dict[str, object]:
        """The variables of _contract.md.j2."""
        return self.means() | {"memory": self.limits.memory_mb, "values": _values_text(self.task)}


def spell(seconds: float) -> str:
    """A time limit in words."""
    return f"{seconds:.0f} seconds" if seconds < 180 else f"{seconds / 60:.0f} minutes"


def sample(text: str, keep: int = ROWS_CHARACTERS) -> Data:
    """Cell values: shown from the level "samples" on."""
    return Data(text or "(none)", "samples", keep)


def shown(text: str, level: Level = "schema", keep: int = SCRIPT_CHARACTERS) -> Data:
    """A script, or what it said."""
    return Data(text or "(nothing)", level, keep)


def facts_text(task: Task, own_split: bool = False) -> str:
    """What the grader found out, a line each."""
    split = _OWN_SPLIT if own_split else _SPLITS[task.split].format(column=task.split_column)
    lines = [
        f"name: {task.name}",
        f"problem: {task.problem}; the submission holds {task.output}",
        f"metric: {task.metric}, to {task.direction}",
        f"files: data/{task.train} (train), data/{task.test} (test), data/{task.sample_submission} (sample submission)",
        f"target columns of train: {', '.join(task.targets)}",
        f"columns of the submission: {', '.join([*([task.id] if task.id else []), *task.columns])}",
        f"id: {task.id or 'none, rows are matched by their order'}",
        f"test: {split}",
    ]
    if task.classes:
        lines.append(f"classes: {', '.join(task.classes[:40])}{' ...' if len(task.classes) > 40 else ''}")
    if task.train_only:
        lines.append(f"only in train, no features: {', '.join(task.train_only)}")
    return "\n".join(lines)


def plan_text(instruction: Instruction) -> str:
    """An instruction as prompts show it."""
    parts = ("preprocessing", "model", "training")
    return "\n".join([instruction.title, *(f"{part}: {getattr(instruction, part)}" for part in parts)])


def _insight_text(insight: Insight) -> str:
    return "\n".join(
        [insight.objective, f"data: {insight.modality}", *(f"- {pitfall}" for pitfall in insight.pitfalls)]
    )


def _column_line(column: ColumnFacts) -> str:
    missing = f", {column.missing:.1%} missing" if column.missing else ""
    statistics = f", {column.numbers}" if column.numbers else ""
    return f"{column.name}: {column.kind}, {column.unique} values{missing}{statistics}"


def _examples(columns: list[ColumnFacts]) -> list[str]:
    """Values of the columns that statistics do not show."""
    shown = [column for column in columns if column.examples and column.kind not in ("number", "target", "flag")]
    return [f"{column.name}: {' | '.join(column.examples)}" for column in shown]


def _values_text(task: Task) -> str:
    if task.output == "probabilities":
        return "; the values are probabilities"
    if task.output == "labels":
        return "; the values are labels, spelled as in the training file"
    return ""
