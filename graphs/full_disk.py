"""A disk that is full while a run works: the machine's failure in one sentence, whoever came upon it first."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from grading.grader import GraderFailed
from graphs.folder import RunFolder
from sandbox.base import SandboxError
from sandbox.scratch import scratch_home

ERRNOS = {errno.ENOSPC, errno.EDQUOT}
IN_WORDS = tuple(os.strerror(number) for number in ERRNOS)
"""How the grader's container tells it."""
MIB = 2**20


class DiskFull(SandboxError):
    """No room is left where a run has to write."""


@contextmanager
def room_for(run: str) -> Iterator[None]:
    """What fails in here for want of room is the machine's failure.

    Raises: DiskFull.
    """
    try:
        yield
    except (OSError, sqlite3.Error, GraderFailed) as fault:
        if not is_full(fault):
            raise
        raise DiskFull(sentence(run)) from fault


def is_full(fault: Exception) -> bool:
    """Whether there was no room."""
    if isinstance(fault, OSError):
        return fault.errno in ERRNOS
    if isinstance(fault, sqlite3.Error):
        return getattr(fault, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return any(words in str(fault) for words in IN_WORDS)


def require_room(folder: Path) -> None:
    """A script that failed where a disk of the host is full did not fail by itself.

    Raises: DiskFull.
    """
    if _fullest(folder)[0] < MIB:
        raise DiskFull(sentence(str(folder)))


def sentence(run: str) -> str:
    """Which disk it is, and what helps."""
    free, place = _fullest(Path(run))
    command = f"--resume {run}" if RunFolder(Path(run)).record.exists() else "TASK"
    whose = "" if place == Path(run) else f", which the run in {run} needs too"
    return (
        f"The disk that holds {place} is full ({free / MIB:.0f} MiB are left{whose}): make room there, then go on "
        f"with: python -m agents.run {command}"
    )


def _fullest(folder: Path) -> tuple[int, Path]:
    """The place that a run writes to with the least room, in bytes: its folder, if others have no less."""
    places = (folder, Path(tempfile.gettempdir()), scratch_home())
    return min(((_free(place), place) for place in places), key=lambda found: found[0])


def _free(place: Path) -> int:
    with suppress(OSError):
        return shutil.disk_usage(place if place.exists() else place.parent).free
    return sys.maxsize
