"""What becomes submission.csv, and what it is said to be worth; the grader's server around it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from grading.base import AUDIT_VIEW, Delivery, Task
from grading.worker.__main__ import Server
from grading.worker.arrays import Array
from grading.worker.deliver import deliver, write_best
from grading.worker.estimate import Rows, estimate
from grading.worker.metrics import METRICS
from grading.worker.picture import MAX_BYTES, reencode
from grading.worker.store import Folders, Store
from tests.worker_tasks import RMSE, hidden_table, write_predictions, write_view

pytestmark = pytest.mark.ml

TEST, FOLD, AUDIT = 40, 60, 50
ROLES = ["test"] * TEST + ["fold"] * FOLD + ["audit"] * AUDIT
RNG = np.random.default_rng(11)
TRUE = RNG.normal(50, 10, TEST)
TASK = replace(RMSE, test_rows=TEST)
LABELS = replace(
    TASK, metric="accuracy", direction="maximize", problem="multiclass", output="labels", classes=["x", "y"]
)


class Run:
    """A run folder with views and submissions whose errors are known."""

    def __init__(self, root: Path, task: Task = TASK, views: Sequence[int] = (1, 2, 3)) -> None:
        self.root, self.task = root, task
        self.runs: dict[str, dict[int, str]] = {}
        self.tables = {view: self._view(view) for view in views}
        self.tables[0] = self._view(0)
        (root / "graded").mkdir()
        self.store = Store(Folders(root), task, seed=0)

    def _view(self, view: int) -> pd.DataFrame:
        roles = ROLES if view not in (0, AUDIT_VIEW) else ["test"] * TEST + ["audit"] * (AUDIT if view else 0)
        random = np.random.default_rng(view)
        values = np.concatenate([TRUE, random.normal(50, 10, len(roles) - TEST)])
        if "audit" in roles:
            values[-AUDIT:] = np.random.default_rng(5).normal(50, 10, AUDIT)
        answers = values if self.task.problem == "regression" else np.where(values > 50, "x", "y")
        table = hidden_table(self.task, {"price": list(answers)}, roles)
        table["true"] = values
        table.loc[: TEST - 1, "id"] = [f"007{i}" for i in range(TEST)]
        table = table.sample(frac=1, random_state=view).reset_index(drop=True)
        write_view(self.root, self.task, view, table.drop(columns="true"))
        return table

    def submit(self, attempt: str, view: int, noise: float, shift: float = 0.0) -> str:
        """Predictions that are wrong by `noise`, most of it the same on every view."""
        table = self.tables[view]
        random = np.random.default_rng([int(attempt), view])
        own = noise * np.sqrt(2) * np.sin(1e6 * int(attempt) * table["true"])
        values = table["true"] + own + random.normal(0, noise / 5, len(table)) + shift
        told = values if self.task.problem == "regression" else np.where(values > 50, "x", "y")
        path = write_predictions(self.root, attempt, view, table, price=list(told))
        if view not in (0, AUDIT_VIEW):
            self.runs.setdefault(attempt, {})[view] = path
        return path

    def submission(self) -> pd.DataFrame:
        return pd.read_csv(self.root / "graded" / "submission.csv", dtype=str)


@pytest.fixture
def run(tmp_path: Path) -> Run:
    found = Run(tmp_path)
    for view in (1, 2, 3):
        found.submit("1", view, noise=2.0)
        found.submit("2", view, noise=2.0)
    return found


def test_the_best_so_far_is_the_average_of_graded_predictions(run: Run) -> None:
    assert write_best(run.store, {"1": 1.0}, {"1": run.runs["1"]}) == []
    found = run.submission()
    assert list(found.columns) == ["id", "price"]
    assert list(found["id"]) == [f"007{i}" for i in range(TEST)]
    rows = [pd.read_csv(run.root / path, dtype={"id": str}).set_index("id") for path in run.runs["1"].values()]
    means = sum(row.loc[found["id"], "price"].to_numpy() for row in rows) / 3
    assert found["price"].astype(float).to_numpy() == pytest.approx(means)


def test_members_count_by_weight_whatever_their_number_of_views(run: Run) -> None:
    one_view = {1: run.runs["2"][1]}
    assert write_best(run.store, {"1": 0.75, "2": 0.25}, {"1": run.runs["1"], "2": one_view}) == []
    mixed = run.submission()["price"].astype(float).to_numpy()
    parts = []
    for name, views in (("1", run.runs["1"]), ("2", one_view)):
        assert write_best(run.store, {name: 1.0}, {name: views}) == []
        parts.append(run.submission()["price"].astype(float).to_numpy())
    assert mixed == pytest.approx(0.75 * parts[0] + 0.25 * parts[1])


def test_nothing_valid_leaves_the_submission_as_it_was(run: Run) -> None:
    assert write_best(run.store, {"1": 1.0}, run.runs) == []
    before = run.submission()
    assert write_best(run.store, {"3": 1.0}, {"3": {1: "attempts/3/nothing.csv"}}) != []
    assert run.submission().equals(before)


def test_a_refit_that_agrees_is_delivered(run: Run) -> None:
    full = {"1": run.submit("1", 0, noise=2.1)}
    found = deliver(run.store, {"1": 1.0}, run.runs, full, {})
    assert (found.source, found.faults) == ("refit", [])
    table = pd.read_csv(run.root / full["1"], dtype={"id": str}).set_index("id")
    submission = run.submission()
    told = table.loc[submission["id"], "price"].to_numpy()
    assert submission["price"].astype(float).to_numpy() == pytest.approx(told)


@pytest.mark.parametrize("shift", [40.0, float("nan")])
def test_a_refit_that_is_wrong_is_not_delivered(run: Run, shift: float) -> None:
    full = {"1": run.submit("1", 0, noise=2.0, shift=shift)}
    found = deliver(run.store, {"1": 1.0}, run.runs, full, {})
    assert (found.source, found.faults) == ("views", [])
    assert "agree" in found.reason or "not valid" in found.reason
    assert run.submission()["price"].astype(float).to_numpy() == pytest.approx(TRUE, abs=12)


def test_a_blend_needs_every_refit(run: Run) -> None:
    full = {"1": run.submit("1", 0, noise=2.0)}
    found = deliver(run.store, {"1": 0.5, "2": 0.5}, run.runs, full, {})
    assert found.source == "views"
    assert "no refit of 2" in found.reason


def test_with_a_single_view_a_refit_may_move_as_far_as_the_error(tmp_path: Path) -> None:
    run = Run(tmp_path, views=(1,))
    run.submit("1", 1, noise=2.0)
    near = {"1": run.submit("1", 0, noise=3.0)}
    assert deliver(run.store, {"1": 1.0}, run.runs, near, {}).source == "refit"
    far = {"1": run.submit("1", 0, noise=12.0)}
    assert deliver(run.store, {"1": 1.0}, run.runs, far, {}).source == "views"


def test_labels_are_delivered_as_the_task_writes_them(tmp_path: Path) -> None:
    run = Run(tmp_path, LABELS)
    for view in (1, 2, 3):
        run.submit("1", view, noise=1.0)
    found = deliver(run.store, {"1": 1.0}, run.runs, {"1": run.submit("1", 0, noise=1.0)}, {})
    assert found.source == "refit"
    assert set(run.submission()["price"]) == {"x", "y"}
    assert found.estimate is not None
    assert found.estimate > 0.8
    flipped = {"1": run.submit("1", 0, noise=30.0)}
    assert deliver(run.store, {"1": 1.0}, run.runs, flipped, {}).source == "views"


def test_the_estimate_comes_from_audit_rows(run: Run) -> None:
    found = deliver(run.store, {"1": 1.0}, run.runs, {}, {})
    assert found.rows == AUDIT
    assert found.estimate is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < found.estimate < found.high
    # averaging the views takes out the noise that they do not share, which a refit alone would keep
    refit = deliver(run.store, {"1": 1.0}, run.runs, {"1": run.submit("1", 0, noise=2.1)}, {})
    assert refit.estimate is not None
    assert refit.estimate > found.estimate


def test_where_time_splits_the_refit_is_the_rule_and_the_last_block_the_estimate(tmp_path: Path) -> None:
    run = Run(tmp_path, replace(TASK, split="time"), views=(1, 2, AUDIT_VIEW))
    for view in (1, 2):
        run.submit("1", view, noise=2.0)
    full = {"1": run.submit("1", 0, noise=2.0, shift=15.0)}
    blind = deliver(run.store, {"1": 1.0}, run.runs, full, {})
    assert (blind.source, blind.estimate, blind.rows) == ("refit", None, 0)
    found = deliver(run.store, {"1": 1.0}, run.runs, full, {"1": run.submit("1", AUDIT_VIEW, noise=2.0)})
    assert found.rows == AUDIT
    assert found.estimate == pytest.approx(2.0, rel=0.4)


def coverage(metric: str, audit: int, repetitions: int = 200) -> float:
    """How often a test of 150 rows falls into the interval, with models that are all the same and rows that are not."""
    hits = 0
    for seed in range(repetitions):
        random = np.random.default_rng(seed)

        def rows(count: int, random: np.random.Generator = random) -> Rows:
            y = random.gamma(2.0, 10.0, (count, 1))
            p: Array = y * np.exp(random.normal(0, 0.3, y.shape))
            if metric == "accuracy":
                y, p = (y > 15).astype(int), (p > 15).astype(int)
            return Rows(y, p, random.integers(2**62, size=count))

        folds, test = [rows(100) for _ in range(3)], rows(150)
        _, low, high = estimate(METRICS[metric], [rows(audit)], folds, 150, seed)
        assert low is not None
        assert high is not None
        hits += low <= METRICS[metric].value(test.y, test.p) <= high
    return hits / repetitions


@pytest.mark.parametrize(("metric", "audit"), [("rmse", 60), ("accuracy", 40)])
def test_the_interval_holds_the_score_of_a_test_in_19_of_20_tasks(metric: str, audit: int) -> None:
    assert coverage(metric, audit) == pytest.approx(0.95, abs=0.04)


def test_blocks_of_time_that_differ_widen_the_interval() -> None:
    random = np.random.default_rng(0)

    def block(noise: float) -> Rows:
        y = random.normal(size=(200, 1))
        return Rows(y, y + random.normal(0, noise, y.shape), random.integers(2**62, size=200))

    audit, folds = block(1.0), [block(0.5), block(2.0)]
    _, low, high = estimate(METRICS["rmse"], [audit], folds, 200, 0)
    _, least, most = estimate(METRICS["rmse"], [audit], folds, 200, 0, blocks=True)
    assert low is not None
    assert high is not None
    assert least is not None
    assert most is not None
    assert least < low / 2
    assert most > 2 * high


def ask(server: Server, op: str, task: Task = TASK, **arguments: Any) -> Any:
    return server.answer({"op": op, "seed": 0, "task": asdict(task), "metric_file": None, **arguments})


def test_the_server_grades_and_compares(run: Run) -> None:
    server = Server(run.root)
    run.submit("2", 1, noise=6.0)
    grades = [ask(server, "grade", attempt=a, view=1, predictions=run.runs[a][1])["ok"] for a in ("1", "2")]
    assert grades[0]["faults"] == []
    assert grades[0]["value"] < grades[1]["value"]
    runs = {attempt: {str(view): path for view, path in own.items()} for attempt, own in run.runs.items()}
    found = ask(server, "standings", runs=runs)["ok"]
    assert list(found["attempts"][0]["members"]) == ["1"]
    assert found["attempts"][0]["score"]["folds"][0] == pytest.approx(grades[0]["value"])
    assert ask(server, "write_best", members={"1": 1.0}, runs=runs) == {"ok": []}
    delivered = ask(server, "deliver", members={"1": 1.0}, runs=runs, full={}, audit={})["ok"]
    assert Delivery(**delivered).source == "views"


def test_a_file_that_is_written_again_is_graded_again(run: Run) -> None:
    server = Server(run.root)
    first = ask(server, "grade", attempt="1", view=1, predictions=run.runs["1"][1])["ok"]
    run.submit("1", 1, noise=9.0)
    again = ask(server, "grade", attempt="1", view=1, predictions=run.runs["1"][1])["ok"]
    assert again["value"] > 2 * first["value"]


def test_faults_are_answers_and_failures_are_errors(run: Run) -> None:
    server = Server(run.root)
    (run.root / "attempts" / "bad.csv").write_text("id,price\n")
    grade = ask(server, "grade", attempt="9", view=1, predictions="attempts/bad.csv")["ok"]
    assert grade["faults"]
    assert (grade["value"], grade["error"]) == (None, None)
    outside = ask(server, "grade", attempt="9", view=1, predictions="../secret.csv")["error"]
    assert outside["kind"] == "failed"
    assert "Traceback" in outside["message"]
    custom = ask(server, "grade", replace(TASK, metric="custom"), attempt="1", view=1, predictions=run.runs["1"][1])
    assert custom["error"]["kind"] == "task"


def test_a_view_without_hidden_rows_is_checked_and_not_graded(run: Run) -> None:
    grade = ask(Server(run.root), "grade", attempt="1", view=0, predictions=run.submit("1", 0, noise=1.0))["ok"]
    assert grade == {"faults": [], "value": None, "error": None}


def png(mode: str = "RGB", size: tuple[int, int] = (30, 20)) -> bytes:
    out, note = io.BytesIO(), PngInfo()
    note.add_text("Comment", "<script>alert(1)</script>")
    Image.new(mode, size, 1).save(out, "PNG", pnginfo=note)
    return out.getvalue()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "1"])
def test_pictures_keep_their_pixels_and_nothing_else(mode: str) -> None:
    clean = reencode(png(mode) + b"<script>tail</script>")
    assert clean is not None
    assert b"script" not in clean
    with Image.open(io.BytesIO(clean)) as picture:
        assert picture.size == (30, 20)
        assert not picture.info


def test_what_is_no_small_png_is_no_picture() -> None:
    jpeg = io.BytesIO()
    Image.new("RGB", (5, 5)).save(jpeg, "JPEG")
    broken = png()[:60]
    huge = png("1", (20_000, 20_000))
    for data in (b"", b"<svg/>", jpeg.getvalue(), broken, huge, b"\x89PNG" + b"0" * MAX_BYTES):
        assert reencode(data) is None


def test_a_refit_may_score_better_than_what_was_graded_but_not_worse() -> None:
    random = np.random.default_rng(0)
    y = random.normal(size=(200, 1))
    audit = Rows(y, y + random.normal(0, 1, y.shape), np.arange(200))
    value, low, high = estimate(METRICS["rmse"], [audit], [audit], 200, 0)
    same, lower, upper = estimate(METRICS["rmse"], [audit], [audit], 200, 0, refit=True)
    assert low is not None
    assert lower is not None
    assert (same, upper) == (value, high)
    assert 0.85 * low < lower < low
