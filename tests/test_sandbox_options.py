"""What a session may be given beyond the usual: another runtime, GPUs. On a Docker of the test's own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from sandbox.base import Limits, SandboxError
from sandbox.docker_sandbox import DockerSandbox
from tests.engines import PrivateDocker, chosen, private_docker
from tests.small_image import NAME, load_small_image

pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=256, cpus=1, pids=128, disk_mb=64, output_mb=4)
RUNTIMES = {
    "crun": ["/usr/bin/crun"],
    # The gVisor of Debian 12 takes the network of this kernel for the host's unless it is told that there is none.
    "runsc": ["/usr/bin/runsc", "--network=none"],
    "absent": ["/nonexistent/runtime"],
}
BOMB = "blocks = []\nwhile True:\n    blocks.append(bytearray(10_000_000))"
REFUSED = [
    "open('/proc/1/mem', 'rb')",
    "open('/x', 'w')",
    "open('/opt/linguacodus/sandbox/relay.py', 'a')",
    "import socket; socket.create_connection(('169.254.169.254', 80), 2)",
    "import os; os.setuid(0)",
    "file = open('big', 'wb')\nfor _ in range(100): file.write(bytes(2**20))",
]


@pytest.fixture(scope="module")
def engine() -> Iterator[PrivateDocker]:
    with private_docker(runtimes=RUNTIMES, one_cgroup_version=True) as running:
        load_small_image(running.address)
        with chosen(running.address):
            yield running


@pytest.fixture(autouse=True)
def scratch_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LINGUACODUS_SCRATCH", "memory")


def enter(sandbox: DockerSandbox, limits: Limits) -> None:
    with sandbox.session(limits=limits):
        pass


@pytest.mark.parametrize(
    ("runtime", "kernel"), [("crun", "Linux version"), pytest.param("runsc", "4.4.0", marks=pytest.mark.long)]
)
def test_another_runtime_holds_too(engine: PrivateDocker, runtime: str, kernel: str) -> None:
    with DockerSandbox(NAME, runtime) as sandbox, sandbox.session(limits=SMALL) as session:
        result = session.execute("print(open('/proc/version').read())\nopen('answer.txt', 'w').write('42')", 20)
        assert (result.status, kernel in result.stdout) == ("ok", True)
        assert session.fetch("answer.txt", 100).data == b"42"
        for attack in REFUSED:
            assert session.execute(attack, 20).status == "error", attack
        assert session.execute("while True:\n    pass", 0.5).status == "timeout"
        with sandbox.session(limits=SMALL) as another:
            assert another.execute(BOMB, 60).status == "out_of_memory"


def test_a_runtime_that_the_engine_does_not_know_is_said_with_a_remedy(engine: PrivateDocker) -> None:
    with (
        DockerSandbox(NAME, "kata") as sandbox,
        pytest.raises(SandboxError, match=r"knows no runtime 'kata'.*daemon.json"),
    ):
        enter(sandbox, SMALL)
    with (
        DockerSandbox(NAME, "absent") as sandbox,
        pytest.raises(SandboxError, match=r"/nonexistent/runtime.*installed"),
    ):
        enter(sandbox, SMALL)


def test_gpus_need_an_engine_that_lends_them(engine: PrivateDocker) -> None:
    with DockerSandbox(NAME) as sandbox:
        if shutil.which("nvidia-container-runtime-hook"):
            enter(sandbox, replace(SMALL, gpus=1))
        else:
            with pytest.raises(SandboxError, match=r"cannot lend GPUs.*container toolkit"):
                enter(sandbox, replace(SMALL, gpus=1))
