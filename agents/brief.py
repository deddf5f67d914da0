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
    seconds: float = field(default=600.0)
    """What an answer may take."""

    def about(self) -> dict[str, object]:
        """The variables of _task.md.j2."""
        return {
            "task": Data(facts_text(self.task)),
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
            "minutes": f"{self.script_seconds / 60:.1f}",
            "cpus": f"{self.limits.cpus:g}",
            "packages": ", ".join(self.profile.packages) or "the usual packages for data science",
        }

    def contract(self) -> dict[str, object]:
        """The variables of _contract.md.j2."""
        return self.means() | {"memory": self.limits.memory_mb, "values": _values_text(self.task)}


def sample(text: str, keep: int = ROWS_CHARACTERS) -> Data:
    """Cell values: shown from the level "samples" on."""
    return Data(text or "(none)", "samples", keep)


def shown(text: str, level: Level = "schema", keep: int = SCRIPT_CHARACTERS) -> Data:
    """A script, or what it said."""
    return Data(text or "(nothing)", level, keep)


def facts_text(task: Task) -> str:
    """What the grader found out, a line each."""
    lines = [
        f"name: {task.name}",
        f"problem: {task.problem}; the submission holds {task.output}",
        f"metric: {task.metric}, to {task.direction}",
        f"files: data/{task.train} (train), data/{task.test} (test), data/{task.sample_submission} (sample submission)",
        f"target columns of train: {', '.join(task.targets)}",
        f"columns of the submission: {', '.join([*([task.id] if task.id else []), *task.columns])}",
        f"test differs from train by: {task.split}{f' ({task.split_column})' if task.split_column else ''}",
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
    return [f"{column.name}: {' | '.join(column.examples)}" for column in columns if column.examples]


def _values_text(task: Task) -> str:
    if task.output == "probabilities":
        return "; the values are probabilities"
    if task.output == "labels":
        return "; the values are labels, spelled as in the training file"
    return ""
