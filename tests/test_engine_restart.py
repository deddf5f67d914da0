"""The engine is restarted, or dies, under a whole run: what is lost is the machine's failure, and the run goes on."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engines import PrivateDocker, chosen, private_docker
from tests.sandbox_image import find_image
from tests.test_end_to_end import wait_until
from tests.test_kills import SECONDS, Ended, assert_as_if_nothing_had_happened, go_on, kill, lines, start

pytestmark = [pytest.mark.docker, pytest.mark.long]

DISK_MIB = 6_000
MOMENTS = {
    "before anything runs": ("describe", 1),
    "while a script runs": ("execute", 1),
    "while it grades": ("grade", 2),
    "while it plans": ("plan", 3),
    "while it delivers": ("finish", 1),
}


def die(engine: PrivateDocker) -> None:
    """As a machine does that loses power and comes up again."""
    engine.kill()
    engine.start()


@pytest.fixture(scope="module")
def engine() -> Iterator[PrivateDocker]:
    """An engine of its own that has the sandbox image, chosen."""
    image = find_image()
    with private_docker(DISK_MIB) as engine:
        with subprocess.Popen(["docker", "save", image], stdout=subprocess.PIPE) as saved:
            subprocess.run(["docker", "--host", engine.address, "load", "--quiet"], stdin=saved.stdout, check=True)
        with chosen(engine.address):
            yield engine


@pytest.fixture(scope="module")
def whole(engine: PrivateDocker, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The run whose engine nobody touches."""
    return go_on(tmp_path_factory.mktemp("whole") / "run", 0.0)


@pytest.mark.timeout(4 * SECONDS)
@pytest.mark.parametrize("again", [PrivateDocker.restart, die], ids=["restarted", "killed"])
@pytest.mark.parametrize(("node", "nth"), MOMENTS.values(), ids=MOMENTS)
def test_a_run_whose_engine_is_gone_for_a_moment_ends_as_if_nothing_had_happened(
    node: str, nth: int, again: Callable[[PrivateDocker], None], engine: PrivateDocker, whole: Ended, tmp_path: Path
) -> None:
    folder, began = tmp_path / "run", time.monotonic()
    process = start(folder)
    try:
        begun = {"node": node, "moment": "start", "nth": nth}
        assert wait_until(lambda: any(begun.items() <= line.items() for line in lines(folder)), SECONDS)
        again(engine)
        _, said = process.communicate(timeout=SECONDS)
    finally:
        kill(process)
    lived = time.monotonic() - began
    if process.returncode:
        assert "SandboxError" in said or "EngineUnavailable" in said or "SandboxLost" in said, said
        assert_as_if_nothing_had_happened(go_on(folder, lived), whole)
    else:
        assert_as_if_nothing_had_happened(Ended(folder, lived), whole)
