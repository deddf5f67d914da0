"""From the target columns to numbers that a model learns, and from its predictions to what is submitted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd


def class_codes(values: Any, classes: Sequence[str]) -> np.ndarray:
    """Number of each label in `classes`; "1", "1.0" and 1 are the same label, and so are "True" and "true"."""
    exact = {label: code for code, label in enumerate(classes)}
    loose = {_plain_label(label): code for code, label in enumerate(classes)}
    return np.array([exact.get(str(v), loose.get(_plain_label(str(v)), -1)) for v in values], dtype=int)


def _plain_label(label: str) -> str:
    try:
        return repr(float(label))
    except ValueError:
        return label.strip().lower()


def learn_targets(train: pd.DataFrame, targets: Sequence[str], problem: str, classes: Sequence[str]) -> np.ndarray:
    """What a model learns: class codes (rows,) for binary and multiclass, else floats (rows, targets).

    Rows without an answer are -1 or NaN: leave them out of training (see `known_rows`).
    """
    if problem in ("binary", "multiclass"):
        return class_codes(train[targets[0]], classes)
    return np.column_stack([_numbers(train[target]) for target in targets])


def _numbers(column: pd.Series) -> np.ndarray:
    """Numbers; True and False, also as text, are 1 and 0."""
    plain = column.astype(str).str.strip().str.lower().replace({"true": "1", "false": "0"})
    return pd.to_numeric(plain, errors="coerce").to_numpy(float)


def known_rows(target: np.ndarray) -> np.ndarray:
    """Mask of the rows that have an answer."""
    if target.ndim == 1:
        return target >= 0
    return np.isfinite(target).all(axis=1)


def submit_answers(
    prediction: np.ndarray, problem: str, output: str, metric: str, classes: Sequence[str], columns: Sequence[str]
) -> np.ndarray:
    """What stands in the submission's `columns`, one row for each row of `prediction`.

    `prediction`: probabilities (rows, classes) or codes (rows,) for binary and multiclass; probabilities
    (rows, targets) for multilabel; values (rows, targets) for regression.
    """
    if problem == "regression":
        return _values(prediction, output, metric)
    if problem == "multilabel":
        return (prediction >= 0.5).astype(int) if output == "labels" else np.clip(prediction, 0, 1)
    if output == "labels" and "_at_" in metric:
        return _ranked(prediction, int(metric.rsplit("_", 1)[1]), classes)
    if output == "labels":
        codes = prediction if prediction.ndim == 1 else prediction.argmax(axis=1)
        return np.array(classes, dtype=object)[codes].reshape(-1, 1)
    if len(columns) == 1:
        return np.clip(prediction[:, -1:], 0, 1) if output == "probabilities" else _expected(prediction, classes)
    return np.clip(prediction, 0, 1)[:, column_classes(classes, columns)]


def _ranked(prediction: np.ndarray, length: int, classes: Sequence[str]) -> np.ndarray:
    """The likeliest classes of each row, best first, in one cell."""
    order = np.argsort(-prediction, axis=1, kind="stable")[:, :length]
    return np.array([" ".join(classes[code] for code in row) for row in order], dtype=object).reshape(-1, 1)


def _expected(prediction: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Where classes are numbers and values are wanted: the expected number."""
    return (prediction @ np.array([float(label) for label in classes])).reshape(-1, 1)


def _values(prediction: np.ndarray, output: str, metric: str) -> np.ndarray:
    values = prediction.reshape(len(prediction), -1)
    if "rmsle" in metric or "log" in metric:
        values = np.clip(values, 0, None)
    return np.rint(values).astype(int) if output == "labels" else values


def column_classes(classes: Sequence[str], columns: Sequence[str]) -> list[int]:
    """For each column of the submission, the number of its class: by name, by the name's end, else by place."""
    plain = [label.lower() for label in classes]
    names = [column.lower() for column in columns]
    if sorted(names) == sorted(plain):
        return [plain.index(name) for name in names]
    by_end = [[c for c, label in enumerate(plain) if name.endswith(label)] for name in names]
    if all(by_end):
        found = [max(hits, key=lambda c: len(plain[c])) for hits in by_end]
        if len(set(found)) == len(columns):
            return found
    return list(range(len(columns)))
