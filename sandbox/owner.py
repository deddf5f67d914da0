"""Who made a container or a scratch folder: so that leftovers of dead processes, and only those, are swept."""

from __future__ import annotations

import os
from pathlib import Path


def owner() -> str:
    """This process, told apart from later ones with the same number: "pid-start-namespace". More may be appended."""
    pid = os.getpid()
    return f"{pid}-{_start_time(pid) or 0}-{_namespace()}"


def is_dead(name: str) -> bool:
    """Whether the process called `name` is surely gone. One of another machine or namespace never is."""
    pid, _, rest = name.partition("-")
    start, _, namespace = rest.partition("-")
    if not (pid.isdigit() and start.isdigit()) or namespace.partition("-")[0] != _namespace():
        return False
    if start == "0":
        return not _exists(int(pid))
    return _start_time(int(pid)) != start


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _start_time(pid: int) -> str | None:
    """Start of a process in clock ticks since boot (proc(5), field 22 of stat); None where there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return stat.rpartition(")")[2].split()[19]


def _namespace() -> str:
    """The process-number namespace of this boot; process numbers of others mean nothing here."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]
        return f"{os.stat('/proc/self/ns/pid').st_ino}.{boot}"
    except OSError:
        return f"host.{os.uname().nodename.replace('-', '.')}"
