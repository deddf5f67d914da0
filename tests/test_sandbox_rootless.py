"""Engines that run as an ordinary user: recognised for what they are, and whose number is whose in their containers.

That they keep limits cannot be had everywhere (it takes cgroup version 2 and delegation); that those which cannot are
refused, and how, can.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.base import LimitsNotEnforced, SandboxError
from sandbox.container import host_user, session_user
from sandbox.engine import Engine
from sandbox.engine_facts import Facts
from tests.engines import chosen, rootless_engine

SECOND = Path("/sys/fs/cgroup/cgroup.controllers")
"""There where this machine has cgroup version 2 alone."""


@pytest.fixture(params=["Docker", "Podman"])
def rootless(request: pytest.FixtureRequest) -> Iterator[str]:
    with rootless_engine(request.param) as address, chosen(address):
        yield request.param


@pytest.mark.docker
def test_a_rootless_engine_without_limits_is_refused_with_a_remedy(rootless: str) -> None:
    if rootless == "Podman" and SECOND.exists():  # what was delegated shows on each container only
        engine = Engine()
        assert engine.facts.rootless
        assert engine.facts.describe()["daemon"] == "rootless"
        engine.close()
        return
    with pytest.raises(LimitsNotEnforced, match=r"Delegate=cpu cpuset io memory pids") as caught:
        Engine()
    assert ("version 1" in str(caught.value)) != SECOND.exists()


def facts(**info: Any) -> Facts:
    usual = {"ServerVersion": "1", "CgroupVersion": "2", "MemoryLimit": True, "PidsLimit": True, "CpuCfsQuota": True}
    return Facts(usual | info, {})


ROOTLESS = {"SecurityOptions": ["name=seccomp,profile=builtin", "name=rootless"]}
PODMAN_OF_ROOT = {"PidsLimit": False, "CpuCfsQuota": False}
"""What podman says under cgroup version 2, whatever it can do."""


@pytest.mark.parametrize("info", [{}, ROOTLESS, {"Rootless": True}, PODMAN_OF_ROOT, {"CgroupVersion": "1"}])
def test_an_engine_that_may_keep_limits_is_taken(info: dict[str, Any]) -> None:
    facts(**info).check()


@pytest.mark.parametrize(
    ("info", "words"),
    [
        (ROOTLESS | {"CgroupVersion": "1"}, "version 2 .*delegate"),
        ({"Rootless": True, "CgroupVersion": "1"}, "version 2 .*delegate"),
        (ROOTLESS | {"MemoryLimit": False}, "memory limits; delegate them"),
        ({"MemoryLimit": False}, "memory limits; start the machine with"),
        ({"CgroupVersion": "1", "PidsLimit": False, "CpuCfsQuota": False}, "process and CPU limits; start the machine"),
    ],
)
def test_an_engine_that_cannot_is_refused(info: dict[str, Any], words: str) -> None:
    with pytest.raises(LimitsNotEnforced, match=words):
        facts(**info).check()


def test_a_runtime_has_to_be_registered() -> None:
    known = facts(Runtimes={"runc": {}, "runsc": {}})
    known.require_runtime("runsc")
    with pytest.raises(SandboxError, match="it has runc, runsc"):
        known.require_runtime("kata")


def test_who_is_who_inside() -> None:
    """Number 0 in a rootless engine's containers is the user outside: for our own programs, not for generated code."""
    assert host_user() == (os.geteuid(), os.getegid())
    assert host_user(rootless=True) == (0, 0)
    assert session_user(rootless=True) == (1000, 1000)
    assert session_user()[0] != 0
