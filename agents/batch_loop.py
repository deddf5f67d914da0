"""The loop of a batch: begins tasks while there is room and money, takes up what ended, tries again, drains."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import asdict, dataclass, field, replace
from typing import Protocol

from agents.batch_job import Ended, Job
from agents.batch_money import Purse, Wish
from agents.batch_table import Row, Table

TICK_S = 0.2
DRAINING = "No task begins any more; those that run are let end. Once more (Ctrl-C or SIGTERM) stops them."
STOPPING = "What runs is being stopped; it can be gone on with."
Watch = Callable[[Row], None]
"""Takes a row that has changed."""


class Runner(Protocol):
    """Where tasks run: on this machine or on a cluster."""

    def start(self, job: Job) -> Future[Ended]:
        """Begin a task."""
        ...

    def stop(self) -> None:
        """Stop those that run; they can be gone on with."""
        ...


@dataclass
class Entry:
    """A task that is to be worked on."""

    row: Row
    job: Callable[[float | None, bool], Job]
    """What is to be begun, with a cap on its money, and whether anew."""
    wish: Callable[[bool], Wish]
    """What it may spend by itself, as it is now, or anew."""
    anew: bool = False
    """Begin it again from nothing, the first time."""
    failures: int = 0
    """Of the machine, in this call."""
    due: float = 0.0
    """Not before; by time.monotonic."""
    blocked_at: int = -1
    """How many tasks had ended when there was no money for it."""


@dataclass
class Loop:
    """One call of a batch."""

    runner: Runner
    table: Table
    purse: Purse
    workers: int
    watch: Watch
    ended: Callable[[], None]
    """Called after each task that ended and was written down."""
    say: Callable[[str], object]
    """Takes a sentence for the user."""
    retries: int = 2
    pause_s: float = 20.0
    """Before a task is tried again: so much times the failures so far."""
    draining: threading.Event = field(default_factory=threading.Event)
    """No task begins any more."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """What runs is stopped too."""
    _queue: list[Entry] = field(default_factory=list)
    _running: dict[Future[Ended], Entry] = field(default_factory=dict)
    _ends: int = 0
    _heeded: int = 0
    """How many of the two stages of an end were begun."""

    def run(self, entries: Sequence[Entry]) -> None:
        """Work on all, in their order.

        Raises: TaskError, OSError where the table or the results cannot be written.
        """
        self._queue = list(entries)
        while True:
            self._heed()
            now = time.monotonic()
            self._begin(now)
            # With nothing running, what was due and is still there waits for money that nobody can give back.
            if not self._running and (self.draining.is_set() or all(entry.due <= now for entry in self._queue)):
                return
            self._take()

    def _heed(self) -> None:
        """Do and say once what the user wants by Ctrl-C or SIGTERM."""
        if self.draining.is_set() and self._heeded < 1:
            self._heeded = 1
            self.say(DRAINING)
        if self.stopping.is_set() and self._heeded < 2:
            self._heeded = 2
            self.say(STOPPING)
            self.runner.stop()

    def _begin(self, now: float) -> None:
        """Begin what is due and can be paid, as long as there is room."""
        for entry in list(self._queue):
            if self.draining.is_set() or len(self._running) >= self.workers:
                return
            if entry.due <= now and entry.blocked_at < self._ends:
                self._begin_one(entry)

    def _begin_one(self, entry: Entry) -> None:
        sharers = min(self.workers - len(self._running), len(self._queue))
        cap, why = self.purse.hold(entry.row.name, entry.wish(entry.anew), sharers)
        if why is not None:
            entry.blocked_at = self._ends
            self._change(entry, replace(entry.row, status="waiting", fault=why))
            return
        self._queue.remove(entry)
        row = replace(entry.row, status="running", tries=entry.row.tries + 1, fault=None, begun=time.time())
        self._change(entry, row)
        self._running[self.runner.start(entry.job(cap, entry.anew))] = entry
        entry.anew = False

    def _take(self) -> None:
        """Take up what ends within a tick."""
        if not self._running:
            self.draining.wait(TICK_S)
            return
        for future in wait(self._running, TICK_S, FIRST_COMPLETED).done:
            entry = self._running.pop(future)
            self._ends += 1
            self._ended(entry, _outcome(future))
            self.ended()

    def _ended(self, entry: Entry, ended: Ended) -> None:
        usd = self.purse.settle(entry.row.name, ended.usd)
        found = asdict(ended.found) if ended.found else {}
        known = {name: found[name] for name in found if name != "end"}
        seconds = entry.row.seconds + ended.seconds
        row = replace(entry.row, status=ended.status, code=ended.code, seconds=seconds, usd=usd, fault=ended.fault)
        self._change(entry, replace(row, **known))
        if ended.status == "failed" and entry.failures < self.retries:
            entry.failures += 1
            entry.due = time.monotonic() + self.pause_s * entry.failures
            self._queue.insert(0, entry)

    def _change(self, entry: Entry, row: Row) -> None:
        if replace(row, changed=0.0) != replace(entry.row, changed=0.0):
            entry.row = replace(row, changed=time.time())
            self.table.put(entry.row)
            self.watch(entry.row)


def _outcome(future: Future[Ended]) -> Ended:
    """How a task ended; what went wrong around it is a failure of the machine and costs this task alone."""
    fault = future.exception()
    if fault is None:
        return future.result()
    return Ended("failed", None, 0.0, None, f"{type(fault).__name__}: {fault}".splitlines()[0][:400])
