"""Tasks of a batch side by side on this machine, each in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from agents.batch_job import Ended, Job, work
from agents.batch_loop import Runner
from agents.batch_share import Share, share_for
from sandbox.image import ensure_image


@dataclass(frozen=True)
class Place:
    """Where tasks run."""

    workers: int
    """How many side by side."""
    share: Share
    """What each may use."""
    runner: Callable[[], AbstractContextManager[Runner]]


def local_place(workers: int | None, said: Share, tasks: int) -> Place:
    """This machine, divided among tasks.

    Raises: TaskError where they do not fit.
    """
    number, share = share_for(workers, said, tasks)
    return Place(number, share, lambda: LocalRunner(number, ensure_image))


class LocalRunner:
    """Runs up to `workers` tasks. Leaving stops what still runs and waits for it, so that no process is left."""

    def __init__(self, workers: int, prepare: Callable[[], object] = lambda: None) -> None:
        """`prepare` does what all tasks need once."""
        self._workers = workers
        self._prepare = prepare
        self._stopping = threading.Event()

    def __enter__(self) -> Self:
        self._prepare()
        self._pool = ThreadPoolExecutor(self._workers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._pool.shutdown()

    def start(self, job: Job) -> Future[Ended]:
        """Begin a task."""
        return self._pool.submit(work, job, self._stopping)

    def stop(self) -> None:
        """Stop those that run; they can be gone on with."""
        self._stopping.set()
