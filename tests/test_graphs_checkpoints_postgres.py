"""Checkpoints in a real PostgreSQL: another process goes on, two cannot have one run, no password is left."""

from __future__ import annotations

import json
import shutil
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest
from langgraph.checkpoint.base import empty_checkpoint

from agents.drive import solve
from grading.base import TaskError
from graphs.checkpoints import PLACE, open_store
from graphs.checkpoints_postgres import CheckpointsLost, RunTaken, open_postgres
from graphs.folder import RunFolder
from tests.calls import process
from tests.fakes import ok
from tests.postgres_server import PrivatePostgres, private_postgres
from tests.scripted_run import go_on
from tests.test_graphs_pipeline import Stage
from tests.test_graphs_resume import VALUES, a_stage, go, tried

DIES_AT = 14
"""The event in the middle of the scripted run."""


@pytest.fixture(scope="module")
def server() -> Iterator[PrivatePostgres]:
    with private_postgres() as found:
        yield found


@pytest.fixture
def database(server: PrivatePostgres, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """An empty database, which the environment names."""
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "true")
    address = server.new_database(request.node.name[:60])
    monkeypatch.setenv(PLACE, address)
    return address


def folder(root: Path, name: str = "run") -> RunFolder:
    """A run folder as a process finds it that begins."""
    (root / name).mkdir(parents=True, exist_ok=True)
    return RunFolder(root / name)


def count(address: str, table: str) -> int:
    with psycopg.connect(address) as link:
        row = link.execute(f"SELECT count(*) FROM {table}").fetchone()  # type: ignore[arg-type]
    assert row is not None
    return int(row[0])


def refused(run: RunFolder) -> str:
    """Why the run cannot be opened: one sentence."""
    with pytest.raises((TaskError, CheckpointsLost)) as caught, open_store(run):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_process_goes_on_from_another_path(database: str, tmp_path: Path) -> None:
    """As another machine would, where the shared folder has another name."""
    expected = tried(go(a_stage(tmp_path / "whole")))
    killed = process("tests.scripted_run", tmp_path / "here", str(DIES_AT))
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "here/run/checkpoints.sqlite").exists()
    (tmp_path / "here").rename(tmp_path / "elsewhere")
    ended = go_on(tmp_path / "elsewhere")
    assert ended["tried"] == expected
    assert 0 < ended["scripts"] < 7, "it began anew"
    assert go_on(tmp_path / "elsewhere")["scripts"] == 0


def test_two_cannot_have_one_run(database: str, tmp_path: Path) -> None:
    """Also where the lock file does not hold, as on some shared storage: here each has a copy of the folder."""
    first = folder(tmp_path, "first")
    with open_store(first):
        shutil.copytree(first.path, tmp_path / "second")
        second = open_postgres(RunFolder(tmp_path / "second"), database, owner_seconds=0.2)
        with pytest.raises(RunTaken, match="is being worked on by another process"), second:
            pass
    with open_store(RunFolder(tmp_path / "second")):
        pass


def test_a_run_keeps_its_store(database: str, tmp_path: Path, server: PrivatePostgres, monkeypatch: Any) -> None:
    in_database, in_file = folder(tmp_path, "database"), folder(tmp_path, "file")
    with open_store(in_database):
        pass
    monkeypatch.delenv(PLACE)
    with open_store(in_file) as store:
        assert store.thread == "run"
    words = refused(in_database)
    assert f"127.0.0.1:{server.port}/" in words
    assert f"set {PLACE}" in words
    monkeypatch.setenv(PLACE, database)
    assert f"unset {PLACE}" in refused(in_file)
    monkeypatch.setenv(PLACE, server.new_database("other"))
    assert "names another database" in refused(in_database)
    monkeypatch.setenv(PLACE, database.replace("127.0.0.1", "localhost"))  # the same by another name
    with open_store(in_database):
        pass


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("mysql://me:{password}@127.0.0.1/db", "no address of a PostgreSQL database"),
        ("postgresql://me:%zz{password}@127.0.0.1/db", "no address of a PostgreSQL database"),
        ("postgresql://me:{password}@127.0.0.1:1/db", "127.0.0.1:1/db cannot be used"),
        ("postgresql://me:{password}@127.0.0.1:{port}/postgres", "password authentication failed"),
        ("postgresql://linguist:{password}@127.0.0.1:{port}/nowhere", 'database "nowhere" does not exist'),
    ],
)
def test_what_cannot_be_used_is_said_without_the_password(
    address: str, said: str, server: PrivatePostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(PLACE, address.format(password=server.password, port=server.port))
    words = refused(folder(tmp_path))
    assert said in words
    assert server.password not in words


def test_the_password_is_nowhere(database: str, tmp_path: Path, server: PrivatePostgres) -> None:
    stage = a_stage(tmp_path / "stage")
    go(stage)
    holders = [path for path in tmp_path.rglob("*") if path.is_file() and server.password.encode() in path.read_bytes()]
    assert not holders
    assert (
        json.loads(stage.folder.database.read_text())["server"] == f"127.0.0.1:{server.port}/{database.split('/')[-1]}"
    )


def test_tables_are_made_once_however_many_begin(database: str, tmp_path: Path) -> None:
    def begin(number: int) -> str:
        with open_store(folder(tmp_path, str(number))) as store:
            return store.thread

    with ThreadPoolExecutor(8) as threads:
        assert len(set(threads.map(begin, range(8)))) == 8
    assert count(database, "linguacodus_database") == 1


def test_a_run_leaves_its_last_checkpoint_only(database: str, tmp_path: Path) -> None:
    go(a_stage(tmp_path / "stage"))
    left = {table: count(database, table) for table in ("checkpoints", "checkpoint_blobs", "checkpoint_writes")}
    assert left["checkpoints"] <= 3, left
    assert left["checkpoint_blobs"] <= 40, left
    assert left["checkpoint_writes"] <= 10, left


def test_the_server_goes_away_while_a_run_works(database: str, tmp_path: Path, server: PrivatePostgres) -> None:
    expected = tried(go(a_stage(tmp_path / "whole")))
    stage = Stage(tmp_path, [ok()] * 30, VALUES, views=2, attempts=3)
    seen: list[dict[str, Any]] = []

    def watch(event: dict[str, Any]) -> None:
        seen.append(event)
        if len(seen) == DIES_AT:
            server.stop()

    try:
        with pytest.raises(CheckpointsLost, match="go on with") as caught:
            solve(None, stage.folder.path, stage.context, watch)
        assert "\n" not in str(caught.value)
        assert len(seen) >= DIES_AT
    finally:
        server.start()
    stage.open()
    assert tried(go(stage)) == expected


def test_any_text_can_be_kept(database: str, tmp_path: Path) -> None:
    """JSON in PostgreSQL knows no NUL, and a model's answer may hold one."""
    with ExitStack() as stack:
        store = stack.enter_context(open_store(folder(tmp_path)))
        config: Any = {"configurable": {"thread_id": store.thread, "checkpoint_ns": ""}}
        checkpoint = empty_checkpoint()
        checkpoint["channel_values"] = {"change": "a\x00b"}
        store.saver.put(config, checkpoint, {}, {"change": "1"})
        kept = store.saver.get_tuple(config)
        assert kept is not None
        assert kept.checkpoint["channel_values"]["change"] == "a\ufffdb"


def test_missing_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "graphs.checkpoints_postgres")  # imported anew, as by a process that begins
    monkeypatch.setenv(PLACE, "postgresql://me@nowhere/db")
    assert "pip install '.[cluster]'" in refused(folder(tmp_path))
