"""Small made tasks for the tests of the grader's container. Nothing here is real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from grading.base import Task
from grading.metric_names import metric_info
from grading.worker.infer import infer

RNG = np.random.default_rng


def spec(metric: str, **fields: Any) -> dict[str, Any]:
    """What `TaskSpec.for_worker` gives, with what a test says of it."""
    files = {"train": None, "test": None, "sample_submission": None, "extra": None, "media": None}
    views = {"by": None, "column": None, "file": None}
    direction = metric_info(metric).direction if metric != "custom" else "maximize"
    return {
        "name": "made",
        "description": "",
        "files": {**files, **fields.pop("files", {})},
        "id": fields.pop("id", None),
        "target": fields.pop("target", []),
        "metric": {"name": metric, "file": None, "direction": direction},
        "views": {**views, **fields.pop("views", {})},
    }


def inferred(folder: Path, metric: str, **fields: Any) -> Task:
    return infer(spec(metric, **fields), folder, 0, folder)


def features(rows: int, seed: int = 0) -> pd.DataFrame:
    rng = RNG(seed)
    return pd.DataFrame({
        "size": rng.normal(size=rows).round(3),
        "count": rng.integers(0, 50, rows),
        "colour": rng.choice(["red", "green", "blue"], rows),
    })  # fmt: skip


def cut(folder: Path, frame: pd.DataFrame, is_test: Any, targets: list[str], **sample: Any) -> Path:
    """Write train, test and sample submission; `sample` are its columns with their constants, no file where empty."""
    frame[~is_test].to_csv(folder / "train.csv", index=False)
    test = frame[is_test].drop(columns=targets)
    test.to_csv(folder / "test.csv", index=False)
    if sample:
        test[["id"]].assign(**sample).to_csv(folder / "sample_submission.csv", index=False)
    return folder


def rows_task(folder: Path, target: str = "price", rows: int = 400) -> Path:
    """Regression with random test rows and ids in both tables."""
    frame = features(rows)
    frame.insert(0, "id", RNG(1).permutation(rows) + 1000)
    frame[target] = RNG(2).normal(size=rows).round(4)
    return cut(folder, frame, RNG(3).random(rows) < 0.25, [target], **{target: 0})


def forward_task(folder: Path, days: int = 100, shops: int = 1, test_days: int = 10) -> Path:
    """Daily sales of shops; the test is the last days. Ids only in test."""
    dates = pd.date_range("2021-01-01", periods=days).strftime("%Y-%m-%d")
    frame = pd.DataFrame([(f"shop {s}", d) for s in range(shops) for d in dates], columns=["shop", "date"])
    frame["sales"] = RNG(0).integers(0, 100, len(frame))
    is_test = frame["date"] > dates[days - test_days - 1]
    frame[~is_test].to_csv(folder / "train.csv", index=False)
    test = frame[is_test].drop(columns=["sales"])
    test.insert(0, "row_id", np.arange(len(test)) * 2)
    test.to_csv(folder / "test.csv", index=False)
    test[["row_id"]].assign(sales=0).to_csv(folder / "sample_submission.csv", index=False)
    return folder


def hourly_task(folder: Path, months: int = 12) -> Path:
    """Days 1 to 20 of each month are train, 21 to 25 are test."""
    times = pd.date_range("2020-01-01", periods=months * 30 * 4, freq="6h")
    times = times[times.day <= 25]
    frame = pd.DataFrame({"id": times.strftime("%Y-%m-%d %H:%M:%S")})
    frame["load"] = RNG(0).normal(size=len(frame)).round(3)
    return cut(folder, frame, np.asarray(times.day > 20), ["load"], load=0)
