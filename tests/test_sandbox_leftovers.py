"""Whatever ends a process of ours, nothing stays: no container, volume, mount, loop device, file or process."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.leftover_census import Census, wait_until_empty
from tests.sandbox_image import find_image

pytestmark = pytest.mark.docker

MOMENTS = 20
SIDE_BY_SIDE = 4
ENDS_SECONDS = 5.0
"""For a container to notice that its client is gone: it takes a tenth of a second, on a machine that is not busy."""
STARTS_SECONDS = 1.0
"""For the engine to start a container whose client was killed right after it had asked for that."""
SETTLE_SECONDS = 5.0
"""For the kernel to give loop devices back."""
READY_SECONDS = 120.0

LIFE = """
import os, sys, tempfile, time
from sandbox.base import Limits
from sandbox.docker_sandbox import DockerSandbox
from sandbox.temp_folders import temp_prefix
image, warm, end = sys.argv[1], int(sys.argv[2]), sys.argv[3]
kind = {"limits": Limits(memory_mb=256, pids=128, disk_mb=32, output_mb=4),
        "env": {"LEFTOVER_TOKEN": os.environ["LEFTOVER_TOKEN"]}}

def use(sandbox, code="open('submission.csv', 'w').write('x' * 1000)"):
    with tempfile.TemporaryDirectory(prefix=temp_prefix("members")), sandbox.session(**kind) as session:
        sandbox.keep_warm(warm, **kind)
        session.execute("import subprocess; subprocess.Popen(['sleep', '60'])", 20)
        if end in ("exception", "exit", "signal"):
            deadline = time.monotonic() + 120
            while sandbox.warm() < warm:
                assert time.monotonic() < deadline, "no container became warm"
                time.sleep(0.02)
            print("ready", flush=True)
        if end == "exception":
            raise RuntimeError("on purpose")
        if end == "exit":
            sys.exit(7)
        session.execute("import time; time.sleep(600)" if end == "signal" else code, 600)
        session.fetch("submission.csv", 10_000)

print("begun", flush=True)
with DockerSandbox(image) as sandbox:
    use(sandbox)
    while end == "never":
        use(sandbox)
"""


@pytest.fixture
def census(tmp_path: Path) -> Iterator[Census]:
    counted = Census(f"{os.getpid()}-{time.monotonic_ns()}", tmp_path)
    yield counted
    counted.close()


def begin(census: Census, name: str, warm: int, end: str) -> subprocess.Popen[str]:
    """A child that has its imports behind it and is about to open a sandbox."""
    words = [sys.executable, "-c", LIFE, find_image(), str(warm), end]
    child = subprocess.Popen(
        words, env=census.child_environment(name), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "begun\n"
    return child


def sweep(census: Census) -> None:
    """The next opening of a sandbox."""
    code = f"from sandbox.docker_sandbox import DockerSandbox\nwith DockerSandbox({find_image()!r}): pass"
    subprocess.run([sys.executable, "-c", code], check=True, env=census.child_environment("sweep"), timeout=60)


def prune(census: Census) -> None:
    """`python -m sandbox.doctor --prune`."""
    words = [sys.executable, "-m", "sandbox.doctor", "--prune"]
    subprocess.run(words, check=False, env=census.child_environment("sweep"), timeout=120, capture_output=True)


def side_by_side(work: Callable[[int], str], count: int) -> list[str]:
    """What each of `count` numbered works complains of."""
    with ThreadPoolExecutor(SIDE_BY_SIDE) as threads:
        return [complaint for complaint in threads.map(work, range(count)) if complaint]


# Ends that a process can see coming, and signals that end it where it stands


ORDERLY = {"normal": 0, "exception": 1, "exit": 7, "SIGINT": -signal.SIGINT}
"""How a process ends that may clean up, and its exit code then."""
ABRUPT = {"SIGTERM": -signal.SIGTERM, "SIGHUP": -signal.SIGHUP}


@pytest.mark.parametrize("warm", [0, pytest.param(1, marks=pytest.mark.long)], ids=["cold", "with a warm pool"])
def test_nothing_is_left_after_an_end(census: Census, warm: int) -> None:
    """The first need no sweep; after a signal without a handler only the container goes by itself."""
    assert side_by_side(lambda number: end_child(census, list(ORDERLY)[number], warm), len(ORDERLY)) == []
    assert wait_until_empty(census.everything, SETTLE_SECONDS) == []
    assert side_by_side(lambda number: end_child(census, list(ABRUPT)[number], warm), len(ABRUPT)) == []
    sweep(census)
    assert wait_until_empty(census.everything, SETTLE_SECONDS) == []


def end_child(census: Census, name: str, warm: int) -> str:
    """Let a child end in one way; complain of what it leaves."""
    child = begin(census, name, warm, "signal" if name.startswith("SIG") else name)
    try:
        if name.startswith("SIG"):
            assert child.stdout is not None
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.3)  # now it waits for a cell
            seen = census.containers(name, running=True)
            assert len(seen) >= 1 + warm, f"the census is blind: {seen}"
            child.send_signal(signal.Signals[name])
        _, errors = child.communicate(timeout=READY_SECONDS)
    finally:
        child.kill()
    left = wait_until_empty(lambda: census.containers(name), 0 if name in ORDERLY else ENDS_SECONDS)
    ended_otherwise = child.returncode != (ORDERLY | ABRUPT)[name]
    return f"{name}: {child.returncode}, left {left}, {errors}" if left or ended_otherwise else ""


# SIGKILL


def kill_at(census: Census, name: str, warm: int, moment: Callable[[subprocess.Popen[str]], None]) -> str:
    """Kill a child when `moment` returns; complain if a container of it runs on."""
    child = begin(census, name, warm, "never")
    moment(child)
    child.kill()
    _, errors = child.communicate()
    time.sleep(STARTS_SECONDS)
    left = wait_until_empty(lambda: census.containers(name, running=True), ENDS_SECONDS)
    failed = "Error" in errors
    return f"{name}: {left} runs on; {errors}" if left or failed or child.returncode != -signal.SIGKILL else ""


def moments(seconds: float) -> list[float]:
    """Spread over the time from opening a sandbox on, each by chance in its own part of it."""
    chance = random.Random(os.environ.get("LINGUACODUS_TEST_SEED", "0"))
    return [(number + chance.random()) / MOMENTS * seconds for number in range(MOMENTS)]


@pytest.mark.long
@pytest.mark.parametrize(
    ("warm", "seconds", "mend"), [(0, 4.0, sweep), (1, 8.0, prune)], ids=["cold", "with a warm pool"]
)
def test_nothing_is_left_after_a_kill_at_any_moment(
    census: Census, warm: int, seconds: float, mend: Callable[[Census], None]
) -> None:
    delays = moments(seconds)
    complaints = side_by_side(
        lambda number: kill_at(census, str(number), warm, lambda child: time.sleep(delays[number])), MOMENTS
    )
    assert complaints == []
    mend(census)
    assert wait_until_empty(census.everything, SETTLE_SECONDS) == []


@pytest.mark.long
def test_nothing_is_left_after_a_kill_while_a_container_is_made(census: Census) -> None:
    """The moments in which most can be left: a file is formatted and mounted, a container made and started."""
    delays = moments(0.4)
    scratch = census.folder / "scratch"

    def wait_for(child: subprocess.Popen[str], number: int) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not list(scratch.glob(f"scratch-{child.pid}-*")) and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(delays[number])

    complaints = side_by_side(
        lambda number: kill_at(census, str(number), 0, lambda child: wait_for(child, number)), MOMENTS
    )
    assert complaints == []
    sweep(census)
    assert wait_until_empty(census.everything, SETTLE_SECONDS) == []
