"""`python -m sandbox.doctor`: it measures instead of believing, finds what is wrong, and says how to mend it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from sandbox import in_force
from sandbox.check_engine import check_disks, check_image
from sandbox.docker_sandbox import DockerSandbox
from sandbox.doctor import MACHINE, OK
from sandbox.engine import OWNER_LABEL
from sandbox.in_force import UNLIMITED
from sandbox.judge import judge_calls, judge_limits, judge_walls, judge_work
from sandbox.leftovers import Leftover, discard_all, find_leftovers
from sandbox.owner import owner
from sandbox.probe import PROBE_LIMITS, Measured
from sandbox.processes import lost_processes, our_processes
from tests.sandbox_image import find_image

UNREADABLE: dict[str, float | None] = dict.fromkeys(("memory_mb", "swap_mb", "pids", "cpus"))


def doctor(*words: str, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox.doctor", *words]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=os.environ | env, timeout=120)


# On this machine


@pytest.mark.docker
def test_all_is_well_here_and_every_limit_is_seen_from_both_sides() -> None:
    done = doctor("--json")
    assert done.returncode == OK, done.stdout
    told = json.loads(done.stdout)
    checks = {check["what"]: check for check in told["checks"]}
    assert told["ok"]
    assert not [check for check in told["checks"] if check["mark"] == "wrong"]
    limits = {"memory": 512, "swap": 0, "processes": 128, "CPU cores": 1}
    assert {name: checks[name]["data"] for name in limits} == {
        name: {"asked": asked, "inside": asked, "outside": asked} for name, asked in limits.items()
    }
    walls = ("user", "capabilities", "privileges", "network", "root folder", "writable", "process 1", "system calls")
    assert {checks[name]["mark"] for name in (*walls, "working folder", "cold start")} == {"ok"}
    assert 0 < checks["warm pool"]["data"]["warm_ms"] < checks["cold start"]["data"]["cold_ms"]
    assert 20 < checks["warm pool"]["data"]["idle_mb"] < 512
    assert checks["engine"]["data"]["answer_ms"] > 0
    assert checks["isolation"]["mend"]


@pytest.mark.docker
def test_a_container_without_walls_and_limits_is_found_out() -> None:
    """A real one, as careless as can be: every one of these checks must fail on it."""
    code = f"{Path(in_force.__file__).read_text()}\n\nimport json\nprint(json.dumps(facts()))"
    client = docker.from_env()
    try:
        told = client.containers.run(
            find_image(),
            ["python", "-c", code],
            remove=True,
            user="0",
            network_mode="host",
            security_opt=["seccomp=unconfined"],
        )
    finally:
        client.close()
    measured = Measured(json.loads(told), UNREADABLE, 1.0, 1.0)
    limits, walls = judge_limits(PROBE_LIMITS, measured), judge_walls(measured)
    assert {finding.what for finding in limits if finding.mark == "wrong"} >= {"memory", "processes", "CPU cores"}
    assert {finding.what for finding in walls if finding.mark == "wrong"} == {finding.what for finding in walls}
    assert judge_calls(measured, {"runtime": "runc"}).mark == "wrong"
    assert judge_work(PROBE_LIMITS, measured, []).mark == "wrong"
    wrong = [finding for finding in (*limits, *walls) if finding.mark == "wrong"]
    assert all(finding.means and finding.mend for finding in wrong)


@pytest.mark.docker
def test_an_image_that_is_not_current_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    client = docker.from_env()
    current, finding = check_image(client)
    assert (current, finding.mark) == (find_image(), "ok")
    monkeypatch.setenv("LINGUACODUS_EXTRA_PIP", "something-else")
    usable, finding = check_image(client)
    client.close()
    assert usable is not None
    assert (finding.mark, finding.mend) == ("warn", "make image")


# Where something is wrong


def test_without_an_engine_the_rest_is_still_checked(tmp_path: Path) -> None:
    left = dead_folder(tmp_path)
    done = doctor("--prune", DOCKER_HOST="unix:///nonexistent.sock", TMPDIR=str(tmp_path))
    assert done.returncode == MACHINE
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert lines[0].startswith("WRONG  engine          No container engine answers at unix:///nonexistent.sock")
    assert "apt-get install" in lines[1]
    assert any(line.startswith(("ok     scratch", "note   scratch", "warn   scratch")) for line in lines)
    assert any("1 temporary folder" in line and "removed" in line for line in lines)
    assert not left.exists()


def test_json_is_one_object_also_without_an_engine(tmp_path: Path) -> None:
    done = doctor("--json", DOCKER_HOST="tcp://10.0.0.1:2375", TMPDIR=str(tmp_path))
    assert done.returncode == MACHINE
    told = json.loads(done.stdout)
    assert not told["ok"]
    assert "another machine" in told["checks"][0]["found"]
    assert told["checks"][0]["mend"]


def test_a_full_disk_is_wrong_and_a_machine_of_its_own_is_not(tmp_path: Path) -> None:
    elsewhere = check_disks("/nonexistent/docker")[0]
    assert (elsewhere.mark, "not on this machine" in elsewhere.found) == ("note", True)
    full = check_disks("/proc")[0]  # a file system without any room
    assert (full.mark, full.data["free_gb"]) == ("wrong", 0.0)
    assert check_disks(str(tmp_path))[0].mark in ("ok", "warn")


def test_a_limit_that_nobody_can_see_is_no_limit_kept() -> None:
    findings = judge_limits(PROBE_LIMITS, Measured({"limits": UNREADABLE}, UNREADABLE, 1.0, 1.0))
    assert {finding.mark for finding in findings} == {"warn"}


# What the cgroups say


@pytest.fixture
def kernel(tmp_path: Path) -> Callable[[dict[str, str]], dict[str, Path]]:
    """Files as the kernel shows them, from their names and texts."""

    def write(files: dict[str, str]) -> dict[str, Path]:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return {"root": tmp_path / "cgroup", "proc": tmp_path / "proc"}

    return write


VERSION_1 = {
    "memory/memory.limit_in_bytes": "1048576\n",
    "memory/memory.memsw.limit_in_bytes": "3145728\n",
    "pids/pids.max": "64\n",
    "cpu/cpu.cfs_quota_us": "-1\n",
    "cpu/cpu.cfs_period_us": "100000\n",
}
VERSION_2 = {"memory.max": "1048576\n", "memory.swap.max": "0\n", "pids.max": "max\n", "cpu.max": "150000 100000\n"}


def test_limits_are_read_in_version_two(kernel: Callable[[dict[str, str]], dict[str, Path]]) -> None:
    files = {f"cgroup/x.slice/c.scope/{name}": text for name, text in VERSION_2.items()}
    places = kernel(files | {"proc/7/cgroup": "0::/x.slice/c.scope\n"})
    wanted = {"memory_mb": 1.0, "swap_mb": 0.0, "pids": float(UNLIMITED), "cpus": 1.5}
    assert in_force.limits("7", inside=False, **places) == wanted


def test_limits_are_read_in_version_one(kernel: Callable[[dict[str, str]], dict[str, Path]]) -> None:
    listing = {"proc/7/cgroup": "4:memory:/docker/abc\n3:pids:/docker/abc\n2:cpu,cpuacct:/docker/abc\n0::/\n"}
    places = kernel(listing | {f"cgroup/{name}": text for name, text in VERSION_1.items()})
    wanted = {"memory_mb": 1.0, "swap_mb": 2.0, "pids": 64.0, "cpus": float(UNLIMITED)}
    assert in_force.limits("7", inside=True, **places) == wanted  # inside, its own cgroup is the root
    assert in_force.limits("7", inside=False, **places) == UNREADABLE  # outside, the root is the whole machine


def test_swap_needs_a_limit_only_where_there_is_some(kernel: Callable[[dict[str, str]], dict[str, Path]]) -> None:
    files = {"proc/7/cgroup": "0::/\n", "cgroup/memory.max": "1048576\n"}
    assert in_force.limits("7", inside=True, **kernel(files | {"proc/meminfo": "SwapTotal: 0 kB\n"}))["swap_mb"] == 0.0
    assert in_force.limits("7", inside=True, **kernel(files | {"proc/meminfo": "SwapTotal: 9 kB\n"}))["swap_mb"] is None


# Leftovers


LEAVE = """
import os, sys, tempfile
from sandbox.base import Limits
from sandbox.container import Plan, container_options
from sandbox.engine import Engine
from sandbox.owner import owner
from sandbox.scratch import make_scratch
from sandbox.temp_folders import temp_prefix
scratch = make_scratch(16, 1000, 1000, [])
folder = tempfile.mkdtemp(prefix=temp_prefix("members"))
options = container_options(Plan(sys.argv[1], ["true"], Limits(), (1000, 1000)), 1)
Engine().create(sys.argv[1], options)
print(options["name"], folder, scratch.folder if scratch else "", sep="\\n", flush=True)
input()
os._exit(1)
"""


@pytest.fixture
def leaver(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A process that is alive until it reads a line, and the names of what it will have left then."""
    words = [sys.executable, "-c", LEAVE, find_image()]
    child = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"TMPDIR": str(tmp_path), "LINGUACODUS_SCRATCH": str(tmp_path)},
    )
    assert child.stdout is not None
    yield child, [name for name in (child.stdout.readline().strip() for _ in range(3)) if name]
    child.kill()
    child.communicate()


def left_of(names: list[str], client: docker.DockerClient) -> list[Leftover]:
    return [item for item in find_leftovers(client) if any(name in item.name for name in names)]


@pytest.mark.docker
def test_what_the_living_have_is_left_alone_and_what_the_dead_left_is_removed(
    leaver: tuple[subprocess.Popen[str], list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child, names = leaver
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    client = docker.from_env()
    try:
        assert left_of(names, client) == []
        child.communicate("\n")
        found = left_of(names, client)
        assert len(found) == len(names) >= 2
        assert all(item.sure for item in found)
        assert discard_all(found) == []
        assert left_of(names, client) == []
    finally:
        client.close()
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_an_unknown_maker_is_told_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in ("linguacodus-members-abc", "linguacodus-else-1-1-x", "other-members-1-1-x"):
        (tmp_path / name).mkdir()
    found = [item for item in find_leftovers(None) if str(tmp_path) in item.name]
    assert [(Path(item.name).name, item.sure) for item in found] == [("linguacodus-members-abc", False)]
    discard_all(found)
    assert len(list(tmp_path.iterdir())) == 3


def test_a_relay_whose_engine_is_gone_is_ended(tmp_path: Path) -> None:
    address = tmp_path / "containerd.sock"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(address))
    listener.listen()
    relay = "import os, time  # from sandbox import relay_start\nos.write(1, b'x'); time.sleep(60)"
    start = tmp_path / "start"
    start.write_text(f'{sys.executable} -c "{relay}"\ntrue\n')
    words = ["containerd-shim-test", str(start), "-address", str(address)]
    shim = subprocess.Popen(words, executable="/bin/sh", stdout=subprocess.PIPE)
    try:
        assert shim.stdout is not None
        assert shim.stdout.read(1) == b"x"  # the relay runs
        assert children(shim.pid) == []
        listener.close()
        [lost] = children(shim.pid)
        assert discard_all([lost]) == []
        assert shim.wait(10) == 0
    finally:
        shim.kill()
        shim.communicate()


@pytest.mark.docker
def test_relays_and_kernels_are_known_by_their_command_lines() -> None:
    client = docker.from_env()
    with DockerSandbox(find_image()) as sandbox, sandbox.session(limits=PROBE_LIMITS):
        [container] = client.containers.list(filters={"label": f"{OWNER_LABEL}={owner()}"})
        seen = dict(our_processes())
        assert not seen.keys() & dict(lost_processes()).keys()
        mine = [what for pid, what in seen.items() if str(container.id) in Path(f"/proc/{pid}/cgroup").read_text()]
    client.close()
    assert sorted(mine) == ["kernel", "relay"]


def children(parent: int) -> list[Leftover]:
    """The leftover processes that `parent` has started."""
    found = [item for item in find_leftovers(None) if item.kind == "process"]
    return [item for item in found if parent_of(item.name.split()[0]) == str(parent)]


def parent_of(pid: str) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
    except OSError:
        return ""


def dead_folder(place: Path) -> Path:
    """What a process left that has ended."""
    code = (
        "import tempfile\nfrom sandbox.temp_folders import temp_prefix\n"
        "print(tempfile.mkdtemp(prefix=temp_prefix('base')))"
    )
    env = os.environ | {"TMPDIR": str(place)}
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, env=env)
    return Path(done.stdout.strip())
