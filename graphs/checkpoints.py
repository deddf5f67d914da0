"""LangGraph's checkpoints in the run folder: the newest ones only, so that the file does not grow with the run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from langgraph.checkpoint.sqlite import SqliteSaver

THREAD = "run"
"""Each run has a checkpoint file of its own, so one thread name serves all."""


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
