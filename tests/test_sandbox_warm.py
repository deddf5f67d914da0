"""Warm containers for real: quick, clean, used once, gone at the end."""

from __future__ import annotations

import time
from pathlib import Path

import docker
import pytest

from sandbox.base import Limits, Mount, SandboxClosed
from sandbox.docker_sandbox import DockerSandbox
from sandbox.owner import owner
from sandbox.script import DATA_DIR, keep_scripts_warm, run_script
from tests.sandbox_image import find_image

pytest_plugins = ["tests.sandbox_fixtures"]
pytestmark = pytest.mark.docker

LIMITS = Limits(memory_mb=1024, cpus=1, disk_mb=64)


def mine() -> set[str]:
    client = docker.from_env()
    try:
        found = client.containers.list(all=True, filters={"label": f"linguacodus.owner={owner()}"}, ignore_removed=True)
        return {str(container.id) for container in found}
    finally:
        client.close()


def wait_until_warm(sandbox: DockerSandbox, count: int) -> None:
    deadline = time.monotonic() + 60
    while sandbox.warm() != count:
        assert time.monotonic() < deadline, f"{sandbox.warm()} are warm instead of {count}"
        time.sleep(0.01)


def test_a_warm_session_has_the_imports_done_and_nothing_else(sandbox: DockerSandbox, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id\n")
    tmp_path.chmod(0o755)
    mounts = [Mount(tmp_path, DATA_DIR)]
    keep_scripts_warm(sandbox, 1, mounts, LIMITS, 3)
    wait_until_warm(sandbox, 1)
    warm = mine()
    code = (
        "import os, sys\n"
        "left = set(dir()) - {'os', 'sys'}\n"
        "for name in ('TIME_LIMIT_S', 'SEED', 'PYTHONHASHSEED'): print(os.environ[name])\n"
        "print('sklearn.ensemble' in sys.modules, [n for n in left if 'import' in n or n in ('np', 'pd')])\n"
        "print(In, os.listdir('.'), os.listdir('data'))\n"
        "1 / 0"
    )
    run = run_script(sandbox, code, mounts=mounts, limits=LIMITS, seconds=20, seed=3)
    assert run.result.error is not None
    assert (run.result.error.type, run.result.error.line) == ("ZeroDivisionError", 6)
    lines = run.result.stdout.splitlines()
    assert lines[:4] == ["20", "3", "3", "True []"]
    assert lines[4].startswith("['', ")
    assert lines[4].endswith("['data'] ['train.csv']")
    wait_until_warm(sandbox, 1)
    assert not warm & mine()  # it was used once
    sandbox.keep_warm(0, mounts=mounts, limits=LIMITS, env={"CPUS": "1"})  # another kind: this one stays
    assert sandbox.warm() == 1
    keep_scripts_warm(sandbox, 0, mounts, LIMITS, 3)
    wait_until_warm(sandbox, 0)


def test_its_first_cell_comes_sooner_than_from_a_cold_one(sandbox: DockerSandbox) -> None:
    code = "import pandas, sklearn.ensemble\nprint('there')"
    took = {}
    for how, count in (("cold", 0), ("warm", 1)):
        sandbox.keep_warm(count, limits=LIMITS)
        wait_until_warm(sandbox, count)
        started = time.monotonic()
        with sandbox.session(limits=LIMITS) as session:
            assert session.execute(code, 60).stdout == "there\n"
            took[how] = time.monotonic() - started
    sandbox.keep_warm(0, limits=LIMITS)
    assert took["warm"] < took["cold"] / 5, took


def test_limits_hold_in_a_warm_one(sandbox: DockerSandbox) -> None:
    sandbox.keep_warm(1, limits=LIMITS)
    wait_until_warm(sandbox, 1)
    with sandbox.session(limits=LIMITS) as session:
        assert session.execute("b = []\nwhile True: b.append(bytearray(10**7))", 60).status == "out_of_memory"
    sandbox.keep_warm(0, limits=LIMITS)


def test_one_that_is_removed_while_it_waits_is_replaced(sandbox: DockerSandbox) -> None:
    sandbox.keep_warm(1, limits=LIMITS)
    wait_until_warm(sandbox, 1)
    client = docker.from_env()
    for name in mine():
        client.containers.get(name).remove(force=True)
    client.close()
    with sandbox.session(limits=LIMITS) as session:
        assert session.execute("print(1)", 20).stdout == "1\n"
    sandbox.keep_warm(0, limits=LIMITS)


def test_too_little_memory_for_the_imports_leaves_cold_ones(sandbox: DockerSandbox) -> None:
    tight = Limits(memory_mb=96, cpus=1, disk_mb=16)
    sandbox.keep_warm(1, limits=tight)
    with sandbox.session(limits=tight) as session:
        assert session.execute("print(1)", 20).stdout == "1\n"
    assert sandbox.warm() == 0


def test_closing_frees_the_warm_ones_also_in_the_making(sandbox: DockerSandbox) -> None:
    wait_until_warm(sandbox, 0)
    deadline = time.monotonic() + 20
    while mine():
        assert time.monotonic() < deadline, "one that nobody wants any more was not ended"
        time.sleep(0.05)
    with DockerSandbox(find_image()) as another:
        another.keep_warm(2, limits=LIMITS)
        wait_until_warm(another, 1)
    assert mine() == set()
    with pytest.raises(SandboxClosed):
        another.keep_warm(1)
