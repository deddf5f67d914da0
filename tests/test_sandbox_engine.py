"""Who owns what, what the cgroups say, and what is said when there is no engine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.base import EngineUnavailable, Limits, SandboxClosed
from sandbox.docker_sandbox import DockerSandbox
from sandbox.meter import Meter
from sandbox.owner import is_dead, owner


@pytest.mark.parametrize("address", ["tcp://10.0.0.1:2375", "ssh://me@host", "https://host"])
def test_an_engine_on_another_machine_is_refused(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("DOCKER_HOST", address)
    with pytest.raises(EngineUnavailable, match="another machine"), DockerSandbox("any"):
        pass


def test_a_missing_engine_is_said_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    with pytest.raises(EngineUnavailable, match="install Docker"), DockerSandbox("any"):
        pass


def test_an_engine_that_stopped_is_said_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/s")
    with pytest.raises(EngineUnavailable, match="start"), DockerSandbox("any"):
        pass


def test_constructing_does_nothing_and_a_sandbox_that_is_not_open_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent.sock")
    sandbox = DockerSandbox("any")
    with pytest.raises(SandboxClosed, match="with"), sandbox.session(limits=Limits()):
        pass
    sandbox.close()


def test_importing_the_contract_loads_no_engine() -> None:
    check = "import sys, sandbox.base, sandbox.script, sandbox.run; sys.exit('docker' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0


def test_only_the_dead_are_dead() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", "from sandbox.owner import owner; print(owner(), flush=True); input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    name = child.stdout.readline().strip()
    assert not is_dead(owner())
    assert not is_dead(name)
    child.communicate("\n")
    assert is_dead(name)
    assert is_dead(f"{name}-x1_y2")


def test_a_reused_process_number_is_not_its_owner() -> None:
    pid, start, namespace = owner().split("-", 2)
    assert is_dead(f"{pid}-{int(start) - 1}-{namespace}")


@pytest.mark.parametrize("name", ["", "x", "12", "1-2", "999999-1-other.namespace", "a-b-c"])
def test_what_cannot_be_judged_is_left_alone(name: str) -> None:
    assert not is_dead(name)


def test_the_meter_reads_version_two(tmp_path: Path) -> None:
    lines = Path("/proc/self/cgroup").read_text().splitlines()
    path = next(line.removeprefix("0::") for line in lines if line.startswith("0::"))
    folder = tmp_path / path.lstrip("/")
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in {
        "memory.max": "1048576",
        "memory.swap.max": "0",
        "memory.peak": "524288",
        "memory.events": "oom 1\noom_kill 2\n",
        "pids.max": "max",
    }.items():
        (folder / name).write_text(text)
    meter = Meter("", os.getpid(), tmp_path)
    assert (meter.peak_mb(), meter.out_of_memory_kills()) == (0.5, 2)
    assert meter.beyond({"memory_mb": 1, "swap_mb": 0}) == []
    assert meter.beyond({"memory_mb": 0.9}) == ["memory_mb"]
    assert meter.beyond({"pids": 10, "cpus": 1}) == ["pids", "cpus"]  # one is "max", the other was not delegated


def test_a_process_that_is_not_the_container_is_not_measured() -> None:
    meter = Meter("0123456789abcdef", os.getpid())
    assert (meter.peak_mb(), meter.out_of_memory_kills(), meter.beyond({"memory_mb": 1})) == (None, None, [])
