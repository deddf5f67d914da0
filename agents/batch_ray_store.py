"""Run folders of a batch in storage that is no file system, behind a URL of fsspec: one archive a task.

Who begins or goes on with a task takes the archive, who ends brings a new one, so that a run that was stopped goes on
on another node. An archive is there whole or not at all.
"""

from __future__ import annotations

import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs  # type: ignore[import-untyped]

from agents.batch_job import Job
from grading.base import TaskError


def check_store(url: str) -> None:
    """Whether there is a way to that storage. Raises: TaskError."""
    try:
        storage, path = url_to_fs(url)
        storage.exists(path)
    except Exception as fault:  # each kind of storage has its own
        reason = (str(fault) or type(fault).__name__).splitlines()[0]
        raise TaskError(
            f"--ray-store {url}: cannot be reached ({reason}); give a URL of fsspec, such as s3://BUCKET/FOLDER, and "
            f"install its package on all nodes."
        ) from fault


def take(url: str, job: Job) -> bool:
    """Put what the storage has of a task in the place of what lies here; False where it has nothing."""
    storage, path = _place(url, job)
    if not storage.exists(path):
        return False
    out = Path(job.out)
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".taken-") as folder:
        archive, fresh = Path(folder) / "archive.tar", Path(folder) / "fresh"
        storage.get_file(path, str(archive))
        with tarfile.open(archive) as packed:
            packed.extractall(fresh, filter="data")
        for place in _parts(job):
            new = fresh / place.relative_to(out)
            if new.exists():
                _remove(place)
                place.parent.mkdir(parents=True, exist_ok=True)
                new.rename(place)
    return True


def bring(url: str, job: Job) -> None:
    """Put what lies here of a task into the storage, and remove it here."""
    storage, path = _place(url, job)
    storage.makedirs(path.rpartition("/")[0], exist_ok=True)
    with tempfile.TemporaryDirectory(dir=job.out, prefix=".brought-") as folder:
        archive = Path(folder) / "archive.tar"
        with tarfile.open(archive, "w") as packed:
            for place in _parts(job):
                if place.exists():
                    packed.add(place, place.relative_to(job.out), filter=_plain)
        storage.put_file(str(archive), f"{path}.part")
        storage.mv(f"{path}.part", path)
    for place in _parts(job):
        _remove(place)


@contextmanager
def carried(url: str | None, job: Job) -> Iterator[None]:
    """What is done meanwhile begins with what the storage has of a task, and ends in it."""
    if url is not None:
        take(url, job)
    try:
        yield
    finally:
        if url is not None:
            bring(url, job)


def _place(url: str, job: Job) -> tuple[Any, str]:
    storage, root = url_to_fs(url)
    return storage, f"{root.rstrip('/')}/{job.name}.tar"


def _parts(job: Job) -> tuple[Path, ...]:
    """What belongs to a task in the folder of the batch."""
    return job.folder, job.log, job.earlier


def _remove(place: Path) -> None:
    if place.is_dir():
        shutil.rmtree(place)
    else:
        place.unlink(missing_ok=True)


def _plain(entry: tarfile.TarInfo) -> tarfile.TarInfo | None:
    """Files and folders only."""
    return entry if entry.isfile() or entry.isdir() else None
