"""The batch over real tasks with real containers: killed on the way and gone on with, here and on a Ray cluster."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from agents.batch_table import read_rows
from tests.batches import results
from tests.ray_nodes import a_cluster, add_node, pids, until

ROOT = Path(__file__).resolve().parent.parent
OPTIONS = ("--attempts", "1", "--minutes", "4", "--ranker", "prior")
pytestmark = [pytest.mark.docker, pytest.mark.long, pytest.mark.timeout(900)]


def start(*arguments: str) -> subprocess.Popen[str]:
    """`python -m agents.batch`, not waited for."""
    command = [sys.executable, "-m", "agents.batch", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def owners() -> set[str]:
    """Process numbers that containers of ours name as their makers."""
    command = ["docker", "ps", "-a", "--filter", "label=linguacodus", "--format", '{{.Label "linguacodus.owner"}}']
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    return {owner.partition("-")[0] for owner in found}


def children(parent: int) -> set[str]:
    """Processes that a process has started."""
    found = subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, text=True, check=False).stdout
    return set(found.split())


def says(log: Path, text: str) -> bool:
    """Whether a log has come to a line."""
    return log.exists() and text in log.read_text()


def test_a_batch_that_is_killed_leaves_nothing_and_goes_on(tmp_path: Path) -> None:
    out, tasks = tmp_path / "out", ("examples/digits", "examples/life-expectancy")
    arguments = (*tasks, "--out", str(out), "--workers", "2", *OPTIONS)
    batch = start(*arguments)
    logs = [out / f"runs/{Path(task).name}.log" for task in tasks]
    until(lambda: all(says(log, "attempt 0001 starts") for log in logs), 300)
    runs = children(batch.pid)
    assert len(runs) == 2
    os.kill(batch.pid, signal.SIGKILL)
    batch.wait()
    until(lambda: not any(Path(f"/proc/{run}").exists() for run in runs), 100)
    assert not runs & owners()
    assert {row.status for row in read_rows(out).values()} == {"running"}
    printed, _ = start(*arguments).communicate(timeout=600)
    found = results(out)
    assert {name: row["status"] for name, row in found.items()} == {"digits": "done", "life-expectancy": "done"}, (
        printed
    )
    assert all(row["tries"] == 2 for row in found.values())
    assert all(says(log, "--resume") for log in logs)
    settings = json.loads((out / "runs/digits/task.json").read_text())["settings"]
    assert settings["parallel"] * settings["cpus"] <= max(0.5, len(os.sched_getaffinity(0)) / 2)


def test_a_real_task_is_gone_on_with_where_its_node_is_lost(tmp_path: Path) -> None:
    with a_cluster() as cluster:
        nodes = [add_node(cluster, docker=1) for _ in range(2)]
        removed: list[Any] = []
        log = tmp_path / "out/runs/digits.log"

        def remove() -> None:
            until(lambda: says(log, "attempt 0001 starts"), 300)
            busy = [
                node for node in nodes if any(works(worker) for raylet in pids(node) for worker in children(raylet))
            ]
            removed.extend(busy)
            cluster.remove_node(busy[0], allow_graceful=False)

        thread = threading.Thread(target=remove)
        thread.start()
        share = ("--task-cpus", "1", "--task-memory-mb", "4096", "--ray-resource", "docker")
        batch = start("examples/digits", "--out", str(tmp_path / "out"), *OPTIONS, "--ray", cluster.address, *share)
        printed, _ = batch.communicate(timeout=600)
        thread.join()
    assert len(removed) == 1
    row = results(tmp_path / "out")["digits"]
    assert (row["status"], row["tries"]) == ("done", 2), printed
    assert "digits: failed: its node or its process was lost" in printed
    assert "state-dump" not in printed


def works(worker: str) -> bool:
    """Whether a process of Ray's has a run of ours."""
    return any(b"agents.batch_child" in Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children(int(worker)))
