"""A machine that fails, made to fail for real: each time one of our own exceptions, one sentence that says what to do.

The engine is a Docker of the test's own on a small disk; the sandbox is used as ever.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import docker
import pytest

from sandbox.base import EngineUnavailable, ImageMissing, Limits, Mount, SandboxError, SandboxLost
from sandbox.container import Container, Plan, session_user
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.image import ensure_image
from sandbox.service import Service
from sandbox.session import DockerSession
from tests.engines import PrivateDocker, chosen, private_docker
from tests.small_image import NAME, load_small_image

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parent.parent
SMALL = Limits(memory_mb=256, cpus=1, pids=128, disk_mb=64, output_mb=4)
SLEEP = "import time; time.sleep(60)"
RELAY = "from sandbox import relay_start; k = relay_start.start(); from sandbox import relay; relay.serve(k)"
ECHO = """
import sys, time
from sandbox.frames import read_frame, write_frame
while (request := read_frame(sys.stdin.buffer)) is not None:
    time.sleep(request["seconds"])
    write_frame(sys.stdout.buffer, request)
"""


@pytest.fixture(scope="module")
def private() -> Iterator[PrivateDocker]:
    with private_docker() as engine:
        load_small_image(engine.address)
        yield engine


@pytest.fixture
def engine(private: PrivateDocker) -> Iterator[PrivateDocker]:
    """The private engine, running before and after; afterwards the next opening finds nothing of ours."""
    with chosen(private.address):
        yield private
        if not private.runs:
            private.start()
        with DockerSandbox(NAME):
            assert_soon(lambda: containers(private.address) == [])
    assert not [line for line in Path("/proc/mounts").read_text().splitlines() if f"scratch-{os.getpid()}-" in line]


def containers(address: str) -> list[str]:
    client = docker.DockerClient(base_url=address, version="auto")
    try:
        return [str(found.name) for found in client.containers.list(all=True, ignore_removed=True)]
    finally:
        client.close()


def assert_soon(condition: Callable[[], bool]) -> None:
    """An engine that comes to itself has the ends of containers to catch up on."""
    deadline = time.monotonic() + 5
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def a_service() -> Service:
    mounts = [Mount(ROOT / "sandbox", "/code/sandbox")]
    return Service(NAME, ["python", "-c", ECHO], mounts, SMALL, env={"PYTHONPATH": "/code"})


@contextmanager
def told(kind: type[SandboxError], words: str) -> Iterator[None]:
    """Exactly this exception, its text one sentence with a remedy."""
    with pytest.raises(SandboxError, match=words) as caught:
        yield
    assert caught.type is kind
    text = str(caught.value)
    assert text.endswith(".")
    assert "\n" not in text
    assert ";" in text, "no remedy"


@contextmanager
def meanwhile(work: Callable[[], object]) -> Iterator[None]:
    """Do `work` in a thread, a moment after what stands inside has begun."""
    timer = threading.Timer(0.3, work)
    timer.start()
    try:
        yield
    finally:
        timer.join()


# An engine that is not there


OPENINGS: dict[str, Callable[[], object]] = {
    "sandbox": lambda: DockerSandbox(NAME).__enter__(),
    "service": lambda: a_service().__enter__(),
    "image": lambda: ensure_image(lambda text: None),
}


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_stopped_engine(engine: PrivateDocker, opening: str) -> None:
    engine.stop()
    with told(EngineUnavailable, "start|make setup"):
        OPENINGS[opening]()


def test_a_killed_engine_whose_socket_stays(engine: PrivateDocker) -> None:
    engine.kill()
    assert engine.socket.exists()
    with told(EngineUnavailable, "systemctl start docker"):
        OPENINGS["sandbox"]()


NOBODY = """
import os, sys
from sandbox.base import SandboxError
from sandbox.docker_sandbox import DockerSandbox
os.setgroups([]); os.setgid(65534); os.setuid(65534)
try:
    DockerSandbox("any").__enter__()
except SandboxError as error:
    print(type(error).__name__, error)
"""


@pytest.mark.parametrize(("group", "remedy"), [("daemon", "usermod -aG daemon"), ("root", "run as root")])
def test_a_user_who_may_not_use_the_engine(engine: PrivateDocker, group: str, remedy: str) -> None:
    for folder in (engine.folder, *engine.folder.parents):
        assert folder.stat().st_mode & 0o001 or folder == engine.folder
    engine.folder.chmod(0o711)
    subprocess.run(["chgrp", group, str(engine.socket)], check=True)
    done = subprocess.run([sys.executable, "-c", NOBODY], check=True, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.startswith("EngineUnavailable This user may not use the container engine"), done
    assert remedy in done.stdout


HTTP = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
NONSENSE = {
    "garbage": b"\x00\xff\x17 nothing that anybody knows\r\n\r\n" * 20,
    "nothing": b"",
    "a web page": HTTP % (20, b"<html>hello</html>  "),
    "a list": HTTP % (2, b"[]"),
    "a version of nothing": HTTP % (21, json.dumps({"ApiVersion": "1.41"}).encode() + b" "),
    "half an answer": HTTP % (5000, b"{"),
    "an error": b"HTTP/1.1 500 Oh\r\nContent-Length: 2\r\nConnection: close\r\n\r\noh",
}


@contextmanager
def listener(folder: Path, answer: bytes | None) -> Iterator[str]:
    """The address of a socket that answers every call the same, or never."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(folder / "s"))
        server.listen(8)
        calls: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    call, _ = server.accept()
                except OSError:
                    return
                calls.append(call)
                if answer is not None:
                    call.recv(65_536)
                    call.sendall(answer)
                    call.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"unix://{folder}/s"
        server.shutdown(socket.SHUT_RDWR)
        for call in calls:
            call.close()


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("answer", NONSENSE)
def test_a_socket_that_answers_nonsense(tmp_path: Path, answer: str, opening: str) -> None:
    with (
        listener(tmp_path, NONSENSE[answer]) as address,
        chosen(address),
        told(EngineUnavailable, "No container engine"),
    ):
        OPENINGS[opening]()


def test_an_engine_that_hangs(tmp_path: Path) -> None:
    started = time.monotonic()
    with listener(tmp_path, None) as address, chosen(address), told(EngineUnavailable, "does not answer"):
        Engine(answer_seconds=1)
    assert time.monotonic() - started < 5


@pytest.mark.long
def test_a_sandbox_waits_for_an_engine_that_hangs_no_longer_than_half_a_minute(tmp_path: Path) -> None:
    started = time.monotonic()
    with listener(tmp_path, None) as address, chosen(address), told(EngineUnavailable, "does not answer"):
        OPENINGS["sandbox"]()
    assert time.monotonic() - started < 30


# An engine that goes away


def test_the_engine_is_restarted_while_a_cell_runs(engine: PrivateDocker) -> None:
    with DockerSandbox(NAME) as sandbox, ThreadPoolExecutor(1) as thread:
        with told(SandboxLost, "again"), sandbox.session(limits=SMALL) as session:
            cell = thread.submit(session.execute, SLEEP, 60)
            time.sleep(0.3)
            engine.restart()
            cell.result(10)
        with sandbox.session(limits=SMALL) as session:  # the sandbox itself goes on
            assert session.execute("print(1)", 20).stdout == "1\n"
    assert containers(engine.address) == []


@pytest.mark.parametrize("how", [PrivateDocker.stop, PrivateDocker.kill])
def test_the_engine_goes_away_while_a_cell_runs(engine: PrivateDocker, how: Callable[[PrivateDocker], None]) -> None:
    with DockerSandbox(NAME) as sandbox:
        entered = sandbox.session(limits=SMALL)
        session = entered.__enter__()
        with told(SandboxLost, "docker info"), meanwhile(lambda: how(engine)):
            session.execute(SLEEP, 60)
        with told(SandboxLost, "docker info"):
            entered.__exit__(None, None, None)
        with told(SandboxLost, "docker info"), sandbox.session(limits=SMALL):
            pass


def test_the_engine_goes_away_between_sessions(engine: PrivateDocker) -> None:
    with DockerSandbox(NAME) as sandbox:
        with sandbox.session(limits=SMALL):
            pass
        engine.stop()
        with told(SandboxLost, "docker info"), sandbox.session(limits=SMALL):
            pass
        sandbox.keep_warm(2, limits=SMALL)
        assert sandbox.isolation()["network"] == "none"
        assert sandbox.warm() == 0


def test_the_engine_goes_away_under_a_service(engine: PrivateDocker) -> None:
    with a_service() as service:
        assert service.ask({"seconds": 0}, 20) == {"seconds": 0}
        with told(SandboxLost, "docker info"), meanwhile(engine.kill):
            service.ask({"seconds": 60}, 60)
        with told(SandboxLost, "docker info"):
            service.ask({"seconds": 0}, 20)


def test_a_service_lives_on_after_a_restart(engine: PrivateDocker) -> None:
    with a_service() as service:
        service.ask({"seconds": 0}, 20)
        engine.restart()
        with told(SandboxLost, "again"):
            service.ask({"seconds": 0}, 20)
        assert service.ask({"seconds": 0}, 20) == {"seconds": 0}


@pytest.mark.long
def test_the_engine_freezes_while_a_cell_runs(engine: PrivateDocker) -> None:
    """Interrupt and kill go nowhere then, and the engine is waited for only so long."""
    connection = Engine(call_seconds=2)
    mounts = [Mount(ROOT / "sandbox", "/code/sandbox")]
    plan = Plan(NAME, ["python", "-c", RELAY], SMALL, session_user(), mounts, {"PYTHONPATH": "/code"}, scratch="memory")
    session = DockerSession(Container(connection, plan), SMALL, threading.Event())
    session.await_kernel()
    started = time.monotonic()
    with engine.frozen():
        with told(SandboxLost, "silent too long"):
            session.execute(SLEEP, 0.5)
        assert time.monotonic() - started < 20
        session.end()
        connection.close()


# An engine that cannot


def test_a_missing_image(engine: PrivateDocker) -> None:
    for opening in (lambda: DockerSandbox("none:1").__enter__(), lambda: Service("none:1", ["true"]).__enter__()):
        with told(ImageMissing, "make image"):
            opening()


def test_an_image_that_goes_away(engine: PrivateDocker) -> None:
    client = docker.DockerClient(base_url=engine.address, version="auto")
    client.images.get(NAME).tag("linguacodus-short-lived")
    try:
        with DockerSandbox("linguacodus-short-lived") as sandbox:
            client.images.remove("linguacodus-short-lived")
            with told(ImageMissing, "make image"), sandbox.session(limits=SMALL):
                pass
    finally:
        client.close()


def test_the_engine_s_disk_is_full(engine: PrivateDocker) -> None:
    with DockerSandbox(NAME) as sandbox, a_service() as service:
        filler = engine.fill_disk()
        try:
            with told(SandboxLost, "disk is full.*make room"), sandbox.session(limits=SMALL):
                pass
            with told(SandboxLost, "disk is full.*make room"), a_service():
                pass
        finally:
            filler.unlink()
        assert service.ask({"seconds": 0}, 20) == {"seconds": 0}
        with sandbox.session(limits=SMALL) as session:
            assert session.execute("print(1)", 20).stdout == "1\n"
