"""How answers and predictions are held: two-dimensional arrays (row, column), encoded once and then only indexed.

Forms of a submission, and of the answers that go with it:

    codes    one column of class labels        int codes into Task.classes; answers alike
    flags    several 0/1 columns of labels     floats 0/1; answers alike
    numbers  probabilities or values           floats; answers: class codes, 0/1 floats or floats
    text     free text, ranked lists of labels strings; answers alike

Answers given as 0/1 columns of which exactly one is 1 are one label, where the metric is meant for one label.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from grading.base import Task
from grading.metric_names import rank_length

Array: TypeAlias = npt.NDArray[Any]
Form = Literal["codes", "flags", "numbers", "text"]

KAPPA = "quadratic_weighted_kappa"
ONE_LABEL = {"log_loss", "balanced_log_loss"}
"""Metrics that mean the classes of one label where they have several columns."""
_TRUTHS = {"true": "1", "false": "0"}


def form(task: Task) -> Form:
    """How the task's submission is held (see the module)."""
    if task.metric == KAPPA and (task.problem == "regression" or ratings(task) is not None):
        return "numbers"
    if task.output != "labels" or task.problem == "regression":
        return "numbers"
    if rank_length(task.metric) is not None or task.metric == "jaccard_words":
        return "text"
    if task.problem == "multilabel":
        return "flags"
    return "codes" if task.classes else "text"


def ratings(task: Task) -> Array | None:
    """The classes as numbers, in the order of Task.classes; None where one is no number."""
    try:
        return np.array([float(name) for name in task.classes]) if task.classes else None
    except ValueError:
        return None


def truth(table: pd.DataFrame, task: Task) -> Array:
    """The answers of a hidden table's rows (columns "y:<target>") as an array (rows, 1 or columns)."""
    columns = [f"y:{name}" for name in task.targets]
    held = form(task)
    if held == "text":
        return table[columns[:1]].astype(str).to_numpy(object)
    if len(columns) == 1 and task.classes:
        return _class_truth(table[columns[0]], task, numeric=held == "numbers" and task.output != "probabilities")
    values = table[columns].to_numpy(float)
    one_label = len(columns) > 1 and task.metric in ONE_LABEL and bool((values.sum(axis=1) == 1).all())
    return values.argmax(axis=1)[:, None] if one_label else values


def _class_truth(column: pd.Series[Any], task: Task, numeric: bool) -> Array:
    codes = class_codes(column.astype(str).to_numpy(object), task.classes)
    if (codes < 0).any():
        raise ValueError(f"a hidden label of {column.name} is no class of the task")
    numbers = ratings(task)
    return (numbers[codes] if numeric and numbers is not None else codes)[:, None]


def class_codes(texts: Array, classes: Sequence[str]) -> Array:
    """Codes into `classes` of labels as text; -1 where it is none. "1", "1.0" and "True" may all mean class "1"."""
    exact = {name: code for code, name in enumerate(classes)}
    loose = {_loose(name): code for code, name in enumerate(classes)}
    codes, uniques = pd.factorize(texts)
    table = np.array([exact.get(str(text), loose.get(_loose(str(text)), -1)) for text in uniques] or [-1])
    return np.asarray(np.where(codes >= 0, table[codes], -1), dtype=np.int64)


def _loose(text: str) -> str:
    """One spelling for what programs write for the same label: case, blanks, "1.0" for 1, True for 1."""
    key = text.strip()
    key = _TRUTHS.get(key.lower(), key)
    try:
        number = float(key)
    except ValueError:
        return key.lower()
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)


def has_class_columns(task: Task) -> bool:
    """Does the submission hold a column of chances for each class of one label? (Task.classes are in their order.)"""
    several = task.output == "probabilities" and len(task.columns) > 1
    return several and (len(task.classes) == len(task.columns) or task.metric in ONE_LABEL)


def as_table(predictions: Array, task: Task) -> pd.DataFrame:
    """Predictions as the columns of a submission (Task.columns, in order), without the id."""
    held = form(task)
    if held == "codes":
        values: Array = np.array(task.classes, dtype=object)[predictions]
    elif held == "flags":
        values = predictions.astype(int)
    elif task.metric == KAPPA and held == "numbers":
        values = _nearest_rating(predictions, task)
    else:
        values = predictions
    return pd.DataFrame(values, columns=task.columns)


def _nearest_rating(predictions: Array, task: Task) -> Array:
    numbers = ratings(task)
    if numbers is None:
        return np.rint(predictions).astype(int)
    nearest = np.abs(predictions[:, 0][:, None] - numbers[None, :]).argmin(axis=1)
    return np.array(task.classes, dtype=object)[nearest][:, None]
