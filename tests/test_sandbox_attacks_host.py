"""The host's side when the relay itself is the enemy: what process 1 of a real container may say at worst."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from sandbox.base import ExecutionResult, FetchedFile, Limits
from sandbox.container import Container, Plan, session_user
from sandbox.engine import Engine
from sandbox.relay_limits import FRAME_LIMIT
from sandbox.session import DockerSession
from tests.sandbox_image import find_image

pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=128, cpus=1, pids=32, disk_mb=64, output_mb=4)

HOSTILE = """
import json, os, struct, sys, time
def say(body): os.write(1, struct.pack('>I', len(body)) + body)
def frame(**fields): say(json.dumps(fields).encode())
def hear():
    (length,) = struct.unpack('>I', sys.stdin.buffer.read(4)); return json.loads(sys.stdin.buffer.read(length))
frame(kind='ready', work_mb=64.0)
order = hear(); cell = order.get('cell')
"""
WORST = {
    "a frame of 4 GB": "os.write(1, b'\\xff' * 4); time.sleep(60)",
    "a frame that does not end": "os.write(1, struct.pack('>I', 1000) + b'{'); time.sleep(2)",
    "a frame that is not JSON": "say(b'no frame at all'); time.sleep(60)",
    "a frame that is not UTF-8": "say(b'{\"kind\": \"\\xff\"}'); time.sleep(60)",
    "a frame that nests a million deep": "say(b'[' * 1_000_000); time.sleep(60)",
    "a frame with a number of a million digits": "say(b'{\"kind\": ' + b'9' * 1_000_000 + b'}'); time.sleep(60)",
    "a frame that is a list": "say(b'[1, 2]'); time.sleep(60)",
    "frames without end": "while True: frame(kind='nonsense')",
    "text without end": "while True: frame(kind='text', cell=cell, name='stdout', text='x' * 100_000, size=-5, cut=-5)",
    "pictures without end": "while True: frame(kind='picture', cell=cell, data='iVBORw0KGgo=' * 10_000)",
    "half a frame, then the end": "os.write(1, struct.pack('>I', 1000) + b'{'); os._exit(0)",
}  # fmt: skip
LIES = """
for value in (None, [], {}, 5, -1, 1e300, 'x', True, 2**70):
    for kind in ('text', 'picture', 'idle', 'file', 'ready', value):
        frame(kind=kind, cell='another', text=value, cut=value, tail=value, size=value, data=value, log=value)
    frame(kind='text', cell=cell, name=value, text=value, cut=value, tail=value, size=value)
frame(kind='reply', cell=cell, status=[], type=5, message={}, traceback=['x'])
frame(kind='idle', cell=cell)
hear(); frame(kind='file', data=7); frame(kind='file', data='x'); time.sleep(60)
"""


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    opened = Engine()
    yield opened
    opened.close()


@contextmanager
def hostile(engine: Engine, program: str) -> Iterator[DockerSession]:
    """A session whose container runs `program` where the relay should be."""
    command = ["python", "-I", "-S", "-c", HOSTILE + program]
    container = Container(engine, Plan(find_image(), command, SMALL, session_user(), frame_limit=FRAME_LIMIT))
    session = DockerSession(container, SMALL, threading.Event())
    try:
        session.await_kernel()
        yield session
    finally:
        session.end()


def run(engine: Engine, program: str) -> tuple[ExecutionResult, FetchedFile]:
    with hostile(engine, program) as session:
        return session.execute("print(1)", 1.0), session.fetch("submission.csv", 1000)


@pytest.fixture(scope="module")
def ends(engine: Engine) -> Iterator[dict[str, Future[tuple[ExecutionResult, FetchedFile]]]]:
    """How each ended; beside each other, as most wait for a clock."""
    with ThreadPoolExecutor(4) as pool:
        yield {attack: pool.submit(run, engine, program) for attack, program in WORST.items()}


@pytest.mark.parametrize("attack", WORST)
def test_a_hostile_relay_is_cut_off(ends: dict[str, Future[tuple[ExecutionResult, FetchedFile]]], attack: str) -> None:
    """the line is cut; the code counts as killed, too loud or too slow, and nothing is fetched"""
    result, fetched = ends[attack].result()
    assert result.status in ("killed", "output_limit", "timeout")
    assert result.seconds < 20
    assert len(result.stdout) < 50_000
    assert sum(len(plot) for plot in result.plots) < 120 * 2**20
    assert fetched.data is None


def test_lies_of_a_hostile_relay_are_bounded(engine: Engine) -> None:
    """Send well-formed frames with values of every wrong kind: taken for what they are, or for nothing"""
    with hostile(engine, LIES) as session:
        result = session.execute("print(1)", 10)
        assert result.status == "error"
        assert result.error is not None
        assert (result.error.type, result.error.message, result.error.line) == ("Error", "", None)
        assert len(result.stdout) < 100
        assert result.plots == []
        assert session.fetch("submission.csv", 1000).data is None
