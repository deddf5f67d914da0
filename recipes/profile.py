"""Profile: what a person would look up in the task's data, written to profile.json. Sees what every script sees."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from recipes.parts.columns import column_kinds, free_text
from recipes.parts.facts import column_facts, distinct, target_facts
from recipes.parts.files import read_table
from recipes.parts.installed import modules, packages
from recipes.parts.listing import PICTURES, data_files, walk
from recipes.parts.probes import task_numbers
from recipes.parts.shown import first_rows, shown, shown_name

# --- settings (filled in for the task; these values are an example) ---
TRAIN = "data/train.csv"
TEST = "data/test.csv"
SAMPLE = "data/sample_submission.csv"
ID: str | None = "id"
TARGETS = ["target"]
COLUMNS = ["target"]
PROBLEM = "regression"
METRIC = "rmse"
CLASSES: list[str] = []
IGNORE: list[str] = []
SPLIT = "row"
SHARED: list[str] = []
# --- end of settings ---

MOST_COLUMNS = 200
MOST_TARGETS = 40
FEW_OTHERS = 8
"""With so few other columns, a free text is what a row is about."""
LONG_TEXT = 20
"""Words on average from which a text is what a row is about, whatever stands beside it."""
NO_DETAILS: dict[str, list[Any]] = {
    "files": [],
    "facts": [],
    "train_rows": [],
    "submission_rows": [],
    "packages": [],
    "modules": [],
}


def has_pictures() -> bool:
    """Whether a shared folder holds images."""
    folders = [Path("data") / name for name in SHARED if (Path("data") / name).is_dir()]
    return any(Path(name).suffix.lower() in PICTURES for folder in folders for name in islice(walk(folder), 1000))


def is_text(table: pd.DataFrame, kinds: dict[str, str]) -> bool:
    """Whether a free text carries the row."""
    texts = free_text(table, kinds)
    if not texts:
        return False
    others = [name for name, kind in kinds.items() if name not in texts and kind not in ("id", "constant")]
    words = table[texts[0]].dropna().head(1000).astype(str).str.split().map(len).mean()
    return len(others) <= FEW_OTHERS or float(words) >= LONG_TEXT


def example(column: pd.Series) -> str:
    """One known value as text."""
    known = column.dropna()
    return shown(known.iloc[0], 80) if len(known) else ""


def find_modality(train: pd.DataFrame, kinds: dict[str, str]) -> str:
    """What kind of task it is."""
    if SPLIT == "time":
        return "series"
    if has_pictures():
        return "image"
    return "text" if is_text(train, kinds) else "tabular"


def describe_column(name: str, column: pd.Series, kind: str) -> dict[str, Any]:
    """The fields of recipes.base.Column."""
    return {
        "name": shown_name(name),
        "kind": kind,
        "missing": round(float(column.isna().mean()), 4),
        "unique": distinct(column),
        "example": example(column),
    }


def summarise(train: pd.DataFrame, test: pd.DataFrame, kinds: dict[str, str], modality: str) -> str:
    """A few plain sentences."""
    counts = pd.Series(list(kinds.values()), dtype=object).value_counts()
    held = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    missing = float(train[list(kinds)].isna().to_numpy().mean()) if kinds else 0.0
    targets = ", ".join(shown_name(name) for name in TARGETS[:10])
    return (
        f"A {modality} task: {PROBLEM} of {targets}, scored by {METRIC}. "
        f"{len(train)} rows to learn from and {len(test)} to predict, with {len(kinds)} columns ({held}); "
        f"{missing:.1%} of the cells are empty."
    )


def describe(train: pd.DataFrame, test: pd.DataFrame, kinds: dict[str, str]) -> dict[str, Any]:
    """The fields of recipes.base.Description."""
    modality = find_modality(train, kinds)
    return {
        "modality": modality,
        "rows": len(train),
        "test_rows": len(test),
        "columns": [describe_column(name, train[name], kind) for name, kind in islice(kinds.items(), MOST_COLUMNS)],
        "width": len(kinds),
        "summary": summarise(train, test, kinds, modality),
    }


def find_details(train: pd.DataFrame, test: pd.DataFrame, kinds: dict[str, str]) -> dict[str, list[Any]]:
    """The other fields of recipes.base.Profile."""
    sample = read_table(SAMPLE, text=[ID, *COLUMNS] if ID else COLUMNS) if Path(SAMPLE).exists() else pd.DataFrame()
    facts = [column_facts(name, train[name], kind, len(kinds)) for name, kind in islice(kinds.items(), MOST_COLUMNS)]
    facts += [target_facts(name, train[name], target_kind()) for name in TARGETS[:MOST_TARGETS]]
    tables = {TRAIN: train, TEST: test} | ({SAMPLE: sample} if len(sample) else {})
    return {
        "files": data_files({name.removeprefix("data/"): table for name, table in tables.items()}, SHARED),
        "facts": facts,
        "train_rows": first_rows(train, TARGETS),
        "submission_rows": first_rows(sample, COLUMNS) if len(sample) else [],
        "packages": packages(),
        "modules": modules(),
    }


def find_numbers(train: pd.DataFrame, kinds: dict[str, str]) -> dict[str, float]:
    """Numbers for the ranker; none where the data defy them: they must not cost the rest."""
    if not TARGETS or TARGETS[0] not in train:
        return {}
    try:
        return task_numbers(train, kinds, train[TARGETS[0]], PROBLEM != "regression")
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, np.linalg.LinAlgError):
        return {}


def target_kind() -> str:
    """What the targets hold: numbers, class labels, or texts that are no classes."""
    if PROBLEM == "regression":
        return "values"
    return "classes" if CLASSES or PROBLEM == "multilabel" else "text"


def write(profile: dict[str, Any]) -> None:
    """Put profile.json in place; whoever takes it never sees half of one."""
    unfinished = Path("profile.json.part")
    unfinished.write_text(json.dumps(profile, ensure_ascii=False), encoding="utf-8")
    unfinished.replace("profile.json")


def main() -> None:
    """Look at the data and write profile.json: first what every run needs, so that details cannot cost it."""
    exact = [*([ID] if ID else []), *([] if target_kind() == "values" else TARGETS)]
    train, test = read_table(TRAIN, text=exact), read_table(TEST, text=[ID] if ID else [])
    kinds = column_kinds(train, [name for name in train.columns if name not in (*TARGETS, *IGNORE, ID)])
    described = describe(train, test, kinds)
    write({"description": described, **NO_DETAILS})
    details = find_details(train, test, kinds)
    write({"description": described, **details})
    write({"description": described | {"numbers": find_numbers(train, kinds)}, **details})


main()
