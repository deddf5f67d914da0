"""Run folders that go through storage behind a URL, as on a cluster whose nodes share no folder."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fsspec.implementations.memory import MemoryFileSystem  # type: ignore[import-untyped]

from agents.batch_job import Job
from agents.batch_ray_node import SHARED_FOLDER, Way, carry_and_work
from agents.batch_ray_store import bring, check_store, take
from grading.base import TaskError
from tests.batches import SOLVER, a_task, calls

URL = "memory://batch"
STORED = Way(store=URL)


@pytest.fixture(autouse=True)
def storage() -> Iterator[MemoryFileSystem]:
    """Storage that only fsspec knows."""
    found = MemoryFileSystem()
    yield found
    found.store.clear()


def work(job: Job, way: Way = STORED) -> str:
    """One node's work on a task; how it ended."""
    return carry_and_work(job, way, threading.Event()).status


def test_a_task_that_stopped_on_one_node_goes_on_on_another_and_comes_to_the_batch(tmp_path: Path) -> None:
    task = a_task(tmp_path / "task", "machine")
    first, second, batch = (Job("task", str(task), str(tmp_path / name), command=SOLVER) for name in ("a", "b", "out"))
    assert work(first) == "failed"
    assert not first.folder.exists()
    task.with_name("plan.json").write_text('{"steps": ["ok"]}')
    assert work(second) == "done"
    assert take(URL, batch)
    assert (batch.folder / "submission.csv").exists()
    assert calls(Path(second.out)) == [("task", "resume")]
    assert batch.log.read_text().count("== ") == 2


def test_where_a_folder_is_shared_nothing_is_carried(storage: MemoryFileSystem, tmp_path: Path) -> None:
    job = Job("task", str(a_task(tmp_path / "task")), str(tmp_path / "out"), command=SOLVER)
    assert work(job, SHARED_FOLDER) == "done"
    assert not storage.store
    assert not take(URL, job)
    assert job.folder.exists()


def test_runs_that_were_put_aside_come_along_so_that_their_money_counts(tmp_path: Path) -> None:
    here, there = (Job("task", "", str(tmp_path / name)) for name in ("here", "there"))
    (here.earlier / "1").mkdir(parents=True)
    (here.earlier / "1/report.json").write_text("{}")
    here.folder.mkdir(parents=True)
    bring(URL, here)
    there.folder.mkdir(parents=True)
    (there.folder / "old").touch()
    assert take(URL, there)
    assert (there.earlier / "1/report.json").exists()
    assert not (there.folder / "old").exists(), "two runs were mixed"


def test_an_archive_that_leads_elsewhere_is_not_unpacked(storage: MemoryFileSystem, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../outside"))
    storage.pipe_file("/batch/task.tar", packed.getvalue())
    with pytest.raises(tarfile.OutsideDestinationError):
        take(URL, Job("task", "", str(tmp_path / "out")))
    assert not list(tmp_path.rglob("outside"))


@pytest.mark.parametrize("url", ["nosuch://bucket/folder", "s3://bucket/folder"])
def test_storage_that_cannot_be_reached_is_told_before_anything_begins(url: str) -> None:
    with pytest.raises(TaskError, match=rf"--ray-store {url}: cannot be reached") as caught:
        check_store(url)
    assert len(str(caught.value).splitlines()) == 1
