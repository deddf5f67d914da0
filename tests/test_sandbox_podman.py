"""What is different about podman: no "oom" event, one runtime for all, containers that outlive the service.

It is run as root on its Docker socket. What any sandbox promises is in tests/test_sandbox_contract.py.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
import pytest

from sandbox.base import EngineUnavailable, ExecutionResult, Limits, Mount, SandboxError, SandboxLost
from sandbox.docker_sandbox import DockerSandbox
from sandbox.service import Service
from tests.engines import PrivatePodman, chosen, shared_podman
from tests.small_image import NAME

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parent.parent
SMALL = Limits(memory_mb=256, cpus=0.5, pids=64, disk_mb=64, output_mb=4)
PROGRAM = """
import os, sys
from sandbox.frames import read_frame, write_frame
while (request := read_frame(sys.stdin.buffer)) is not None:
    if request["op"] == "fill":
        data = bytearray(10**9)
    if request["op"] == "die":
        sys.exit("a complaint on stderr")
    with open("/out/answer.txt", "w") as file:
        file.write(request["op"])
    write_frame(sys.stdout.buffer, request)
"""
IN_FORCE = (
    "import json, sys; sys.path.insert(0, '/opt/linguacodus'); from sandbox import in_force; "
    "print(json.dumps(in_force.facts()))"
)
REFUSED = [
    "open('/proc/1/fd/1', 'wb')",
    "open('/proc/1/mem', 'rb')",
    "open('/x', 'w')",
    "import socket; socket.create_connection(('169.254.169.254', 80), 2)",
    "import os; os.setuid(0)",
    "open('/opt/linguacodus/sandbox/relay.py', 'a')",
]


@pytest.fixture(scope="module")
def engine() -> Iterator[PrivatePodman]:
    running = shared_podman()
    with chosen(running.address):
        yield running


@pytest.fixture(scope="module")
def cells(engine: PrivatePodman) -> dict[str, ExecutionResult]:
    """How each cell ended in one session."""
    with DockerSandbox(NAME) as sandbox, sandbox.session(limits=SMALL) as session:
        return {code: session.execute(code, 20) for code in [IN_FORCE, *REFUSED]}


@pytest.fixture
def facts(cells: dict[str, ExecutionResult]) -> dict[str, Any]:
    assert cells[IN_FORCE].status == "ok", cells[IN_FORCE].error
    return dict(json.loads(cells[IN_FORCE].stdout))


def a_service(out: Path) -> Service:
    mounts = [Mount(ROOT / "sandbox", "/code/sandbox"), Mount(out, "/out", writable=True)]
    return Service(NAME, ["python", "-c", PROGRAM], mounts, SMALL, env={"PYTHONPATH": "/code"})


def test_every_limit_is_in_force(facts: dict[str, Any]) -> None:
    assert facts["limits"] == {"memory_mb": 256, "swap_mb": 0, "pids": 64, "cpus": 0.5}
    assert facts["work"]["refuses_more"]
    assert facts["work"]["mb"] <= 64


def test_every_wall_is_in_force(facts: dict[str, Any]) -> None:
    assert not any(facts["capabilities"].values())
    assert facts["no_new_privileges"]
    assert (facts["seccomp"], facts["namespace_refused"], facts["root_read_only"]) == (2, True, True)
    assert facts["interfaces"] in ([], ["lo"])
    assert facts["process_1"] == []
    assert set(facts["writable"]) <= {"/work", "/tmp", "/dev/shm", "/dev/mqueue"}


@pytest.mark.parametrize("attack", REFUSED)
def test_attacks_are_refused(cells: dict[str, ExecutionResult], attack: str) -> None:
    result = cells[attack]
    assert result.status == "error", result
    assert result.error is not None
    assert result.error.type in ("PermissionError", "OSError"), result.error


def test_a_service_works_and_tells_memory_from_another_end(engine: PrivatePodman, tmp_path: Path) -> None:
    with a_service(tmp_path) as service:
        assert service.ask({"op": "hello"}, 20) == {"op": "hello"}
        assert (tmp_path / "answer.txt").stat().st_uid == os.geteuid()
        assert 1 < (service.peak_mb() or 0) < 256
        with pytest.raises(SandboxLost, match="more memory"):
            service.ask({"op": "fill"}, 20)
        with pytest.raises(SandboxLost, match="a complaint on stderr"):
            service.ask({"op": "die"}, 20)
        assert service.ask({"op": "again"}, 20) == {"op": "again"}


def test_a_runtime_or_gpus_that_podman_passes_over_are_refused(engine: PrivatePodman) -> None:
    with DockerSandbox(NAME, "crun") as sandbox, pytest.raises(SandboxError, match="--runtime crun"):
        enter(sandbox, SMALL)
    with DockerSandbox(NAME) as sandbox, pytest.raises(SandboxError, match="lends no GPUs"):
        enter(sandbox, replace(SMALL, gpus=1))
    assert containers(engine) == []


def test_the_service_of_podman_is_killed_while_a_cell_runs(engine: PrivatePodman) -> None:
    try:
        with DockerSandbox(NAME) as sandbox:
            threading.Timer(2, engine.kill).start()
            with pytest.raises(SandboxLost, match="docker info"), sandbox.session(limits=SMALL) as session:
                session.execute("import time; time.sleep(60)", 60)
            with pytest.raises(SandboxLost, match="docker info"):
                enter(sandbox, SMALL)
        with pytest.raises(EngineUnavailable, match="start"), DockerSandbox(NAME):
            pass
    finally:
        engine.start()
    deadline = time.monotonic() + 5
    while containers(engine):
        assert time.monotonic() < deadline, "a container was left"
        time.sleep(0.05)


def enter(sandbox: DockerSandbox, limits: Limits) -> None:
    with sandbox.session(limits=limits):
        pass


def containers(engine: PrivatePodman) -> list[str]:
    client = docker.DockerClient(base_url=engine.address, version="auto")
    try:
        return [str(found.name) for found in client.containers.list(all=True, ignore_removed=True)]
    finally:
        client.close()
