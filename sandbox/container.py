"""One hardened container with frames over its stdin and stdout. It ends with its client: its stdin closes then."""

from __future__ import annotations

import logging
import math
import os
import resource
import secrets
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from docker.types import DeviceRequest, LogConfig, Ulimit
from docker.types import Mount as EngineMount

from sandbox.base import WORK_DIR, Limits, LimitsNotEnforced, Mount, SandboxError, SandboxLost
from sandbox.engine import Engine, Event, calls, owner_labels, remove
from sandbox.frames import MAX_FRAME
from sandbox.meter import Meter
from sandbox.pipe import Pipe

SESSION_USER = (1000, 1000)
"""Who generated code is when we are root ourselves."""
KILLED = 137
"""Exit code of a process that was ended by SIGKILL."""
_OPEN_FILES = 16_384
_PROCESSES = 16_384
"""Of one user on the whole machine; `Limits.pids` is what counts for a container."""
_TMP_MB = 256
_SHARED_MEMORY_MB = 256
_LOG = logging.getLogger(__name__)


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
    runtime: str | None = None
    """What starts containers, by the engine's name for it ("runsc" is gVisor); None: the engine's own choice."""


def session_user(rootless: bool = False) -> tuple[int, int]:
    """Who generated code is: ourselves, or somebody without rights where our own number would be root's.

    In the containers of a `rootless` engine that is number 0, who is ourselves outside.
    """
    return SESSION_USER if rootless or os.geteuid() == 0 else host_user()


def host_user(rootless: bool = False) -> tuple[int, int]:
    """Our own user and group, as they are numbered in the engine's containers."""
    return (0, 0) if rootless else (os.geteuid(), os.getegid())


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
    """A running container. Raises on starting: ImageMissing, SandboxLost, LimitsNotEnforced, SandboxError."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        if plan.runtime:
            engine.facts.require_runtime(plan.runtime)
        self._engine = engine
        self._born = time.time()
        self._marked_at, self._marked_kills = self._born, 0
        self._stopped = False
        self._container = engine.create(plan.image, container_options(plan, engine.facts.cpus))
        with ExitStack() as undo:
            undo.callback(self._give_up)
            self.pipe = Pipe(engine.attach(self._container), plan.frame_limit)
            undo.callback(self.pipe.free)
            self._start()
            state = self._look(plan)
            self._meter = Meter(str(self._container.id), int(state.get("Pid") or 0))
            self._check(plan.limits)
            undo.pop_all()

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
        return any(event.action == "oom" for event in self._events(self._marked_at))

    def autopsy(self) -> Literal["out_of_memory", "killed"]:
        """Why the container has ended by itself. Raises: SandboxLost (it did not; it was taken from us).

        Docker reports an "oom" event. Podman does not, but its containers' cgroups outlive them by a moment.
        """
        if (self._meter.out_of_memory_kills() or 0) > self._marked_kills:
            return "out_of_memory"
        events = self._events(self._born - 1)
        if any(event.action == "oom" for event in events):
            return "out_of_memory"
        # "kill" is an order to the engine. Without one, too, nobody inside can send SIGKILL to process 1.
        ordered = any(event.action == "kill" for event in events)
        if not ordered and any(event.action == "die" and event.exit_code != KILLED for event in events):
            return "killed"
        raise SandboxLost("The container was taken away by somebody else or by the engine; run the command again.")

    def stop(self) -> None:
        """Kill and remove it. Called again it does nothing, even after a failure: then it ends with our line to it.

        Raises: SandboxLost.
        """
        self.pipe.close()
        if not self._stopped:
            self._stopped = True
            remove(self._container)

    def end(self) -> None:
        """Stop it and free what is held of it here. Raises: SandboxLost."""
        try:
            self.stop()
        finally:
            self.pipe.free()

    def _start(self) -> None:
        with calls("starting a container"):
            self._container.start()

    def _look(self, plan: Plan) -> Mapping[str, Any]:
        """Its state. Raises: SandboxLost, SandboxError where the engine has passed over a wish (podman does)."""
        with calls("looking at a container"):
            self._container.reload()
            given = self._container.attrs["HostConfig"]
            state = cast(Mapping[str, Any], self._container.attrs["State"])
        if plan.runtime and given.get("Runtime") != plan.runtime:
            raise SandboxError(
                f"This container engine does not choose a runtime for a single container; start it with "
                f"`--runtime {plan.runtime}` as its own, or use Docker."
            )
        if plan.limits.gpus and not given.get("DeviceRequests"):
            raise SandboxError("This container engine lends no GPUs; use Docker with NVIDIA's container toolkit.")
        return state

    def _check(self, limits: Limits) -> None:
        """Compare with the container's own cgroup, where that can be seen. Raises: LimitsNotEnforced."""
        asked = limits.counted() | {"cpus": min(limits.cpus, self._engine.facts.cpus)}
        if missing := self._meter.beyond(asked):
            raise LimitsNotEnforced(self._engine.facts.unlimited(missing))

    def _give_up(self) -> None:
        """Remove what did not start; what went wrong first is what is told."""
        try:
            remove(self._container)
        except SandboxError as error:
            _LOG.warning("a container that did not start stays: %s", error)

    def _events(self, since: float) -> list[Event]:
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
        "runtime": plan.runtime,
        "labels": owner_labels(),
        "hostname": "sandbox",
        "stdin_open": True,
        "tty": False,
        "init": False,
        "stop_signal": "SIGKILL",  # process 1 heeds no other: an engine that is restarted would wait ten seconds
        "auto_remove": True,
        "use_config_proxy": False,
        "log_config": LogConfig(type=LogConfig.types.NONE),
        "network_mode": "none",
        "ipc_mode": "private",
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "mem_limit": f"{limits.memory_mb}m",
        "memswap_limit": f"{limits.memory_mb}m",
        "pids_limit": limits.pids,
        "nano_cpus": int(min(limits.cpus, cores) * 1e9),
        "shm_size": f"{min(_SHARED_MEMORY_MB, limits.memory_mb)}m",
        "ulimits": _ulimits(),
        "device_requests": [DeviceRequest(count=limits.gpus, capabilities=[["gpu"]])] if limits.gpus else None,
        "tmpfs": _tmpfs(plan),
        "mounts": _mounts(plan),
    }


def _ulimits() -> list[Ulimit]:
    """No core files, and numbers that the engine may grant where its own default is above what it may (podman's)."""
    most = {"nofile": (resource.RLIMIT_NOFILE, _OPEN_FILES), "nproc": (resource.RLIMIT_NPROC, _PROCESSES)}
    found = [Ulimit(name="core", soft=0, hard=0)]
    for name, (kind, wanted) in most.items():
        hard = resource.getrlimit(kind)[1]
        number = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        found.append(Ulimit(name=name, soft=number, hard=number))
    return found


def _tmpfs(plan: Plan) -> dict[str, str]:
    # Over a read-only root podman mounts a writable /var/tmp of its own, if there is none.
    folders = {"/tmp": f"size={_TMP_MB}m,mode=1777,noexec", "/var/tmp": "ro,size=64k,mode=0755"}
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
