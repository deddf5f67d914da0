"""A run that is killed at any write of a checkpoint goes on and ends as if nothing had happened."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agents import drive
from grading.base import TaskError
from graphs.checkpoints import THREAD, Saver, Store
from graphs.folder import RunFolder
from tests.fakes import ok
from tests.test_graphs_pipeline import Stage

PARTS = 6
FOR_EVER = 10**9
BRANCHES = 2
"""So many scripts of a batch may be under way when a run dies."""
VALUES = {"0001": 1.0, "0002": 1.05, "0003": 2.0}


class Killed(BaseException):
    """What a kill is to this process: nothing is written any more."""


class Mortal(Saver):
    """Dies after, or before, its `dies_at`th write, counted over both kinds."""

    dies_at = 0
    before = False
    written = 0

    def put(self, *given: Any, **named: Any) -> Any:
        return self._write(super().put, *given, **named)

    def put_writes(self, *given: Any, **named: Any) -> None:
        self._write(super().put_writes, *given, **named)

    def _write(self, write: Any, *given: Any, **named: Any) -> Any:
        Mortal.written += 1
        if Mortal.written > Mortal.dies_at or (Mortal.before and Mortal.written == Mortal.dies_at):
            raise Killed
        done = write(*given, **named)
        if Mortal.written == Mortal.dies_at:
            raise Killed
        return done


@contextmanager
def mortal(folder: RunFolder) -> Iterator[Store]:
    with Mortal.from_conn_string(str(folder.checkpoints)) as saver:
        yield Store(saver, THREAD)


def a_stage(root: Path) -> Stage:
    root.mkdir()
    return Stage(root, [ok()] * 30, VALUES, views=2, attempts=3)


def go(stage: Stage) -> dict[str, Any]:
    outcome = drive.solve(None, stage.folder.path, stage.context, lambda event: None)
    return outcome.report


def tried(report: dict[str, Any]) -> Any:
    """What must not depend on a kill."""
    attempts = [(a["id"], a["instruction"], a["tries"], [run["view"] for run in a["runs"]]) for a in report["attempts"]]
    return report["winner"], report["valid"], attempts


@pytest.fixture(autouse=True)
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "true")


@pytest.mark.long
@pytest.mark.parametrize("first", range(1, PARTS + 1))
def test_a_run_that_dies_at_any_write_ends_as_if_it_had_not(
    first: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = a_stage(tmp_path / "whole")
    expected = tried(go(whole))
    executed = len(whole.sandbox.codes)
    monkeypatch.setattr(drive, "open_store", mortal)
    dies_at = first
    while True:
        stage = a_stage(tmp_path / str(dies_at))
        try:
            Mortal.dies_at, Mortal.written, Mortal.before = dies_at, 0, bool(dies_at // PARTS % 2)
            go(stage)
            break  # there are not so many writes
        except Killed:
            Mortal.dies_at = FOR_EVER
        stage.open()
        assert tried(go(stage)) == expected, f"killed at write {dies_at}"
        assert len(stage.sandbox.codes) <= executed + BRANCHES, "what had ended was done again"
        dies_at += PARTS
    assert dies_at > 40


@pytest.mark.parametrize("dies_at", [1, 14])
def test_a_run_whose_folder_has_moved_goes_on(dies_at: int, tmp_path: Path) -> None:
    """Or that is named in another way: what its state says of the folder is of the day when it began."""
    expected = tried(go(a_stage(tmp_path / "whole")))
    seen: list[dict[str, Any]] = []

    def watch(event: dict[str, Any]) -> None:
        seen.append(event)
        if len(seen) == dies_at:
            raise Killed

    stage = a_stage(tmp_path / "here")
    with pytest.raises(Killed):
        drive.solve(None, stage.folder.path, stage.context, watch)
    (tmp_path / "here").rename(tmp_path / "there")
    again = Stage(tmp_path / "there", [ok()] * 30, VALUES, views=2, attempts=3)
    assert tried(go(again)) == expected
    assert not (tmp_path / "here").exists()
    assert len(stage.sandbox.codes) + len(again.sandbox.codes) <= 8 + BRANCHES


@pytest.mark.parametrize("views", [2, 0])
def test_a_submission_that_was_removed_is_put_back_as_it_was_delivered(views: int, tmp_path: Path) -> None:
    """Where scripts are graded it is what the grader wrote last, elsewhere the predictions of the winner."""
    stage = Stage(tmp_path, [ok()] * 30, VALUES, views=views, attempts=3, unblind=None if views else "no rows match")
    assert go(stage)["valid"]
    graded, predictions = stage.folder.graded, stage.folder.attempt("0001", 1) / "view-0" / "predictions.csv"
    delivered, other = (graded, predictions) if views else (predictions, graded)
    assert delivered.read_bytes() == stage.folder.submission.read_bytes()
    other.parent.mkdir(exist_ok=True)
    delivered.write_bytes(b"delivered")
    other.write_bytes(b"another")
    stage.folder.submission.unlink()
    assert go(stage)["valid"]
    assert stage.folder.submission.read_bytes() == b"delivered"
    stage.folder.submission.unlink()
    delivered.unlink()
    with pytest.raises(TaskError, match=r"submission\.csv is gone, and so is .*: start the task anew"):
        go(stage)
    stage.folder.report.unlink()
    with pytest.raises(TaskError, match=r"report\.json cannot be read .*: start the task anew"):
        go(stage)
