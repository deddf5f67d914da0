"""Checkpoints in a real PostgreSQL: another process goes on, two cannot have one run, no password is left."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
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
from graphs.checkpoints_postgres import CheckpointsLost, open_postgres
from graphs.folder import RunFolder
from tests.fakes import ok
from tests.postgres_server import PrivatePostgres, private_postgres
from tests.test_graphs_pipeline import Stage
from tests.test_graphs_resume import VALUES, a_stage, go, tried

ROOT = Path(__file__).resolve().parent.parent
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


def scripted(root: Path, *dies_at: int) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "tests.scripted_run", str(root), *map(str, dies_at)]
    return subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)


def refused(run: RunFolder) -> str:
    """Why the run cannot be opened: one sentence."""
    with pytest.raises((TaskError, CheckpointsLost)) as caught, open_store(run):
        pass
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_another_process_goes_on_from_another_path(database: str, tmp_path: Path) -> None:
    """As another machine would, where the shared folder has another name."""
    expected = json.loads(json.dumps(tried(go(a_stage(tmp_path / "whole")))))
    killed = scripted(tmp_path / "here", DIES_AT)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert not (tmp_path / "here/run/checkpoints.sqlite").exists()
    (tmp_path / "here").rename(tmp_path / "elsewhere")
    done = scripted(tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    ended = json.loads(done.stdout)
    assert ended["tried"] == expected
    assert 0 < ended["scripts"] < 7, "it began anew"
    assert json.loads(scripted(tmp_path / "elsewhere").stdout)["scripts"] == 0


def test_two_cannot_have_one_run(database: str, tmp_path: Path) -> None:
    """Also where the lock file does not hold, as on some shared storage: here each has a copy of the folder."""
    first = folder(tmp_path, "first")
    with open_store(first):
        shutil.copytree(first.path, tmp_path / "second")
        second = open_postgres(RunFolder(tmp_path / "second"), database, owner_seconds=1)
        with pytest.raises(TaskError, match="is being worked on by another process"), second:
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


def test_missing_packages_are_named(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from pathlib import Path\n"
        "from graphs.checkpoints import open_store\n"
        "from graphs.folder import RunFolder\n"
        "from grading.base import TaskError\n"
        "try:\n    open_store(RunFolder(Path(sys.argv[1]))).__enter__()\n"
        "except TaskError as fault:\n    print(fault)\n"
    )
    env = os.environ | {PLACE: "postgresql://me@nowhere/db"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path)], cwd=ROOT, env=env, capture_output=True, text=True, check=True
    )
    assert "pip install '.[cluster]'" in done.stdout
