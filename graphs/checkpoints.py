"""LangGraph's checkpoints: the newest ones only, so that they do not grow with the run.

They lie in the run folder, or in PostgreSQL where LINGUACODUS_CHECKPOINTS names a database. A run keeps the store that
it was begun with.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite import SqliteSaver

from grading.base import TaskError
from graphs.folder import RunFolder

THREAD = "run"
"""Each file of checkpoints holds one run, so one thread name serves all."""
PLACE = "LINGUACODUS_CHECKPOINTS"
"""Environment variable: postgresql://USER:PASSWORD@HOST/DATABASE."""


@dataclass(frozen=True)
class Store:
    """Where the checkpoints of one run are."""

    saver: BaseCheckpointSaver[str]
    thread: str
    """The run's name in there."""

    def prune(self) -> None:
        """Forget what a finished step no longer needs. Only when no branch is under way."""
        self.saver.prune([self.thread])


class Saver(SqliteSaver):
    """A SqliteSaver that can forget what a finished step no longer needs (the graph has no DeltaChannel)."""

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Keep the newest checkpoint of the main graph. Only when no branch is under way: theirs are dropped."""
        if strategy != "keep_latest":
            raise ValueError(f"strategy {strategy}: only keep_latest is known here")
        with self.cursor() as cursor:
            for thread in thread_ids:
                newest = "SELECT MAX(checkpoint_id) FROM checkpoints WHERE thread_id = ? AND checkpoint_ns = ''"
                [latest] = cursor.execute(newest, (thread,)).fetchone()
                for table in ("checkpoints", "writes"):
                    cursor.execute(
                        f"DELETE FROM {table} WHERE thread_id = ? AND NOT (checkpoint_ns = '' AND checkpoint_id >= ?)",
                        (thread, latest or ""),
                    )


@contextmanager
def open_saver(path: Path) -> Iterator[Saver]:
    """The checkpoints in a file."""
    with Saver.from_conn_string(str(path)) as saver:
        assert isinstance(saver, Saver)
        yield saver


@contextmanager
def open_store(folder: RunFolder) -> Iterator[Store]:
    """The checkpoints of the run in `folder`, where it was begun with them; a run that begins takes what `PLACE` says.

    Raises: TaskError where that is not what the run was begun with; of a database also RunTaken, CheckpointsLost.
    """
    address = os.environ.get(PLACE, "").strip()
    in_file = folder.checkpoints.exists()
    if address and in_file:
        raise TaskError(
            f"{folder.path} keeps its checkpoints in its own folder and {PLACE} names a database: unset {PLACE} to go "
            "on with it."
        )
    if address or folder.database.exists():
        with _postgres(folder, address) as store:
            yield store
    else:
        with open_saver(folder.checkpoints) as saver:
            yield Store(saver, THREAD)


@contextmanager
def _postgres(folder: RunFolder, address: str) -> Iterator[Store]:
    try:
        from graphs.checkpoints_postgres import open_postgres
    except ImportError as fault:
        raise TaskError(
            f"Checkpoints in PostgreSQL need packages that are not installed ({fault}): pip install '.[cluster]', or "
            f"unset {PLACE} for a run that begins."
        ) from None
    with open_postgres(folder, address) as (saver, thread):
        yield Store(saver, thread)
