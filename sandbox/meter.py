"""What a container really used, read from the host's own cgroup files (versions 1 and 2), where they are visible."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sandbox import in_force

_ROOT = Path("/sys/fs/cgroup")


class Meter:
    """Memory of one container. Every reading is None where the engine's cgroups cannot be seen from here."""

    def __init__(self, container_id: str, pid: int, root: Path = _ROOT) -> None:
        self._folder = _find(container_id, pid, root)
        self._limits = in_force.limits(str(pid), root, inside=False) if self._folder else {}

    def peak_mb(self) -> float | None:
        """Largest memory so far in MiB (version 1 counts the page cache too)."""
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            text = self._read(name)
            if text is not None and text.strip().isdigit():
                return int(text) / 2**20
        return None

    def beyond(self, asked: Mapping[str, float]) -> list[str]:
        """Which of `asked` (named as in `in_force.limits`) are not in force; nothing where that cannot be seen."""
        return [name for name, most in asked.items() if self._limits and self._exceeds(name, most)]

    def _exceeds(self, name: str, most: float) -> bool:
        limit = self._limits[name]
        if limit is None:  # no such file: no such limit, but where version 1 keeps a controller somewhere else
            return name == "swap_mb" or self._read("memory.max") is not None
        return limit > most * in_force.SLACK

    def out_of_memory_kills(self) -> int | None:
        """How many processes the kernel has killed here for lack of memory."""
        for name in ("memory.events", "memory.oom_control"):
            for line in (self._read(name) or "").splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill" and value.isdigit():
                    return int(value)
        return None

    def _read(self, name: str) -> str | None:
        if self._folder is None:
            return None
        try:
            return (self._folder / name).read_text()
        except OSError:  # no such file in this cgroup version, or the container has ended
            return None


def _find(container_id: str, pid: int, root: Path) -> Path | None:
    """The memory cgroup of process `pid`, if that really is this container (in a VM, numbers mean other processes)."""
    try:
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory") or container_id not in path:
            continue
        folder = root / controllers / path.lstrip("/")
        if (folder / "memory.max").exists() or (folder / "memory.limit_in_bytes").exists():
            return folder
    return None
