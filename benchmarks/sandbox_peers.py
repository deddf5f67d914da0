"""One of the other executors, driven in a process of its own: `sandbox_peer_child.py`, by the peers' own Python."""

from __future__ import annotations

import json
import os
import select
import subprocess
import tempfile
import time
from pathlib import Path
from typing import IO, Any

from benchmarks.sandbox_contenders import Failed, Timed
from sandbox.owner import owner

CHILD = Path(__file__).with_name("sandbox_peer_child.py")
PREFIX = "linguacodus-benchmark-"
"""Of the names of all containers of peers; the owner follows."""
ANSWER_SECONDS = 60.0
CLOSE_SECONDS = 30.0


class Peer:
    """One executor in a process of its own, which is started when it is needed and ends with this one."""

    def __init__(self, name: str, python: Path, image: str) -> None:
        self.name = name
        self._command = [str(python), str(CHILD), name, image]
        self._launched = 0
        self._child: subprocess.Popen[bytes] | None = None
        self._errors: IO[bytes] | None = None
        self._unread = b""

    def start(self, code: str) -> Timed:
        if self._child is None:
            self._launch()
        return self._ask({"start": code})

    def cell(self, code: str) -> Timed:
        return self._ask({"cell": code})

    def close(self) -> Timed:
        return self._ask({"close": True})

    def end(self) -> None:
        """End the process; what it has open it closes itself."""
        child, self._child = self._child, None
        if child is None:
            return
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.close()
        try:
            child.wait(CLOSE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
        child.stdout.close()
        if self._errors:
            self._errors.close()

    def _launch(self) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - it lives as long as the process
        self._unread = b""
        self._launched += 1
        containers = f"{PREFIX}{owner()}-{self.name}-{self._launched}"
        local = {"NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}
        self._child = subprocess.Popen(
            [*self._command, containers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            env=os.environ | local,
            start_new_session=True,  # Ctrl-C is for us; it closes in peace when its stdin ends
        )
        self._answer()

    def _ask(self, order: dict[str, object]) -> Timed:
        child = self._child
        if child is None or child.stdin is None:
            raise Failed("it has not been started")
        try:
            child.stdin.write(json.dumps(order).encode() + b"\n")
        except OSError as error:
            raise self._broken("ended") from error
        return self._answer()

    def _answer(self) -> Timed:
        child = self._child
        assert child is not None
        assert child.stdout is not None
        deadline = time.monotonic() + ANSWER_SECONDS
        while b"\n" not in self._unread:
            ready, _, _ = select.select([child.stdout], [], [], max(0.0, deadline - time.monotonic()))
            data = os.read(child.stdout.fileno(), 65536) if ready else b""
            if not data:
                raise self._broken("ended" if ready else f"did not answer within {ANSWER_SECONDS:.0f} s")
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return Timed(float(answer["ms"]), str(answer["output"]))

    def _broken(self, what: str) -> Failed:
        assert self._errors is not None
        self._errors.seek(0)
        said = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        self.end()
        return Failed(f"its process {what}: {(said or ['it said nothing'])[-1][:500]}")
