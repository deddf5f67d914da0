"""Profile: what the task's columns are, written to profile.json. Sees only what every script of the task sees."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from recipes.parts.columns import column_kinds, free_text
from recipes.parts.files import read_table

# --- settings (filled in for the task; these values are an example) ---
TRAIN = "data/train.csv"
TEST = "data/test.csv"
ID: str | None = "id"
TARGETS = ["target"]
PROBLEM = "regression"
METRIC = "rmse"
IGNORE: list[str] = []
SPLIT = "row"
SHARED: list[str] = []
# --- end of settings ---

MOST_COLUMNS = 200
FEW_OTHERS = 8
"""With so few other columns, a free text is what a row is about."""
LONG_TEXT = 20
"""Words on average from which a text is what a row is about, whatever stands beside it."""
PICTURES = {".jpg", ".jpeg", ".png", ".gif", ".bmp", ".tif", ".tiff", ".webp"}


def has_pictures() -> bool:
    """Whether a shared folder holds images."""
    folders = [Path("data") / name for name in SHARED if (Path("data") / name).is_dir()]
    return any(path.suffix.lower() in PICTURES for folder in folders for path in list(folder.rglob("*"))[:1000])


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
    return str(known.iloc[0])[:80] if len(known) else ""


def distinct(column: pd.Series) -> int:
    """Different values, also of lists."""
    return int(column.astype(str).nunique())


def main() -> None:
    """Look at the tables and write profile.json."""
    train, test = read_table(TRAIN), read_table(TEST)
    features = [name for name in train.columns if name not in (*TARGETS, *IGNORE, ID)]
    kinds = column_kinds(train, features)
    modality = "tabular"
    if SPLIT == "time":
        modality = "series"
    elif has_pictures():
        modality = "image"
    elif is_text(train, kinds):
        modality = "text"
    counts = pd.Series(list(kinds.values()), dtype=object).value_counts()
    held = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    missing = float(train[features].isna().to_numpy().mean()) if features else 0.0
    columns = [
        {
            "name": name,
            "kind": kinds[name],
            "missing": round(float(train[name].isna().mean()), 4),
            "unique": distinct(train[name]),
            "example": example(train[name]),
        }
        for name in features[:MOST_COLUMNS]
    ]
    summary = (
        f"A {modality} task: {PROBLEM} of {', '.join(TARGETS[:10])}, scored by {METRIC}. "
        f"{len(train)} rows to learn from and {len(test)} to predict, with {len(features)} columns ({held}); "
        f"{missing:.1%} of the cells are empty."
    )
    profile = {
        "modality": modality,
        "rows": len(train),
        "test_rows": len(test),
        "columns": columns,
        "width": len(features),
        "summary": summary,
    }
    Path("profile.json").write_text(json.dumps(profile), encoding="utf-8")


main()
