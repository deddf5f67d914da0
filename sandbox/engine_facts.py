"""What a container engine says of itself, and how much of that is to be believed.

Docker's words are right. Podman's are about the machine, whatever it can do itself: a rootless one promises limits
that it cannot keep (seen with 4.3), and under cgroup version 2 it looks for files of version 1 (its `pkg/sysinfo`).
So limits are measured on every container (`Container`), and only what is certain is refused beforehand.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sandbox.base import LimitsNotEnforced, SandboxError

_CLAIMS = {"MemoryLimit": "memory_mb", "PidsLimit": "pids", "CpuCfsQuota": "cpus"}
_NAMES = {"memory_mb": "memory", "swap_mb": "swap", "pids": "process", "cpus": "CPU"}
DELEGATION = "`Delegate=cpu cpuset io memory pids` in the systemd unit user@.service (see docs/sandbox.md)"
SWITCH = "start the machine with the kernel parameters `cgroup_enable=memory swapaccount=1`"


@dataclass(frozen=True)
class Facts:
    """An engine's answers to `info` and `version`."""

    info: Mapping[str, Any]
    version: Mapping[str, Any]

    @property
    def rootless(self) -> bool:
        """Whether it runs as an ordinary user, who is number 0 in its containers."""
        return bool(self.info.get("Rootless")) or "name=rootless" in self._options()

    @property
    def cgroup_version(self) -> str:
        """The cgroup version, "1" or "2"."""
        return str(self.info.get("CgroupVersion") or "1")

    @property
    def cpus(self) -> int:
        """CPU cores of its machine."""
        return int(self.info.get("NCPU") or os.cpu_count() or 1)

    @property
    def ram_mb(self) -> int:
        """Memory of its machine in MiB; 0 where it does not tell."""
        return int(self.info.get("MemTotal") or 0) // 2**20

    def check(self) -> None:
        """Refuse an engine that surely keeps no limits. Raises: LimitsNotEnforced."""
        if self.rootless and self.cgroup_version == "1":
            raise LimitsNotEnforced(
                "A rootless container engine cannot keep limits under cgroup version 1; start this machine with cgroup "
                "version 2 (kernel parameter `systemd.unified_cgroup_hierarchy=1`) and delegate its controllers: "
                f"{DELEGATION}, or use an engine that runs as root."
            )
        believed = ["MemoryLimit"] if self.cgroup_version == "2" else list(_CLAIMS)
        missing = [_CLAIMS[key] for key in believed if self.info.get(key) is False]
        if missing:
            raise LimitsNotEnforced(self.unlimited(missing))

    def unlimited(self, missing: Iterable[str]) -> str:
        """What to say of limits (named as in `in_force.limits`) that are not in force, with a remedy."""
        names = " and ".join(_NAMES[name] for name in missing)
        remedy = f"delegate them: {DELEGATION}" if self.rootless else SWITCH
        return f"This container engine does not enforce {names} limits; {remedy}."

    def require_runtime(self, runtime: str) -> None:
        """Raises: SandboxError where no runtime of that name is registered."""
        known = sorted(self.info.get("Runtimes") or {})
        if runtime not in known:
            raise SandboxError(
                f"The container engine knows no runtime {runtime!r} (it has {', '.join(known)}); install it, name it "
                'under "runtimes" in /etc/docker/daemon.json and restart Docker.'
            )

    def describe(self) -> dict[str, str]:
        """The engine's part of `Sandbox.isolation`."""
        name = "Podman" if any("podman" in part.lower() for part in self._components()) else "Docker"
        return {
            "engine": f"{name} {self.info.get('ServerVersion', '?')}",
            "runtime": str(self.info.get("DefaultRuntime", "?")),
            "cgroups": f"version {self.cgroup_version}",
            "seccomp": "default profile" if "name=seccomp" in ",".join(self._options()) else "none",
            "daemon": "rootless" if self.rootless else "runs as root",
        }

    def _options(self) -> list[str]:
        return [str(option) for option in self.info.get("SecurityOptions") or []]

    def _components(self) -> list[str]:
        return [str(part.get("Name", "")) for part in self.version.get("Components") or []]
