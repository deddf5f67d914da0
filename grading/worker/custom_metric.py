"""The user's own metric: `score(y_true, y_pred) -> float` from a file, run in the grader's container only."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from grading.base import Task, TaskError
from grading.worker.arrays import Array, ratings

RAISED = (ArithmeticError, AssertionError, AttributeError, BufferError, EOFError, ImportError, LookupError, NameError,
          OSError, ReferenceError, RuntimeError, SyntaxError, TypeError, ValueError)  # fmt: skip
"""What a user's code may raise by mistake."""


def load_score(path: Path, task: Task) -> Callable[[Array, Array], float]:
    """The user's function, over the arrays of grading.worker.arrays.

    It is given arrays of one dimension where there is one column, else of two; labels as the task writes them (numbers
    where all classes are numbers), class probabilities with a column a class in the order of the classes.

    Raises: TaskError: the file cannot be loaded or has no `score`; later, where `score` fails.
    """
    score = getattr(_module(path), "score", None)
    if not callable(score):
        raise TaskError(f"metric.file: {path.name} has no function score(y_true, y_pred); add one.")

    def value(y: Array, p: Array) -> float:
        try:
            return float(score(_shown(y, task), _shown(p, task)))
        except RAISED as error:
            raise TaskError(f"metric.file: score() of {path.name} raised {type(error).__name__}: {error}") from error

    return value


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("custom_metric", path)
    if spec is None or spec.loader is None:
        raise TaskError(f"metric.file: {path.name} is not a Python file.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except RAISED as error:
        raise TaskError(f"metric.file: {path.name} cannot be loaded: {type(error).__name__}: {error}") from error
    return module


def _shown(values: Array, task: Task) -> Array:
    """Codes as the labels that they stand for; one column as one dimension."""
    if values.dtype.kind == "i" and task.classes:
        numbers = ratings(task)
        values = (np.array(task.classes, dtype=object) if numbers is None else numbers)[values]
    return values[:, 0] if values.shape[1] == 1 else values
