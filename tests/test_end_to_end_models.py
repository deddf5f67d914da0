"""A whole run beside a server that fails in every other way: the run ends well, says so, and repeats nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.model_server import answer, drop, half, no_quota, server_error, serving, too_many

ROOT = Path(__file__).resolve().parent.parent
INSIGHT = json.dumps({"objective": "Predict it.", "modality": "tabular", "pitfalls": []})
IDEAS = json.dumps({"ideas": [{"title": "A plan", "preprocessing": "p", "model": "m", "training": "t"}]})
NO_FLAWS = json.dumps({"reviews": [{"number": 1, "flaws": []}]})
pytestmark = pytest.mark.docker


def test_no_failure_of_a_server_loses_the_run(tmp_path: Path) -> None:
    script = [
        *(too_many(0.1), answer(INSIGHT)),
        *(drop(), half(IDEAS), answer("Let me think about it."), answer(IDEAS)),
        *(server_error(), answer(NO_FLAWS)),
        no_quota(),
    ]
    with serving(script) as server:
        options = ["--attempts", "2", "--minutes", "2", "--parallel", "1", "--out", str(tmp_path / "run"), "--json"]
        model = ["--model", f"openai:tiny@{server.url}"]
        command = [sys.executable, "-m", "agents.run", "examples/life-expectancy", *model, *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        assert server.overrun == []
        assert len(server.requests) == len(script)
    report = json.loads(done.stdout)
    assert report["valid"]
    assert [attempt["status"] for attempt in report["attempts"]][:2] == ["ok", "unanswered"]
    assert len(report["attempts"]) == 3, "a lost attempt does not count"
    assert "429" in report["models"]["asleep"][f"openai:tiny@{server.url}"]
    assert report["models"]["totals"]["all"]["calls"] == len(script)
    again = subprocess.run(
        [sys.executable, "-m", "agents.run", "--resume", str(tmp_path / "run"), "--quiet"],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert again.returncode == 0, "a run that has ended asks nobody"
