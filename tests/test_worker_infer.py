"""A data folder alone tells what the task is."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grading.base import Task, TaskError
from grading.worker.targets import match_classes
from tests.made_tasks import RNG, cut, features, forward_task, inferred, rows_task

pytestmark = pytest.mark.ml

CLASSES = ["ash", "elm", "oak"]


def labelled(tmp_path: Path, labels: list[object], **sample: object) -> Path:
    frame = features(300)
    frame.insert(0, "id", np.arange(300) + 7)
    frame["kind"] = RNG(5).choice(np.array(labels, dtype=object), 300)
    return cut(tmp_path, frame, RNG(6).random(300) < 0.3, ["kind"], **sample)


def test_a_regression_task(tmp_path: Path) -> None:
    task = inferred(rows_task(tmp_path), "rmse")
    assert (task.id, task.targets, task.columns) == ("id", ["price"], ["price"])
    assert (task.problem, task.output, task.classes) == ("regression", "values", [])
    assert (task.train, task.test, task.sample_submission) == ("train.csv", "test.csv", "sample_submission.csv")
    assert (task.views, task.unblind) == (5, None)
    assert task.train_rows + task.test_rows == 400
    assert all(note.endswith(".") for note in task.notes)


def test_labels(tmp_path: Path) -> None:
    task = inferred(labelled(tmp_path, list(CLASSES), kind="oak"), "accuracy")
    assert (task.problem, task.output, task.classes) == ("multiclass", "labels", CLASSES)


@pytest.mark.parametrize(("labels", "positive"), [([0, 1], "1"), ([True, False], "True"), (["no", "yes"], "yes")])
def test_one_probability_column_is_the_later_class(tmp_path: Path, labels: list[object], positive: str) -> None:
    task = inferred(labelled(tmp_path, labels, target=0.5), "roc_auc", target=["kind"])
    assert (task.problem, task.output, task.targets, task.columns) == ("binary", "probabilities", ["kind"], ["target"])
    assert task.classes[1] == positive


def test_one_probability_column_may_name_its_class(tmp_path: Path) -> None:
    task = inferred(labelled(tmp_path, ["cat", "dog"], cat=0.5), "log_loss")
    assert task.classes == ["dog", "cat"]


@pytest.mark.parametrize("form", ["{}", "prob_{}", "kind {}", "P({})", "Class_{}"])
def test_a_probability_column_for_each_class(tmp_path: Path, form: str) -> None:
    columns = {form.format(name): 0.3 for name in reversed(CLASSES)}
    task = inferred(labelled(tmp_path, list(CLASSES), **columns), "log_loss")
    assert (task.targets, task.columns) == (["kind"], list(columns))
    assert (task.problem, task.output, task.classes) == ("multiclass", "probabilities", CLASSES[::-1])


def test_the_target_may_be_given_as_probability_columns(tmp_path: Path) -> None:
    folder = labelled(tmp_path, list(CLASSES), **dict.fromkeys(CLASSES, 0.3))
    assert inferred(folder, "log_loss", target=list(CLASSES)).targets == ["kind"]
    assert inferred(folder, "log_loss", target=["kind"]).columns == CLASSES


def test_numbered_classes(tmp_path: Path) -> None:
    task = inferred(labelled(tmp_path, list(range(1, 13)), **{f"Class_{i}": 0.1 for i in range(1, 13)}), "log_loss")
    assert task.classes == [str(i) for i in range(1, 13)]


def test_a_class_that_train_never_shows_keeps_its_column() -> None:
    assert match_classes(["a_x", "a_y", "a_z"], pd.Series(["x", "z"] * 5)) == ["x", "y", "z"]
    assert match_classes(["a_x", "a_y"], pd.Series(["x", "y", "w"])) is None


def test_several_targets(tmp_path: Path) -> None:
    frame = features(300)
    frame.insert(0, "id", np.arange(300))
    flags = ["cracked", "bent"]
    frame[flags] = RNG(1).integers(0, 2, (300, 2))
    cut(tmp_path, frame, RNG(2).random(300) < 0.3, flags, cracked=0.5, bent=0.5)
    task = inferred(tmp_path, "roc_auc")
    assert (task.targets, task.problem, task.output) == (flags, "multilabel", "probabilities")
    assert task.metric == "mean_columnwise_roc_auc"
    assert inferred(tmp_path, "rmse").metric == "mcrmse"
    assert inferred(tmp_path, "f1_micro").output == "labels"


def test_columns_that_only_train_has_are_no_features(tmp_path: Path) -> None:
    frame = features(300)
    frame.insert(0, "id", np.arange(300))
    frame["price"], frame["weight"] = 1.5, RNG(0).normal(size=300)
    frame["price"] += frame["weight"]
    cut(tmp_path, frame, RNG(2).random(300) < 0.3, ["price", "weight"], price=0)
    task = inferred(tmp_path, "mae")
    assert (task.targets, task.train_only) == (["price"], ["weight"])


def test_no_sample_submission(tmp_path: Path) -> None:
    (rows_task(tmp_path) / "sample_submission.csv").unlink()
    task = inferred(tmp_path, "rmse")
    assert (task.id, task.targets, task.columns, task.views) == ("id", ["price"], ["price"], 5)
    assert task.sample_submission == "sample_submission.csv"


def test_no_test_table(tmp_path: Path) -> None:
    folder = labelled(tmp_path, list(CLASSES), kind="oak")
    (folder / "test.csv").unlink()
    task = inferred(folder, "accuracy", target=["kind"])
    assert (task.id, task.views) == ("id", 5)
    assert task.train_only == ["size", "count", "colour"]


def test_files_by_other_names_and_formats(tmp_path: Path) -> None:
    rows_task(tmp_path)
    pd.read_csv(tmp_path / "train.csv").to_json(tmp_path / "training_set.jsonl", orient="records", lines=True)
    pd.read_csv(tmp_path / "test.csv").to_parquet(tmp_path / "x_test.parquet")
    shutil.move(tmp_path / "sample_submission.csv", tmp_path / "SampleSubmission.csv")
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).unlink()
    task = inferred(tmp_path, "rmse")
    assert (task.train, task.test) == ("training_set.jsonl", "x_test.parquet")
    assert (task.sample_submission, task.targets, task.views) == ("SampleSubmission.csv", ["price"], 5)


def test_files_without_telling_names_are_known_by_their_columns(tmp_path: Path) -> None:
    rows_task(tmp_path)
    shutil.move(tmp_path / "train.csv", tmp_path / "a.csv")
    shutil.move(tmp_path / "test.csv", tmp_path / "b.csv")
    task = inferred(tmp_path, "rmse")
    assert (task.train, task.test, task.targets) == ("a.csv", "b.csv", ["price"])


def test_other_files_are_shared_but_copies_of_the_labels_are_not(tmp_path: Path) -> None:
    rows_task(tmp_path)
    (tmp_path / "images").mkdir()
    (tmp_path / "stores.csv").write_text("store,city\n1,Oslo\n")
    (tmp_path / "about.txt").write_text("about")
    shutil.copy(tmp_path / "train.csv", tmp_path / "backup.csv")
    (tmp_path / "old").mkdir()
    shutil.copy(tmp_path / "train.csv", tmp_path / "old" / "copy.csv")
    (tmp_path / "task.yaml").write_text("metric: rmse")
    task = inferred(tmp_path, "rmse")
    assert task.shared == ["about.txt", "images", "stores.csv"]
    assert any("backup.csv" in note for note in task.notes)
    assert inferred(tmp_path, "rmse", files={"extra": ["about.txt"]}).shared == ["about.txt"]


def test_rows_are_matched_by_position_without_an_id(tmp_path: Path) -> None:
    rows_task(tmp_path)
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        pd.read_csv(tmp_path / name).drop(columns=["id"]).to_csv(tmp_path / name, index=False)
    task = inferred(tmp_path, "rmse")
    assert (task.id, task.columns, task.views) == (None, ["price"], 5)


def test_an_id_that_only_the_submission_has(tmp_path: Path) -> None:
    rows_task(tmp_path)
    for name in ("train.csv", "test.csv"):
        pd.read_csv(tmp_path / name).drop(columns=["id"]).to_csv(tmp_path / name, index=False)
    task = inferred(tmp_path, "rmse")
    assert (task.id, task.columns, task.views) == ("id", ["price"], 5)


def test_a_submission_that_does_not_fit_test_gives_no_blind_view_but_a_task(tmp_path: Path) -> None:
    rows_task(tmp_path)
    sample = pd.read_csv(tmp_path / "sample_submission.csv")
    pd.concat([sample, sample.assign(id=sample["id"] + 5000)]).to_csv(tmp_path / "sample_submission.csv", index=False)
    task = inferred(tmp_path, "rmse")
    assert task.views == 0
    assert "not in test.csv" in str(task.unblind)


def test_rows_without_a_target_are_counted_out(tmp_path: Path) -> None:
    rows_task(tmp_path, rows=300)
    train = pd.read_csv(tmp_path / "train.csv")
    train.loc[10:, "price"] = None
    train.to_csv(tmp_path / "train.csv", index=False)
    task = inferred(tmp_path, "rmse")
    assert task.views == 0
    assert "10 rows with a target" in str(task.unblind)


def test_the_forward_task(tmp_path: Path) -> None:
    task = inferred(forward_task(tmp_path, shops=30), "mae")
    assert (task.split, task.time, task.id) == ("time", "date", "row_id")
    assert task.train_only == []


def test_the_users_own_metric(tmp_path: Path) -> None:
    assert inferred(rows_task(tmp_path), "custom").output == "values"
    folder = tmp_path / "labels"
    folder.mkdir()
    assert inferred(labelled(folder, list(CLASSES), kind="ash"), "custom").output == "labels"
    assert inferred(labelled(folder, [0, 1], kind=0.5), "custom").output == "probabilities"
    assert inferred(labelled(folder, [0, 1], kind=0), "custom").output == "labels"


def fault(folder: Path, metric: str = "rmse", **fields: object) -> str:
    with pytest.raises(TaskError) as caught:
        inferred(folder, metric, **fields)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_wrong_columns_are_named_with_the_nearest(tmp_path: Path) -> None:
    rows_task(tmp_path)
    assert "'prise'" in fault(tmp_path, target=["prise"])
    assert "nearest are price" in fault(tmp_path, target=["prise"])
    assert "id: 'ID' is no column" in fault(tmp_path, id="ID")
    assert "rmse needs numbers" in fault(tmp_path, target=["colour"])
    assert "two classes" in fault(tmp_path, "roc_auc")
    assert "views.column: 'shop'" in fault(tmp_path, views={"by": "group", "column": "shop"})
    assert "no dates or times" in fault(tmp_path, views={"by": "time", "column": "colour"})


def test_broken_folders_are_refused(tmp_path: Path) -> None:
    assert "no train table" in fault(tmp_path)
    (tmp_path / "train.csv").write_text("id,price\n1,2\n")
    assert "neither a test table nor a sample submission" in fault(tmp_path)
    (tmp_path / "test.csv").write_text("id\n")
    assert "test.csv: the table has no rows" in fault(tmp_path)
    (tmp_path / "test.csv").write_text("id,price\n1,2\n")
    assert "same rows as train.csv" in fault(tmp_path)


def test_repeated_ids_are_refused(tmp_path: Path) -> None:
    rows_task(tmp_path)
    sample = pd.read_csv(tmp_path / "sample_submission.csv")
    sample.loc[1, "id"] = sample.loc[0, "id"]
    sample.to_csv(tmp_path / "sample_submission.csv", index=False)
    found = fault(tmp_path, id="id")
    assert "repeats in the sample submission" in found
    assert str(sample.loc[0, "id"]) in found


def test_inference_does_not_depend_on_the_order_of_columns(tmp_path: Path) -> None:
    def plain(task: Task) -> tuple[object, ...]:
        return task.id, task.targets, task.problem, task.split, task.views

    first = plain(inferred(rows_task(tmp_path), "rmse"))
    for name in ("train.csv", "test.csv", "sample_submission.csv"):
        frame = pd.read_csv(tmp_path / name)
        frame[frame.columns[::-1]].to_csv(tmp_path / name, index=False)
    assert plain(inferred(tmp_path, "rmse")) == first
