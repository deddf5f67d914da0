"""The examples: complete, openly licensed, and without their answers in what the solver sees."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from examples.truth import METRICS, estimate, read, true_score
from grading.task import load_spec

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/task.yaml"))
BEST = {"rmse": 0.0, "mae": 0.0, "log_loss": 0.0, "accuracy": 1.0, "roc_auc": 1.0}


def rows(name: str, file: str) -> list[dict[str, str]]:
    return read(EXAMPLES / name / "public" / file)


def test_there_is_text_a_picture_a_series_and_one_left_to_be_inferred() -> None:
    assert len(NAMES) >= 3
    assert {"python-docstrings", "digits", "co2", "breast-cancer"} <= set(NAMES)
    spec = load_spec(EXAMPLES / "breast-cancer", {})
    assert (spec.files.train, spec.id, spec.target) == (None, None, [])


@pytest.mark.parametrize("name", NAMES)
def test_task_files_are_valid(name: str) -> None:
    spec = load_spec(EXAMPLES / name / "task.yaml", {})
    assert spec.metric.name in METRICS
    assert spec.data == EXAMPLES / name / "public"


@pytest.mark.parametrize("name", NAMES)
def test_source_and_licence_are_named(name: str) -> None:
    text = (EXAMPLES / name / "README.md").read_text()
    assert "- Source: " in text
    assert any(licence in text for licence in ("CC BY 4.0", "PSF-2.0", "public domain"))


@pytest.mark.parametrize("name", NAMES)
def test_no_answer_is_in_what_the_solver_sees(name: str) -> None:
    answers = read(EXAMPLES / name / "answers.csv")
    key, *columns = answers[0]
    train, test, sample = rows(name, "train.csv"), rows(name, "test.csv"), rows(name, "sample_submission.csv")
    assert not set(columns) & set(test[0])
    assert [row[key] for row in answers] == [row[key] for row in test] == [row[key] for row in sample]
    assert not {row[key] for row in train} & {row[key] for row in test}
    assert len({json.dumps([row[column] for column in columns]) for row in sample}) == 1


def test_no_text_and_no_country_is_on_both_sides() -> None:
    for name, column in (("python-docstrings", "text"), ("life-expectancy", "country")):
        assert not {row[column] for row in rows(name, "train.csv")} & {row[column] for row in rows(name, "test.csv")}


@pytest.mark.parametrize("name", NAMES)
def test_files_are_small_and_pictures_are_where_the_rows_say(name: str) -> None:
    files = [path for path in (EXAMPLES / name).rglob("*") if path.is_file()]
    assert max(path.stat().st_size for path in files) < 2**20
    pictures = {path.stem for path in (EXAMPLES / name / "public").glob("images/*.png")}
    ids = {row["id"] for file in ("train.csv", "test.csv") for row in rows(name, file) if "id" in row}
    assert pictures in (set(), ids)


@pytest.mark.parametrize("name", NAMES)
def test_the_answers_themselves_score_best_and_the_sample_worse(name: str) -> None:
    metric, value = true_score(EXAMPLES / name, EXAMPLES / name / "answers.csv")
    assert value == pytest.approx(BEST[metric], abs=1e-9)
    assert true_score(EXAMPLES / name, EXAMPLES / name / "public" / "sample_submission.csv")[1] != value


def test_values_worked_out_by_hand() -> None:
    answers = [{"id": "1", "y": "1"}, {"id": "2", "y": "0"}, {"id": "3", "y": "1"}, {"id": "4", "y": "0"}]
    submission = [{"id": "1", "y": "0.9"}, {"id": "2", "y": "0.5"}, {"id": "3", "y": "0.5"}, {"id": "4", "y": "0.1"}]
    assert METRICS["roc_auc"](answers, submission, ["y"]) == pytest.approx(3.5 / 4)
    assert METRICS["mae"](answers, submission, ["y"]) == pytest.approx(0.3)
    assert METRICS["rmse"](answers, submission, ["y"]) == pytest.approx((0.52 / 4) ** 0.5)
    chances = [{"id": "1", "a": "3", "b": "1"}]
    assert METRICS["log_loss"]([{"id": "1", "a": "1", "b": "0"}], chances, ["a", "b"]) == pytest.approx(0.2876820724)


def test_rows_in_another_order_are_refused(tmp_path: Path) -> None:
    answers = read(EXAMPLES / "co2" / "answers.csv")
    with (tmp_path / "submission.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(answers[0]))
        writer.writeheader()
        writer.writerows(reversed(answers))
    with pytest.raises(ValueError, match="does not have the rows"):
        true_score(EXAMPLES / "co2", tmp_path / "submission.csv")


def test_the_runs_own_estimate_is_told_beside_the_truth(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    report.write_text(json.dumps({"delivery": {"estimate": 3.14159, "low": 2.5, "high": 4.0}}))
    assert estimate(report) == "; the run expected 3.1416, with 95 % between 2.5 and 4"
    report.write_text(json.dumps({"delivery": None}))
    assert estimate(report) == ""
