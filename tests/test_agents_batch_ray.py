"""The batch on a Ray cluster of several nodes on this machine, with runs that end as their files say."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from agents.batch_job import Job
from agents.batch_ray import keep_files, ray_place
from agents.batch_ray_node import SHARED_FOLDER, Way
from agents.batch_session import Call, Closing, run_batch
from agents.batch_share import Share
from grading.base import TaskError
from tests.batches import a_task, calls, orders
from tests.ray_nodes import a_cluster, add_node, pids, until


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with a_cluster() as made:
        yield made


def solve(cluster: Any, resource: str, out: Path, *paths: Path, way: Way = SHARED_FOLDER) -> Closing:
    """A call of the batch on those nodes of the cluster that declare a resource."""
    place = ray_place(cluster.address, resource, way, None, None, Share(1.0, 1024))
    return run_batch(Call(paths, orders(out), place.workers, pause_s=0.1, quiet=True), place.runner)


@pytest.mark.long
def test_a_task_whose_node_is_removed_is_gone_on_with_on_another(cluster: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    nodes = [add_node(cluster, docker=1) for _ in range(2)]
    paths = [a_task(tmp_path / name, "hold", "ok") for name in "ab"] + [a_task(tmp_path / "c")]

    def remove() -> None:
        holding = [out / f"runs/{name}/holds" for name in "ab"]
        until(lambda: all(path.exists() and path.read_text() for path in holding))
        worker = int(holding[0].read_text())
        raylet = psutil.Process(worker).ppid()
        [doomed] = [node for node in nodes if raylet in pids(node)]
        cluster.remove_node(doomed, allow_graceful=False)
        until(lambda: not psutil.pid_exists(worker))  # else it could answer yet
        (out / "go").touch()

    thread = threading.Thread(target=remove)
    thread.start()
    closing = solve(cluster, "docker", out, *paths)
    thread.join()
    assert closing.all_done
    assert {name: row.tries for name, row in closing.rows.items()} == {"a": 2, "b": 1, "c": 1}
    assert sorted(calls(out)) == [("a", "begin"), ("a", "resume"), ("b", "begin"), ("c", "begin")]


@pytest.mark.long
def test_results_come_through_ray_where_nothing_is_shared(cluster: Any, tmp_path: Path) -> None:
    """The node's own copy of a file is not what the batch reads: names that lead elsewhere are left out."""
    add_node(cluster, apart=1)
    out = tmp_path / "out"
    closing = solve(
        cluster, "apart", out, a_task(tmp_path / "good"), a_task(tmp_path / "bad", "crash"), way=Way(fetch=True)
    )
    assert {name: row.status for name, row in closing.rows.items()} == {"good": "done", "bad": "failed"}
    assert closing.rows["bad"].tries == 3
    job = Job("task", "/nowhere", str(tmp_path / "kept"))
    keep_files(job, {"task/submission.csv": b"1", "../outside": b"2", "/tmp/outside-of-all": b"3"})
    kept = [path.relative_to(tmp_path / "kept").as_posix() for path in (tmp_path / "kept").rglob("*") if path.is_file()]
    assert kept == ["runs/task/submission.csv"]
    assert not Path("/tmp/outside-of-all").exists()


@pytest.mark.long
def test_run_folders_come_through_storage_where_nothing_is_shared(cluster: Any, tmp_path: Path) -> None:
    add_node(cluster, stored=1)
    out, way = tmp_path / "out", Way(store=f"file://{tmp_path}/storage")
    closing = solve(cluster, "stored", out, a_task(tmp_path / "good"), a_task(tmp_path / "broken", "machine"), way=way)
    assert {name: row.status for name, row in closing.rows.items()} == {"good": "done", "broken": "failed"}
    assert (out / "runs/good/submission.csv").exists()
    assert (out / "runs/broken/task.json").exists(), "what is gone on with later is not here"
    assert sorted(calls(out)) == [("broken", "begin"), ("broken", "resume"), ("broken", "resume"), ("good", "begin")]


@pytest.mark.long
def test_a_program_that_is_not_there_on_a_node_costs_its_tasks(cluster: Any, tmp_path: Path) -> None:
    add_node(cluster, bare=1)
    place = ray_place(cluster.address, "bare", SHARED_FOLDER, None, None, Share(1.0, 1024))
    call = Call([a_task(tmp_path / "task")], orders(tmp_path / "out", root=str(tmp_path / "nowhere")), 1, retries=0)
    row = run_batch(replace(call, quiet=True), place.runner).rows["task"]
    assert row.status == "failed"
    assert row.fault is not None
    assert "nowhere" in row.fault


def test_without_a_cluster_one_sentence_says_so() -> None:
    with pytest.raises(TaskError, match=r"--ray 127\.0\.0\.1:9: no cluster answers"):
        ray_place("127.0.0.1:9", None, SHARED_FOLDER, None, None, Share(1.0, 1024))
