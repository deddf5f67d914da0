"""Length-prefixed JSON frames: 4 bytes of length (big-endian), then that many bytes of UTF-8 JSON, always an object.

Used on both sides of a container's stdin and stdout, so it needs the standard library only. The length is
checked before anything is read, and whatever is wrong with a frame ends in one exception: `FrameError`.
"""

from __future__ import annotations

import json
import os
import struct
import sys
from collections.abc import Mapping
from typing import Any, BinaryIO, Protocol

MAX_FRAME = 64 * 2**20
"""Largest body in bytes."""

_HEADER = struct.Struct(">I")


class FrameError(Exception):
    """The other side sent something that is no frame, or one that is too large."""


class Reader(Protocol):
    """What a frame is read from (a blocking binary file)."""

    def read(self, size: int, /) -> bytes | None: ...


class Writer(Protocol):
    """What a frame is written to (a binary file)."""

    def write(self, data: bytes, /) -> object: ...

    def flush(self) -> object: ...


def own_pipes() -> tuple[BinaryIO, BinaryIO]:
    """stdin and stdout for frames alone: whatever else prints goes to stderr, whatever else reads finds nothing."""
    sys.stdout.flush()
    source, sink = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return source, sink


def encode(message: Mapping[str, object], limit: int = MAX_FRAME) -> bytes:
    """The bytes of one frame. Raises: FrameError (too large, or not JSON)."""
    try:
        body = json.dumps(message).encode("ascii")
    except (TypeError, ValueError, RecursionError) as error:
        raise FrameError(f"a frame cannot be written as JSON: {error}") from error
    _check_length(len(body), limit)
    return _HEADER.pack(len(body)) + body


def write_frame(stream: Writer, message: Mapping[str, object], limit: int = MAX_FRAME) -> None:
    """Write one frame and flush. Raises: FrameError, OSError."""
    stream.write(encode(message, limit))
    stream.flush()


def read_frame(stream: Reader, limit: int = MAX_FRAME) -> dict[str, Any] | None:
    """Read one frame from a blocking stream; None at its end. Raises: FrameError, OSError."""
    header = _read_exactly(stream, _HEADER.size)
    if not header:
        return None
    (length,) = _HEADER.unpack(_complete(header, _HEADER.size))
    _check_length(length, limit)
    return _decode(_complete(_read_exactly(stream, length), length))


def take_frame(buffer: bytearray, limit: int = MAX_FRAME) -> dict[str, Any] | None:
    """Take the first whole frame off the front of `buffer`; None while it is incomplete. Raises: FrameError."""
    if len(buffer) < _HEADER.size:
        return None
    (length,) = _HEADER.unpack_from(buffer)
    _check_length(length, limit)
    end = _HEADER.size + length
    if len(buffer) < end:
        return None
    body = bytes(buffer[_HEADER.size : end])
    del buffer[:end]
    return _decode(body)


def _check_length(length: int, limit: int) -> None:
    if length > limit:
        raise FrameError(f"a frame of {length:,} bytes is larger than the {limit:,} allowed")


def _read_exactly(stream: Reader, size: int) -> bytes:
    parts = bytearray()
    while len(parts) < size:
        part = stream.read(size - len(parts))
        if not part:
            break
        parts += part
    return bytes(parts)


def _complete(data: bytes, size: int) -> bytes:
    if len(data) < size:
        raise FrameError(f"the stream ended inside a frame ({len(data):,} of {size:,} bytes)")
    return data


def _decode(body: bytes) -> dict[str, Any]:
    try:
        message = json.loads(body.decode("utf-8"))
    except (ValueError, RecursionError) as error:  # ValueError: bad JSON, bad UTF-8, absurd numbers
        raise FrameError(f"a frame is not valid JSON: {str(error)[:200]}") from error
    if not isinstance(message, dict):
        raise FrameError(f"a frame holds a {type(message).__name__} where an object was expected")
    return message
