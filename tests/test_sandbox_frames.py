"""Frames: what is written is read back, and nothing else gets through."""

from __future__ import annotations

import io
import json
import struct

import pytest

from sandbox.frames import FrameError, encode, read_frame, take_frame, write_frame


def framed(body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + body


def test_frames_written_are_read_back_in_order() -> None:
    messages: list[dict[str, object]] = [{"a": 1}, {"text": "Grüße \ud800 \x00"}, {}]
    stream = io.BytesIO()
    for message in messages:
        write_frame(stream, message)
    stream.seek(0)
    assert [read_frame(stream) for _ in messages] == messages
    assert read_frame(stream) is None


def test_a_frame_is_taken_only_when_it_is_whole() -> None:
    data = encode({"text": "x" * 1000})
    buffer = bytearray()
    for byte in data[:-1]:
        buffer.append(byte)
        assert take_frame(buffer) is None
    buffer += data[-1:] + b"\0\0"
    assert take_frame(buffer) == {"text": "x" * 1000}
    assert bytes(buffer) == b"\0\0"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1, 2]",
        b'"text"',
        b'{"a": "\xff"}',
        "{}".encode("utf-16"),
        b"[" * 200_000,
        b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
        b'{"a": ' + b"9" * 10_000 + b"}",
    ],
    ids=["empty", "cut", "list", "text", "not UTF-8", "UTF-16", "deep list", "deep object", "absurd number"],
)
def test_anything_but_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(FrameError):
        read_frame(io.BytesIO(framed(body)))
    with pytest.raises(FrameError):
        take_frame(bytearray(framed(body)))


def test_a_frame_too_large_is_refused_before_it_is_read() -> None:
    stream = io.BytesIO(struct.pack(">I", 2**32 - 1) + b"{}")
    with pytest.raises(FrameError, match="larger"):
        read_frame(stream)
    assert stream.tell() == 4
    with pytest.raises(FrameError, match="larger"):
        take_frame(bytearray(struct.pack(">I", 101)), limit=100)
    with pytest.raises(FrameError, match="larger"):
        encode({"a": "x" * 100}, limit=100)


def test_a_stream_that_ends_inside_a_frame_is_refused() -> None:
    data = framed(json.dumps({"a": 1}).encode())
    for end in (2, 6):
        with pytest.raises(FrameError, match="ended inside"):
            read_frame(io.BytesIO(data[:end]))


def test_what_is_no_json_cannot_be_written() -> None:
    with pytest.raises(FrameError, match="JSON"):
        encode({"a": object()})
