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
from agents.run import MACHINE

TICK_S = 0.2
LONGEST = 30
"""The batch waits for the machine up to so many times its first pause: ten minutes where that is 20 s."""
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
class Outage:
    """Failures of the machine in a row, and how long the batch waits for it: twice as long after each task that tried.

    One task that fails says nothing of the machine, however often; two in a row do, and then each that begins does so
    alone. What fails but was begun before the wait says nothing of how long the machine is away.
    """

    pause_s: float
    """The first wait."""
    until: float = 0.0
    """No task begins before; by time.monotonic."""
    failed: set[str] = field(default_factory=set)
    """Tasks that failed since one ended otherwise."""
    _tried: set[str] = field(default_factory=set)
    """Those that were begun meanwhile."""
    _waits: int = 0

    @property
    def lasts(self) -> bool:
        """Whether the machine is taken to be away."""
        return len(self.failed) > 1

    @property
    def wait_s(self) -> float:
        """As long as the batch waits now."""
        return float(self.pause_s * min(LONGEST, 2 ** max(0, self._waits - 1)))

    def begun(self, name: str, now: float) -> None:
        """Let the next task begin a wait after this one, unless it ends before."""
        if self.lasts:
            self._tried.add(name)
            self.until = now + self.wait_s

    def met(self, name: str, now: float) -> bool:
        """The machine has failed a task: whether the batch waits longer because of it."""
        known = self.lasts and name not in self._tried
        self.failed.add(name)
        if known or not self.lasts:
            return False
        self._tried.discard(name)
        self._waits += 1
        self.until = now + self.wait_s
        return True


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
    _outage: Outage = field(init=False)
    _queue: list[Entry] = field(default_factory=list)
    _running: dict[Future[Ended], Entry] = field(default_factory=dict)
    _ends: int = 0
    _heeded: int = 0
    """How many of the two stages of an end were begun."""

    def __post_init__(self) -> None:
        """Take the machine to be there."""
        self._outage = Outage(self.pause_s)

    def run(self, entries: Sequence[Entry]) -> None:
        """Work on all, in their order.

        Raises: TaskError, SandboxError, OSError where the table or the results cannot be written.
        """
        self._queue = list(entries)
        while True:
            self._heed()
            now = time.monotonic()
            self._begin(now)
            # With nothing running, what was due and is still there waits for money that nobody can give back.
            if not self._running and (self.draining.is_set() or all(self._due(entry) <= now for entry in self._queue)):
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
        for entry in self._in_order():
            if self.draining.is_set() or len(self._running) >= self.workers:
                return
            if self._due(entry) <= now and entry.blocked_at < self._ends:
                self._begin_one(entry, now)

    def _in_order(self) -> list[Entry]:
        """What waits; while the machine is away, those first that have most tries left, so that none loses all."""
        return sorted(self._queue, key=lambda entry: entry.failures if self._outage.lasts else 0)

    def _due(self, entry: Entry) -> float:
        return max(entry.due, self._outage.until)

    def _begin_one(self, entry: Entry, now: float) -> None:
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
        self._outage.begun(entry.row.name, now)

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
        self._judge_machine(entry.row)
        if ended.status == "failed" and entry.failures < self.retries:
            entry.failures += 1
            entry.due = time.monotonic() + self.pause_s * entry.failures
            self._queue.insert(0, entry)

    def _judge_machine(self, row: Row) -> None:
        """Whether the batch as a whole waits now. No exit code: the task was lost with its node, or its storage."""
        if row.status != "failed" or row.code not in (MACHINE, None):
            self._outage = Outage(self.pause_s)
        elif self._outage.met(row.name, time.monotonic()):
            self.say(
                f"The machine has failed {len(self._outage.failed)} tasks in a row (the last: {row.fault}), so the "
                f"batch waits {self._outage.wait_s:g} s before it begins another."
            )

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
