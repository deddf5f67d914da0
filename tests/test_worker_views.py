"""A view is the real task with some rows of train moved to the test, where no script can tell them apart."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grading.base import AUDIT_VIEW, FULL_VIEW, SAMPLE_SHARE, SAMPLE_VIEW, Task, TaskError, View
from grading.worker import tables
from grading.worker.ids import made_up
from grading.worker.views import make_view
from tests.made_tasks import RNG, cut, features, forward_task, hourly_task, inferred, rows_task

pytestmark = pytest.mark.ml


def made(tmp_path: Path, task: Task, number: int, seed: int = 0) -> tuple[View, Path, pd.DataFrame]:
    run = tmp_path / "run"
    view = make_view(task, tmp_path, run / "views", run / "hidden", number, seed)
    return view, run / view.folder, pd.read_parquet(run / "hidden" / f"view-{number}.parquet")


def cells(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_a_view_moves_rows_of_train_to_the_test(tmp_path: Path) -> None:
    task = inferred(rows_task(tmp_path), "rmse")
    view, folder, hidden = made(tmp_path, task, 1)
    train, test, sample = (cells(folder / name) for name in ("train.csv", "test.csv", "sample_submission.csv"))
    real = cells(tmp_path / "train.csv")
    assert (len(train), len(test)) == (view.train_rows, view.test_rows)
    assert view.test_rows == task.test_rows + view.hidden_rows
    assert list(test.columns) == list(cells(tmp_path / "test.csv").columns)
    assert list(train.columns) == list(real.columns)
    assert test["id"].tolist() == sample["id"].tolist() == hidden["id"].tolist()
    assert hidden["role"].value_counts().to_dict()["test"] == task.test_rows
    graded = hidden[hidden["role"] != "test"]
    mine = real.set_index("id").loc[graded["id"]]
    assert mine["price"].astype(float).tolist() == graded["y:price"].tolist()
    assert real["id"].iloc[graded["row"]].tolist() == graded["id"].tolist()
    assert test[test["id"].isin(graded["id"])]["size"].tolist() == mine["size"].tolist()
    assert not set(train["id"]) & set(graded["id"])


def test_a_sample_view_asks_the_same_of_a_share_of_the_rows(tmp_path: Path) -> None:
    task = inferred(rows_task(tmp_path), "rmse")
    whole, folder, hidden = made(tmp_path, task, 1)
    with pytest.raises(TaskError, match="view 98"):
        made(tmp_path, task, SAMPLE_VIEW)
    large = replace(task, train_rows=20_000)
    view, sampled, kept = made(tmp_path, large, SAMPLE_VIEW)
    assert view.train_rows == int(SAMPLE_SHARE * whole.train_rows)
    assert set(cells(sampled / "train.csv")["id"]) < set(cells(folder / "train.csv")["id"])
    assert cells(sampled / "test.csv").equals(cells(folder / "test.csv"))
    assert kept.equals(hidden)


def test_every_row_keeps_the_exact_text_of_its_cells(tmp_path: Path) -> None:
    frame = features(300).astype(str)
    frame.insert(0, "id", [f"{i:05d}" for i in range(300)])
    frame["code"] = [f"{i % 7:03d}" if i % 5 else "NA" for i in range(300)]
    frame["note"] = ['a "quoted", text' if i % 3 else "two\nlines" for i in range(300)]
    frame["y"] = ["1.50" if i % 2 else "2e0" for i in range(300)]
    cut(tmp_path, frame, RNG(0).random(300) < 0.3, ["y"], y=0)
    task = inferred(tmp_path, "rmse")
    real = pd.concat([cells(tmp_path / "train.csv"), cells(tmp_path / "test.csv")]).set_index("id")
    _, folder, _ = made(tmp_path, task, 2)
    for name in ("train.csv", "test.csv"):
        found = cells(folder / name).set_index("id")
        pd.testing.assert_frame_equal(found, real.loc[found.index, found.columns])


def test_the_full_view_is_the_real_task(tmp_path: Path) -> None:
    task = inferred(rows_task(tmp_path), "rmse")
    view, folder, hidden = made(tmp_path, task, FULL_VIEW)
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        assert (folder / name).read_bytes() == (tmp_path / name).read_bytes()
    assert view.hidden_rows == 0
    assert set(hidden["role"]) == {"test"}
    assert hidden["row"].tolist() == list(range(task.test_rows))


def test_rows_point_into_the_real_submission_whatever_its_order(tmp_path: Path) -> None:
    rows_task(tmp_path)
    sample = cells(tmp_path / "sample_submission.csv").iloc[::-1].reset_index(drop=True)
    sample.to_csv(tmp_path / "sample_submission.csv", index=False)
    task = inferred(tmp_path, "rmse")
    for number in (FULL_VIEW, 3):
        _, folder, hidden = made(tmp_path, task, number)
        real = hidden[hidden["role"] == "test"]
        assert sample["id"].iloc[real["row"]].tolist() == real["id"].tolist()
        assert cells(folder / "test.csv")["id"].tolist() == hidden["id"].tolist()


def test_the_sample_submission_does_not_tell_hidden_rows(tmp_path: Path) -> None:
    rows_task(tmp_path, rows=2000)
    sample = cells(tmp_path / "sample_submission.csv")
    sample["price"] = RNG(0).choice(["0.1", "0.2", "0.3"], len(sample), p=[0.6, 0.3, 0.1])
    sample.to_csv(tmp_path / "sample_submission.csv", index=False)
    _, folder, hidden = made(tmp_path, inferred(tmp_path, "rmse"), 1)
    price = cells(folder / "sample_submission.csv")["price"]
    shares = price.groupby(hidden["role"] == "test").value_counts(normalize=True).unstack()
    assert (shares.loc[True] - shares.loc[False]).abs().max() < 0.08


def test_order_does_not_tell_hidden_rows(tmp_path: Path) -> None:
    _, _, hidden = made(tmp_path, inferred(rows_task(tmp_path, rows=2000), "rmse"), 1)
    place = np.arange(len(hidden)) / len(hidden)
    assert abs(place[hidden["role"] == "test"].mean() - place[hidden["role"] != "test"].mean()) < 0.05


def test_the_order_of_time_is_kept_where_time_splits(tmp_path: Path) -> None:
    _, folder, hidden = made(tmp_path, inferred(hourly_task(tmp_path), "rmse"), 1)
    times = cells(folder / "test.csv")["id"]
    assert times.is_monotonic_increasing
    assert hidden["role"].nunique() == 3


def test_the_audit_view_of_a_forward_task(tmp_path: Path) -> None:
    task = inferred(forward_task(tmp_path, shops=25), "mae")
    _, folder, hidden = made(tmp_path, task, AUDIT_VIEW)
    assert set(hidden["role"]) == {"test", "audit"}
    assert cells(folder / "train.csv")["date"].max() < cells(folder / "test.csv")["date"].min()
    assert hidden[hidden["role"] == "audit"]["unit"].nunique() == 25
    _, _, first = made(tmp_path, task, 1)
    assert set(first["role"]) == {"test", "fold"}


def test_ids_that_only_the_test_has_are_made_up(tmp_path: Path) -> None:
    task = inferred(forward_task(tmp_path, shops=25), "mae")
    _, folder, hidden = made(tmp_path, task, 1)
    test = cells(folder / "test.csv")
    assert test["row_id"].is_unique
    assert test["row_id"].str.fullmatch(r"\d+").all()
    assert set(cells(tmp_path / "test.csv")["row_id"]) <= set(test["row_id"])
    assert test["row_id"].tolist() == hidden["id"].tolist()


def test_hidden_rows_get_new_ids_where_theirs_are_taken(tmp_path: Path) -> None:
    frame = features(400)
    is_test = np.arange(400) >= 300
    frame.insert(0, "id", np.r_[np.arange(300), np.arange(100)])
    frame["price"] = RNG(0).normal(size=400)
    cut(tmp_path, frame, is_test, ["price"], price=0)
    _, folder, hidden = made(tmp_path, inferred(tmp_path, "rmse"), 1)
    assert hidden["id"].is_unique
    assert cells(folder / "test.csv")["id"].tolist() == hidden["id"].tolist()


@pytest.mark.parametrize(
    ("real", "form"),
    [
        ([str(i) for i in range(0, 400, 4)], r"[1-9]\d*|0"),
        ([str(i) for i in range(100)], r"[1-9]\d*|0"),
        ([f"id{i:05d}" for i in range(100)], r"id\d{5}"),
        ([f"{i * 2654435761 % 2**32:08x}" for i in range(100)], r"[0-9a-f]{8}"),
        ([f"A{i}" for i in range(10)], r"A\d+"),
        ([f"shop {i}/2021-01-{i % 28 + 1:02d}" for i in range(50)], r"shop \d+/\d{4}-\d\d-\d\d"),
        (["7"], r"\d+"),
    ],
)
def test_made_up_ids_look_like_real_ones(real: list[str], form: str) -> None:
    found = made_up(pd.Series(real, dtype="str"), 80, RNG(0))
    assert len(set(found)) == 80
    assert not set(found) & set(real)
    assert all(re.fullmatch(form, name) for name in found)


def test_targets_and_columns_of_train_alone_are_not_in_the_test(tmp_path: Path) -> None:
    frame = features(300)
    frame.insert(0, "id", np.arange(300))
    frame["price"], frame["weight"] = RNG(1).normal(size=300), 1
    is_test = RNG(0).random(300) < 0.3
    cut(tmp_path, frame, is_test, ["price", "weight"], price=0)
    cells(tmp_path / "test.csv").assign(price="").to_csv(tmp_path / "test.csv", index=False)
    _, folder, _ = made(tmp_path, inferred(tmp_path, "rmse"), 1)
    assert list(cells(folder / "test.csv").columns) == ["id", "size", "count", "colour"]
    assert "weight" in cells(folder / "train.csv")


def test_labels_are_kept_as_canonical_text(tmp_path: Path) -> None:
    frame = features(300)
    frame.insert(0, "id", np.arange(300))
    frame["y"] = RNG(0).choice([0.0, 1.0], 300)
    task = inferred(cut(tmp_path, frame, RNG(1).random(300) < 0.3, ["y"], y=0), "accuracy")
    _, _, hidden = made(tmp_path, task, 1)
    assert set(hidden.loc[hidden["role"] != "test", "y:y"]) == {"0", "1"}
    assert hidden.loc[hidden["role"] == "test", "y:y"].isna().all()


def test_without_an_id_positions_are_the_ids(tmp_path: Path) -> None:
    rows_task(tmp_path)
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        cells(tmp_path / name).drop(columns=["id"]).to_csv(tmp_path / name, index=False)
    _, folder, hidden = made(tmp_path, inferred(tmp_path, "rmse"), 1)
    assert hidden["id"].tolist() == [str(i) for i in range(len(cells(folder / "test.csv")))]
    real = hidden["role"] == "test"
    test, before = cells(folder / "test.csv"), cells(tmp_path / "test.csv")
    assert test[real]["size"].tolist() == before["size"].iloc[hidden[real]["row"]].tolist()
    assert list(cells(folder / "sample_submission.csv").columns) == ["price"]


def test_a_missing_sample_submission_is_made(tmp_path: Path) -> None:
    (rows_task(tmp_path) / "sample_submission.csv").unlink()
    task = inferred(tmp_path, "rmse")
    for number in (FULL_VIEW, 1):
        _, folder, hidden = made(tmp_path, task, number)
        sample = cells(folder / "sample_submission.csv")
        assert list(sample.columns) == ["id", "price"]
        assert sample["id"].tolist() == hidden["id"].tolist()


def test_a_missing_test_table_is_made(tmp_path: Path) -> None:
    (rows_task(tmp_path) / "test.csv").unlink()
    _, folder, hidden = made(tmp_path, inferred(tmp_path, "rmse"), 1)
    assert list(cells(folder / "test.csv").columns) == ["id"]
    assert cells(folder / "test.csv")["id"].tolist() == hidden["id"].tolist()


def test_other_formats_are_written_as_they_were(tmp_path: Path) -> None:
    rows_task(tmp_path)
    train, test = (pd.read_csv(tmp_path / name) for name in ("train.csv", "test.csv"))
    train.to_json(tmp_path / "train.json", orient="records")
    test.to_parquet(tmp_path / "test.parquet")
    cells(tmp_path / "sample_submission.csv").to_csv(tmp_path / "sample_submission.csv.gz", index=False)
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        (tmp_path / name).unlink()
    task = inferred(tmp_path, "rmse")
    _, folder, hidden = made(tmp_path, task, 1)
    found = pd.read_parquet(folder / "test.parquet")
    assert found.dtypes.equals(test.dtypes)
    assert found["id"].astype(str).tolist() == hidden["id"].tolist()
    assert pd.read_json(folder / "train.json").columns.tolist() == train.columns.tolist()
    assert tables.read(folder / "sample_submission.csv.gz").frame["id"].tolist() == hidden["id"].tolist()


def test_shared_files_get_mountpoints_and_only_the_grader_reads_hidden(tmp_path: Path) -> None:
    rows_task(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "1.png").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("secret")
    _, folder, _ = made(tmp_path, inferred(tmp_path, "rmse"), 1)
    assert list((folder / "images").iterdir()) == []
    assert (folder / "notes.txt").read_bytes() == b""
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o644, 0o755}
    hidden = tmp_path / "run" / "hidden"
    assert hidden.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in hidden.iterdir()} == {0o600}


def test_a_view_is_made_once_and_repeats(tmp_path: Path) -> None:
    task = inferred(rows_task(tmp_path), "rmse")
    view, folder, _ = made(tmp_path, task, 1)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    stamp = (folder / "train.csv").stat().st_mtime_ns
    assert made(tmp_path, task, 1)[0] == view
    assert (folder / "train.csv").stat().st_mtime_ns == stamp
    (tmp_path / "run" / "hidden" / "view-1.json").unlink()
    (folder / "train.csv").unlink()
    assert made(tmp_path, task, 1)[0] == view
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_views_that_a_task_has_not_are_refused(tmp_path: Path) -> None:
    task = inferred(rows_task(tmp_path), "rmse")
    for number in (6, AUDIT_VIEW, -1):
        with pytest.raises(TaskError, match="5 views"):
            made(tmp_path, task, number)
