"""A submission is judged whole: every fault is told at once, and nothing hidden is told."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grading.base import Task
from grading.worker.check import MAX_FAULTS, check
from tests.worker_tasks import RMSE, hidden_table

pytestmark = pytest.mark.ml

CLASSES = ["False", "True"]
LABELS = replace(RMSE, metric="accuracy", problem="binary", output="labels", classes=CLASSES)
CHANCE = replace(RMSE, metric="log_loss", problem="binary", output="probabilities", classes=["0", "1"])
SPECIES = replace(
    RMSE,
    metric="log_loss",
    problem="multiclass",
    output="probabilities",
    classes=["a", "b", "c"],
    columns=["a", "b", "c"],
)
RMSLE = replace(RMSE, metric="rmsle")
ROWS = 6


def table(ids: list[str] | None = None) -> pd.DataFrame:
    roles = ["test", "fold", "audit", "test", "fold", "audit"]
    found = hidden_table(RMSE, {"price": [424242.0] * ROWS}, roles)
    return found if ids is None else found.assign(id=ids)


def judged(tmp_path: Path, text: str | bytes, task: Task = RMSE, ids: list[str] | None = None) -> list[str]:
    path = tmp_path / "predictions.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    predictions, faults = check(path, task, table(ids))
    assert (predictions is None) == bool(faults)
    assert len(faults) <= MAX_FAULTS
    assert "424242" not in " ".join(faults)
    return faults


def csv(values: list[object], header: str = "id,price", ids: list[str] | None = None) -> str:
    names = ids or [f"r{i}" for i in range(len(values))]
    return header + "\n" + "".join(f"{name},{value}\n" for name, value in zip(names, values, strict=True))


def test_a_good_submission_is_read(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text(csv([1, 2.5, "3e2", -4, " 5 ", 6]))
    predictions, faults = check(path, RMSE, table())
    assert faults == []
    assert predictions is not None
    assert predictions[:, 0].tolist() == [1, 2.5, 300, -4, 5, 6]


@pytest.mark.parametrize("text", ["1", "1.0", "True", "true"])
def test_labels_may_be_spelled_freely(tmp_path: Path, text: str) -> None:
    assert judged(tmp_path, csv([text] * ROWS), LABELS) == []


@pytest.mark.parametrize(
    ("text", "task", "told"),
    [
        ("id\n" + "r0\n" * ROWS, RMSE, ["lacks the column 'price'"]),
        (csv([1] * ROWS).replace("id,", ",id,").replace("\nr", "\n0,r"), RMSE, ["index=False"]),
        (csv([1] * 4), RMSE, ["4 rows, the sample submission has 6", "'r4', 'r5'"]),
        (csv([1] * ROWS, ids=["r0", "r0", "r2", "r3", "r4", "zz"]), RMSE, ["'r1'", "'zz'", "more than once"]),
        (csv([1] * ROWS, ids=["r1", "r0", "r2", "r3", "r4", "r5"]), RMSE, ["not in the order"]),
        (csv(["", "nan", 1, "inf", "x", 2]), RMSE, ["2 values are missing", "not finite", "'x' in row 5"]),
        (csv([-1, 1, 1, 1, 1, 1]), RMSLE, ["below 0", "-1 in row 1"]),
        (csv(["maybe", "True", "", *["True"] * 3]), LABELS, ["no label of train", "missing", "'False', 'True'"]),
        (csv([1.5, 0, 1, 1, 1, -0.1]), CHANCE, ["above 1", "below 0"]),
        (csv([1] * ROWS).replace("\n", ",7,8\n").replace("price,7,8", "price"), RMSE, ["cannot be parsed"]),
        ("", RMSE, ["empty"]),
        ("id,price,price\n", RMSE, ["more than once"]),
        (b"id,price\nr0,\0\n", RMSE, ["zero bytes"]),
        (b"id,price\nr0,\xff\xfe\n", RMSE, ["UTF-8"]),
        ("id,price\n" + "r0,1\n" * 50_000, RMSE, ["50,001 lines"]),
        ("id,price\n" + "x" * 3_000_000, RMSE, ["bytes"]),
        (",".join(f"c{i}" for i in range(9000)), RMSE, ["9,000 columns"]),
    ],
)  # fmt: skip
def test_faults_are_told(tmp_path: Path, text: str | bytes, task: Task, told: list[str]) -> None:
    faults = " ".join(judged(tmp_path, text, task))
    for part in told:
        assert part in faults


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = "id,cost\n" + "".join(f"q{i},1\n" for i in range(8))
    assert len(judged(tmp_path, text)) == 5


def test_rows_of_chances_need_a_sum_only_where_the_metric_does_not_rescale_them(tmp_path: Path) -> None:
    header, cells = "id,a,b,c", ["2,2,4"] * ROWS
    assert judged(tmp_path, csv(list(cells), header), SPECIES) == []
    assert "do not sum to more than 0" in judged(tmp_path, csv(["0,0,0", *cells[1:]], header), SPECIES)[0]
    custom = replace(SPECIES, metric="custom")
    assert "above 1" in judged(tmp_path, csv(list(cells), header), custom)[0]
    assert "do not sum to 1" in judged(tmp_path, csv(["0.2,0.2,0.2"] * ROWS, header), custom)[0]


def test_columns_in_another_order_are_a_fault(tmp_path: Path) -> None:
    text = csv(["0.2,0.3,0.5"] * ROWS, "id,b,a,c")
    assert "not in the order" in judged(tmp_path, text, SPECIES)[0]


def test_any_number_orders_rows(tmp_path: Path) -> None:
    assert judged(tmp_path, csv([-3, 7, 1, 1, 1, 1]), replace(CHANCE, metric="roc_auc", direction="maximize")) == []


def test_ids_that_lost_their_zeros_are_known(tmp_path: Path) -> None:
    ids = [f"00{i}" for i in range(ROWS)]
    assert judged(tmp_path, csv([1] * ROWS, ids=[str(i) for i in range(ROWS)]), ids=ids) == []
    assert judged(tmp_path, csv([1] * ROWS, ids=[f"{i}.0" for i in range(ROWS)]), ids=ids) == []


def test_rows_without_ids_are_matched_by_place(tmp_path: Path) -> None:
    path = tmp_path / "predictions.csv"
    path.write_text("price\n" + "".join(f"{i}\n" for i in range(ROWS)))
    predictions, faults = check(path, replace(RMSE, id=None), table())
    assert faults == []
    assert predictions is not None
    assert predictions[:, 0].tolist() == list(range(ROWS))


def test_ranked_lists_hold_known_labels(tmp_path: Path) -> None:
    task = replace(RMSE, metric="map_at_2", problem="multiclass", output="labels", classes=["a", "b"])
    assert judged(tmp_path, csv(["a b"] * ROWS), task) == []
    assert "'a z' in row 1" in judged(tmp_path, csv(["a z", *["b"] * (ROWS - 1)]), task)[0]


def test_flags_are_0_or_1(tmp_path: Path) -> None:
    task = replace(
        RMSE, metric="f1_macro", problem="multilabel", output="labels", targets=["a", "b"], columns=["a", "b"]
    )
    assert judged(tmp_path, csv(["0,1.0"] * ROWS, "id,a,b"), task) == []
    assert "neither 0 nor 1" in judged(tmp_path, csv(["0,0.4"] * ROWS, "id,a,b"), task)[0]


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text(csv([1] * ROWS))
    (tmp_path / "link.csv").symlink_to(secret)
    os.mkfifo(tmp_path / "pipe.csv")
    for name in ("link.csv", "pipe.csv", "nothing.csv", "."):
        predictions, faults = check(tmp_path / name, RMSE, table())
        assert predictions is None
        assert len(faults) == 1


def test_many_columns_make_few_sentences(tmp_path: Path) -> None:
    names = [f"t{i}" for i in range(40)]
    task = replace(RMSE, targets=names, columns=names, metric="mcrmse")
    frame = pd.DataFrame(np.full((ROWS, 40), np.nan), columns=names)
    frame.insert(0, "id", [f"r{i}" for i in range(ROWS)])
    faults = judged(tmp_path, frame.to_csv(index=False), task)
    assert faults == ["240 values are missing in 40 columns ('t0', 't1', ...), such as row 1."]
