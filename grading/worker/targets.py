"""What is to be predicted: the id, the target columns of train, and how the submission's columns stand for them."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

import pandas as pd

from grading.base import TaskError
from grading.worker.cells import class_text, sorted_classes, text
from grading.worker.ids import common_start


@dataclass(frozen=True)
class Tables:
    """The frames that a task is inferred from. Text cells, or Python values where the file was json."""

    train: pd.DataFrame
    test: pd.DataFrame | None
    sample: pd.DataFrame | None


@dataclass(frozen=True)
class Meaning:
    """Which train columns are predicted, in which columns of the submission."""

    targets: list[str]
    columns: list[str]
    classes: list[str]
    """The class that each column of the submission is a probability of, in their order; else empty."""
    notes: list[str]


def nearest(name: str, names: list[str]) -> str:
    """ "nearest are a, b" for a message."""
    close = difflib.get_close_matches(name, names, n=3, cutoff=0.4)
    return f"the nearest are {', '.join(close)}" if close else f"there are {', '.join(names[:8])}"


def find_id(named: str | None, tables: Tables) -> tuple[str | None, list[str]]:
    """The column that names the rows of the submission.

    Raises:
        TaskError: the named id is no column, or its values repeat.
    """
    holder = tables.sample if tables.sample is not None else tables.test
    assert holder is not None
    where = "the sample submission" if tables.sample is not None else "test"
    if named is not None:
        if named not in holder.columns:
            raise TaskError(f"id: {named!r} is no column of {where}; {nearest(named, list(holder.columns))}.")
        _refuse_repeats(named, holder, where)
        return named, []
    for column in _id_candidates(holder, tables):
        if bool(text(holder[column]).is_unique):
            return column, [f"The id is {column}: it is unique in {where}{_also(column, tables)}."]
    return None, ["There is no id column; rows are matched by their position."]


def _also(column: str, tables: Tables) -> str:
    return (
        " and also in test" if tables.test is not None and tables.sample is not None and column in tables.test else ""
    )


def _id_candidates(holder: pd.DataFrame, tables: Tables) -> list[str]:
    if tables.sample is None:
        return [c for c in holder.columns if re.fullmatch(r"(.*[_ ])?id|.*Id|.*ID|index|key|uuid", c)]
    if tables.test is not None:
        shared = [c for c in holder.columns if c in tables.test.columns]
        if shared:
            return shared
    first = list(holder.columns[:1]) if len(holder.columns) > 1 else []
    return [c for c in first if c not in tables.train.columns or tables.test is None]


def _refuse_repeats(column: str, frame: pd.DataFrame, where: str) -> None:
    cells = text(frame[column])
    if not cells.is_unique:
        twice = cells[cells.duplicated()].iloc[0]
        raise TaskError(
            f"id: {column!r} repeats in {where} ({twice!r} occurs twice); make it unique or name another id."
        )


def find_meaning(named: list[str], id_column: str | None, tables: Tables) -> Meaning:
    """The target columns of train, and what the columns of the submission stand for.

    Raises:
        TaskError: no target can be found.
    """
    train = tables.train
    lacking = [c for c in train.columns if c != id_column and (tables.test is None or c not in tables.test.columns)]
    if tables.sample is None:
        return _without_sample(named, lacking, train)
    columns = [c for c in tables.sample.columns if c != id_column]
    if not columns:
        raise TaskError("sample submission: has no column beside the id; add the column to predict.")
    unknown = [t for t in named if t not in train.columns]
    if named and not unknown:
        return _from_named(named, columns, train)
    if unknown and not set(named) <= set(columns):
        known = list(train.columns) + [c for c in columns if c not in train.columns]
        raise TaskError(f"target: {unknown[0]!r} is no column of train; {nearest(unknown[0], known)}.")
    if all(c in train.columns for c in columns):
        note = f"The target is {_names(columns)}: the sample submission asks for it and train has it."
        return Meaning(columns, columns, [], [note] if not named else [])
    return _renamed(columns, lacking, train)


def _without_sample(named: list[str], lacking: list[str], train: pd.DataFrame) -> Meaning:
    unknown = [t for t in named if t not in train.columns]
    if unknown:
        raise TaskError(f"target: {unknown[0]!r} is no column of train; {nearest(unknown[0], list(train.columns))}.")
    targets = named or lacking
    if not targets:
        raise TaskError("target: train has no column that test lacks; name the target.")
    if len(targets) > 1 and not named:
        raise TaskError(f"target: train has {_names(targets)} that test lacks; name the target.")
    notes = ["There is no sample submission; one was made from the test rows."]
    return Meaning(
        targets, targets, [], notes if named else [*notes, f"The target is {targets[0]}: only test lacks it."]
    )


def _from_named(named: list[str], columns: list[str], train: pd.DataFrame) -> Meaning:
    if set(named) == set(columns):
        return Meaning(columns, columns, [], [])
    if len(named) == 1:
        if len(columns) == 1:
            return Meaning(named, columns, [], [f"Column {columns[0]} of the submission stands for {named[0]}."])
        classes = match_classes(columns, class_text(train[named[0]]))
        if classes is None:
            raise TaskError(
                f"target: the submission's columns {_names(columns)} are not the classes of {named[0]!r}; "
                "name one target a column."
            )
        return Meaning(named, columns, classes, [_wide_note(named[0], columns)])
    paired = _pair(columns, named)
    if paired is None:
        raise TaskError(
            f"target: {len(named)} targets but {len(columns)} columns in the sample submission; name one a column."
        )
    return Meaning(paired, columns, [], [f"The submission's columns {_names(columns)} stand for {_names(paired)}."])


def _pair(columns: list[str], targets: list[str]) -> list[str] | None:
    """The target of each column: the one whose name it contains, else the one at its place."""
    if len(columns) != len(targets):
        return None
    found = [next((t for t in sorted(targets, key=len, reverse=True) if t.lower() in c.lower()), None) for c in columns]
    return [str(t) for t in found] if None not in found and len(set(found)) == len(columns) else list(targets)


def _renamed(columns: list[str], lacking: list[str], train: pd.DataFrame) -> Meaning:
    """Columns of the submission that train does not have: classes of a train column, or a target under another name."""
    if len(columns) > 1:
        for target in sorted(lacking, key=lambda name: int(train[name].map(type).eq(list).any())):
            classes = match_classes(columns, class_text(train[target]))
            if classes is not None:
                return Meaning([target], columns, classes, [_wide_note(target, columns)])
    alike = {folded(name): name for name in lacking}
    if all(folded(c) in alike for c in columns):
        targets = [alike[folded(c)] for c in columns]
        return Meaning(targets, columns, [], [f"The target is {_names(targets)}, the submission's {_names(columns)}."])
    if len(columns) == len(lacking) == 1:
        note = f"The target is {lacking[0]}, which only train has; the submission's {columns[0]} stands for it."
        return Meaning(lacking, columns, [], [note])
    only = f"only train has {_names(lacking)}" if lacking else "train has no column that test lacks"
    raise TaskError(f"target: train has no column {columns[0]!r} as the sample submission ({only}); name the target.")


def match_classes(columns: list[str], labels: pd.Series) -> list[str] | None:
    """The class that each column stands for: its name, or its name without a common beginning ("Class_1") or end.

    None unless every class has a column; classes that train never shows may have one too.
    """
    classes = sorted_classes(labels)
    if not 2 <= len(classes) <= len(columns) or len(columns) > max(2 * len(classes), len(classes) + 3):
        return None
    for names in _readings(columns):
        for fold in (str, folded):
            found = {fold(label): label for label in classes}
            if len(found) == len(classes) and set(found) <= {fold(name) for name in names}:
                return [found.get(fold(name), name) for name in names]
    return None


def _readings(columns: list[str]) -> list[list[str]]:
    """The columns' names, then without ever shorter common beginnings, then without common ends."""
    start = common_start(columns)
    end = common_start([name[::-1] for name in columns])
    cut = [[name[n:] for name in columns] for n in range(start, 0, -1)]
    cut += [[name[:-n] for name in columns] for n in range(end, 0, -1)]
    return [columns] + [names for names in cut if all(names)]


def folded(name: str) -> str:
    """The name without case and punctuation."""
    return re.sub(r"[^a-z0-9]+", "_", str(name).lower()).strip("_")


def _wide_note(target: str, columns: list[str]) -> str:
    return f"The target is {target}: its {len(columns)} classes are the submission's columns."


def _names(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")
