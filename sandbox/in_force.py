"""What limits and walls are really in force, as the kernel tells it: inside a container, or of it from outside.

Standard library only: the doctor runs the text of this file as a cell, and imports it to read the same on the host.
"""

from __future__ import annotations

import ctypes
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")
UNLIMITED = 2**60
"""A number that means "no limit"; version 1 of the cgroups writes almost 2**63."""
SLACK = 1.01
"""A limit that is larger than was asked for by no more than this is kept: engines and file systems round."""
SMALL = 2**30
"""Bytes of a file system that may be asked for at once."""

_WALK_IN = "import ctypes, sys; sys.exit(ctypes.CDLL(None, use_errno=True).unshare(0x10000000) == 0)"
"""Asks for a user namespace of its own (CLONE_NEWUSER): the first step of many ways out."""


def limits(pid: str = "self", root: Path = CGROUPS, inside: bool = True, proc: Path = PROC) -> dict[str, float | None]:
    """Memory, swap on top of it (both MiB), processes and CPU cores that process `pid` may use; None: cannot be read.

    Inside a container its cgroup may be the root of what is mounted, whatever /proc calls it.
    """
    folders = _folders(proc / pid / "cgroup", root, inside)
    memory = _number(folders, "memory", "memory.max", "memory.limit_in_bytes")
    both = _number(folders, "memory", "", "memory.memsw.limit_in_bytes")
    swap = _number(folders, "memory", "memory.swap.max", "") if both is None else both - (memory or 0)
    if both is not None and both >= UNLIMITED:
        swap = both
    return {
        "memory_mb": _megabytes(memory),
        "swap_mb": _megabytes(_swap_there_is(swap, proc)),
        "pids": _number(folders, "pids", "pids.max", "pids.max"),
        "cpus": _cpus(folders),
    }


def facts() -> dict[str, Any]:
    """Everything that a probe inside a container tells."""
    status = _status()
    return {
        "limits": limits(),
        "uid": os.getuid(),
        "capabilities": {name: int(status.get(name, "0"), 16) for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")},
        "no_new_privileges": status.get("NoNewPrivs") == "1",
        "seccomp": int(status.get("Seccomp", "0")),
        "user_namespace": _user_namespace(),
        "apparmor": _read(Path("/proc/self/attr/current")).strip("\0\n "),
        "interfaces": interfaces_up(),
        "root_read_only": bool(os.statvfs("/").f_flag & os.ST_RDONLY),
        "writable": _writable(),
        "work": work(),
        "process_1": process_1(),
        "namespace_refused": subprocess.run([sys.executable, "-I", "-S", "-c", _WALK_IN], check=False).returncode == 0,
    }


def interfaces_up(folder: Path = Path("/sys/class/net")) -> list[str]:
    """Network interfaces that are switched on (kernels add a few of their own, which are off)."""
    names = os.listdir(folder) if folder.is_dir() else []  # gVisor has only the other list
    names = names or [line.split(":")[0].strip() for line in _read(Path("/proc/net/dev")).splitlines()[2:]]
    found = []
    for name in sorted(names):
        flags = _read(folder / name / "flags").strip()
        if not flags or int(flags, 16) & 1:
            found.append(name)
    return found


def work(folder: str = "/work") -> dict[str, Any]:
    """Size of the working folder in MiB, its file system, and whether it refuses more than that."""
    found = os.statvfs(folder)
    size = found.f_blocks * found.f_frsize
    kind = next((fields[2] for fields in _mounts() if fields[1] == folder), "the container's own layer")
    small = size < SMALL  # else it may be the machine's own disk, which must not be filled to see
    return {"mb": size / 2**20, "kind": kind, "refuses_more": small and _refuses(Path(folder) / ".probe", size + 2**20)}


def process_1() -> list[str]:
    """What of process 1 can be opened from here, which should be nothing."""
    opened = []
    for name in ("mem", "environ", "maps", "fd/0", "fd/1"):
        try:
            os.close(os.open(f"/proc/1/{name}", os.O_RDONLY | os.O_NONBLOCK))
        except OSError:
            continue
        opened.append(name)
    return opened


def _refuses(path: Path, size: int) -> bool:
    """Whether a file of `size` bytes cannot be had; it is asked for without being written."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        done = libc.fallocate(descriptor, 0, ctypes.c_int64(0), ctypes.c_int64(size))
        return bool(done != 0 and ctypes.get_errno() in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.ENOMEM))
    finally:
        os.close(descriptor)
        path.unlink()


def _writable() -> list[str]:
    points = [fields[1] for fields in _mounts()]
    return sorted(p for p in points if os.path.isdir(p) and os.access(p, os.W_OK) and not _read_only(p))


def _read_only(folder: str) -> bool:
    return bool(os.statvfs(folder).f_flag & os.ST_RDONLY)


def _mounts() -> list[list[str]]:
    return [line.split() for line in _read(Path("/proc/self/mounts")).splitlines()]


def _status() -> dict[str, str]:
    pairs = [line.partition(":") for line in _read(Path("/proc/self/status")).splitlines()]
    return {name: value.strip() for name, _, value in pairs}


def _user_namespace() -> bool:
    """Whether root in here is somebody else outside (user_namespaces(7): only the first one maps all to themselves)."""
    return _read(Path("/proc/self/uid_map")).split() != ["0", "0", str(2**32 - 1)]


def _folders(listing: Path, root: Path, inside: bool) -> dict[str, list[Path]]:
    """Where a process's cgroups may be, by controller of version 1; those of version 2 are under ""."""
    found: dict[str, list[Path]] = {}
    for line in _read(listing).splitlines():
        _, names, path = line.split(":", 2)
        for name in names.split(","):
            found[name] = [root / name / path.lstrip("/")] + ([root / name] if inside else [])
    return found


def _number(folders: dict[str, list[Path]], controller: str, second: str, first: str) -> float | None:
    """A limit by the name of its file in version 2, or else in version 1; "" where that version has none."""
    for folder, name in _places(folders, controller, second, first):
        text = _read(folder / name).strip()
        if text == "max":
            return float(UNLIMITED)
        if text.isdigit():
            return float(text)
    return None


def _places(folders: dict[str, list[Path]], controller: str, second: str, first: str) -> list[tuple[Path, str]]:
    new = [(folder, second) for folder in folders.get("", []) if second]
    return new + [(folder, first) for folder in folders.get(controller, []) if first]


def _cpus(folders: dict[str, list[Path]]) -> float | None:
    for folder, _ in _places(folders, "cpu", "cpu.max", ""):
        quota, _, period = _read(folder / "cpu.max").partition(" ")
        if quota == "max":
            return float(UNLIMITED)
        if quota.isdigit():
            return int(quota) / int(period)
    for folder, name in _places(folders, "cpu", "", "cpu.cfs_quota_us"):
        quota, period = _read(folder / name).strip(), _read(folder / "cpu.cfs_period_us").strip()
        if quota.startswith("-"):
            return float(UNLIMITED)
        if quota.isdigit() and period.isdigit():
            return int(quota) / int(period)
    return None


def _swap_there_is(limit: float | None, proc: Path) -> float | None:
    """No limit is needed where there is no swap at all (and kernels without swap have no file for it)."""
    lines = _read(proc / "meminfo").splitlines()
    total = next((line.split()[1] for line in lines if line.startswith("SwapTotal:")), "")
    return 0.0 if limit is None and total == "0" else limit


def _megabytes(size: float | None) -> float | None:
    return size if size is None or size >= UNLIMITED else size / 2**20


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
