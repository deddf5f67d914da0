"""The command line of the batch where nothing has to run: help, bad input, missing machine."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from agents.batch import app
from tests.batches import a_task
from tests.calls import ROOT, here, process


def test_help_names_every_option_and_loads_nothing_heavy() -> None:
    done = process("agents.batch", "--help", env={"COLUMNS": "200"})
    assert done.returncode == 0
    options = "--out --workers --model --metric --attempts --minutes --usd --total-usd --privacy --policy --preset"
    for option in [*options.split(), "--ranker", "--seed", "--retries", "--again", "--shard", "--mlebench", "--ray"]:
        assert option in done.stdout
    code = (
        "import sys, agents.batch; print([m for m in ('langgraph', 'docker', 'pydantic', 'ray') if m in sys.modules])"
    )
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], "Name at least one task"),
        (["nowhere.yaml"], "nowhere.yaml: there is no such file or folder"),
        (["docs"], "docs: holds no task"),
        (["examples", "--shard", "3/2"], "--shard 3/2: is no shard"),
        (["examples", "--model", "gpt-5"], "--model gpt-5: is no model"),
        (["examples", "--privacy", "all"], "--privacy all: is no level"),
        (["examples", "--policy", "best"], "--policy best: there is no such policy"),
        (["examples", "--preset", "other"], "--preset other: is no preset"),
        (["examples", "--ranker", "nowhere"], "--ranker nowhere: holds no ranker"),
        (["examples", "--ray-fetch"], "--ray-fetch: goes with --ray"),
        (["examples", "--workers", "100000"], "--workers 100000: leaves a script less than"),
        (["examples", "--task-memory-mb", "100000000"], "--task-memory-mb 100000000"),
        (["--mlebench", "nowhere"], "--mlebench nowhere"),
    ],
)
def test_a_wrong_call_is_one_sentence(arguments: list[str], wanted: str, tmp_path: Path) -> None:
    done = here(app, *arguments, "--out", tmp_path / "out")
    assert done.returncode == 2
    assert done.stderr.startswith(wanted)
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_without_an_engine_the_exit_code_is_3_and_nothing_is_begun(tmp_path: Path) -> None:
    no_engine = {"DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    done = here(app, a_task(tmp_path / "task"), "--out", tmp_path / "out", env=no_engine)
    assert done.returncode == 3
    assert len(done.stderr.strip().splitlines()) == 1
    assert ",waiting," in (tmp_path / "out/results.csv").read_text()


def test_a_full_disk_is_one_sentence_with_exit_code_3_and_the_same_command_goes_on(tmp_path: Path) -> None:
    """The first file that the results are written to has no room; then, with room, the engine is what is missing."""
    out, task = tmp_path / "out", a_task(tmp_path / "task")
    no_engine = {"DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    out.mkdir()
    (out / f".results.csv.{os.getpid()}").symlink_to("/dev/full")
    done = here(app, task, "--out", out, env=no_engine)
    assert done.returncode == 3
    assert done.stderr.startswith(f"The disk that holds {out} is full")
    assert "the same command then goes on" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    (out / f".results.csv.{os.getpid()}").unlink()
    assert here(app, task, "--out", out, env=no_engine).returncode == 3
    assert ",waiting," in (out / "results.csv").read_text()
