"""A long-lived program of our own in a hardened container: one JSON request in, one JSON answer out.

It runs no generated code, but it reads what generated code wrote; so it has no network, no capabilities, a
read-only root and limits like any session. Folders may be mounted writable, as it is we who write there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import TracebackType
from typing import Any

from sandbox.base import Limits, Mount, SandboxClosed, SandboxError, SandboxLost
from sandbox.container import Container, Plan, host_user
from sandbox.engine import Engine
from sandbox.frames import FrameError
from sandbox.pipe import PipeEnded


class ServiceTimeout(SandboxError):
    """The service did not answer in time. It has been stopped; the next request starts it anew."""


class Service:
    """`with` starts it; `ask` may be called from any thread, one request at a time.

    `command` reads frames (`sandbox.frames`) from stdin and writes one for each to stdout. `user` is
    "uid:gid", by default our own, so that it may write where we may. A service that died or was stopped is
    started anew by the next request, so it must keep what matters in files.

    Raises on opening: EngineUnavailable, ImageMissing, LimitsNotEnforced, SandboxLost; on leaving: SandboxLost.
    """

    def __init__(
        self,
        image: str,
        command: list[str],
        mounts: Sequence[Mount] = (),
        limits: Limits | None = None,
        user: str | None = None,
        *,
        working_dir: str = "/",
        env: Mapping[str, str] | None = None,
    ) -> None:
        self._user = user
        self._plan = Plan(image, command, limits or Limits(), (0, 0), list(mounts), dict(env or {}), working_dir)
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._engine: Engine | None = None
        self._container: Container | None = None

    def __enter__(self) -> Service:
        self._engine = Engine()
        try:
            self._engine.require_image(self._plan.image)
            self._plan = replace(self._plan, user=_user(self._user, self._engine.facts.rootless))
            self._container = Container(self._engine, self._plan)
        except BaseException:
            self._engine.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, request: Mapping[str, object], seconds: float) -> dict[str, Any]:
        """The answer to `request`, waited for at most `seconds`. Raises: SandboxLost, SandboxClosed, ServiceTimeout."""
        with self._lock:
            container = self._ready()
            try:
                container.pipe.send(request)
                answer = container.pipe.receive(time.monotonic() + seconds)
            except (PipeEnded, FrameError) as error:
                raise self._broken(container, error) from error
            if answer is None:
                self._stop()
                raise ServiceTimeout(f"{self._name()} did not answer within {seconds:.0f} s; give it more time.")
            return answer

    def peak_mb(self) -> float | None:
        """Largest memory so far in MiB, where the engine tells."""
        container = self._container
        return container.peak_mb() if container else None

    def close(self) -> None:
        """Stop it; a request that is under way ends with SandboxClosed. May be called from any thread.

        Raises: SandboxLost (the engine is gone; the container ends by itself then).
        """
        self._closing.set()
        container = self._container
        if container:
            container.pipe.close()
        with self._lock:
            try:
                self._stop()
            finally:
                if self._engine:
                    self._engine.close()

    def _ready(self) -> Container:
        if self._engine is None or self._closing.is_set():
            raise SandboxClosed(f"{self._name()} is not open; use it in a `with` statement.")
        if self._container is None:
            self._container = Container(self._engine, self._plan)
        return self._container

    def _broken(self, container: Container, error: Exception) -> SandboxError:
        """What to raise when the line to the program broke."""
        if self._closing.is_set():
            return SandboxClosed(f"{self._name()} was closed while it worked; start the run again to go on.")
        told = " ".join(container.pipe.stderr().split())[-2000:] or str(error)
        memory = self._plan.limits.memory_mb
        try:
            reason = container.autopsy() if isinstance(error, PipeEnded) else "killed"
        finally:
            self._stop()
        if reason == "out_of_memory":
            return SandboxLost(f"{self._name()} needed more than its {memory} MiB; give it more memory.")
        return SandboxLost(f"{self._name()} ended without an answer: {told}")

    def _stop(self) -> None:
        container, self._container = self._container, None
        if container:
            container.end()

    def _name(self) -> str:
        return f"The service `{' '.join(self._plan.command)[:80]}`"


def _user(user: str | None, rootless: bool) -> tuple[int, int]:
    if user is None:
        return host_user(rootless)
    uid, _, gid = user.partition(":")
    return int(uid), int(gid or uid)
