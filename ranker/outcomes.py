"""Outcomes as a learner sees them: a task, its instructions, and how they did beside each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ranker.records import InstructionRecord, Record, TaskRecord, normalised


@dataclass(frozen=True)
class Outcomes:
    """One task and the outcomes of the instructions that were tried on it."""

    task: TaskRecord
    metric: str
    instructions: list[InstructionRecord]
    worth: np.ndarray
    """Raw scores with the sign that makes more better; -inf where it failed."""
    value: np.ndarray
    """ranker.records.normalised: 0..1."""
    error: np.ndarray
    """Standard errors on the same scale as `worth`; 0 where none is known."""
    seconds: np.ndarray

    def only(self, chosen: Sequence[int]) -> Outcomes:
        """The same task with some of its instructions; values stay as they were among all."""
        rows = list(chosen)
        arrays = {name: getattr(self, name)[rows] for name in ("worth", "value", "error", "seconds")}
        return replace(self, instructions=[self.instructions[row] for row in rows], **arrays)


def unmeasured(task: TaskRecord, metric: str, instructions: Sequence[InstructionRecord]) -> Outcomes:
    """A task whose instructions have not been tried."""
    nothing = np.zeros(len(instructions))
    return Outcomes(task, metric, list(instructions), nothing, nothing, nothing, nothing)


def origin(task: str) -> str:
    """What a ranker remembers of a task that it learned from: of a made one its set, of any other its own id."""
    return task.rpartition("-")[0] if task.startswith("made-") else task


def gather(records: Iterable[Record], least: int = 2) -> list[Outcomes]:
    """Records by task, in the order of the file; of one instruction on one task the last holds.

    Tasks with fewer than `least` instructions, or on which all did the same, teach nothing and are left out.
    """
    by_task: dict[str, dict[str, Record]] = {}
    for record in records:
        by_task.setdefault(record.task.id, {})[record.instruction.id] = record
    found = (_outcomes(list(records.values())) for records in by_task.values())
    return [one for one in found if len(one.instructions) >= least and len(set(one.worth.tolist())) > 1]


def _outcomes(records: list[Record]) -> Outcomes:
    higher = records[0].higher_is_better
    scores = [record.score for record in records]
    signed = [-np.inf if s is None else s if higher else -s for s in scores]
    return Outcomes(
        records[0].task,
        records[0].metric,
        [record.instruction for record in records],
        np.array(signed),
        np.array(normalised(scores, higher)),
        np.array([record.error or 0.0 for record in records]),
        np.array([record.seconds for record in records]),
    )
