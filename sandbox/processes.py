"""Relays and kernels of ours whose engine is gone: killed together with everybody who could have ended them.

A relay ends when its client does, because the engine then closes its stdin. An engine that was killed cannot: what it
ran lives on, held by a shim that serves nobody, until the engine is started again.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

from sandbox.relay_start import FOLDER

_MARKS = ("from sandbox import relay_start", str(FOLDER / "connection.json"))
"""What the command lines of a relay and of a kernel hold."""
_SHIM = "containerd-shim"
_PROC = Path("/proc")


def our_processes() -> Iterator[tuple[int, str]]:
    """The number and a name of every relay and kernel of this machine, in containers too."""
    for pid in sorted(int(path.name) for path in _PROC.iterdir() if path.name.isdigit()) if _PROC.is_dir() else []:
        if _is_ours(pid):
            yield pid, "relay" if _MARKS[0] in _command(pid) else "kernel"


def lost_processes() -> Iterator[tuple[int, str]]:
    """Those that no engine looks after."""
    return (found for found in our_processes() if _is_lost(found[0]))


def end_process(pid: int) -> None:
    """Kill it, if it is still a lost one of ours. Raises: OSError."""
    if _is_ours(pid) and _is_lost(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it went with another one


def _is_ours(pid: int) -> bool:
    return any(mark in _command(pid) for mark in _MARKS)


def _is_lost(pid: int) -> bool:
    """Whether whoever started the first of our processes above `pid` is a shim without an engine."""
    parent = _parent(pid)
    while _is_ours(parent):
        parent = _parent(parent)
    words = _command(parent).split("\0")
    if not Path(words[0]).name.startswith(_SHIM) or "-address" not in words[:-1]:
        return False
    return not _answers(words[words.index("-address") + 1])


def _answers(address: str) -> bool:
    """Whether anybody listens at a socket's path; one that we may not ask counts as answering."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        client.settimeout(2)
        try:
            client.connect(address)
        except (FileNotFoundError, ConnectionRefusedError):
            return False
        except OSError:
            return True
    return True


def _command(pid: int) -> str:
    """The words of its command line, each followed by a zero byte."""
    try:
        return (_PROC / str(pid) / "cmdline").read_text(errors="replace")
    except OSError:
        return ""


def _parent(pid: int) -> int:
    try:
        return int((_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()[1])
    except (OSError, IndexError):
        return 0
