"""A PostgreSQL of the test's own, from the system's packages: everything in one folder, gone afterwards."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from tests.engines import NOBODY

USER = "linguist"
START_SECONDS = 60.0
_WITH_US = ["setpriv", "--pdeathsig", "KILL"]
_AS_NOBODY = [f"--reuid={NOBODY[0]}", f"--regid={NOBODY[1]}", "--clear-groups"]
"""It refuses to be root."""


class PrivatePostgres:
    """`stop` and `start` it as often as you like."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.password = secrets.token_hex(12)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "password").write_text(self.password)
        for path in (folder, folder / "password") if os.geteuid() == 0 else ():
            os.chown(path, *NOBODY)
        options = [f"--username={USER}", f"--pwfile={folder}/password", "--auth=scram-sha-256", "--no-sync"]
        command = [*_as(), binary("initdb"), f"--pgdata={folder}/data", *options]
        done = subprocess.run(command, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr

    def address(self, database: str = "postgres") -> str:
        """What LINGUACODUS_CHECKPOINTS says."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self, name: str) -> str:
        """The address of an empty one."""
        with psycopg.connect(self.address(), autocommit=True) as link:
            link.execute(f'CREATE DATABASE "{name}"')  # type: ignore[arg-type]
        return self.address(name)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        places = ["-c", f"unix_socket_directories={self.folder}", "-c", f"port={self.port}", "-c", "fsync=off"]
        with (self.folder / "log").open("ab") as log:
            command = [*_as(), binary("postgres"), "-D", f"{self.folder}/data", *places]
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            in_time = self._process.poll() is None and time.monotonic() < deadline
            assert in_time, (self.folder / "log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, and with it every session."""
        if self._process:
            self._process.send_signal(2)  # SIGINT: its fast shutdown
            self._process.wait(30)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.address(), connect_timeout=2).close()
        except psycopg.Error:
            return False
        return True


def binary(name: str) -> str:
    """The newest that is installed; Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    where = str(found[-1]) if found else shutil.which(name)
    assert where, f"no {name}: `make setup-test` installs PostgreSQL"
    return where


@contextmanager
def private_postgres() -> Iterator[PrivatePostgres]:
    """A running server."""
    folder = Path(tempfile.mkdtemp(prefix="linguacodus-postgres-", dir="/var/tmp"))
    try:
        server = PrivatePostgres(folder)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _as() -> list[str]:
    return [*_WITH_US, *(_AS_NOBODY if os.geteuid() == 0 else []), "--"]
