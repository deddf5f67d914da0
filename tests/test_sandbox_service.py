"""A program of ours in a container that answers requests: answers, failures, time, and its end."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.base import ImageMissing, Limits, Mount, SandboxClosed, SandboxLost
from sandbox.service import Service, ServiceTimeout
from tests.sandbox_image import find_image

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parent.parent
SMALL = Limits(memory_mb=128, cpus=1, pids=64)
PROGRAM = """
import os, sys, time
from sandbox.frames import read_frame, write_frame
started = time.time()
while (request := read_frame(sys.stdin.buffer)) is not None:
    op = request["op"]
    if op == "sleep":
        time.sleep(request["seconds"])
    if op == "die":
        sys.exit("a complaint on stderr")
    if op == "fill":
        data = bytearray(10**9)
    if op == "babble":
        os.write(1, b"no frame at all")
    if op == "write":
        with open("/out/answer.txt", "w") as file:
            file.write(request["text"])
    write_frame(sys.stdout.buffer, {"echo": request, "started": started, "uid": os.getuid()})
"""


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path


@pytest.fixture
def service(out: Path) -> Iterator[Service]:
    mounts = [Mount(ROOT / "sandbox", "/code/sandbox"), Mount(out, "/out", writable=True)]
    command = ["python", "-c", PROGRAM]
    with Service(find_image(), command, mounts, SMALL, None, env={"PYTHONPATH": "/code"}) as opened:
        yield opened


def test_requests_are_answered_in_order_by_one_program(service: Service) -> None:
    answers = [service.ask({"op": "echo", "n": n, "text": "ü" * n}, 20) for n in range(3)]
    assert [answer["echo"]["n"] for answer in answers] == [0, 1, 2]
    assert len({answer["started"] for answer in answers}) == 1
    assert answers[0]["uid"] == os.geteuid()


def test_it_writes_where_it_may(service: Service, out: Path) -> None:
    service.ask({"op": "write", "text": "hello"}, 20)
    assert (out / "answer.txt").read_text() == "hello"
    assert (out / "answer.txt").stat().st_uid == os.geteuid()


def test_many_threads_each_get_their_own_answer(service: Service) -> None:
    answers: dict[int, int] = {}

    def work(number: int) -> None:
        answers[number] = service.ask({"op": "echo", "n": number}, 20)["echo"]["n"]

    threads = [threading.Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {number: number for number in range(8)}


def test_after_a_failure_the_next_request_finds_it_again(service: Service) -> None:
    first = service.ask({"op": "echo"}, 20)["started"]
    with pytest.raises(ServiceTimeout, match="time"):
        service.ask({"op": "sleep", "seconds": 60}, 0.3)
    assert service.ask({"op": "echo"}, 20)["started"] > first
    with pytest.raises(SandboxLost, match="a complaint on stderr"):
        service.ask({"op": "die"}, 20)
    with pytest.raises(SandboxLost):
        service.ask({"op": "babble"}, 20)
    with pytest.raises(SandboxLost, match="more memory"):
        service.ask({"op": "fill"}, 20)
    assert service.ask({"op": "echo"}, 20)["echo"] == {"op": "echo"}


def test_closing_ends_a_request_at_once(service: Service) -> None:
    timer = threading.Timer(0.3, service.close)
    timer.start()
    started = time.monotonic()
    with pytest.raises(SandboxClosed):
        service.ask({"op": "sleep", "seconds": 60}, 60)
    assert time.monotonic() - started < 1.3
    timer.join()
    with pytest.raises(SandboxClosed):
        service.ask({"op": "echo"}, 20)


def test_a_missing_image_is_said_with_a_remedy() -> None:
    with pytest.raises(ImageMissing, match="make image"), Service("linguacodus-sandbox:none", ["true"]):
        pass
