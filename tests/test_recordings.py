"""Recorded runs, replayed: the whole way from a description to a submission, with a model's real mistakes, without it.

A run is recorded with any model and kept by scripts/keep_recording.py; CONTRIBUTING.md tells how to make it anew.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
RECORDINGS = ROOT / "tests" / "recordings"
NAMES = ("breast-cancer", "life-expectancy", "python-docstrings")
pytestmark = pytest.mark.docker


def replay(name: str, out: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """`python -m agents.run` on a recorded run."""
    task, run = RECORDINGS / name / "task.yaml", RECORDINGS / name / "run"
    command = [sys.executable, "-m", "agents.run", str(task), "--model", f"replay:{run}", "--out", str(out), "--json"]
    return subprocess.run([*command, *options], cwd=ROOT, capture_output=True, text=True, timeout=280, check=False)


def recorded(name: str) -> dict[str, Any]:
    """The report of the recorded run."""
    report: dict[str, Any] = json.loads((RECORDINGS / name / "run" / "report.json").read_text())
    return report


def told(report: dict[str, Any]) -> list[tuple[Any, ...]]:
    """What a run tried and how it ended, but for times."""
    keys = ("id", "kind", "title", "source", "tries", "status", "parents", "change")
    return [tuple(str(attempt[key]) for key in keys) for attempt in report["attempts"]]


def statuses(name: str) -> list[str]:
    """How every run of a script ended."""
    results = (RECORDINGS / name / "run").glob("attempts/*/try-*/view-*/result.json")
    return [json.loads(path.read_text())["status"] for path in results]


@pytest.mark.parametrize("name", NAMES)
def test_a_recorded_run_comes_out_as_it_did_without_any_model(name: str, tmp_path: Path) -> None:
    done = replay(name, tmp_path / "run", "--replay-executions")
    assert done.returncode == 0, done.stderr
    report, before = json.loads(done.stdout), recorded(name)
    assert told(report) == told(before)
    assert report["winner"] == before["winner"]
    assert (tmp_path / "run/submission.csv").exists()
    asked = report["models"]["totals"]["all"]
    assert (asked["calls"], asked["questions"]) == (0, before["models"]["totals"]["all"]["questions"])
    assert "0 ended otherwise" in report["models"]["replay"][0]


@pytest.mark.long
def test_scripts_of_a_recorded_run_are_run_anew_and_compared(tmp_path: Path) -> None:
    done = replay("breast-cancer", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    assert "scripts run anew" in json.loads(done.stdout)["models"]["replay"][0]


def test_a_record_that_differs_is_said_at_the_first_question(tmp_path: Path) -> None:
    name = "breast-cancer"
    task = RECORDINGS / name / "task.yaml"
    other = tmp_path / "task.yaml"
    data = (ROOT / "examples" / name / "public").as_posix()
    text = task.read_text().replace(f"../../../examples/{name}/public", data)
    other.write_text(f"description: Something else is to be predicted.\n{text}")
    run = RECORDINGS / name / "run"
    command = [
        sys.executable,
        "-m",
        "agents.run",
        str(other),
        "--model",
        f"replay:{run}",
        "--out",
        str(tmp_path / "run"),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "differs at the question describe" in done.stderr
    assert "Something else is to be predicted." in done.stderr


def test_the_recordings_hold_the_mistakes_that_models_make() -> None:
    """Code that raised, a submission with faults, a time-out: each was mended, or the run went on without."""
    by_name = {name: recorded(name)["attempts"] for name in NAMES}
    assert {"error", "timeout"} <= {status for name in NAMES for status in statuses(name)}
    mended = [a for attempts in by_name.values() for a in attempts if a["source"] == "llm" and a["tries"] > 1]
    assert len([attempt for attempt in mended if attempt["status"] == "ok"]) >= 3
    kinds = {attempt["kind"] for attempts in by_name.values() for attempt in attempts}
    assert kinds == {"draft", "improve", "ensemble"}


def test_no_recording_names_a_path_of_the_machine_that_made_it() -> None:
    texts = {path: path.read_text() for name in NAMES for path in (RECORDINGS / name).rglob("*.json")}
    marks = (str(ROOT), "/tmp/", "/root/", "/home/")
    assert not [path for path, text in texts.items() if any(mark in text for mark in marks)]
