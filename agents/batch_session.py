"""One call of a batch: its folder for itself, what is missing, the loop, the results."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from agents.batch_entries import Orders, missing, spent_so_far
from agents.batch_loop import Loop, Runner
from agents.batch_money import Purse
from agents.batch_results import write_results
from agents.batch_table import ENDED, Row, open_table, read_rows, table_name
from agents.batch_tasks import Shard, with_names
from agents.batch_terminal import batch_watcher
from grading.base import TaskError
from sandbox.files import locked

WHOLE = Shard()
SIGNALS = (signal.SIGINT, signal.SIGTERM)


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


def run_batch(call: Call, runner: Callable[[], AbstractContextManager[Runner]]) -> Closing:
    """Work on what is missing; results are written after each task.

    Raises: TaskError, SandboxError, OSError.
    """
    out = call.orders.out
    out.mkdir(parents=True, exist_ok=True)
    with ExitStack() as stack:
        stack.enter_context(_own(out, call.shard))
        rows = read_rows(out)
        tasks = call.shard.part(with_names(call.paths, {row.task: row.name for row in rows.values()}))
        entries = missing(tasks, rows, call.orders, call.again)
        known = {task.name: rows.get(task.name, Row(task.name, str(task.path))) for task in tasks}
        table = stack.enter_context(open_table(out, call.shard))
        table.put(*(row for name, row in known.items() if name not in rows))
        write_results(out)
        purse = Purse(_part(call), spent_so_far(known if call.shard.of > 1 else rows, out))
        if len(entries) < len(tasks):
            call.say(_kept_line(len(tasks) - len(entries), len(tasks), out))
        draining = threading.Event()
        if entries:
            with runner() as running, batch_watcher(known, call.quiet) as watch:
                loop = Loop(running, table, purse, call.workers, watch, lambda: write_results(out), call.say)
                loop.retries, loop.pause_s, draining = call.retries, call.pause_s, loop.draining
                with two_stages(loop):
                    loop.run(entries)
        write_results(out)
    found = read_rows(out)
    closing = {task.name: found[task.name] for task in tasks}
    return Closing(closing, draining.is_set() and any(row.status not in ENDED for row in closing.values()))


def _part(call: Call) -> float | None:
    """Shards do not know of each other's money, so each has its equal part of the cap."""
    return None if call.total_usd is None else call.total_usd / call.shard.of


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
    """The first Ctrl-C or SIGTERM lets running tasks end, the second stops them (main thread only)."""

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        (loop.stopping if loop.draining.is_set() else loop.draining).set()

    before = {number: signal.signal(number, on_signal) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
