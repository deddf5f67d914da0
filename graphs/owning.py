"""Which run this process works on: closed to other processes, and found whatever path its folder had when it began."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from grading.base import TaskError
from graphs.folder import RunFolder
from sandbox.files import locked

_owned: set[str] = set()
_moved: dict[str, str] = {}


@contextmanager
def owning(run: str) -> Iterator[None]:
    """Nobody else works on the run while this is open: before its things are opened, and after they are closed, too.

    Raises: TaskError where another process owns it.
    """
    with _lock(RunFolder(Path(run))):
        _owned.add(run)
        try:
            yield
        finally:
            _owned.discard(run)


def own(folder: RunFolder) -> IO[str] | nullcontext[None]:
    """The run's lock, where `owning` does not hold it. Raises: TaskError where another process does."""
    return nullcontext() if str(folder.path) in _owned else _lock(folder)


def moved(before: str, run: str) -> None:
    """The state of the run in folder `run` says `before`: it was begun at another path, or from another folder."""
    if before != run:
        _moved[before] = run


def place_of(run: str) -> str:
    """Where the run lies that a state calls `run`."""
    return _moved.get(run, run)


def _lock(folder: RunFolder) -> IO[str]:
    """Lock the run for this process; the lock goes with the file, also when the process is killed."""
    try:
        return locked(folder.path / "run.lock")
    except BlockingIOError:
        raise TaskError(f"{folder.path} is being worked on by another process: wait for it or stop it.") from None
