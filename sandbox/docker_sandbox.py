"""The sandbox on a local Docker (or Docker-compatible) engine: a fresh, hardened container for every session.

Covered: host files, network, secrets, capabilities, memory, CPU, processes, disk, output, wall clock, leftovers.
Not covered: holes in the host's kernel or in the engine, side channels, and what a rootful daemon means in itself.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Literal

from sandbox.base import WORK_DIR, Limits, Mount, SandboxClosed, SandboxError, Session
from sandbox.container import Container, Plan, session_user
from sandbox.engine import Engine
from sandbox.pool import Kind, Pool, most_idle
from sandbox.relay_limits import FRAME_LIMIT
from sandbox.scratch import DISK, MEMORY, make_scratch, sweep_scratch
from sandbox.session import DockerSession

_CODE = "/opt/linguacodus"
"""Where our own code is mounted in the container."""
_BOOT = (
    f"import sys; sys.path.insert(0, {_CODE!r}); from sandbox import relay_start; kernel = relay_start.start(); "
    "from sandbox import relay; relay.serve(kernel)"
)
"""The kernel is started first: it loads while the relay's own imports do."""


class DockerSandbox:
    """`sandbox.base.Sandbox` on Docker. `with` opens it: engine, image and leftovers are looked after then.

    `runtime` is one that the engine knows by name, such as "runsc" (gVisor); left out, the engine's own.

    Raises on opening: EngineUnavailable, ImageMissing, LimitsNotEnforced, SandboxLost.
    """

    def __init__(self, image: str, runtime: str | None = None) -> None:
        self._image = image
        self._runtime = runtime
        self._engine: Engine | None = None
        self._pool: Pool | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._running: set[Container] = set()
        self._scratch: str | None = None

    def __enter__(self) -> DockerSandbox:
        self._engine = Engine()
        try:
            self._engine.require_image(self._image)
            self._engine.sweep()
            sweep_scratch()
        except BaseException:
            self._engine.close()
            raise
        self._pool = Pool(partial(self._begin, warm=True), self._end, most_idle(self._engine.facts.ram_mb))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        try:
            if self._pool:
                self._pool.close()
        finally:
            if self._engine:
                self._engine.close()

    @contextmanager
    def session(
        self, *, mounts: Sequence[Mount] = (), limits: Limits | None = None, env: Mapping[str, str] | None = None
    ) -> Iterator[Session]:
        """A fresh, hardened container, warm where `keep_warm` has one of this kind; leaving ends and removes it.

        Raises: ImageMissing, SandboxLost, SandboxClosed, LimitsNotEnforced, SandboxError (a mount that is missing
        or closed to the code's user).
        """
        kind = Kind.of(mounts, limits, env)
        session = self._open_pool().take(kind) or self._begin(kind)
        try:
            yield session
        finally:
            self._end(session)

    def keep_warm(
        self,
        count: int,
        *,
        mounts: Sequence[Mount] = (),
        limits: Limits | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Have `count` containers of this kind ready, as memory allows (`sandbox.pool`); 0 ends it.

        Raises: SandboxClosed.
        """
        self._open_pool().keep(Kind.of(mounts, limits, env), count)

    def warm(self) -> int:
        """How many warm containers wait for their use."""
        return self._pool.ready() if self._pool else 0

    def isolation(self) -> dict[str, str]:
        """The isolation in force, for the report."""
        facts = self._engine.facts.describe() if self._engine else {}
        uid, gid = self._user()
        chosen = {"runtime": self._runtime} if self._runtime else {}
        return (
            facts
            | chosen
            | {
                "image": self._image,
                "user": f"{uid}:{gid}",
                "network": "none",
                "root file system": "read-only",
                "capabilities": "none, no-new-privileges",
                "system calls": "filtered by the sandbox too",
                "limits": "memory without swap, CPU, processes, disk, output, wall clock",
                "scratch": self._scratch or "not used yet",
            }
        )

    def close(self) -> None:
        """Stop what runs (it ends with SandboxClosed) and refuse what comes. May be called from any thread."""
        self._closing.set()
        with self._lock:
            running = list(self._running)
        for container in running:
            container.pipe.close()  # the session's own thread wakes up, removes the container and reports

    def _begin(self, kind: Kind, warm: bool = False) -> DockerSession:
        """A session whose kernel answers, and which has the usual imports behind it if it is to be `warm`."""
        _check_readable(kind.mounts, self._user()[0])
        container = self._start(kind)
        session = DockerSession(container, kind.limits, self._closing)
        try:
            session.await_kernel()
            if warm:
                session.warm_up()
        except BaseException:
            self._end(session)
            raise
        return session

    def _end(self, session: DockerSession) -> None:
        with self._lock:
            self._running.discard(session.container)
        session.end()

    def _start(self, kind: Kind) -> Container:
        engine = self._open_engine()
        scratch = make_scratch(kind.limits.disk_mb, *self._user(), kind.mounts)
        self._scratch = DISK if scratch else MEMORY
        try:
            place: Path | Literal["memory"] = scratch.mount if scratch else "memory"
            container = Container(engine, self._plan(kind, place))
        finally:
            if scratch:
                scratch.release()
        self._register(container)
        return container

    def _plan(self, kind: Kind, place: Path | Literal["memory"]) -> Plan:
        mounts = [*kind.mounts, Mount(Path(__file__).parent, f"{_CODE}/sandbox")]
        command = ["python", "-I", "-c", _BOOT]
        return Plan(
            self._image,
            command,
            kind.limits,
            self._user(),
            mounts,
            dict(kind.env),
            WORK_DIR,
            place,
            FRAME_LIMIT,
            self._runtime,
        )

    def _user(self) -> tuple[int, int]:
        return session_user(self._engine is not None and self._engine.facts.rootless)

    def _register(self, container: Container) -> None:
        with self._lock:
            self._running.add(container)
            closed = self._closing.is_set()
        if closed:
            container.stop()
            raise SandboxClosed("The sandbox was closed while a container was starting.")

    def _open_engine(self) -> Engine:
        if self._engine is None or self._closing.is_set():
            raise SandboxClosed("The sandbox is not open; use it in a `with` statement.")
        return self._engine

    def _open_pool(self) -> Pool:
        self._open_engine()
        assert self._pool is not None
        return self._pool


def _check_readable(mounts: Sequence[Mount], uid: int) -> None:
    """Where generated code is somebody else than we are: say so now rather than let it fail on its first file."""
    for mount in mounts if uid != os.geteuid() else ():
        mode = mount.source.stat().st_mode if mount.source.exists() else 0
        wanted = 0o005 if stat.S_ISDIR(mode) else 0o004
        if mode & wanted != wanted:
            raise SandboxError(
                f"{mount.source} is missing or closed to the sandbox's user {uid}; "
                f"create it or run `chmod -R o+rX {mount.source}`."
            )
