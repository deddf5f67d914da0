"""Is a submission what the task asks for? Every fault at once, a sentence each, never with a hidden value in it.

The file comes from generated code: it is bounded in bytes, lines and columns before it is parsed, and read as text.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from grading.base import Task
from grading.metric_names import rank_length
from grading.worker.arrays import Array, class_codes, form, has_class_columns
from grading.worker.metrics import LOGARITHMIC, RANKING, RESCALED
from grading.worker.submission_file import BadFileError, parse, quoted

MAX_FAULTS = 10
SUM_TOLERANCE = 1e-3
"""How far a row of probabilities may sum from 1 where the metric does not rescale it."""
_MISSING = {"", "nan", "na", "n/a", "<na>", "none", "null", "nat"}


def check(
    path: Path, task: Task, table: pd.DataFrame, header: Sequence[str] | None = None
) -> tuple[Array | None, list[str]]:
    """Read and judge a submission for the rows of `table` (a hidden table: columns id, role, row, unit, y:...).

    Args:
        header: the columns wanted, in order; the id and then Task.columns where not given.

    Returns: predictions (rows of `table`, columns; see grading.worker.arrays) or None, and at most MAX_FAULTS faults.
    """
    wanted = list(header or ([task.id] if task.id else []) + task.columns)
    try:
        texts = parse(path, wanted, len(table), free_text=form(task) == "text")
    except BadFileError as error:
        return None, [str(error)]
    faults = _column_faults(list(texts.columns), wanted) + _row_faults(texts, task, table)
    present = [name for name in task.columns if name in texts.columns]
    predictions, more = _READERS[form(task)](texts[present], task)
    faults += more
    if len(faults) > MAX_FAULTS:
        faults = [*faults[: MAX_FAULTS - 1], f"There are {len(faults) - MAX_FAULTS + 1} more faults."]
    if faults:
        return None, faults
    return predictions, []


def _column_faults(found: list[str], wanted: list[str]) -> list[str]:
    faults = []
    missing = [name for name in wanted if name not in found]
    extra = [name for name in found if name not in wanted]
    if missing:
        faults.append(f"submission.csv lacks the column{_s(missing)} {_some(missing)}; wanted are {_some(wanted, 8)}.")
    if extra:
        hint = " (write it with index=False)" if any(name == "" or name.startswith("Unnamed") for name in extra) else ""
        faults.append(f"submission.csv has {len(extra)} unexpected column{_s(extra)}: {_some(extra)}{hint}.")
    if not missing and not extra and found != wanted:
        faults.append(f"The columns are not in the order of the sample submission: {_some(wanted, 8)}.")
    return faults


def _row_faults(texts: pd.DataFrame, task: Task, table: pd.DataFrame) -> list[str]:
    faults = []
    if len(texts) != len(table):
        faults.append(f"submission.csv has {len(texts)} rows, the sample submission has {len(table)}.")
    if task.id is not None and task.id in texts.columns:
        faults += _id_faults(_ids(texts[task.id], table["id"]), table["id"].astype(str).to_numpy(object), task.id)
    return faults


def _ids(found: pd.Series[Any], wanted: pd.Series[Any]) -> Array:
    """The ids found, spelled as wanted where they are the same numbers ("7.0" or "7" for "007")."""
    texts = found.astype(str).str.strip().to_numpy(object)
    known = wanted.astype(str).to_numpy(object)
    if set(texts) <= set(known):
        return texts
    numbers = pd.to_numeric(pd.Series(known), errors="coerce")
    if numbers.isna().any() or numbers.duplicated().any():
        return texts
    spelling = dict(zip(numbers, known, strict=True))
    values = pd.to_numeric(pd.Series(texts), errors="coerce")
    return np.array([spelling.get(value, text) for value, text in zip(values, texts, strict=True)], dtype=object)


def _id_faults(found: Array, wanted: Array, name: str) -> list[str]:
    faults, known, seen = [], set(wanted), set(found)
    repeated = list(pd.Series(found)[pd.Series(found).duplicated()].unique())
    missing = [text for text in wanted if text not in seen]
    unknown = [text for text in dict.fromkeys(found) if text not in known]
    if missing:
        faults.append(f"{len(missing)} values of {name!r} are missing, such as {_some(missing)}.")
    if unknown:
        faults.append(f"{len(unknown)} values of {name!r} are not in the sample submission, such as {_some(unknown)}.")
    if repeated:
        faults.append(f"{len(repeated)} values of {name!r} occur more than once, such as {_some(repeated)}.")
    if not faults and len(found) == len(wanted) and (found != wanted).any():
        row = int(np.argmax(found != wanted))
        first = f"row {row + 1} has {name} {quoted(found[row])}"
        faults.append(f"The rows are not in the order of the sample submission: {first}.")
    return faults


def _read_numbers(texts: pd.DataFrame, task: Task) -> tuple[Array, list[str]]:
    faults, columns = [], []
    for name in texts.columns:
        values = pd.to_numeric(texts[name].str.strip(), errors="coerce").to_numpy(float)
        empty = texts[name].str.strip().str.lower().isin(_MISSING).to_numpy(bool)
        faults += _marked(texts[name], empty, "missing")
        faults += _marked(texts[name], np.isnan(values) & ~empty, "not a number")
        faults += _marked(texts[name], np.isinf(values), "not finite")
        columns.append(values)
    numbers = np.column_stack(columns) if columns else np.empty((len(texts), 0))
    whole = len(texts.columns) == len(task.columns)
    return numbers, _merged(faults) + (_range_faults(numbers, task) if whole and not faults else [])


def _range_faults(numbers: Array, task: Task) -> list[str]:
    if task.metric in LOGARITHMIC:
        return _beyond(numbers, numbers < 0, f"below 0, which {task.metric} does not take; clip them at 0")
    several = has_class_columns(task)
    if task.output != "probabilities" or (task.metric in RANKING and not several):
        return []
    rescaled = several and task.metric in RESCALED
    faults = _beyond(numbers, numbers < 0, "below 0; they must be probabilities")
    if not rescaled:
        faults += _beyond(numbers, numbers > 1 + 1e-9, "above 1; they must be probabilities")
    return faults + (_sum_faults(numbers.sum(axis=1), rescaled) if several and not faults else [])


def _beyond(numbers: Array, wrong: Array, what: str) -> list[str]:
    if not wrong.any():
        return []
    total, row = int(wrong.sum()), int(np.argmax(wrong.any(axis=1))) + 1
    return [f"{total} value{'s are' if total > 1 else ' is'} {what}: {numbers[wrong][0]:.6g} in row {row}."]


def _sum_faults(sums: Array, rescaled: bool) -> list[str]:
    wrong = sums <= 0 if rescaled else np.abs(sums - 1) > SUM_TOLERANCE
    if not wrong.any():
        return []
    row = int(np.argmax(wrong))
    wish = "more than 0" if rescaled else "1"
    return [f"{int(wrong.sum())} rows of probabilities do not sum to {wish}; row {row + 1} sums to {sums[row]:.6g}."]


def _read_codes(texts: pd.DataFrame, task: Task) -> tuple[Array, list[str]]:
    if not len(texts.columns):
        return np.empty((len(texts), 0)), []
    column = texts[texts.columns[0]]
    codes = class_codes(column.to_numpy(object), task.classes)
    empty = column.str.strip().str.lower().isin(_MISSING).to_numpy(bool) & (codes < 0)
    marks = _marked(column, empty, "missing") + _marked(column, (codes < 0) & ~empty, "no label of train")
    allowed = [f"Allowed labels are {_some(task.classes, 12)}."] if marks else []
    return codes[:, None], _merged(marks) + allowed


def _read_flags(texts: pd.DataFrame, _task: Task) -> tuple[Array, list[str]]:
    faults, columns = [], []
    for name in texts.columns:
        codes = class_codes(texts[name].to_numpy(object), ["0", "1"])
        faults += _marked(texts[name], codes < 0, "neither 0 nor 1")
        columns.append(codes.astype(float))
    return np.column_stack(columns) if columns else np.empty((len(texts), 0)), _merged(faults)


def _read_text(texts: pd.DataFrame, task: Task) -> tuple[Array, list[str]]:
    """Free text may be empty: a row without an answer is an answer. Ranked lists hold labels of train."""
    if rank_length(task.metric) is None or not task.classes or not len(texts.columns):
        return texts.to_numpy(object), []
    column, known = texts[texts.columns[0]], {word for name in task.classes for word in name.split()}
    wrong = np.array([not known.issuperset(str(text).split()) for text in column], dtype=bool)
    return texts.to_numpy(object), _merged(_marked(column, wrong, "not made of labels of train"))


_READERS: dict[str, Callable[[pd.DataFrame, Task], tuple[Array, list[str]]]] = {
    "numbers": _read_numbers, "codes": _read_codes, "flags": _read_flags, "text": _read_text,
}  # fmt: skip

_Marked = tuple[str, str, int, int, str]
"""Column, what is wrong, how many values, the first one's row (1-based) and text."""


def _marked(column: pd.Series[Any], wrong: Array, what: str) -> list[_Marked]:
    if not wrong.any():
        return []
    row = int(np.argmax(wrong))
    return [(str(column.name), what, int(wrong.sum()), row + 1, str(column.iloc[row]))]


def _merged(marks: list[_Marked]) -> list[str]:
    """A sentence for each thing that is wrong, whatever the number of columns."""
    faults = []
    for what in dict.fromkeys(mark[1] for mark in marks):
        same = [mark for mark in marks if mark[1] == what]
        name, _, _, row, text = same[0]
        total, names = sum(mark[2] for mark in same), [mark[0] for mark in same]
        example = f"row {row}" if what == "missing" else f"{quoted(text)} in row {row}"
        where = f"column {name!r}" if len(same) == 1 else f"{len(same)} columns ({_some(names)})"
        faults.append(f"{total} value{'s are' if total > 1 else ' is'} {what} in {where}, such as {example}.")
    return faults


def _some(names: Sequence[str], limit: int = 2) -> str:
    return ", ".join(quoted(str(name)) for name in names[:limit]) + (", ..." if len(names) > limit else "")


def _s(names: Sequence[str]) -> str:
    return "s" if len(names) > 1 else ""
