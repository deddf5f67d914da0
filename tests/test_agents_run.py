"""The command line where nothing has to run: help, bad input, missing machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agents.run import app
from grading.base import TaskError
from grading.task import load_spec
from graphs.context import Context
from graphs.settings import settle
from tests.calls import ROOT, here, process


def a_task(folder: Path, text: str) -> str:
    """A task file with a small data folder beside it."""
    data = folder / "data"
    data.mkdir()
    (data / "train.csv").write_text("id,x,y\n1,2,3\n2,3,4\n")
    (data / "test.csv").write_text("id,x\n3,4\n")
    (folder / "task.yaml").write_text(text)
    return str(folder / "task.yaml")


def test_help_names_every_option_and_loads_nothing_heavy() -> None:
    done = process("agents.run", "--help", env={"COLUMNS": "200"})
    assert done.returncode == 0
    options = "--out --model --metric --attempts --minutes --first-valid --parallel --seed --resume --dry-run --quiet"
    for option in [*options.split(), "--json", "--ranker", "--cpus", "--memory-mb"]:
        assert option in done.stdout
    code = "import sys, agents.run; print([m for m in ('langgraph', 'docker', 'pydantic') if m in sys.modules])"
    loaded = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert loaded.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("data: data\nmetric: acuracy\n", ["metric", "accuracy"]),
        ("data: date\nmetric: rmse\n", ["data", "does not exist"]),
        ("data: data\nmetrics: rmse\n", ["metrics", "metric"]),
        ("data: data\nmetric: [rmse\n", ["line", "YAML"]),
        ("data: data\nmetric: rmse\nfiles: {train: trian.csv}\n", ["files.train", "train.csv"]),
        ("data: data\nmetric: rmse\nbudget: {minutes: -1}\n", ["budget.minutes"]),
    ],
)
def test_a_mistake_in_the_task_is_one_sentence(tmp_path: Path, text: str, wanted: list[str]) -> None:
    done = here(app, a_task(tmp_path, text))
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert all(word in done.stderr for word in [*wanted, "task.yaml"])


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ([], "--resume"),
        (["nowhere.yaml"], "nowhere.yaml"),
        (["--resume", "nowhere"], "not a run folder"),
        (["examples/co2", "--model", "gpt-5"], "--model gpt-5: is no model"),
        (["examples/co2", "--ranker", "nowhere"], "--ranker nowhere: holds no ranker (averages.json is missing)"),
        (["examples/co2", "--ranker", "Prior", "--dry-run"], "name a folder of ranker.train, prior or off."),
    ],
)
def test_a_wrong_call_is_one_sentence(arguments: list[str], wanted: str) -> None:
    done = here(app, *arguments)
    assert done.returncode == 2
    assert wanted in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_process_that_refuses_its_call_says_one_sentence_and_nothing_else() -> None:
    done = process("agents.run", "nowhere.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "nowhere.yaml: there is no such file or folder; give a task.yaml or a data folder.\n"


def test_cores_and_memory_of_a_script_that_the_user_says_win_over_the_tasks(tmp_path: Path) -> None:
    spec = load_spec(Path(a_task(tmp_path, "data: data\nmetric: rmse\nlimits: {cpus: 1, memory_mb: 700}\n")))
    own, said = settle(spec, Context()), settle(spec, Context(cpus=0.5, memory_mb=300, parallel=1))
    assert (own.cpus, own.memory_mb) == (1, 700)
    assert (said.cpus, said.memory_mb, said.parallel) == (0.5, 300, 1)


def test_scripts_side_by_side_share_the_cores_and_are_bounded_by_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = {"SC_PAGE_SIZE": 2**20, "SC_PHYS_PAGES": 8192}  # 8 GiB
    monkeypatch.setattr("graphs.settings.os.sysconf", sizes.__getitem__)
    monkeypatch.setattr("graphs.settings.os.sched_getaffinity", lambda _: set(range(64)))
    spec = load_spec(Path(a_task(tmp_path, "data: data\nmetric: rmse\n")))
    usual = settle(spec, Context(cpus=2))
    assert usual.parallel == 11, "of 32 that the cores would let run"
    assert usual.memory_mb >= 512
    assert settle(spec, Context(parallel=2)).cpus == 4
    monkeypatch.setattr("graphs.settings.os.sched_getaffinity", lambda _: {0, 1})
    shared = settle(spec, Context(parallel=8))
    assert (shared.parallel, shared.cpus) == (8, 0.25)
    with pytest.raises(TaskError, match=r"--parallel 12: leaves a script less than 512 MiB .* use at most 11"):
        settle(spec, Context(parallel=12))


def test_a_plain_folder_needs_a_metric(tmp_path: Path) -> None:
    a_task(tmp_path, "")
    done = here(app, tmp_path / "data")
    assert done.returncode == 2
    assert "--metric" in done.stderr


def test_without_an_engine_the_exit_code_is_3_and_nothing_is_lost(tmp_path: Path) -> None:
    task = a_task(tmp_path, "data: data\nmetric: rmse\n")
    no_engine = {"DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    done = process("agents.run", task, "--out", tmp_path / "run", env=no_engine)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert (tmp_path / "run/task.json").exists()


def test_a_folder_in_use_is_not_overwritten(tmp_path: Path) -> None:
    task = a_task(tmp_path, "data: data\nmetric: rmse\n")
    done = here(app, task, "--out", tmp_path / "data")
    assert done.returncode == 2
    assert "--out" in done.stderr
    assert (tmp_path / "data/train.csv").exists()
