"""Files that survive a crash whole, and files that one process holds."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from typing import IO


def write_atomically(path: Path, data: bytes) -> None:
    """Write so that a reader, also after a crash, sees the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def locked(path: Path) -> IO[str]:
    """The file, made where it is missing and locked for this process until it is closed, also by a kill.

    Raises: BlockingIOError where another process holds it.
    """
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise
    return file
