"""What the metric makes of the targets: the problem, the form of the submission, the classes."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from grading.base import Output, Problem, TaskError
from grading.metric_names import CUSTOM, metric_info
from grading.worker.cells import class_text, missing, numbers, sorted_classes, text
from grading.worker.targets import Meaning, Tables, find_meaning, folded

COLUMNWISE = {
    "roc_auc": "mean_columnwise_roc_auc",
    "log_loss": "mean_columnwise_log_loss",
    "rmse": "mcrmse",
    "rmsle": "mean_columnwise_rmsle",
    "mae": "mean_columnwise_mae",
}
"""What a metric of one column is called when it is averaged over several target columns."""
FREE_TEXT = frozenset(["jaccard_words"])
"""Metrics whose labels are any text, so that there are no classes."""
MAX_CLASSES = 20_000


@dataclass(frozen=True)
class Goal:
    """The same, with what the metric makes of it."""

    targets: list[str]
    columns: list[str]
    classes: list[str]
    problem: Problem
    output: Output
    metric: str
    notes: list[str]


def find_goal(named: list[str], metric: str, id_column: str | None, tables: Tables) -> Goal:
    """Targets, submission columns, problem and output of a task.

    Raises:
        TaskError: no target can be found, or it does not fit the metric.
    """
    meaning = find_meaning(named, id_column, tables)
    for target in meaning.targets:
        if missing(text(tables.train[target])).all() and class_text(tables.train[target]).isna().all():
            raise TaskError(f"target: column {target!r} of train is empty; give its values or another target.")
    output = _custom_output(meaning, tables) if metric == CUSTOM else metric_info(metric).outputs[0]
    if output == "values":
        return _values(meaning, metric, tables)
    return (
        _several(meaning, metric, output, tables) if len(meaning.targets) > 1 else _one(meaning, metric, output, tables)
    )


def _custom_output(meaning: Meaning, tables: Tables) -> Output:
    """With the user's own metric: probabilities for classes in columns, labels for text, else values."""
    if meaning.classes:
        return "probabilities"
    columns = [numbers(tables.train[t]) for t in meaning.targets]
    if any(values is None for values in columns):
        return "labels"
    flags = all(_is_flag(values) for values in columns if values is not None)
    if not flags or tables.sample is None:
        return "labels" if flags else "values"
    samples = [numbers(tables.sample[c]) for c in meaning.columns]
    fractions = any(values is not None and bool((values % 1 != 0).any()) for values in samples)
    return "probabilities" if fractions else "labels"


def _is_flag(values: pd.Series | None) -> bool:
    return values is not None and bool(values.dropna().isin([0.0, 1.0]).all())


def _flag(column: pd.Series) -> bool:
    return _is_flag(numbers(column)) or set(sorted_classes(class_text(column))) <= {"True", "False"}


def _values(meaning: Meaning, metric: str, tables: Tables) -> Goal:
    for target in meaning.targets:
        if numbers(tables.train[target]) is None:
            cells = text(tables.train[target])
            odd = next((c for c in cells if c and numbers(pd.Series([c], dtype="str")) is None), "")
            raise TaskError(
                f"target: metric {metric} needs numbers, but {target!r} holds {odd[:40]!r}; "
                "name another metric or target."
            )
    if meaning.classes:
        raise TaskError(
            f"metric: {metric} compares values, but the submission holds a probability for each class; "
            "use log_loss or roc_auc."
        )
    name, notes = _columnwise(metric, len(meaning.columns))
    return Goal(meaning.targets, meaning.columns, [], "regression", "values", name, meaning.notes + notes)


def _columnwise(metric: str, columns: int) -> tuple[str, list[str]]:
    if columns < 2 or metric not in COLUMNWISE:
        return metric, []
    return COLUMNWISE[metric], [f"With {columns} target columns {metric} is their mean, {COLUMNWISE[metric]}."]


def _several(meaning: Meaning, metric: str, output: Output, tables: Tables) -> Goal:
    for target in meaning.targets:
        if not _flag(tables.train[target]):
            raise TaskError(
                f"target: with several targets and {metric} each must be 0 or 1, but {target!r} is not; "
                "name one target."
            )
    if metric == "log_loss" and _one_hot(meaning.targets, tables.train):
        note = "Exactly one target column is 1 in each row: they are the classes of one label."
        return Goal(meaning.targets, meaning.columns, [], "multilabel", output, metric, [*meaning.notes, note])
    name, notes = _columnwise(metric, len(meaning.columns))
    return Goal(meaning.targets, meaning.columns, [], "multilabel", output, name, meaning.notes + notes)


def _one_hot(targets: list[str], train: pd.DataFrame) -> bool:
    columns = [values for t in targets if (values := numbers(train[t])) is not None]
    return len(columns) == len(targets) and bool((sum(columns) == 1).all())


def _one(meaning: Meaning, metric: str, output: Output, tables: Tables) -> Goal:
    """One target of two or more classes, as a label, a probability, or a probability for each class."""
    target, columns = meaning.targets[0], meaning.columns
    if metric in FREE_TEXT:
        return Goal([target], columns, [], "multiclass", output, metric, meaning.notes)
    classes = meaning.classes or sorted_classes(class_text(tables.train[target]))
    if len(classes) < 2:
        raise TaskError(f"target: column {target!r} of train holds one class only ({classes}); give rows of both.")
    if len(classes) > MAX_CLASSES:
        raise TaskError(
            f"target: {target!r} holds {len(classes)} classes, more than {MAX_CLASSES}; is {metric} the right metric?"
        )
    notes = list(meaning.notes)
    if output == "probabilities" and not meaning.classes:
        if len(classes) > 2:
            raise TaskError(
                f"target: {metric} needs two classes or a column a class, but {target!r} holds {len(classes)} values "
                f"and the submission has the one column {columns[0]!r}; name another metric or target."
            )
        classes = _positive_last(classes, columns[0])
        notes.append(f"Column {columns[0]} is the probability of {target} = {classes[1]}.")
    if metric.startswith("mean_columnwise_") and len(classes) > 2:
        metric = metric.removeprefix("mean_columnwise_") if metric.endswith("roc_auc") else metric
    return Goal([target], columns, classes, "binary" if len(classes) == 2 else "multiclass", output, metric, notes)


def _positive_last(classes: list[str], column: str) -> list[str]:
    """The class that the column is named after, else the later one ("1", "True", "yes"), is the positive one."""
    return classes[::-1] if folded(column) == folded(classes[0]) else classes
