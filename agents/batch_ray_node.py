"""One task of a batch on a node of a Ray cluster: plain values in, plain values out."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.batch_job import Ended, Job, work
from graphs.folder import RunFolder

MAX_FETCHED_BYTES = 2 * 2**30
"""Of all files of a task that go through Ray's object store."""


def work_here(fields: Mapping[str, Any], fetch: bool) -> dict[str, Any]:
    """Run the task of these fields of a `Job`; the fields of an `Ended`, with the files of its result on demand.

    Ray cancels a task by a KeyboardInterrupt: its run is then stopped cleanly.
    """
    job, stopping = Job(**fields), threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(work, job, stopping)
        try:
            ended = future.result()
        except KeyboardInterrupt:
            stopping.set()
            ended = future.result()
    return asdict(ended) | {"files": result_files(job, ended) if fetch else {}}


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
