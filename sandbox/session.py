"""One container with one kernel: run code in it within limits, then take files out of it.

The end of a cell is its reply, a dead kernel, too much output or the clock, whichever comes first; a lost
"idle" message can delay it by no more than the drain (measured: the kernel drops messages in a flood).
"""

from __future__ import annotations

import base64
import binascii
import threading
import time
import uuid
from collections.abc import Mapping
from typing import Any

from sandbox.base import ExecutionResult, FetchedFile, Limits, LimitsNotEnforced, SandboxClosed, SandboxLost, Status
from sandbox.cell import Cell
from sandbox.container import Container
from sandbox.frames import FrameError
from sandbox.pipe import PipeEnded

START_SECONDS = 90.0
"""For the kernel to answer first; it takes half a second on an idle machine."""
GRACE_SECONDS = 3.0
"""Between the interrupt and the kill: libraries in C notice an interrupt late (measured: up to 3.3 s)."""
KILL_SECONDS = 5.0
DRAIN_SECONDS = 5.0
"""For output on its way at the reply. The kernel says when it was the last, so only a flood ever waits so long."""
FETCH_SECONDS = 120.0

_BROKEN = (PipeEnded, FrameError)


class DockerSession:
    """`sandbox.base.Session` on a started container whose main process is the relay."""

    def __init__(self, container: Container, limits: Limits, closing: threading.Event) -> None:
        self.container = container
        self._pipe = container.pipe
        self._limits = limits
        self._closing = closing
        self._kernel_alive = False
        self._gone = False

    def await_kernel(self) -> None:
        """Wait for the kernel's first sign of life. Raises: SandboxLost, SandboxClosed, LimitsNotEnforced."""
        try:
            frame = self._pipe.receive(time.monotonic() + START_SECONDS)  # "ready" or "exit"
        except _BROKEN as error:
            raise self._no_start(str(error)) from error
        if frame is None or frame.get("kind") != "ready":
            raise self._no_start("no answer" if frame is None else str(frame.get("log"))[-1000:])
        size = frame.get("work_mb")
        if isinstance(size, float) and size > self._limits.disk_mb * 1.01 + 1:
            raise LimitsNotEnforced(
                f"The working folder has {size:.0f} MiB instead of {self._limits.disk_mb}; this process and the engine "
                "do not share a file system, so run it on the engine's own machine."
            )
        self._kernel_alive = True

    def warm_up(self) -> None:
        """Import what most scripts import, unseen by them. Raises: SandboxLost, SandboxClosed."""
        cell = Cell(uuid.uuid4().hex, self._limits.output_mb * 2**20)
        try:
            self._pipe.send({"op": "warm_up", "cell": cell.name})
            self._follow(cell, time.monotonic() + START_SECONDS)
            self._drain(cell)
        except _BROKEN as error:
            raise self._no_start(str(error)) from error
        if not cell.replied or cell.exited or cell.error:
            raise self._no_start("the usual imports failed")

    def is_quiet(self) -> bool:
        """Whether nothing has happened since the last answer: a session that waits for its use is alive."""
        return self._pipe.is_quiet()

    def end(self) -> None:
        """Kill and remove the container and free what is held here. Raises: SandboxLost."""
        self.container.end()

    def execute(self, code: str, seconds: float, env: Mapping[str, str] | None = None) -> ExecutionResult:
        """Run `code` for at most `seconds` of wall clock. Raises: SandboxLost, SandboxClosed."""
        self._check_open()
        cell = Cell(uuid.uuid4().hex, self._limits.output_mb * 2**20)
        started = time.monotonic()
        if not self._kernel_alive:
            cell.take({"kind": "exit", "code": -9})
            return cell.result("killed", 0.0, None)
        self.container.mark()
        try:
            status = self._run(cell, code, env or {}, started + seconds)
        except FrameError:
            status = self._cut_off(cell)
        except PipeEnded:
            status = self._autopsy(cell)
        elapsed = time.monotonic() - started
        return cell.result(status, elapsed, None if self._gone else self.container.peak_mb())

    def fetch(self, path: str, max_bytes: int) -> FetchedFile:
        """Take a regular file below the working folder. Raises: SandboxLost, SandboxClosed."""
        self._check_open()
        if self._gone:
            return FetchedFile(None, f"{path} is lost: the container itself was ended by what ran in it")
        try:
            self._pipe.send({"op": "fetch", "path": path, "most": max_bytes})
            return self._collect(path, max_bytes)
        except FrameError:
            self._cut_off(None)
        except PipeEnded:
            self._autopsy(None)
        return FetchedFile(None, f"{path} is lost: the container ended while the file was read")

    def _run(self, cell: Cell, code: str, env: Mapping[str, str], deadline: float) -> Status:
        self._pipe.send({"op": "execute", "cell": cell.name, "code": code, "env": dict(env)})
        self._follow(cell, deadline)
        if not cell.ended:
            return self._time_out(cell)
        if cell.replied:
            self._drain(cell)
        if cell.flooded:
            self._kill(cell)
            return "output_limit"
        if cell.exited and not cell.replied:
            self._kill(cell)  # what it started may still run
            return "out_of_memory" if self.container.out_of_memory() else "killed"
        if cell.error is None:
            return "ok"
        return "out_of_memory" if self.container.out_of_memory() else "error"

    def _follow(self, cell: Cell, deadline: float) -> None:
        """Take frames in until the cell has ended or the clock has run out."""
        while not cell.ended:
            frame = self._pipe.receive(deadline)
            if frame is None or time.monotonic() > deadline:
                return
            cell.take(frame)

    def _drain(self, cell: Cell) -> None:
        """Wait shortly for output that is still on its way after the reply."""
        deadline = time.monotonic() + DRAIN_SECONDS
        while not (cell.idle or cell.exited or cell.flooded) and time.monotonic() < deadline:
            frame = self._pipe.receive(deadline)
            if frame is not None:
                cell.take(frame)
        self._kernel_alive = not cell.exited

    def _time_out(self, cell: Cell) -> Status:
        """Interrupt, a grace for clean-up, then the end of every process."""
        self._pipe.send({"op": "interrupt"})
        self._follow(cell, time.monotonic() + GRACE_SECONDS)
        self._kill(cell)
        return "timeout"

    def _kill(self, cell: Cell) -> None:
        """End the kernel and all it started; the relay lives on, so that files can still be fetched."""
        self._kernel_alive = False
        self._pipe.send({"op": "kill"})
        deadline = time.monotonic() + KILL_SECONDS
        while not cell.exited and time.monotonic() < deadline:
            frame = self._pipe.receive(deadline)
            if frame is not None:
                cell.take(frame)
        if not cell.exited:
            self._end_container()

    def _collect(self, path: str, max_bytes: int) -> FetchedFile:
        data = bytearray()
        deadline = time.monotonic() + FETCH_SECONDS
        while (frame := self._pipe.receive(deadline)) is not None and time.monotonic() < deadline:
            if frame.get("kind") != "file":
                self._note(frame)
            elif "fault" in frame:
                return FetchedFile(None, str(frame["fault"])[:500])
            elif frame.get("end"):
                return FetchedFile(bytes(data), None)
            else:
                data += _decode(frame.get("data"))
                if len(data) > max_bytes:
                    break
        self._end_container()
        return FetchedFile(None, f"{path} could not be read to its end within the limits")

    def _note(self, frame: dict[str, Any]) -> None:
        """Between cells only the kernel's end matters; late output is dropped."""
        if frame.get("kind") == "exit":
            self._kernel_alive = False

    def _autopsy(self, cell: Cell | None) -> Status:
        """The line broke: closed by us, ended by the code, or lost. Raises: SandboxLost, SandboxClosed."""
        self._check_open()
        already_ended, self._gone = self._gone, True
        status: Status = "killed" if already_ended else self.container.autopsy()
        self._note_end(cell)
        return status

    def _cut_off(self, cell: Cell | None) -> Status:
        """What came over the line is nothing that our relay says: it has been taken over, and all ends here."""
        self._check_open()
        self._end_container()
        self._note_end(cell)
        return "killed"

    def _note_end(self, cell: Cell | None) -> None:
        """The kernel went with its container and could not say so."""
        self._kernel_alive = False
        if cell is not None and not cell.exited:
            cell.take({"kind": "exit", "code": -9})

    def _end_container(self) -> None:
        self._gone = True
        self.container.stop()

    def _check_open(self) -> None:
        if self._closing.is_set():
            raise SandboxClosed("The sandbox was closed while code was running; start the run again to go on.")

    def _no_start(self, reason: str) -> SandboxLost | SandboxClosed:
        if self._closing.is_set():
            return SandboxClosed("The sandbox was closed while a container was starting.")
        told = " ".join((self._pipe.stderr() or reason).split())[-1000:]
        return SandboxLost(
            f"The kernel did not start within {self._limits.memory_mb} MiB and {START_SECONDS:.0f} s ({told}); "
            "give it more memory, or rebuild the image with `make image`."
        )


def _decode(data: object) -> bytes:
    try:
        return base64.b64decode(data) if isinstance(data, str) else b""
    except (binascii.Error, ValueError):
        raise FrameError("a piece of a file is not base64") from None
