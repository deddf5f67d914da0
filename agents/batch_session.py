"""One call of a batch: its folder for itself, what is missing, the loop, the results."""

from __future__ import annotations

import os
import signal
import stat
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from types import FrameType

from agents.batch_entries import Orders, missing, spent_so_far
from agents.batch_loop import Loop, Runner
from agents.batch_money import Purse, fair_part
from agents.batch_report import money
from agents.batch_results import write_results
from agents.batch_table import ENDED, Row, open_table, read_rows, table_name
from agents.batch_tasks import BatchTask, Shard, with_names
from agents.batch_terminal import batch_watcher
from grading.base import TaskError
from sandbox.files import locked

WHOLE = Shard()
SIGNALS = (signal.SIGINT, signal.SIGTERM)
OUTPUTS = (1, 2)
"""File descriptors of what is printed."""


@dataclass(frozen=True)
class Call:
    """What the user asks for."""

    paths: Sequence[Path]
    """Tasks."""
    orders: Orders
    workers: int
    shard: Shard = WHOLE
    total_usd: float | None = None
    """What all tasks together may cost."""
    again: bool = False
    retries: int = 2
    pause_s: float = 20.0
    quiet: bool = False
    say: Callable[[str], object] = print


@dataclass(frozen=True)
class Closing:
    """How a call ended."""

    rows: Mapping[str, Row]
    """The tasks of this call."""
    interrupted: bool
    """It was stopped before all of them ended."""

    @property
    def all_done(self) -> bool:
        """Whether every task has a valid submission."""
        return all(row.status == "done" for row in self.rows.values())


@dataclass(frozen=True)
class Unread:
    """Tables of other shards that cannot be read: each is told of once, and this shard goes on."""

    call: Call
    _told: set[Path] = field(default_factory=set)

    def at_first(self, path: Path, fault: Exception) -> None:
        """Pass over those alone that hold none of this shard's tasks. Raises: what is wrong with another."""
        own, others = f"{table_name(self.call.shard)}.sqlite", f"-of-{self.call.shard.of}.sqlite"
        if path.name == own or not path.name.endswith(others):
            raise fault
        self.later(path, fault)

    def later(self, path: Path, fault: Exception) -> None:
        """Pass over any: the results are written anew soon."""
        if path not in self._told:
            self._told.add(path)
            self.call.say(f"Left out of the results: {fault}")


def run_batch(call: Call, runner: Callable[[], AbstractContextManager[Runner]]) -> Closing:
    """Work on what is missing; results are written after each task.

    Raises: TaskError, SandboxError, OSError.
    """
    out = call.orders.out
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_own(out, call.shard))
        unread = Unread(call)
        rows = read_rows(out, unread.at_first)
        all_tasks = with_names(call.paths, {row.task: row.name for row in rows.values()})
        tasks = call.shard.part(all_tasks)
        entries = missing(tasks, rows, call.orders, call.again)
        known = {task.name: rows.get(task.name, Row(task.name, str(task.path))) for task in tasks}
        table = stack.enter_context(open_table(out, call.shard))
        table.put(*(row for name, row in known.items() if name not in rows))
        write = partial(write_results, out, unread.later)
        write()
        purse = _purse(call, all_tasks, spent_so_far(rows, out))
        if len(entries) < len(tasks):
            call.say(_kept_line(len(tasks) - len(entries), len(tasks), out))
        draining = threading.Event()
        if entries:
            with runner() as running, batch_watcher(known, call.quiet, partial(_spent, out)) as watch:
                entered = (running, table, purse, call.workers, watch, write, call.say, call.retries, call.pause_s)
                loop = Loop(*entered, draining)
                with two_stages(loop):
                    loop.run(entries)
        write()
    found = read_rows(out, unread.later)
    closing = {name: found.get(name, row) for name, row in known.items()}
    return Closing(closing, draining.is_set() and any(row.status not in ENDED for row in closing.values()))


def _purse(call: Call, tasks: Sequence[BatchTask], spent: dict[str, float]) -> Purse:
    """The money of this call. A shard pays for its own tasks from its part of the total, of which it alone takes.

    Its part is the smaller the more other parts have spent beyond theirs, as they may have done in a call without
    --shard or with another N; what tasks have cost that this call does not name belongs to no part.
    """
    if call.total_usd is None or call.shard.of == 1:
        return Purse(call.total_usd, spent)
    names = [{task.name for task in Shard(number, call.shard.of).part(tasks)} for number in range(1, call.shard.of + 1)]
    parts = [{name: spent[name] for name in part if name in spent} for part in names]
    left = call.total_usd - (sum(spent.values()) - sum(sum(part.values()) for part in parts))
    return Purse(fair_part(left, [sum(part.values()) for part in parts]), parts[call.shard.number - 1])


def _spent(out: Path, name: str) -> float:
    """What the run of a task has cost so far, in USD. Raises: TaskError where its record cannot be read."""
    return money(out / "runs" / name)


def _kept_line(kept: int, tasks: int, out: Path) -> str:
    return (
        f"{kept} of {tasks} tasks came to their end before and are kept (--again begins those without a valid "
        f"submission anew; another --out begins all anew): {out}"
    )


@contextmanager
def _own(out: Path, shard: Shard) -> Iterator[None]:
    try:
        lock = locked(out / f"{table_name(shard)}.lock")
    except BlockingIOError:
        what = f"shard {shard} of {out}" if shard.of > 1 else str(out)
        raise TaskError(f"--out: {what} is being worked on by another process: wait for it or stop it.") from None
    with lock:
        yield


@contextmanager
def two_stages(loop: Loop) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM lets running tasks end, the second stops them (main thread only).

    A terminal that hangs up lets them end too, however often it tells so; one that is to be ignored (nohup) still is.
    """

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        (loop.stopping if loop.draining.is_set() else loop.draining).set()

    def on_hangup(_number: int, _frame: FrameType | None) -> None:
        _leave_terminal()
        loop.draining.set()

    handlers: dict[int, Callable[[int, FrameType | None], None]] = dict.fromkeys(SIGNALS, on_signal)
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        handlers[signal.SIGHUP] = on_hangup
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave_terminal() -> None:
    """Print to nowhere from now on, unless it is a file: printing to a terminal that is gone would end the batch."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for number in OUTPUTS:
        if not stat.S_ISREG(os.fstat(number).st_mode):
            os.dup2(nowhere, number)
    os.close(nowhere)
