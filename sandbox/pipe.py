"""The attached stdin and stdout of a container: frames in, frames out, with a deadline on every wait.

The Docker SDK hands out one socket; the engine multiplexes stdout and stderr over it with an 8-byte header
(kind, three zero bytes, big-endian length; Docker Engine API, "ContainerAttach"). Nothing is read ahead while
nobody asks, so a program that floods its pipe stops itself.
"""

from __future__ import annotations

import select
import socket
import struct
import time
from collections.abc import Mapping
from typing import Any

from sandbox.frames import MAX_FRAME, FrameError, encode, take_frame

SEND_SECONDS = 30.0
"""A container that does not take its input for so long counts as gone."""
STDERR_KEPT = 8_192
"""Bytes of a program's own stderr that are kept for error messages."""

_HEADER = struct.Struct(">BxxxI")
_STDOUT, _STDERR = 1, 2


class PipeEnded(Exception):
    """The other end is gone: the container ended, or the engine cut the line."""


class Pipe:
    """Frames over the attached socket of one container. One thread talks; `close` may come from any."""

    def __init__(self, connection: socket.socket, limit: int = MAX_FRAME) -> None:
        self._socket = connection
        self._limit = limit
        self._frames = bytearray()
        self._header = bytearray()
        self._kind = 0
        self._left = 0
        self._stderr = bytearray()
        self._poll = select.poll()
        self._poll.register(connection, select.POLLIN)
        connection.settimeout(SEND_SECONDS)

    def send(self, message: Mapping[str, object]) -> None:
        """Write one frame. Raises: PipeEnded, FrameError (the message is too large)."""
        try:
            self._socket.sendall(encode(message, self._limit))
        except OSError as error:
            raise PipeEnded(f"its input is closed: {error}") from error

    def receive(self, deadline: float) -> dict[str, Any] | None:
        """The next frame, or None when `deadline` (time.monotonic) has passed. Raises: PipeEnded, FrameError."""
        while (message := take_frame(self._frames, self._limit)) is None:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            if self._poll.poll(left * 1000 + 1):
                self._feed(self._read())
        return message

    def is_quiet(self) -> bool:
        """Whether the line is open and nothing waits to be read."""
        return not self._frames and not self._poll.poll(0)

    def stderr(self) -> str:
        """The last of what the container's main process wrote to its own stderr."""
        return self._stderr.decode("utf-8", "replace").strip()

    def close(self) -> None:
        """Cut the line; a thread that waits in `receive` gets PipeEnded."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass  # it was cut already

    def free(self) -> None:
        """Give the file descriptor back, once no thread uses the pipe any more."""
        self.close()
        self._socket.close()

    def _read(self) -> bytes:
        try:
            data = self._socket.recv(65_536)
        except OSError as error:
            raise PipeEnded(f"its output is closed: {error}") from error
        if not data:
            raise PipeEnded("its output has ended")
        return data

    def _feed(self, data: bytes) -> None:
        """Take the engine's stream apart: stdout goes to the frames, the end of stderr is kept."""
        view = memoryview(data)
        while view:
            if not self._left:
                view = self._feed_header(view)
                continue
            part = view[: self._left]
            self._left -= len(part)
            view = view[len(part) :]
            if self._kind == _STDOUT:
                self._frames += part
            elif self._kind == _STDERR:
                self._stderr = (self._stderr + part)[-STDERR_KEPT:]

    def _feed_header(self, view: memoryview) -> memoryview:
        part = view[: _HEADER.size - len(self._header)]
        self._header += part
        if len(self._header) == _HEADER.size:
            self._kind, self._left = _HEADER.unpack(self._header)
            self._header.clear()
            if self._kind not in (0, _STDOUT, _STDERR):
                raise FrameError(f"the engine's stream holds an unknown part of kind {self._kind}")
        return view[len(part) :]
