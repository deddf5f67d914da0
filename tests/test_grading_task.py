"""A task file is read with what it says, and every mistake in it is one sentence that names file, field and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest

from grading.base import TaskError
from grading.metric_names import METRIC_NAMES, metric_info, rank_length, resolve_metric
from grading.task import load_spec


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("train.csv", "test.csv"):
        (tmp_path / "data" / name).write_text("id,y\n1,2\n")
    return tmp_path


def write(folder: Path, text: str) -> Path:
    (folder / "task.yaml").write_text(text)
    return folder


def message(folder: Path, text: str) -> str:
    with pytest.raises(TaskError) as caught:
        load_spec(write(folder, text))
    found = str(caught.value)
    assert "\n" not in found
    assert "task.yaml" in found
    return found


def test_a_task_needs_only_data_and_metric(folder: Path) -> None:
    spec = load_spec(write(folder, "data: data\nmetric: Root Mean Squared Error"))
    assert spec.metric.name == "rmse"
    assert spec.metric.direction == "minimize"
    assert spec.data == (folder / "data").resolve()
    assert spec.name == folder.name
    assert spec.budget.attempts == 6


def test_a_plain_folder_needs_a_metric_flag(folder: Path) -> None:
    assert load_spec(folder / "data", {"metric": "AUC"}).metric.name == "roc_auc"
    with pytest.raises(TaskError, match="--metric"):
        load_spec(folder / "data")


def test_flags_win_over_the_file(folder: Path) -> None:
    write(folder, "data: data\nmetric: rmse\nbudget: {attempts: 3, minutes: 5}")
    spec = load_spec(folder, {"metric": "mae", "budget.attempts": 9, "budget.minutes": None})
    assert (spec.metric.name, spec.budget.attempts, spec.budget.minutes) == ("mae", 9, 5.0)


def test_a_description_may_be_a_file(folder: Path) -> None:
    (folder / "about.md").write_text("Predict y.")
    spec = load_spec(write(folder, "data: data\nmetric: rmse\ndescription: about.md"))
    assert spec.description == "Predict y."


def test_the_grader_gets_bare_names_of_own_code(folder: Path) -> None:
    (folder / "mine.py").write_text("def score(a, b): return 0.0")
    (folder / "cut.py").write_text("def split(train): return []")
    text = "data: data\nmetric: {file: mine.py, direction: minimize}\nviews: {file: cut.py}\ntarget: y"
    spec = load_spec(write(folder, text))
    assert spec.metric.name == "custom"
    assert Path(spec.metric.file or "").is_absolute()
    worker = spec.for_worker()
    assert worker["metric"]["file"] == "mine.py"
    assert worker["views"]["file"] == "cut.py"
    assert worker["target"] == ["y"]


def test_what_is_mounted_is_found_beside_the_task_file(folder: Path) -> None:
    (folder / "weights").mkdir()
    spec = load_spec(
        write(folder, "data: data\nmetric: rmse\nmounts: {bert: weights}\nlimits: {gpus: 1}\nruntime: runsc")
    )
    assert spec.mounts == {"bert": (folder / "weights").resolve()}
    assert (spec.limits.gpus, spec.runtime) == (1, "runsc")


MISTAKES = [
    ("metric: rmse", ["data is missing"]),
    ("data: data", ["metric is missing", "--metric"]),
    ("data: data\nmetric: acuracy", ["metric", "'acuracy'", "accuracy"]),
    ("data: data\nmetric: 5", ["metric", "name of a metric"]),
    ("data: data\nmetric: map", ["map_at_5"]),
    ("data: data\nmetrik: rmse", ["'metrik'", "the nearest is metric"]),
    ("data: data\nmetric: {nam: rmse}", ["'metric.nam'", "name"]),
    ("data: data\nmetric: rmse\nbudget: {attempt: 2}", ["'budget.attempt'", "attempts"]),
    ("data: data\nmetric: rmse\nbudget: {attempts: many}", ["budget.attempts", "'many'"]),
    ("data: data\nmetric: rmse\nbudget: {attempts: 0}", ["budget.attempts", "greater than or equal to 1"]),
    ("data: data\nmetric: {name: rmse, direction: maximize}", ["metric.direction", "rmse is to minimize"]),
    ("data: data\nmetric: {file: none.py, direction: minimize}", ["metric.file", "none.py", "no Python file"]),
    ("data: nowhere\nmetric: rmse", ["data", "nowhere", "does not exist"]),
    ("data: data/train.csv\nmetric: rmse", ["data", "is a file, not a folder"]),
    ("data: data\nmetric: rmse\nfiles: {train: trian.csv}", ["files.train", "trian.csv", "train.csv"]),
    ("data: data\nmetric: rmse\nfiles: {test: ../task.yaml}", ["files.test", "outside of the data folder"]),
    ("data: data\nmetric: rmse\ndescription: none.md", ["description", "none.md"]),
    ("data: data\nmetric: rmse\ntarget: {a: b}", ["target", "name of a column"]),
    ("data: data\nmetric: rmse\nviews: {by: group}", ["views", "needs a column"]),
    ("data: data\nmetric: rmse\nviews: {by: grup}", ["views.by", "'grup'", "'group'"]),
    ("data: data\nmetric: rmse\nmounts: {w: none}", ["mounts.w", "none", "does not exist"]),
    ("data: data\nmetric: rmse\nmounts: {../w: data}", ["mounts", "'../w'", "plain name"]),
    ("data: data\nmetric: rmse\nlimits: {gpus: -1}", ["limits.gpus", "greater than or equal to 0"]),
    ("data: data\nmetric: [rmse", ["line 2"]),
    ("- 1", ["fields such as"]),
    ("a: &a [1]\nb: *a", ["alias"]),
]


@pytest.mark.parametrize(("text", "parts"), MISTAKES, ids=[text for text, _ in MISTAKES])
def test_every_mistake_is_one_sentence_with_its_remedy(folder: Path, text: str, parts: list[str]) -> None:
    found = message(folder, text)
    for part in parts:
        assert part in found


def test_a_wrong_path_and_a_file_that_is_no_text(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"none\.yaml: there is no such file or folder"):
        load_spec(tmp_path / "none.yaml")
    (tmp_path / "task.yaml").write_bytes(b"\xff\xfe\x00data")
    with pytest.raises(TaskError, match="UTF-8"):
        load_spec(tmp_path)
    (tmp_path / "task.yaml").write_text("#" * 2_000_000)
    with pytest.raises(TaskError, match="larger than"):
        load_spec(tmp_path)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("RMSE", "rmse"),
        ("Area Under Receiver Operating Characteristic Curve", "roc_auc"),
        ("Multi-class log loss", "log_loss"),
        ("Mean columnwise RMSLE", "mean_columnwise_rmsle"),
        ("Quadratic Weighted Kappa", "quadratic_weighted_kappa"),
        ("MCC", "matthews"),
        ("Matthews correlation coefficient (MCC)", "matthews"),
        ("R²", "r2"),
        ("Categorization Accuracy", "accuracy"),
        ("MAPE", "mape"),
        ("MAP@5", "map_at_5"),
        ("Mean Average Precision @ 3", "map_at_3"),
        ("ndcg_at_10", "ndcg_at_10"),
    ],
)
def test_metrics_have_many_names(text: str, name: str) -> None:
    assert resolve_metric(text) == name
    assert metric_info(name).name == name


def test_canonical_names_resolve_to_themselves_and_aliases_are_unambiguous() -> None:
    assert all(resolve_metric(name) == name for name in METRIC_NAMES)
    aliases = [alias for metric in METRIC_NAMES.values() for alias in metric.aliases]
    assert len(aliases) == len(set(aliases))
    assert not set(aliases) & set(METRIC_NAMES)


def test_the_k_of_a_ranking_metric() -> None:
    assert rank_length("map_at_3") == 3
    assert rank_length("accuracy") is None
    with pytest.raises(KeyError):
        metric_info("map_at_k")
