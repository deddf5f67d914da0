"""What a person sees of a batch: a live table, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from typing import Literal

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from agents.batch_loop import Watch
from agents.batch_page import score_of
from agents.batch_table import Row, Status
from agents.terminal import plain_console
from grading.base import TaskError

RECENT = 12
"""So many ended tasks stand in the live table."""
COLUMNS = {"task": 12, "status": 8, "score expected": 20, "winner or fault": 10, "min": 5, "USD": 6}
"""Headings of the live table, and how narrow each may get."""
LOOK_SECONDS = 5.0
"""Between two looks at what a running task has spent."""
STYLES = {"done": "green", "running": "bold", "invalid": "red", "refused": "red", "failed": "red"}


@contextmanager
def batch_watcher(rows: Mapping[str, Row], quiet: bool, spent: Callable[[str], float]) -> Iterator[Watch]:
    """The watch that fits where we are; `rows` are the tasks of this call as they stand.

    `spent` tells what a running task, by name, has spent so far in USD; TaskError or OSError where that is not known.
    """
    console = plain_console()
    board = Board(dict(rows), spent)
    if quiet:
        yield board.take
    elif console.is_terminal:
        with Live(console=console, get_renderable=board.render, refresh_per_second=2):
            yield board.take
    else:
        yield Lines(console, board).take


@dataclass
class Board:
    """The live table: what runs, what ended last, and the sums."""

    rows: dict[str, Row]
    spent: Callable[[str], float] = lambda _: 0.0
    since: float = field(default_factory=time.monotonic)
    looked: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Running task -> when it was last looked at, and what it had spent."""

    def take(self, row: Row) -> None:
        """Remember a row that has changed."""
        self.rows[row.name] = row

    def usd(self, row: Row) -> float:
        """What a task has cost so far."""
        if row.status != "running":
            return row.usd
        at, found = self.looked.get(row.name, (0.0, 0.0))
        if time.monotonic() - at >= LOOK_SECONDS:
            with suppress(TaskError, OSError):  # it is told where the money is counted
                found = self.spent(row.name)
            self.looked[row.name] = time.monotonic(), found
        return max(row.usd, found)

    def sums(self) -> str:
        """How many are how, and what all cost."""
        rows = list(self.rows.values())
        counts = Counter(row.status for row in rows)
        names: tuple[Status, ...] = ("done", "running", "waiting", "stopped", "invalid", "refused", "failed")
        status = ", ".join(f"{counts[name]} {name}" for name in names if counts[name])
        work = sum(row.seconds + _running_seconds(row) for row in rows) / 60
        tasks = "1 task" if len(rows) == 1 else f"{len(rows)} tasks"
        return f"{tasks}: {status}; {work:.1f} min of work, {sum(map(self.usd, rows)):.4f} USD"

    def render(self) -> RenderableType:
        """The table as it is now."""
        rows = list(self.rows.values())
        running = [row for row in rows if row.status == "running"]
        ended = sorted((row for row in rows if row.status not in ("running", "waiting")), key=lambda row: row.changed)
        table = Table(box=None, pad_edge=False)
        for heading, least in COLUMNS.items():
            justify: Literal["right", "left"] = "right" if heading in ("min", "USD") else "left"
            table.add_column(heading, no_wrap=True, min_width=least, max_width=60, justify=justify)
        for row in [*ended[-RECENT:], *running]:
            table.add_row(*_cells(row, self.usd(row)))
        elapsed = time.monotonic() - self.since
        return Group(table, Text(f"{elapsed:.0f} s  {self.sums()}", style="bold"))


def _running_seconds(row: Row) -> float:
    """How long it runs already, this time."""
    return time.time() - row.begun if row.status == "running" and row.begun else 0.0


def _cells(row: Row, usd: float) -> list[Text]:
    minutes = (_running_seconds(row) if row.status == "running" else row.seconds) / 60
    words = (row.name, row.status, score_of(asdict(row)), row.fault or row.winner or "")
    styles = ("", STYLES.get(row.status, ""), "", "")
    return [*map(Text, words, styles), Text(f"{minutes:.1f}"), Text(f"{usd:.4f}")]


@dataclass
class Lines:
    """A plain line for each change, with the seconds since the start."""

    console: Console
    board: Board

    def take(self, row: Row) -> None:
        """Print what has changed."""
        self.board.take(row)
        elapsed = time.monotonic() - self.board.since
        line = f"[{elapsed:6.1f} s] {row_line(row)}"
        if row.status != "running":
            line += f" ({self.board.sums()})"
        self.console.print(line, markup=False, soft_wrap=True)


def row_line(row: Row) -> str:
    """A task and how it stands."""
    if row.status == "running":
        return f"{row.name}: begins" if row.tries == 1 else f"{row.name}: begins, try {row.tries}"
    if row.status == "done":
        cost = f", {row.usd:.4f} USD" if row.usd else ""
        return f"{row.name}: done, expected {score_of(asdict(row))}, by {row.winner}, {row.seconds:.0f} s{cost}"
    return f"{row.name}: {row.status}: {row.fault}"
