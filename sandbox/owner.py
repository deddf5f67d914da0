"""Who made a container, a scratch folder or a temporary folder: so that those of dead processes can be swept.

A name is "pid-start-place"; place is "namespace.boot.machine" on Linux. Only what surely belongs to a dead process
counts as dead: one of another machine or of another process-number namespace cannot be judged from here.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

_MACHINE_ID = Path("/etc/machine-id")


def owner() -> str:
    """This process, told apart from later ones with the same number. More may be appended after a "-"."""
    pid = os.getpid()
    return f"{pid}-{_start_time(pid) or 0}-{_place()}"


def is_dead(name: str) -> bool:
    """Whether the process called `name` is surely gone."""
    return state(name) == "dead"


def state(name: str) -> Literal["alive", "dead", "unknown"]:
    """What is known of the process called `name`."""
    pid, _, rest = name.partition("-")
    start, _, place = rest.partition("-")
    place = place.partition("-")[0]
    if not (pid.isdigit() and start.isdigit() and place):
        return "unknown"
    if place != _place():
        return "dead" if _is_earlier_boot(place) else "unknown"
    found = _start_time(int(pid))
    if found is None or start == "0":  # no /proc here, or it hides other users' processes
        return _existence(int(pid), start)
    return "alive" if found == start else "dead"


def _existence(pid: int, start: str) -> Literal["alive", "dead", "unknown"]:
    """What a signal that is not sent tells; whether it is the same process only where starts are not known at all."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return "dead"
    except OSError:
        pass  # it is another user's
    return "alive" if start == "0" else "unknown"


def _start_time(pid: int) -> str | None:
    """Start of a process in clock ticks since boot (proc(5), field 22 of stat); "ended" for a zombie, None for none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
    return "ended" if fields[0] in ("Z", "X") else fields[19]


def _place() -> str:
    """The process-number namespace, the boot and the machine; process numbers of others mean nothing here."""
    try:
        namespace, boot = os.stat("/proc/self/ns/pid").st_ino, _boot()
    except OSError:
        return f"host.{os.uname().nodename.replace('-', '.')}"
    machine = _machine()
    return f"{namespace}.{boot}.{machine}" if machine else f"{namespace}.{boot}"


def _is_earlier_boot(place: str) -> bool:
    """Whether `place` is this very machine before it was started again: nothing of then is alive."""
    parts, own = place.split("."), _place().split(".")
    return len(parts) == len(own) == 3 and parts[2] == own[2] and parts[1] != own[1]


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()[:8]


def _machine() -> str:
    """Eight hex digits of this machine, hashed as machine-id(5) asks for; empty where it has no name."""
    try:
        name = _MACHINE_ID.read_text().strip()
    except OSError:
        return ""
    return hashlib.sha256(f"linguacodus {name}".encode()).hexdigest()[:8] if len(name) == 32 else ""
