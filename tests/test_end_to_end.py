"""The main job with real containers: solve, kill, resume, stop, run again, Studio."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph_sdk import get_sync_client

ROOT = Path(__file__).resolve().parent.parent
TASK = "examples/life-expectancy/task.yaml"
FAST = ["--attempts", "1", "--minutes", "2"]
pytestmark = pytest.mark.docker


def start(*arguments: str) -> subprocess.Popen[str]:
    """`python -m agents.run`, not waited for."""
    command = [sys.executable, "-m", "agents.run", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """`python -m agents.run`, to its end."""
    process = start(*arguments)
    out, err = process.communicate(timeout=240)
    return subprocess.CompletedProcess([], process.returncode, out, err)


def ids(path: Path) -> list[str]:
    """First column of a csv file without its header."""
    return [line.split(",")[0] for line in path.read_text().splitlines()[1:]]


def containers(process: subprocess.Popen[str], running: bool = False) -> list[str]:
    """The containers that a process has made and that still exist, or still run."""
    command = [
        "docker",
        "ps",
        *([] if running else ["-a"]),
        "--filter",
        "label=linguacodus",
        "--format",
        '{{.Label "linguacodus.owner"}}',
    ]
    owners = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return [owner for owner in owners if owner.startswith(f"{process.pid}-")]


def wait_until(condition: Any, seconds: float) -> bool:
    """Poll until `condition()` holds."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.2)
    return False


@pytest.fixture(scope="module")
def solved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """One solved task: its run folder and what --json printed."""
    folder = tmp_path_factory.mktemp("solved") / "run"
    done = run(TASK, *FAST, "--out", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def test_a_task_ends_with_a_submission_a_solution_and_an_estimate(solved: tuple[Path, dict[str, Any]]) -> None:
    folder, report = solved
    wanted = ids(ROOT / "examples/life-expectancy/public/sample_submission.csv")
    assert ids(folder / "submission.csv") == wanted
    delivery = report["delivery"]
    assert delivery["low"] <= delivery["estimate"] <= delivery["high"]
    assert delivery["source"] == "refit"
    assert len(report["attempts"]) == 1
    assert json.loads((folder / "solution.ipynb").read_text())["cells"]
    assert report["isolation"]["network"] == "none"


def test_hidden_labels_are_only_where_the_grader_looks(solved: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = solved
    assert oct((folder / "hidden").stat().st_mode)[-3:] == "700"
    header = (folder / "views/view-1/test.csv").read_text().splitlines()[0]
    original = (ROOT / "examples/life-expectancy/public/test.csv").read_text().splitlines()[0]
    assert header == original


def test_the_delivered_solution_makes_the_submission_again(solved: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    folder, _ = solved
    out = tmp_path / "again.csv"
    data = ROOT / "examples/life-expectancy/public"
    command = [sys.executable, "-m", "sandbox.run", str(folder / "solution"), "--data", str(data), "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=240)
    assert ids(out) == ids(folder / "submission.csv")


def test_a_killed_run_goes_on_and_repeats_no_finished_attempt(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(TASK, "--attempts", "2", "--minutes", "3", "--parallel", "1", "--out", str(folder))
    first = folder / "attempts/0001/try-1/view-1/result.json"
    assert wait_until((folder / "submission.csv").exists, 120), "no attempt was graded"
    process.send_signal(signal.SIGKILL)
    process.wait()
    written = first.stat().st_mtime_ns
    assert (folder / "submission.csv").exists()
    assert wait_until(lambda: not containers(process, running=True), 15), "a container outlived its killed client"
    done = run("--resume", str(folder), "--json")
    assert done.returncode == 0, done.stderr
    assert not containers(process), "one that was made and not yet started is swept by the next start"
    assert len(json.loads(done.stdout)["attempts"]) == 2
    assert first.stat().st_mtime_ns == written
    again = run("--resume", str(folder), "--quiet")
    assert (again.returncode, again.stdout.strip()) == (0, str(folder / "submission.csv"))


def test_ctrl_c_stops_cleanly_and_says_how_to_go_on(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(TASK, *FAST, "--out", str(folder))
    assert wait_until((folder / "attempts/0001/try-1/solution.py").exists, 60)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert f"--resume {folder}" in err
    assert "Traceback" not in err
    assert wait_until(lambda: not containers(process), 10)


@pytest.mark.long
def test_two_processes_cannot_work_on_one_run(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    process = start(TASK, *FAST, "--out", str(folder))
    try:
        assert wait_until((folder / "views").exists, 60)
        second = run("--resume", str(folder))
        assert second.returncode == 2
        assert "another process" in second.stderr
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


@pytest.mark.long
def test_a_dry_run_shows_what_would_be_done_and_leaves_nothing(tmp_path: Path) -> None:
    before = set((ROOT / "runs").glob("*")) if (ROOT / "runs").exists() else set()
    done = run(TASK, "--dry-run")
    assert done.returncode == 0, done.stderr
    for word in ("regression", "views", "Candidates", "Largest cost"):
        assert word in done.stdout
    assert (set((ROOT / "runs").glob("*")) if (ROOT / "runs").exists() else set()) == before


@pytest.mark.long
def test_a_plain_folder_and_a_metric_are_enough(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    data = str(ROOT / "examples/life-expectancy/public")
    done = run(data, "--metric", "rmse", "--first-valid", "--minutes", "2", "--out", str(folder))
    assert done.returncode == 0, done.stderr
    assert ids(folder / "submission.csv") == ids(ROOT / "examples/life-expectancy/public/sample_submission.csv")


@contextmanager
def studio(folder: Path) -> Iterator[str]:
    """`langgraph dev` serving the graph; its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    quiet = {"LANGGRAPH_CLI_NO_ANALYTICS": "1", "LANGSMITH_TRACING": "false", "LANGGRAPH_NO_VERSION_CHECK": "1"}
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload", "--port", str(port)]
    log = (folder / "studio.log").open("w")
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log, env=os.environ | quiet)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=30)
        log.close()


def answers(url: str) -> bool:
    """Whether the server is up."""
    host, port = url.removeprefix("http://").split(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


def stream(client: Any, thread: str, **what: Any) -> list[str]:
    """Run the graph in Studio to its end or to a review; the nodes that ended, in order."""
    [assistant] = client.assistants.search(graph_id="linguacodus")
    context = {"attempts": 1, "minutes": 2.0, "review": True}
    nodes: list[str] = []
    for part in client.runs.stream(thread, assistant["assistant_id"], context=context, stream_mode="updates", **what):
        assert part.event != "error", part.data
        nodes += list(part.data) if part.event == "updates" else []
    return nodes


@pytest.mark.long
def test_studio_solves_a_task_after_a_review(tmp_path: Path) -> None:
    with studio(tmp_path) as url:
        assert wait_until(lambda: answers(url), 60), (tmp_path / "studio.log").read_text()
        client = get_sync_client(url=url)
        thread = client.threads.create()["thread_id"]
        first = stream(client, thread, input={"task": TASK, "run": str(tmp_path / "run")})
        assert first == ["describe", "propose", "critique", "rank", "__interrupt__"]
        waiting: Any = client.threads.get_state(thread)
        instructions = waiting["tasks"][0]["interrupts"][0]["value"]["instructions"]
        last = stream(client, thread, command={"resume": instructions[-1:]})
        values: Any = client.threads.get_state(thread)["values"]
    assert (last[0], last[-1]) == ("review", "finish")
    report = json.loads((tmp_path / "run/report.json").read_text())
    assert [attempt["instruction"] for attempt in report["attempts"]] == [instructions[-1]["id"]]
    assert values["delivery"]["source"] == "refit"
    assert (tmp_path / "run/submission.csv").exists()
