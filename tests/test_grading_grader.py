"""The grader as the program uses it: a real container that holds the labels, asked from a host without pandas."""

from __future__ import annotations

import csv
import random
import stat
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from grading.base import Task, TaskError
from grading.grader import Grader, GraderFailed
from grading.task import load_spec
from sandbox.base import SandboxClosed
from tests.sandbox_image import find_image

pytestmark = pytest.mark.docker

ROWS, TEST = 120, 30


def write_task(folder: Path, metric: str = "rmse") -> Path:
    """A data folder with one feature, and a target that is about twice that."""
    data, numbers = folder / "data", random.Random(3)
    data.mkdir(parents=True)
    rows = [(f"{i:04}", numbers.uniform(0, 10)) for i in range(ROWS + TEST)]
    train = [[name, f"{x:.3f}", f"{2 * x + numbers.gauss(0, 1):.3f}"] for name, x in rows[:ROWS]]
    tables = {
        "train.csv": [["id", "x", "price"], *train],
        "test.csv": [["id", "x"], *([name, f"{x:.3f}"] for name, x in rows[ROWS:])],
        "sample_submission.csv": [["id", "price"], *([name, "0"] for name, _ in rows[ROWS:])],
    }
    for name, table in tables.items():
        with (data / name).open("w", newline="") as file:
            csv.writer(file).writerows(table)
    (folder / "task.yaml").write_text(f"name: houses\ndata: data\nmetric: {metric}\n")
    return folder / "task.yaml"


def predict(run: Path, attempt: str, view: int, slope: float) -> str:
    """What a script would do: slope times x, for the rows that the view's sample submission asks for."""
    folder = run / "views" / f"view-{view}"
    with (folder / "test.csv").open() as file:
        x = {row["id"]: float(row["x"]) for row in csv.DictReader(file)}
    with (folder / "sample_submission.csv").open() as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    path = Path("attempts") / attempt / f"view-{view}.csv"
    (run / path).parent.mkdir(parents=True, exist_ok=True)
    (run / path).write_text("id,price\n" + "".join(f"{name},{slope * x[name]}\n" for name in ids))
    return str(path)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.fixture(scope="module")
def grader(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Grader]:
    spec = load_spec(write_task(tmp_path_factory.mktemp("task")), {})
    with Grader(spec, run, find_image(), seed=1) as found:
        yield found


def test_the_task_is_inferred_in_the_container(grader: Grader) -> None:
    task = grader.infer()
    assert isinstance(task, Task)
    assert (task.id, task.targets, task.problem, task.metric) == ("id", ["price"], "regression", "rmse")
    assert (task.train_rows, task.test_rows) == (ROWS, TEST)
    assert task.views == 5


def test_from_views_to_a_submission(grader: Grader, run: Path) -> None:
    views = [grader.make_view(number) for number in (0, 1, 2)]
    assert all((run / view.folder / "test.csv").is_file() for view in views)
    runs = {name: {v: predict(run, name, v, slope) for v in (1, 2)} for name, slope in (("good", 2.0), ("bad", 3.0))}
    good, bad = (grader.grade(name, 1, runs[name][1]) for name in ("good", "bad"))
    assert good.value is not None
    assert bad.value is not None
    assert good.value < 1.5 < bad.value
    standings = grader.standings(runs)
    assert [list(standing.members) for standing in standings.attempts] == [["good"], ["bad"]]
    assert standings.attempts[1].views == [1, 2]
    assert grader.write_best({"good": 1.0}, runs) == []
    delivery = grader.deliver({"good": 1.0}, runs, {"good": predict(run, "good", 0, 2.0)}, {})
    assert (delivery.source, delivery.faults) == ("refit", [])
    assert delivery.estimate == pytest.approx(1.0, abs=0.4)
    lines = (run / "graded" / "submission.csv").read_text().splitlines()
    assert len(lines) == TEST + 1
    assert lines[1].startswith("0120,")


def test_labels_lie_where_only_the_owner_sees_them(grader: Grader, run: Path) -> None:
    grader.make_view(1)
    assert stat.S_IMODE((run / "hidden").stat().st_mode) == 0o700
    assert (run / "hidden" / "view-1.parquet").is_file()
    with (run / "views" / "view-1" / "test.csv").open() as file:
        assert "price" not in next(csv.reader(file))


def test_faults_of_a_submission_are_a_grade(grader: Grader, run: Path) -> None:
    grader.make_view(1)
    (run / "attempts" / "empty.csv").write_text("id,cost\n")
    grade = grader.grade("empty", 1, "attempts/empty.csv")
    assert grade.value is None
    assert any("'price'" in fault for fault in grade.faults)


def test_what_the_grader_cannot_do_is_a_failure_with_its_traceback(grader: Grader) -> None:
    with pytest.raises(GraderFailed, match="Traceback"):
        grader.grade("x", 1, "../../etc/passwd")


def test_the_users_files_can_be_at_fault(tmp_path: Path) -> None:
    spec = load_spec(write_task(tmp_path), {"target": "cost"})
    with Grader(spec, tmp_path / "run", find_image(), seed=1) as grader, pytest.raises(TaskError, match="cost"):
        grader.infer()


def test_the_users_metric_runs_in_the_container_and_may_print(tmp_path: Path, run: Path) -> None:
    task = write_task(tmp_path, "{file: mine.py, direction: minimize}")
    source = "import os\nprint('hello', flush=True)\nos.write(1, b'noise')\n\n\ndef score(y_true, y_pred):\n"
    (tmp_path / "mine.py").write_text(source + "    print(y_true)\n    return abs(y_true - y_pred).max()\n")
    mine = tmp_path / "run"
    with Grader(load_spec(task, {}), mine, find_image(), seed=1) as grader:
        grader.make_view(1)
        grade = grader.grade("a", 1, predict(mine, "a", 1, 2.0))
        assert grade.value is not None
        assert 1 < grade.value < 5
    (tmp_path / "mine.py").write_text("def score(y_true, y_pred):\n    return y_true.colour\n")
    with Grader(load_spec(task, {}), mine, find_image(), seed=1) as grader, pytest.raises(TaskError, match="colour"):
        grader.grade("a", 1, "attempts/a/view-1.csv")


def test_a_resumed_run_needs_no_second_look_at_the_data(grader: Grader, run: Path, tmp_path: Path) -> None:
    grader.make_view(1)
    path = predict(run, "again", 1, 2.0)
    spec = load_spec(write_task(tmp_path), {})
    with Grader(spec, run, find_image(), seed=1, task=grader.infer()) as resumed:
        assert resumed.grade("again", 1, path) == grader.grade("again", 1, path)


def test_a_closed_grader_says_so(tmp_path: Path) -> None:
    with Grader(load_spec(write_task(tmp_path), {}), tmp_path / "run", find_image(), seed=1) as grader:
        grader.close()
        with pytest.raises(SandboxClosed):
            grader.infer()


def picture() -> bytes:
    """A PNG of one grey pixel with a comment, made by hand."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = [chunk(b"IHDR", head), chunk(b"tEXt", b"a\0<script>"), chunk(b"IDAT", zlib.compress(b"\0\7"))]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def test_pictures_are_written_anew(grader: Grader) -> None:
    clean = grader.png(picture())
    assert clean is not None
    assert clean.startswith(b"\x89PNG")
    assert b"script" not in clean
    assert grader.png(b"<svg onload=alert(1)>") is None
    assert grader.png(b"\0" * 9_000_000) is None
