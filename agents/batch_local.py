"""Tasks of a batch side by side on this machine, each in a process of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from agents.batch_job import Ended, Job, work
from agents.batch_loop import Runner
from agents.batch_share import Share, share_for
from ranker.process import OFF, PRIOR, wanted_ranker
from ranker.shared import shared_ranker
from sandbox.image import ensure_image


@dataclass(frozen=True)
class Place:
    """Where tasks run."""

    workers: int
    """How many side by side."""
    share: Share
    """What each may use."""
    runner: Callable[[], AbstractContextManager[Runner]]


def local_place(workers: int | None, said: Share, tasks: int, ranker: str | None) -> Place:
    """This machine, divided among tasks, which `ranker` ranks.

    Raises: TaskError where they do not fit; RankerUnavailable for a ranker that is none.
    """
    number, share = share_for(workers, said, tasks)
    trained = tasks > 1 and wanted_ranker(ranker) not in (PRIOR, OFF)
    return Place(number, share, lambda: LocalRunner(number, lambda: needed_by_all(trained)))


@contextmanager
def needed_by_all(trained: bool) -> Iterator[None]:
    """The image, and one process of a trained ranker for all tasks."""
    ensure_image()
    with shared_ranker() if trained else nullcontext():
        yield


class LocalRunner:
    """Runs up to `workers` tasks. Leaving stops what still runs and waits for it, so that no process is left."""

    def __init__(self, workers: int, needed: Callable[[], AbstractContextManager[object]] = nullcontext) -> None:
        """`needed` gives all tasks what they share."""
        self._workers = workers
        self._needed = needed
        self._stopping = threading.Event()
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        self._stack.enter_context(self._needed())
        self._pool = ThreadPoolExecutor(self._workers)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        with self._stack:
            self._pool.shutdown()

    def start(self, job: Job) -> Future[Ended]:
        """Begin a task."""
        return self._pool.submit(work, job, self._stopping)

    def stop(self) -> None:
        """Stop those that run; they can be gone on with."""
        self._stopping.set()
