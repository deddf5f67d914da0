"""The limit: what a container with a kernel costs on this machine, whoever runs it.

The same image and the same options as a session of ours, but no relay and no scratch, and nothing is looked at: one
create, attach and start through the Docker SDK, then `sandbox_limit_client.py` inside, up to its first execute_reply.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

from docker.models.containers import Container

from benchmarks.sandbox_contenders import CELL_SECONDS, LIMITS, Failed, Timed, timed
from sandbox.container import Plan, container_options, session_user
from sandbox.engine import Engine, remove
from sandbox.frames import FrameError
from sandbox.pipe import Pipe, PipeEnded

CLIENT = Path(__file__).with_name("sandbox_limit_client.py")


class Limit:
    """With the `quick` client or the `plain` one."""

    def __init__(self, engine: Engine, image: str, kind: Literal["quick", "plain"]) -> None:
        self.name = "limit" if kind == "quick" else "limit_plain"
        self._engine, self._image, self._kind = engine, image, kind
        self._container: Container | None = None
        self._pipe: Pipe | None = None

    def start(self, code: str) -> Timed:
        return timed(lambda: self._start(code))

    def cell(self, code: str) -> Timed:
        return timed(lambda: self._cell(code))

    def close(self) -> Timed:
        return timed(self.end)

    def end(self) -> None:
        if self._container:
            remove(self._container)
        if self._pipe:
            self._pipe.free()
        self._container = self._pipe = None

    def _start(self, code: str) -> None:
        command = ["python", "-c", CLIENT.read_text(), self._kind, code]
        plan = Plan(self._image, command, LIMITS, session_user())
        self._container = self._engine.create(self._image, container_options(plan, self._engine.facts.cpus))
        self._pipe = Pipe(self._engine.attach(self._container))
        self._container.start()
        self._await_reply(self._pipe)

    def _cell(self, code: str) -> None:
        assert self._pipe is not None
        self._pipe.send({"code": code})
        self._await_reply(self._pipe)

    def _await_reply(self, pipe: Pipe) -> None:
        try:
            reply = pipe.receive(time.monotonic() + CELL_SECONDS)
        except (PipeEnded, FrameError) as error:
            raise Failed(f"{error}: {pipe.stderr()[-500:]}") from error
        if reply != {"status": "ok"}:
            raise Failed(f"its kernel answered {reply}")
