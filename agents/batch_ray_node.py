"""One task of a batch on a node of a Ray cluster: plain values in, plain values out."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents.batch_job import Ended, Job, work
from agents.batch_ray_store import carried
from graphs.checkpoints import PLACE as CHECKPOINTS
from graphs.folder import RunFolder

MAX_FETCHED_BYTES = 2 * 2**30
"""Of all files of a task that go through Ray's object store."""


@dataclass(frozen=True)
class Way:
    """How the run of a task comes to the batch."""

    fetch: bool = False
    """Its results through Ray's object store."""
    store: str | None = None
    """Its whole folder through storage at a URL (agents/batch_ray_store.py)."""


SHARED_FOLDER = Way()
"""It lies there already."""


def work_here(fields: Mapping[str, Any], way: Mapping[str, Any]) -> dict[str, Any]:
    """Run the task of these fields of a `Job`; the fields of an `Ended`, with the files of its result on demand.

    Ray cancels a task by a KeyboardInterrupt: its run is then stopped cleanly.
    """
    job, chosen, stopping = Job(**fields), Way(**way), threading.Event()
    if chosen.store is not None:
        os.environ.pop(CHECKPOINTS, None)  # they travel with the folder: those of a database would be ahead of it
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(carry_and_work, job, chosen, stopping)
        try:
            ended = future.result()
        except KeyboardInterrupt:
            stopping.set()
            ended = future.result()
    return asdict(ended) | {"files": result_files(job, ended) if chosen.fetch else {}}


def carry_and_work(job: Job, way: Way, stopping: threading.Event) -> Ended:
    """Work on the task between taking its folder and bringing it back."""
    with carried(way.store, job):
        return work(job, stopping)


def result_files(job: Job, ended: Ended) -> dict[str, bytes]:
    """What a person wants of a run, by names relative to the folder `runs`; what is too large is left where it is."""
    files, room = {}, MAX_FETCHED_BYTES
    for path in _wanted(job, ended):
        size = path.stat().st_size
        if size <= room:
            files[path.relative_to(job.log.parent).as_posix()] = path.read_bytes()
            room -= size
    return files


def _wanted(job: Job, ended: Ended) -> Iterator[Path]:
    run = RunFolder(job.folder)
    found = [job.log]
    if ended.found:
        found += [run.submission, run.report, run.path / "solution.ipynb", *sorted(run.solution.rglob("*"))]
    yield from (path for path in found if path.is_file() and not path.is_symlink())
