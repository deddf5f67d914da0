"""Whole runs on the layouts of Kaggle and MLE-bench, with real containers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.kaggle_server import KEY, USER, KaggleServer, serving, zipped

ROOT = Path(__file__).resolve().parent.parent
PUBLIC = ROOT / "examples/life-expectancy/public"
FAST = ("--attempts", "1", "--minutes", "2", "--json")
pytestmark = [pytest.mark.docker, pytest.mark.long]


def solve(folder: Path, *arguments: str, **environment: str) -> dict[str, Any]:
    """`python -m agents.run` in `folder`; its report."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    environment = kept | {"PYTHONPATH": str(ROOT)} | environment
    command = [sys.executable, "-m", "agents.run", *arguments]
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stderr
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_a_prepared_competition_is_solved_and_its_answers_are_never_seen(tmp_path: Path) -> None:
    prepared = tmp_path / "life-expectancy/prepared"
    shutil.copytree(PUBLIC, prepared / "public")
    text = "# Life\n\n## Evaluation\n\nSubmissions are scored on the root mean squared error.\n"
    (prepared / "public/description.md").write_text(text)
    (prepared / "private").mkdir()
    (prepared / "private/test.csv").write_text("id,answer-4f1c\n")
    report = solve(tmp_path, "life-expectancy", *FAST, "--out", "run")
    assert (report["valid"], report["task"]["name"], report["task"]["metric"]) == (True, "life-expectancy", "rmse")
    assert any("by its description" in note for note in report["task"]["notes"])
    seen = [path for path in (tmp_path / "run").rglob("*") if path.is_file() and b"answer-4f1c" in path.read_bytes()]
    assert not seen


def test_a_competition_on_kaggle_is_downloaded_solved_and_submitted_once(tmp_path: Path) -> None:
    archive = zipped({path.name: path.read_bytes() for path in PUBLIC.iterdir()})
    with serving(KaggleServer(slug="life-expectancy", archive=archive)) as server:
        login = {"KAGGLE_USERNAME": USER, "KAGGLE_KEY": KEY, "HOME": str(tmp_path / "home")} | server.environment()
        report = solve(tmp_path, "kaggle:life-expectancy", *FAST, "--out", "run", "--submit", **login)
        again = solve(tmp_path, "--resume", "run", "--submit", "--json", **login)
    assert report["submitted"] == again["submitted"]
    assert report["submitted"]["public_score"] == server.score
    assert server.uploads == [(tmp_path / "run/submission.csv").read_bytes()]
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
