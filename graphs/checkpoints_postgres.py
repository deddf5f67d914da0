"""Checkpoints in PostgreSQL, so that another machine can go on with a run. One connection for each run.

The connection that writes checkpoints also holds the run's advisory lock: whoever can write is its owner, and when the
process, its machine or the line between dies, both are gone at once.
"""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.postgres import PostgresSaver
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import DictRow, dict_row

from grading.base import TaskError
from graphs.folder import RunFolder
from sandbox.base import SandboxError
from sandbox.files import write_atomically

SCHEMES = ("postgresql://", "postgres://")
CONNECT_SECONDS = "10"
OWNER_SECONDS = 40.0
"""So long the end of an owner is waited for, whose machine may be gone: longer than the server needs to see that."""
SETUP_SECONDS = 60.0
"""So long another process is waited for that makes the tables."""
SETUP_LOCK = 3_901_277_554_102
"""Held by the one process that makes the tables."""
DEAD_PEER = {"tcp_keepalives_idle": 15, "tcp_keepalives_interval": 5, "tcp_keepalives_count": 3}
"""The server ends the session of a machine that is gone, and with it the lock, after 30 s, not after two hours."""
READY = """
SELECT to_regclass('checkpoint_migrations') IS NOT NULL AND to_regclass('linguacodus_database') IS NOT NULL AS ready
"""
DATABASE = """
CREATE TABLE IF NOT EXISTS linguacodus_database (one BOOLEAN PRIMARY KEY DEFAULT true CHECK (one), id UUID NOT NULL)
"""
NAME_IT = "INSERT INTO linguacodus_database (id) VALUES (%s) ON CONFLICT DO NOTHING"

Link = psycopg.Connection[DictRow]


class CheckpointsLost(SandboxError):
    """The database of the checkpoints does not answer, or has no room. The text is one sentence with a remedy."""


@dataclass(frozen=True)
class Place:
    """What a run folder says of its checkpoints. Neither user nor password is in it."""

    server: str
    """HOST:PORT/DATABASE, for people: other machines may know it by another name."""
    database: str
    """What the database itself says it is."""
    thread: str
    """The run's name in there, whatever path its folder has."""


class RunTaken(SandboxError):
    """Another process, maybe on another machine, works on the run: it may be tried again later."""


class TidySaver(PostgresSaver):
    """A PostgresSaver that takes any text: what JSON in PostgreSQL cannot hold (NUL) is replaced."""

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        values = checkpoint["channel_values"].items()
        tidy = {name: v.replace("\x00", "\ufffd") if isinstance(v, str) else v for name, v in values}
        return super().put(config, {**checkpoint, "channel_values": tidy}, metadata, new_versions)


@contextmanager
def open_postgres(
    folder: RunFolder, address: str, owner_seconds: float = OWNER_SECONDS
) -> Iterator[tuple[PostgresSaver, str]]:
    """The checkpoints of the run in `folder`, and its thread; nobody else has them meanwhile.

    Raises: TaskError where `address` is not what the run was begun with; RunTaken where another process has it;
    CheckpointsLost.
    """
    place = _read(folder)
    if not address:
        server = place.server if place else "?"
        raise TaskError(
            f"{folder.path} keeps its checkpoints in PostgreSQL at {server}: set LINGUACODUS_CHECKPOINTS to its "
            "address (postgresql://USER:PASSWORD@HOST/DATABASE) to go on with it."
        )
    server = _server(address)
    try:
        with psycopg.connect(
            address, autocommit=True, prepare_threshold=0, row_factory=dict_row, **_patience(address)
        ) as link:
            saver = TidySaver(link)
            place = _agreed(folder, place, server, _prepared(link, saver))
            _own(link, folder, place, owner_seconds)
            yield saver, place.thread
    except psycopg.Error as fault:
        raise CheckpointsLost(
            f"The checkpoints of {folder.path} in PostgreSQL at {server} cannot be used ({_reason(fault)}); see that "
            f"the server runs, has room and lets you in, then go on with: python -m agents.run --resume {folder.path}"
        ) from fault


def _server(address: str) -> str:
    """HOST:PORT/DATABASE of an address. What is wrong with one is not quoted: it may hold a password."""
    try:
        if not address.startswith(SCHEMES):
            raise psycopg.ProgrammingError
        known = conninfo_to_dict(address)
    except (psycopg.Error, UnicodeError):
        raise TaskError(
            "LINGUACODUS_CHECKPOINTS is no address of a PostgreSQL database: write it as "
            "postgresql://USER:PASSWORD@HOST/DATABASE."
        ) from None
    host = known.get("host") or os.environ.get("PGHOST", "localhost")
    return f"{host}:{known.get('port') or 5432}/{known.get('dbname') or known.get('user') or ''}"


def _patience(address: str) -> dict[str, Any]:
    """How long to try to connect, where the address does not say it."""
    return {} if "connect_timeout" in conninfo_to_dict(address) else {"connect_timeout": CONNECT_SECONDS}


def _prepared(link: Link, saver: PostgresSaver) -> str:
    """Have the tables made, by one process at a time; the id of the database.

    Waiting is polling: a session that waits for the lock inside a statement would be waited for by CREATE INDEX
    CONCURRENTLY, for ever.
    """
    for name, value in DEAD_PEER.items():
        link.execute(f"SET {name} = {value}")
    deadline = time.monotonic() + SETUP_SECONDS
    while not _is_ready(link, saver):
        if _try_lock(link, SETUP_LOCK):
            try:
                saver.setup()
                link.execute(DATABASE)
                link.execute(NAME_IT, (uuid.uuid4(),))
            finally:
                link.execute("SELECT pg_advisory_unlock(%s)", (SETUP_LOCK,))
        elif time.monotonic() > deadline:
            raise psycopg.OperationalError("another process has been making its tables for a minute")
        else:
            time.sleep(0.1)
    return str(_one(link, "SELECT id FROM linguacodus_database")["id"])


def _is_ready(link: Link, saver: PostgresSaver) -> bool:
    if not _one(link, READY)["ready"]:
        return False
    ids = "(SELECT count(*) FROM linguacodus_database)"
    found = _one(link, f"SELECT max(v) AS newest, {ids} AS ids FROM checkpoint_migrations")
    return found["newest"] is not None and found["newest"] >= len(saver.MIGRATIONS) - 1 and found["ids"] > 0


def _agreed(folder: RunFolder, place: Place | None, server: str, database: str) -> Place:
    """What the folder says, which must be this database; said now where the run begins."""
    if place is None:
        place = _said_first(folder, Place(server, database, str(uuid.uuid4())))
    if place.database != database:
        raise TaskError(
            f"{folder.path} keeps its checkpoints in PostgreSQL at {place.server}, and LINGUACODUS_CHECKPOINTS names "
            f"another database ({server}): set it to the one that the run was begun with."
        )
    return place


def _said_first(folder: RunFolder, place: Place) -> Place:
    """Put `place` into the folder, or take what another process has put there meanwhile: a link never replaces."""
    mine = folder.database.with_name(f".{place.thread}.json")
    write_atomically(mine, json.dumps(asdict(place), indent=1).encode())
    try:
        os.link(mine, folder.database)
    except FileExistsError:
        return _read(folder) or place
    finally:
        mine.unlink()
    return place


def _read(folder: RunFolder) -> Place | None:
    try:
        return Place(**json.loads(folder.database.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as fault:
        raise TaskError(f"{folder.database} cannot be read ({fault}): start the task anew.") from None


def _own(link: Link, folder: RunFolder, place: Place, seconds: float) -> None:
    """Take the run's advisory lock, which the session holds to its end."""
    key = int.from_bytes(uuid.UUID(place.thread).bytes[:8], signed=True)
    deadline = time.monotonic() + seconds
    while not _try_lock(link, key):
        if time.monotonic() > deadline:
            raise RunTaken(
                f"{folder.path} is being worked on by another process, maybe on another machine: wait for it or stop "
                "it."
            )
        time.sleep(0.1)


def _try_lock(link: Link, key: int) -> bool:
    return bool(_one(link, "SELECT pg_try_advisory_lock(%s) AS got", (key,))["got"])


def _one(link: Link, query: str, values: tuple[object, ...] = ()) -> DictRow:
    row = link.execute(query, values).fetchone()
    assert row is not None
    return row


def _reason(fault: psycopg.Error) -> str:
    """The server's own words, on one line."""
    return " ".join((fault.diag.message_primary or str(fault) or type(fault).__name__).split())[:300]
