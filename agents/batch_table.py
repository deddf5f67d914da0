"""What became of the tasks of a batch: a SQLite table in its folder, one row a task, one file a shard.

One process writes a file; others only read it, so that a shared folder needs no lock of SQLite's to be right.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

from agents.batch_tasks import Shard
from grading.base import TaskError
from graphs.full_disk import MIB, DiskFull, is_full
from sandbox.base import SandboxError

Status = Literal["waiting", "running", "done", "invalid", "refused", "failed", "stopped"]
ENDED: tuple[Status, ...] = ("done", "invalid", "refused")
"""Not begun again by the same command."""
AGAIN: tuple[Status, ...] = ("invalid", "refused")
"""Begun anew by --again."""
PATIENCE_S = 30.0
"""How long a reader waits while another process writes."""
PRIMARY = 0xFF
"""The kind of an error of SQLite; https://sqlite.org/rescode.html."""


@dataclass(frozen=True)
class Row:
    """One task of a batch."""

    name: str
    task: str
    """Its path."""
    status: Status = "waiting"
    """waiting: not begun; running; done: valid submission; invalid: none was found; refused: a mistake in the task;
    failed: by the machine; stopped: can be gone on with."""
    tries: int = 0
    """How often it was begun or gone on with."""
    code: int | None = None
    """Exit code of the newest try; negative: the signal that killed it."""
    seconds: float = 0.0
    """Wall clock of all tries."""
    usd: float = 0.0
    """What its calls of models have cost, also where it is unfinished."""
    valid: bool = False
    metric: str | None = None
    direction: str | None = None
    estimate: float | None = None
    """The score that is expected on the test set."""
    low: float | None = None
    """The lower end of its 95 % prediction interval."""
    high: float | None = None
    winner: str | None = None
    attempts: int = 0
    """How many instructions were tried."""
    fault: str | None = None
    """Why it is not done, in one sentence."""
    begun: float | None = None
    """Seconds since 1970, of the newest try."""
    changed: float = 0.0
    """Seconds since 1970, of this row."""


_NAMES = [field.name for field in fields(Row)]
_CREATE = f"CREATE TABLE IF NOT EXISTS tasks ({', '.join(_NAMES)}, PRIMARY KEY (name))"
_PUT = f"INSERT OR REPLACE INTO tasks ({', '.join(_NAMES)}) VALUES ({', '.join(f':{name}' for name in _NAMES)})"
_ALL = f"SELECT {', '.join(_NAMES)} FROM tasks"


def table_name(shard: Shard) -> str:
    """The file of a shard, without its ending."""
    return "batch" if shard.of == 1 else f"batch-{shard.number}-of-{shard.of}"


@dataclass(frozen=True)
class Table:
    """The rows that this process writes."""

    connection: sqlite3.Connection

    def put(self, *rows: Row) -> None:
        """Write rows down, all or none."""
        with self.connection:
            self.connection.executemany(_PUT, [asdict(row) for row in rows])


@contextmanager
def open_table(out: Path, shard: Shard) -> Iterator[Table]:
    """The table of a shard in the batch's folder, made where there is none.

    Raises: TaskError where it is no table, SandboxError where the machine cannot read or write it, DiskFull for all
    that fails meanwhile because the folder has no room.
    """
    path = out / f"{table_name(shard)}.sqlite"
    with _usable(path), closing(_connected(path, "rwc")) as connection:
        connection.execute(_CREATE)
        yield Table(connection)


def refuse(_path: Path, fault: Exception) -> None:
    """Let no table be passed over."""
    raise fault


def read_rows(out: Path, passed_over: Callable[[Path, Exception], object] = refuse) -> dict[str, Row]:
    """Name -> row, of all shards; where several have a task, the newest. `passed_over` takes what cannot be read.

    Raises: TaskError, SandboxError, unless `passed_over` takes them.
    """
    rows: dict[str, Row] = {}
    for path in sorted(out.glob("batch*.sqlite")):
        try:
            found = _rows_of(path)
        except (TaskError, SandboxError) as fault:
            passed_over(path, fault)
            continue
        for row in found:
            if row.name not in rows or rows[row.name].changed < row.changed:
                rows[row.name] = row
    return rows


def _rows_of(path: Path) -> list[Row]:
    with _usable(path), closing(_connected(path, "rw")) as connection:
        found = connection.execute(_ALL).fetchall() if _has_table(connection) else []
    valid = _NAMES.index("valid")
    return [Row(**dict(zip(_NAMES, values, strict=True)) | {"valid": bool(values[valid])}) for values in found]


def _connected(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.resolve().as_uri()}?mode={mode}", timeout=PATIENCE_S, uri=True)


def _has_table(connection: sqlite3.Connection) -> bool:
    """Another process may have made the file, but not yet the table."""
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'tasks'").fetchone())


@contextmanager
def _usable(path: Path) -> Iterator[None]:
    """What SQLite cannot do with a file is the machine's failure where the disk is full or broken, else a mistake."""
    try:
        with _room_in(path.parent):
            yield
    except sqlite3.DatabaseError as fault:
        by_machine = getattr(fault, "sqlite_errorcode", 0) & PRIMARY == sqlite3.SQLITE_IOERR
        raise (SandboxError if by_machine else TaskError)(
            f"{path} cannot be used ({fault}): make room there or move it away, or name another folder with --out."
        ) from None


@contextmanager
def _room_in(out: Path) -> Iterator[None]:
    """What fails in here for want of room in the batch's folder is the machine's failure.

    Raises: DiskFull.
    """
    try:
        yield
    except (OSError, sqlite3.DatabaseError) as fault:
        if not is_full(fault):
            raise
        free = shutil.disk_usage(out).free / MIB
        raise DiskFull(
            f"The disk that holds {out} is full, or your part of it ({free:.0f} MiB are left): make room there; the "
            f"same command then goes on."
        ) from fault
