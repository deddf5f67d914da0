"""Records for learning: what the ranker can learn from a run, a JSON line for each attempt that was tried."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from importlib.metadata import version

from grading.base import Score, Standing, Task
from graphs.live import Live
from graphs.state import Attempt, State
from ranker.records import InstructionRecord, Record, TaskRecord, finite, write_records
from ranker.words import instruction_text, task_text
from recipes.base import Description, Instruction

VERSIONS = {"linguacodus": version("linguacodus")}
UNTRIED = ("unanswered", "unwritten")
"""Attempts that say nothing of their instruction: no script came of it."""
LONGEST = 20_000
"""Characters of an instruction's text."""


def write_attempts(things: Live, state: State) -> None:
    """Bring RUN/records.jsonl to what is known now; a reader never sees half of it."""
    attempts = [a for a in state["attempts"].values() if a.status not in UNTRIED]
    if not attempts or not state["facts"].views:
        return
    stand = state["standings"].attempts
    standings = {next(iter(standing.members)): alongside(standing, stand[0].score) for standing in stand}
    task = task_record(state["facts"], state["description"])
    pool = {instruction.id: instruction for instruction in state["pool"]}
    # An attempt that ran on a sample alone says nothing yet: it has no score on the views, and did not fail.
    attempts = [a for a in attempts if a.id in standings or a.status != "ok"]
    lines = [record(task, state["facts"], a, pool.get(a.instruction), standings.get(a.id)) for a in attempts]
    write_records(things.folder.learning, lines)


def task_record(facts: Task, description: Description) -> TaskRecord:
    """The task without a name of a file, a column or a value; the same task has the same id in every run."""
    about = [facts.name, facts.metric, facts.train_rows, list(facts.targets), facts.problem, description.width]
    digest = hashlib.sha256(json.dumps(about).encode()).hexdigest()[:16]
    numbers = finite(description.numbers)
    text = task_text(description.modality, facts.metric, numbers)
    return TaskRecord(id=f"run-{digest}", text=text, numbers=numbers)


def alongside(standing: Standing, leader: Score) -> Score:
    """The score as it would be on the leader's views: those who left the race early saw fewer, maybe easier ones."""
    worse = standing.behind if leader.direction == "minimize" else -standing.behind
    return replace(standing.score, mean=leader.mean + worse)


def record(
    task: TaskRecord, facts: Task, attempt: Attempt, instruction: Instruction | None, score: Score | None
) -> Record:
    """One line: the blind score, or how the attempt failed."""
    return Record(
        task=task,
        instruction=instruction_record(attempt, instruction),
        score=score.mean if score else None,
        error=score.error if score else None,
        higher_is_better=facts.direction == "maximize",
        metric=facts.metric,
        seconds=attempt.seconds,
        status=attempt.status,
        versions=VERSIONS,
    )


def instruction_record(attempt: Attempt, instruction: Instruction | None) -> InstructionRecord:
    """What was tried. A recipe keeps its name; what a model or a person wrote is named by its text."""
    if instruction is not None:
        text = instruction_text(instruction.preprocessing, instruction.model, instruction.training)[:LONGEST]
        if instruction.source.startswith("recipe:"):
            return InstructionRecord(id=instruction.id, text=text, source=instruction.source)
    else:
        text = attempt.title[:LONGEST]  # of an improvement, with its change
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    return InstructionRecord(id=f"text-{digest}", text=text, source=attempt.source)
