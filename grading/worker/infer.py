"""From a data folder and what its owner says of it to a `Task` with nothing left to guess."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from grading.base import Task, TaskError
from grading.worker import tables
from grading.worker.cells import text
from grading.worker.finding import Files, find_files, shared_names
from grading.worker.goals import Goal, find_goal
from grading.worker.own_split import plan_file
from grading.worker.plans import MIN_ROWS, Plan
from grading.worker.relation import Relation, find_relation
from grading.worker.splits import make_plan
from grading.worker.targets import Tables, find_id, nearest
from grading.worker.truth import labelled, strata, truth

CUSTOM_CODE = Path("/grader/custom")
"""Where the user's own metric and split lie in the grader's container."""
TEST_NAME = "test.csv"
SAMPLE_NAME = "sample_submission.csv"


@dataclass(frozen=True)
class Rows:
    """Whether each row of the submission is a row of test."""

    matched: bool
    fault: str | None
    notes: list[str]


def infer(spec: dict[str, Any], data: Path, seed: int, code: Path = CUSTOM_CODE) -> Task:
    """`spec` is `TaskSpec.for_worker()`. `code` holds the user's split file.

    Raises:
        TaskError: one sentence that names file, field and remedy.
    """
    files = find_files(spec["files"], data)
    frames = read_frames(files, data)
    id_column, id_notes = find_id(spec["id"], frames)
    goal = find_goal(spec["target"], spec["metric"]["name"], id_column, frames)
    test, rows = _matched_test(frames, id_column, goal, files)
    train_only = [c for c in frames.train.columns if c not in goal.targets and c not in test.columns]
    shared, shared_notes = shared_names(data, files, _named_shared(spec), goal.targets)
    relation, plan = _views(spec, frames.train, test, goal, id_column, seed, code)
    unblind = rows.fault if rows.fault is not None else _why_none(plan, frames.train, goal)
    found_notes = [*_metric_note(spec["metric"]), *files.notes, *id_notes, *goal.notes, *_left_out(train_only)]
    notes = [*found_notes, *rows.notes, *shared_notes, relation.note]
    return Task(
        name=spec["name"], description=spec["description"], metric=goal.metric, direction=spec["metric"]["direction"],
        train=files.train, test=files.test or TEST_NAME, sample_submission=files.sample or SAMPLE_NAME, shared=shared,
        id=id_column, targets=goal.targets, columns=goal.columns, problem=goal.problem, output=goal.output,
        classes=goal.classes, train_only=train_only,
        split=relation.split, split_column=relation.column, time=relation.time,
        train_rows=len(frames.train), test_rows=len(test), views=0 if unblind else plan.folds, unblind=unblind,
        notes=[*notes, *([f"No blind view can be made: {unblind}"] if unblind else [])],
    )  # fmt: skip


def _metric_note(metric: dict[str, Any]) -> list[str]:
    """Where the metric was inferred: what speaks for it."""
    return [f"The metric is {metric['name']}, {metric['why']}"] if metric.get("why") else []


def _named_shared(spec: dict[str, Any]) -> list[str] | None:
    extra, media = spec["files"].get("extra"), spec["files"].get("media")
    return None if extra is None and media is None else [*(extra or []), *(media or [])]


def read_frames(files: Files, data: Path) -> Tables:
    """The tables of a task, checked for rows.

    Raises:
        TaskError: a table cannot be read or has no rows, or test is train.
    """
    train = tables.read(data / files.train).frame
    test = tables.read(data / files.test).frame if files.test else None
    sample = tables.read(data / files.sample).frame if files.sample else None
    for name, frame in ((files.train, train), (files.test, test), (files.sample, sample)):
        if frame is not None and not len(frame):
            raise TaskError(f"{name}: the table has no rows; give one with data.")
    if test is not None and len(test) == len(train):
        both = [c for c in train.columns if c in test.columns]
        if both and all((text(train[c]) == text(test[c])).all() for c in both):
            raise TaskError(f"{files.test}: holds the same rows as {files.train}; name the right file in files.test.")
    return Tables(train, test, sample)


def _matched_test(frames: Tables, id_column: str | None, goal: Goal, files: Files) -> tuple[pd.DataFrame, Rows]:
    """The test rows (from the sample submission where there is no table), and whether the submission asks for them."""
    test, sample = frames.test, frames.sample
    if test is None:
        if id_column is None or sample is None or id_column not in frames.train.columns:
            raise TaskError(
                f"test: there is no test table, and {files.sample} has no id that train has; name one in files.test."
            )
        note = f"There is no test table; {TEST_NAME} is made from column {id_column} of {files.sample}."
        return sample[[id_column]], Rows(True, None, [note])
    if sample is None:
        return test, Rows(True, None, [])
    if id_column is not None and id_column in test.columns:
        return test, _by_id(text(sample[id_column]), text(test[id_column]), id_column, files)
    if len(sample) == len(test):
        return test, Rows(True, None, [f"Row n of {files.sample} belongs to row n of {files.test}."])
    fault = f"{files.sample} has {len(sample)} rows and {files.test} {len(test)}, and no id joins them."
    return test, Rows(False, fault, [])


def _by_id(wanted: pd.Series, given: pd.Series, id_column: str, files: Files) -> Rows:
    if not given.is_unique:
        return Rows(
            False,
            f"{id_column} repeats in {files.test}, so that a submission's row belongs to several of its rows.",
            [],
        )
    lost = int((~wanted.isin(given)).sum())
    if lost:
        return Rows(False, f"{lost} of the {len(wanted)} ids of {files.sample} are not in {files.test}.", [])
    if len(wanted) < len(given):
        return Rows(True, None, [f"{files.sample} asks for {len(wanted)} of the {len(given)} rows of {files.test}."])
    return Rows(True, None, [])


def _views(
    spec: dict[str, Any],
    train: pd.DataFrame,
    test: pd.DataFrame,
    goal: Goal,
    id_column: str | None,
    seed: int,
    code: Path,
) -> tuple[Relation, Plan]:
    """The user's split, else the one found; single rows where that leaves too few pieces."""
    views = spec["views"]
    y = truth(train, goal.targets, goal.problem)
    if views["file"] is not None:
        relation = Relation("row", None, None, f"Views are cut by split(train) of {views['file']}.")
        return relation, plan_file(code / views["file"], train, labelled(y), seed)
    features = train.drop(columns=[c for c in train.columns if c in goal.targets])
    relation = _named_relation(views, features, test) or find_relation(features, test, id_column)
    plan = _plan(relation, train, test, goal, y, id_column, seed)
    if plan.folds or relation.split == "row":
        return relation, plan
    if views["by"] is not None:
        raise TaskError(
            f"views.column: {relation.column!r} has too few different values to hold some back; name another column."
        )
    note = f"{relation.note} But that leaves too few pieces, so single rows are cut."
    relation = Relation("row", None, relation.time, note)
    return relation, _plan(relation, train, test, goal, y, id_column, seed)


def _named_relation(views: dict[str, Any], train: pd.DataFrame, test: pd.DataFrame) -> Relation | None:
    by, column = views["by"], views["column"]
    if by is None:
        return None
    if by == "row":
        return Relation("row", None, None, "Views are cut by single rows, as the task says.")
    known = [c for c in train.columns if by == "group" or c in test.columns]
    where = "train" if by == "group" else "train and test"
    if column not in known:
        raise TaskError(f"views.column: {column!r} is no column of {where}; {nearest(column, known)}.")
    return Relation(
        by, column, column if by == "time" else None, f"Views are cut by {by} of {column}, as the task says."
    )


def _plan(
    relation: Relation,
    train: pd.DataFrame,
    test: pd.DataFrame,
    goal: Goal,
    y: pd.DataFrame,
    id_column: str | None,
    seed: int,
) -> Plan:
    skip = {*goal.targets, *([id_column] if id_column else [])}
    return make_plan(
        relation.split, relation.column, relation.time, train, test, strata(y, goal.output), labelled(y), seed, skip
    )


def _why_none(plan: Plan, train: pd.DataFrame, goal: Goal) -> str | None:
    if plan.folds:
        return None
    rows = int(labelled(truth(train, goal.targets, goal.problem)).sum())
    return f"train has {rows} rows with a target, and below {MIN_ROWS} none can be held back."


def _left_out(train_only: list[str]) -> list[str]:
    if not train_only:
        return []
    some = ", ".join(train_only[:6]) + (" and more" if len(train_only) > 6 else "")
    return [f"{some}: in train only, so no features."]


def plan_of(
    task: Task, train: pd.DataFrame, test: pd.DataFrame, seed: int, split_file: Path | None
) -> tuple[Plan, pd.DataFrame]:
    """The same plan again from the task, and the truth of train."""
    y = truth(train, task.targets, task.problem)
    if split_file is not None:
        return plan_file(split_file, train, labelled(y), seed), y
    skip = {*task.targets, *([task.id] if task.id else [])}
    plan = make_plan(
        task.split, task.split_column, task.time, train, test, strata(y, task.output), labelled(y), seed, skip
    )
    return plan, y
