"""The disk of a run folder fills up while the run works: one sentence, nothing is lost, and with room it goes on."""

from __future__ import annotations

import gc
import json
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from agents.drive import solve
from graphs.folder import RunFolder
from graphs.full_disk import DiskFull
from tests.engines import fill, loop_disk
from tests.fakes import SUBMISSION, failed, ok
from tests.mortal_run import OWN, TASK, keep_the_quick
from tests.test_end_to_end import ids, run, start, wait_until
from tests.test_graphs_pipeline import Stage
from tests.test_graphs_resume import VALUES, a_stage, go, tried

STEP = 3
"""Each so many events the disk is full once."""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system: the log beside SQLite's file alone grows to four MiB."""
    with loop_disk(tmp_path, 16):
        yield tmp_path / "disk"
        gc.collect()  # an exception that was caught holds cursors, and those hold files


def assert_whole(folder: RunFolder) -> None:
    """Nothing of what is there is cut off."""
    folder.load()
    for path in folder.path.rglob("*.json"):
        json.loads(path.read_text())
    with closing(sqlite3.connect(folder.checkpoints)) as link:
        assert link.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def assert_one_sentence(text: str, folder: Path) -> None:
    assert "\n" not in text
    assert f"The disk that holds {folder} is full" in text
    assert "make room there" in text
    assert f"--resume {folder}" in text


@pytest.mark.long
@pytest.mark.parametrize("first", range(1, STEP + 1))
def test_a_disk_that_fills_up_at_any_event(first: int, disk: Path, tmp_path: Path) -> None:
    expected = tried(go(a_stage(tmp_path / "whole")))
    full_at, stopped = first, 0
    while True:
        stage = a_stage(disk / f"at-{full_at}")
        seen: list[dict[str, Any]] = []

        def watch(event: dict[str, Any], seen: list[dict[str, Any]] = seen, full_at: int = full_at) -> None:
            seen.append(event)
            if len(seen) == full_at:
                fill(disk)

        try:
            assert tried(solve(None, stage.folder.path, stage.context, watch).report) == expected
        except DiskFull as fault:
            stopped += 1
            assert_one_sentence(str(fault), stage.folder.path)
        (disk / "filler").unlink(missing_ok=True)
        assert_whole(stage.folder)
        assert not stage.folder.submission.exists() or stage.folder.submission.read_bytes() == SUBMISSION
        stage.open()
        assert tried(go(stage)) == expected, f"full at event {full_at}"
        subprocess.run(["rm", "-rf", str(disk / f"at-{full_at}")], check=True)
        if len(seen) < full_at:
            break
        full_at += STEP
    assert stopped >= 5


WHERE = {
    "a view is made": "task.json",
    "a script runs": "attempts/0002/try-1/solution.py",
    "the refit begins": "attempts/0002/try-1/view-1/predictions.csv",
}
"""What is in the run folder when the disk fills up."""


@pytest.mark.docker
@pytest.mark.long
@pytest.mark.timeout(900)
@pytest.mark.parametrize("when", WHERE)
def test_a_disk_that_fills_up_under_containers(when: str, disk: Path, tmp_path: Path) -> None:
    folder = RunFolder(disk / "run")
    (tmp_path / "own.py").write_text(OWN)
    limits = ["--attempts", "2", "--parallel", "1", "--cpus", "1", "--ranker", "prior", "--model", "none"]
    words = [str(TASK), "--out", str(folder.path), "--start", str(tmp_path / "own.py"), "--review", *limits]
    if WHERE[when] != "task.json":
        assert run(*words).returncode == 4
        keep_the_quick(folder.review)
        words = ["--resume", str(folder.path)]
    process = start(*words)
    try:
        assert wait_until((folder.path / WHERE[when]).exists, 200)
        filler = fill(disk)
        _, said = process.communicate(timeout=200)
    finally:
        process.kill()
    assert process.returncode == 3, said
    assert_one_sentence(said.strip().splitlines()[-1], folder.path)
    assert "Traceback" not in said
    filler.unlink()
    assert_whole(folder)
    if folder.submission.exists():
        assert ids(folder.submission) == ids(TASK.parent / "public/sample_submission.csv")
    if not folder.review.exists():
        assert run("--resume", str(folder.path)).returncode == 4
        keep_the_quick(folder.review)
    done = run("--resume", str(folder.path), "--json")
    assert done.returncode == 0, done.stderr
    assert [a["status"] for a in json.loads(done.stdout)["attempts"]] == ["ok", "ok"], (
        "it counted as a script's failure"
    )


def test_a_script_that_fails_on_a_full_disk_is_no_failed_attempt(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk of the containers' working folders, which is not the one of the run folder."""
    monkeypatch.setenv("LINGUACODUS_SCRATCH", str(disk))
    stage = Stage(tmp_path, [failed("No space left on device"), *[ok()] * 9], VALUES, views=2, attempts=3)
    filler = fill(disk)
    with pytest.raises(DiskFull, match=f"The disk that holds {disk} is full"):
        go(stage)
    filler.unlink()
    stage.open()
    assert {attempt["status"] for attempt in go(stage)["attempts"]} == {"ok"}
