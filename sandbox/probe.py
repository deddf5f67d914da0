"""Start a container with small limits through our own sandbox and see what is really in force: the doctor's main check.

The same is read from inside and, where the engine shares this machine, from the host's own cgroups; what the engine
says of itself is not taken for it. The container then serves to measure how long a first cell takes.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import docker

from sandbox import in_force
from sandbox.base import Limits, SandboxLost, Session
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import OWNER_LABEL, calls
from sandbox.owner import owner

PROBE_LIMITS = Limits(memory_mb=512, cpus=1, pids=128, disk_mb=64, output_mb=4)
"""Small, and none of them what an engine would give by itself."""
IMPORTS = "import pandas, sklearn.ensemble, sklearn.model_selection"
WARM_SECONDS = 60.0

_CELL_SECONDS = 60.0


@dataclass(frozen=True)
class Measured:
    """What the probe saw."""

    inside: dict[str, Any]
    """`in_force.facts` of the container."""
    outside: dict[str, float | None]
    """`in_force.limits` by the host's cgroups; every value None where these cannot be seen."""
    cold_ms: float
    """From nothing to the end of a first cell."""
    imports_ms: float
    """What the usual imports take on top."""


@dataclass(frozen=True)
class Warm:
    """What a warm container costs and saves."""

    ms: float
    """From asking for a session to the end of a cell with the usual imports."""
    idle_mb: float | None
    """Memory of the idle container without what the kernel can take back; None where the engine does not tell."""


def measure(sandbox: DockerSandbox, client: docker.DockerClient) -> Measured:
    """Start one container and look at it. Raises: SandboxError."""
    started = time.monotonic()
    with sandbox.session(limits=PROBE_LIMITS) as session:
        _run(session, "1")
        cold = time.monotonic() - started
        inside = _facts(session)
        outside = _outside(client)
        before = time.monotonic()
        _run(session, IMPORTS)
        return Measured(inside, outside, cold * 1000, (time.monotonic() - before) * 1000)


def measure_warm(
    sandbox: DockerSandbox, client: docker.DockerClient, given_up: Callable[[], bool] = lambda: False
) -> Warm | None:
    """Have one container warmed, and take it; None where none becomes ready. Raises: SandboxError."""
    sandbox.keep_warm(1, limits=PROBE_LIMITS)
    deadline = time.monotonic() + WARM_SECONDS
    while not sandbox.warm():
        if given_up() or time.monotonic() > deadline:
            return None
        time.sleep(0.02)
    idle = _idle_mb(client)
    started = time.monotonic()
    with sandbox.session(limits=PROBE_LIMITS) as session:
        _run(session, IMPORTS)
        taken = time.monotonic() - started
        sandbox.keep_warm(0, limits=PROBE_LIMITS)
    return Warm(taken * 1000, idle)


def _facts(session: Session) -> dict[str, Any]:
    told = _run(session, f"{Path(in_force.__file__).read_text()}\n\nimport json\nprint(json.dumps(facts()))")
    try:
        return cast(dict[str, Any], json.loads(told))
    except ValueError:
        raise SandboxLost(f"The probe's answer cannot be read ({told[:200]!r}); build the image anew.") from None


def _run(session: Session, code: str) -> str:
    result = session.execute(code, _CELL_SECONDS)
    if result.status != "ok":
        told = result.error.message if result.error else result.stderr
        raise SandboxLost(
            f"A cell of the probe ended with {result.status} ({told[:300]}); see what the machine is busy with."
        )
    return result.stdout


def _outside(client: docker.DockerClient) -> dict[str, float | None]:
    """The limits of our one container by the host's cgroups, if process numbers mean the same here as to the engine."""
    for name, pid in _containers(client):
        cgroups = Path(f"/proc/{pid}/cgroup")
        if cgroups.exists() and name in cgroups.read_text():
            return in_force.limits(str(pid), inside=False)
    return dict.fromkeys(("memory_mb", "swap_mb", "pids", "cpus"))


def _containers(client: docker.DockerClient) -> Iterator[tuple[str, int]]:
    """Our own containers and the numbers of their main processes."""
    with calls("looking at the probe's container"):
        for found in client.containers.list(filters={"label": f"{OWNER_LABEL}={owner()}"}, ignore_removed=True):
            yield str(found.id), int(found.attrs["State"]["Pid"])


def _idle_mb(client: docker.DockerClient) -> float | None:
    for name, _ in _containers(client):
        with calls("measuring a container"):
            memory = cast(dict[str, Any], client.api.stats(name, stream=False, one_shot=True)).get("memory_stats") or {}
        details = memory.get("stats") or {}
        cache = details.get("total_inactive_file", details.get("inactive_file", 0))
        return (float(memory["usage"]) - float(cache)) / 2**20 if memory.get("usage") else None
    return None
