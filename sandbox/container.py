"""One hardened container with frames over its stdin and stdout. It ends with its client: its stdin closes then."""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from docker.types import LogConfig, Ulimit
from docker.types import Mount as EngineMount

from sandbox.base import WORK_DIR, Limits, LimitsNotEnforced, Mount, SandboxLost
from sandbox.engine import Engine, calls, owner_labels, remove
from sandbox.frames import MAX_FRAME
from sandbox.meter import Meter
from sandbox.pipe import Pipe

SESSION_USER = (1000, 1000)
"""Who generated code is when we are root ourselves."""
_TMP_MB = 256
_SHARED_MEMORY_MB = 256


@dataclass(frozen=True)
class Plan:
    """What to start."""

    image: str
    command: list[str]
    limits: Limits
    user: tuple[int, int]
    """Numbers of the user and the group inside."""
    mounts: Sequence[Mount] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    """The whole environment, on top of the image's own and of `base_env`; nothing of the host's gets in by itself."""
    working_dir: str = "/"
    scratch: Path | Literal["memory"] | None = None
    """What the working folder is: a folder of the host, a tmpfs, or not there at all."""
    frame_limit: int = MAX_FRAME


def session_user() -> tuple[int, int]:
    """Who generated code is: ourselves, or somebody without rights where we are root."""
    return SESSION_USER if os.geteuid() == 0 else host_user()


def host_user() -> tuple[int, int]:
    """The numbers of our own user and group."""
    return os.geteuid(), os.getegid()


def base_env(limits: Limits) -> dict[str, str]:
    """Threads as many as cores, and every cache in /tmp (the rest of the file system is read-only)."""
    threads = str(max(1, int(limits.cpus)))
    counted = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB", "POLARS", "RAYON")
    names = {"VECLIB": "VECLIB_MAXIMUM_THREADS", "POLARS": "POLARS_MAX_THREADS"}
    env = {names.get(name, f"{name}_NUM_THREADS"): threads for name in counted}
    # Threads that spin while they wait eat the CPU quota of those that work: on busy cores a fit of 8 s took 240 s.
    env |= {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "0", "KMP_BLOCKTIME": "0"}
    folders = {"HOME": "", "TMPDIR": "", "IPYTHONDIR": "/.ipython", "MPLCONFIGDIR": "/.matplotlib"}
    caches = {"XDG_CACHE_HOME": "/.cache", "XDG_CONFIG_HOME": "/.config", "NUMBA_CACHE_DIR": "/.numba"}
    env |= {name: f"/tmp{folder}" for name, folder in (folders | caches).items()}
    env |= {"LOKY_MAX_CPU_COUNT": threads, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONUNBUFFERED": "1"}
    return env | {"JOBLIB_TEMP_FOLDER": "/tmp", "LANG": "C.UTF-8"}


class Container:
    """A running container. Raises on starting: ImageMissing, SandboxLost, LimitsNotEnforced."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        self._engine = engine
        self._born = time.time()
        self._marked_at, self._marked_kills = self._born, 0
        self._container = engine.create(plan.image, container_options(plan, engine.cpus))
        try:
            self.pipe = Pipe(engine.attach(self._container), plan.frame_limit)
            self._start()
            self._meter = Meter(str(self._container.id), self._process_id())
            self._check(plan.limits)
        except BaseException:
            remove(self._container)
            raise

    def peak_mb(self) -> float | None:
        """Largest memory so far in MiB, None where neither cgroup nor engine tells."""
        return self._meter.peak_mb() or self._engine.memory_mb(self._container)

    def mark(self) -> None:
        """Let `out_of_memory` speak of what happens from now on."""
        self._marked_at, self._marked_kills = time.time(), self._meter.out_of_memory_kills() or 0

    def out_of_memory(self) -> bool:
        """Whether the kernel has killed something in here for lack of memory since the mark. Raises: SandboxLost."""
        kills = self._meter.out_of_memory_kills()
        if kills is not None:
            return kills > self._marked_kills
        return "oom" in self._events(self._marked_at)

    def autopsy(self) -> Literal["out_of_memory", "killed"]:
        """Why the container has ended by itself. Raises: SandboxLost (it did not; the engine took it from us)."""
        events = self._events(self._born - 1)
        if "oom" in events:
            return "out_of_memory"
        if "die" in events and "kill" not in events:  # "kill" is an order to the engine: nobody inside can give one
            return "killed"
        raise SandboxLost("The container was taken away by somebody else or by the engine; run the command again.")

    def stop(self) -> None:
        """Kill and remove it; may be called twice. Raises: SandboxLost."""
        self.pipe.close()
        remove(self._container)

    def _start(self) -> None:
        with calls("starting a container"):
            self._container.start()

    def _process_id(self) -> int:
        with calls("looking at a container"):
            self._container.reload()
        state = cast(Mapping[str, Any], self._container.attrs.get("State") or {})
        return int(state.get("Pid") or 0)

    def _check(self, limits: Limits) -> None:
        limit = self._meter.limit_mb()
        if limit is not None and limit > limits.memory_mb + 1:
            raise LimitsNotEnforced(
                f"A container was asked to keep to {limits.memory_mb} MiB and its cgroup allows {limit:.0f}; "
                "enable the memory controller for the container engine."
            )

    def _events(self, since: float) -> list[str]:
        """Everything that happened to it, up to half a second from now (the engine reports late)."""
        return self._engine.events(str(self._container.id), since, math.ceil(time.time() + 0.5))


def container_options(plan: Plan, cores: int) -> dict[str, Any]:
    """The SDK's words for the hardening. No --init: our program is process 1, whose pipes nothing else can open."""
    limits, (uid, gid) = plan.limits, plan.user
    return {
        "name": f"linguacodus-{secrets.token_hex(6)}",
        "entrypoint": plan.command[:1],
        "command": plan.command[1:],
        "environment": base_env(limits) | dict(plan.env),
        "user": f"{uid}:{gid}",
        "working_dir": plan.working_dir,
        "labels": owner_labels(),
        "hostname": "sandbox",
        "stdin_open": True,
        "tty": False,
        "init": False,
        "auto_remove": True,
        "use_config_proxy": False,
        "log_config": LogConfig(type=LogConfig.types.NONE),
        "network_mode": "none",
        "ipc_mode": "private",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "mem_limit": f"{limits.memory_mb}m",
        "memswap_limit": f"{limits.memory_mb}m",
        "pids_limit": limits.pids,
        "nano_cpus": int(min(limits.cpus, cores) * 1e9),
        "shm_size": f"{min(_SHARED_MEMORY_MB, limits.memory_mb)}m",
        "ulimits": [Ulimit(name="core", soft=0, hard=0)],
        "tmpfs": _tmpfs(plan),
        "mounts": _mounts(plan),
    }


def _tmpfs(plan: Plan) -> dict[str, str]:
    folders = {"/tmp": f"size={_TMP_MB}m,mode=1777"}
    if plan.scratch == "memory":
        uid, gid = plan.user
        folders[WORK_DIR] = f"size={plan.limits.disk_mb}m,mode=0755,uid={uid},gid={gid},exec"
    return folders


def _mounts(plan: Plan) -> list[EngineMount]:
    mounts = list(plan.mounts)
    if isinstance(plan.scratch, Path):
        mounts.insert(0, Mount(plan.scratch, WORK_DIR, writable=True))
    return [_bind(mount) for mount in mounts]


def _bind(mount: Mount) -> EngineMount:
    source = str(mount.source.resolve())
    return EngineMount(mount.target, source, type="bind", read_only=not mount.writable, propagation="rprivate")
