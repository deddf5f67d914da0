"""Folders without a task file: competitions as MLE-bench prepares them, and the metric that their description names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.drive import new_run_folder
from agents.mlebench import competitions, write_submissions
from grading.base import TaskError
from grading.metric_phrases import named_metric
from grading.task import MetricMissing, load_spec

EVALUATION = (
    "# Overview\n\n## Description\nPredict y.\n\n## Evaluation\n\n{}\n\n### Submission File\n\nWith columns, by rmse.\n"
)


def a_competition(root: Path, name: str = "made-up-tides", evaluation: str = "Scored by accuracy.") -> Path:
    """A prepared competition; its answers cannot be read as text."""
    public, private = root / name / "prepared/public", root / name / "prepared/private"
    public.mkdir(parents=True)
    private.mkdir()
    (public / "train.csv").write_text("id,x,y\n1,2,3\n2,3,4\n")
    (public / "test.csv").write_text("id,x\n3,4\n")
    (public / "sample_submission.csv").write_text("id,y\n3,0\n")
    (public / "description.md").write_text(EVALUATION.format(evaluation))
    (private / "test.csv").write_bytes(b"id,y\n3,\xff\xfe\n")
    return root / name


@pytest.mark.parametrize("part", ["", "prepared", "prepared/public"])
def test_a_competition_is_a_task_by_any_of_its_folders(tmp_path: Path, part: str) -> None:
    folder = a_competition(tmp_path) / part
    spec = load_spec(folder, {"metric": "rmse"})
    assert (spec.name, spec.metric.name) == ("made-up-tides", "rmse")
    assert spec.data == tmp_path / "made-up-tides/prepared/public"
    assert "Predict y." in spec.description
    assert new_run_folder(folder, None).name.startswith("made-up-tides-")


def test_a_task_file_in_the_folder_of_a_competition_wins(tmp_path: Path) -> None:
    folder = a_competition(tmp_path)
    (folder / "task.yaml").write_text("name: mine\ndata: prepared/public\nmetric: mae\n")
    assert (load_spec(folder).name, load_spec(folder).metric.name) == ("mine", "mae")


def test_the_answers_of_a_competition_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"holds the answers .* give .*prepared/public"):
        load_spec(a_competition(tmp_path) / "prepared/private", {"metric": "rmse"})


def test_a_folder_of_competitions_says_how_to_solve_them(tmp_path: Path) -> None:
    a_competition(tmp_path, "one")
    a_competition(tmp_path, "two")
    with pytest.raises(TaskError, match=r"holds 2 competition\(s\).*one.*agents\.batch --mlebench"):
        load_spec(tmp_path, {"metric": "rmse"})


def test_a_description_that_is_no_text_is_one_sentence(tmp_path: Path) -> None:
    folder = a_competition(tmp_path)
    (folder / "prepared/public/description.md").write_bytes(b"\xff\xfe")
    with pytest.raises(TaskError, match=r"description\.md: cannot be read as UTF-8"):
        load_spec(folder, {"metric": "rmse"})


def test_a_plain_folder_without_a_metric_lacks_its_metric_only(tmp_path: Path) -> None:
    with pytest.raises(MetricMissing, match="--metric"):
        load_spec(a_competition(tmp_path))


def test_the_competitions_of_a_data_directory_are_found_and_other_folders_are_not(tmp_path: Path) -> None:
    first, second = a_competition(tmp_path, "a"), a_competition(tmp_path, "b")
    (tmp_path / "unprepared/raw").mkdir(parents=True)
    assert competitions(tmp_path) == [first, second]
    assert competitions(second) == competitions(second / "prepared/public") == [second]
    for wrong in (tmp_path / "unprepared", tmp_path / "nowhere"):
        with pytest.raises(TaskError, match="--mlebench"):
            competitions(wrong)


def test_submission_jsonl_is_what_mlebench_grade_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("run").mkdir()
    Path("run/submission.csv").write_text("id,y\n3,1\n")
    results = {"b": Path("run/submission.csv"), "a": None, "c": Path("run/lost.csv")}
    lines = [json.loads(line) for line in write_submissions(results, Path("out")).read_text().splitlines()]
    assert Path("out/submission.jsonl").is_file()
    assert lines == [
        {"competition_id": "a", "submission_path": None},
        {"competition_id": "b", "submission_path": str(tmp_path / "run/submission.csv")},
        {"competition_id": "c", "submission_path": None},
    ]


@pytest.mark.parametrize(
    ("text", "metric"),
    [
        ("Evaluated by their [classification accuracy](https://x.y/rmse), the share that is right.", "accuracy"),
        ("Submissions are scored on the root mean squared error. RMSE is defined as:", "rmse"),
        ("the **Mean Absolute Error (MAE)** between prediction and truth", "mae"),
        ("on the Root Mean Squared Logarithmic Error (RMSLE)", "rmsle"),
        ("on area under the ROC curve between the predicted probability and the target", "roc_auc"),
        ("using the multi-class logarithmic loss. The log function is bounded.", "log_loss"),
        ("on the quadratic weighted kappa, with a matrix of weights", "quadratic_weighted_kappa"),
        ("on the mean column-wise ROC AUC: the average of the individual AUCs of each predicted column.",
         "mean_columnwise_roc_auc"),
        ("using MCRMSE, mean columnwise root mean squared error:", "mcrmse"),
        ("according to the Mean Average Precision @ 5 (MAP@5):", "map_at_5"),
    ],
)  # fmt: skip
def test_a_description_names_its_metric(text: str, metric: str) -> None:
    named = named_metric(EVALUATION.format(text))
    assert named is not None
    assert named.metric == metric
    assert named.sentence.replace("**", "") in text.replace("**", "") or "accuracy" in named.sentence


@pytest.mark.parametrize(
    "text",
    [
        "on RMSE between the logarithm of the predicted value and the logarithm of the price",
        "on the column-wise root mean squared logarithmic error. The RMSLE for a single column is",
        "on area under the ROC curve. AUC is calculated for each of the 11 labels, then averaged.",
        "on a weighted mean absolute error",
        "The metric is the mean F1-Score.",
        "according to the Mean Average Precision.",
        "on the root mean square percentage error (RMSPE)",
        "by accuracy and by log loss",
        "by how useful it is",
    ],
)
def test_where_there_is_doubt_no_metric_is_named(text: str) -> None:
    assert named_metric(EVALUATION.format(text)) is None


def test_only_the_section_on_evaluation_names_a_metric() -> None:
    assert named_metric("# Tides\n\nA high accuracy would be nice.\n\n## Prizes\nBy accuracy.\n") is None
    nested = "## Evaluation\n### Metric\nBy mae.\n### Submission Format\nrmse\n## Prizes\naccuracy\n"
    named = named_metric(nested)
    assert named is not None
    assert named.metric == "mae"
