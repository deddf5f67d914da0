"""Who is dead: zombies, processes of before the machine was started again, and nobody who cannot be judged."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandbox.owner import is_dead, owner, state

PRINT = [sys.executable, "-c", "from sandbox.owner import owner; print(owner(), flush=True)"]


def parts() -> tuple[str, str, list[str]]:
    pid, start, place = owner().split("-")
    return pid, start, place.split(".")


def test_a_process_that_nobody_has_reaped_is_dead() -> None:
    child = subprocess.Popen(PRINT, stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    name = child.stdout.read().strip()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    assert is_dead(name)
    child.wait()


def test_before_the_machine_was_started_again_everybody_is_dead() -> None:
    """As long as the machine has a name by which it can be known (a container often has none)."""
    pid, start, (namespace, boot, *machine) = parts()
    earlier = ".".join([namespace, "0" * len(boot), *machine])
    wanted = "dead" if machine else "unknown"
    assert state(f"{pid}-{start}-{earlier}") == wanted
    assert state(f"{pid}-{start}-{earlier}-random") == wanted
    assert is_dead(f"{pid}-{start}-{earlier}") == bool(machine)


def test_another_machine_or_namespace_cannot_be_judged() -> None:
    pid, start, place = parts()
    assert state(f"{pid}-{start}-{'.'.join([place[0], '0' * 8, 'f' * 8])}") == "unknown"
    assert state(f"{pid}-{start}-{'.'.join(['1', *place[1:]])}") == "unknown"
    assert state(f"{pid}-{start}-{place[0]}.{'0' * 8}") == "unknown"
    assert state(owner()) == "alive"
