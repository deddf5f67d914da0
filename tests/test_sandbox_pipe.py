"""The host's end of a container's stdin and stdout, with a container that sends whatever it likes."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from sandbox.frames import FrameError, encode
from sandbox.pipe import STDERR_KEPT, Pipe, PipeEnded


@pytest.fixture
def ends() -> Iterator[tuple[Pipe, socket.socket]]:
    ours, theirs = socket.socketpair()
    pipe = Pipe(ours, limit=1000)
    yield pipe, theirs
    pipe.free()
    theirs.close()


def part(kind: int, data: bytes) -> bytes:
    return struct.pack(">BxxxI", kind, len(data)) + data


def soon() -> float:
    return time.monotonic() + 5


def test_frames_cut_anywhere_are_put_together(ends: tuple[Pipe, socket.socket]) -> None:
    pipe, theirs = ends
    frame = encode({"n": 1}) + encode({"n": 2})
    data = part(1, frame[:3]) + part(2, b"a warning") + part(1, frame[3:9]) + part(1, frame[9:])

    def dribble() -> None:
        for position in range(len(data)):
            theirs.sendall(data[position : position + 1])

    sender = threading.Thread(target=dribble)
    sender.start()
    assert [pipe.receive(soon()), pipe.receive(soon())] == [{"n": 1}, {"n": 2}]
    sender.join()
    assert pipe.stderr() == "a warning"


def test_silence_ends_at_the_deadline(ends: tuple[Pipe, socket.socket]) -> None:
    pipe, _ = ends
    started = time.monotonic()
    assert pipe.receive(started + 0.1) is None
    assert time.monotonic() - started < 1


def test_half_a_frame_is_silence(ends: tuple[Pipe, socket.socket]) -> None:
    pipe, theirs = ends
    theirs.sendall(part(1, encode({"n": 1})[:-1]))
    assert pipe.receive(time.monotonic() + 0.1) is None


def test_the_end_is_told_apart_from_silence(ends: tuple[Pipe, socket.socket]) -> None:
    pipe, theirs = ends
    theirs.close()
    with pytest.raises(PipeEnded):
        pipe.receive(soon())


@pytest.mark.parametrize(
    "data", [part(1, struct.pack(">I", 2**31)), part(1, struct.pack(">I", 2) + b"[]"), part(9, b"x")]
)
def test_what_is_no_frame_is_refused(ends: tuple[Pipe, socket.socket], data: bytes) -> None:
    pipe, theirs = ends
    theirs.sendall(data)
    with pytest.raises(FrameError):
        pipe.receive(soon())


def test_closing_wakes_a_waiting_thread(ends: tuple[Pipe, socket.socket]) -> None:
    pipe, _ = ends
    timer = threading.Timer(0.1, pipe.close)
    timer.start()
    with pytest.raises(PipeEnded):
        pipe.receive(soon())
    timer.join()


def test_a_flood_of_stderr_keeps_only_its_end(ends: tuple[Pipe, socket.socket]) -> None:
    pipe, theirs = ends
    flood = part(2, b"x" * 3 * STDERR_KEPT + b"the end") + part(1, encode({"n": 1}))
    sender = threading.Thread(target=theirs.sendall, args=[flood])
    sender.start()
    assert pipe.receive(soon()) == {"n": 1}
    sender.join()
    assert len(pipe.stderr()) == STDERR_KEPT
    assert pipe.stderr().endswith("the end")
