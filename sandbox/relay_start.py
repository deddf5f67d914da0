"""In the container, before anything else: start the kernel while the relay's imports load, and harden process 1.

Standard library only. Process 1 becomes non-dumpable, so that code of the same user cannot open its memory or
its pipes through /proc (measured: it can otherwise, also through `--init`).
"""

from __future__ import annotations

import ctypes
import json
import os
import secrets
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from sandbox import relay_filter

FOLDER = Path("/tmp/.kernel")
"""Holds the kernel's sockets and connection file; memory, inside the container."""
PORTS = {"shell": 1, "iopub": 2, "stdin": 3, "control": 4, "hb": 5}

_PR_SET_DUMPABLE = 4
_LAUNCH = (
    "import sys; sys.modules['debugpy'] = None; "  # a debugger nobody attaches costs a fifth of the start
    "from ipykernel import kernelapp; kernelapp.launch_new_instance()"
)
_OPTIONS = [
    "--HistoryManager.enabled=False",
    "--InteractiveShell.colors=nocolor",
    "--InteractiveShell.xmode=Plain",
    "--IPKernelApp.log_level=40",
]


@dataclass(frozen=True)
class Kernel:
    """A started kernel."""

    process: subprocess.Popen[bytes]
    key: bytes
    """Signs the messages of the Jupyter protocol."""
    log: int
    """Descriptor of what the kernel wrote outside of cells."""


def harden() -> None:
    """Close this process to its own user's other processes."""
    if ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_DUMPABLE) was refused")
    # Signals without a handler cannot reach process 1 from inside; Python gives SIGINT one, so replace it.
    signal.signal(signal.SIGINT, lambda number, frame: None)


def start() -> Kernel:
    """Start ipykernel on sockets in `FOLDER`, then harden this process; no foreign code runs before that."""
    relay_filter.install()
    FOLDER.mkdir(mode=0o700)
    key = secrets.token_hex(32)
    connection = {"transport": "ipc", "ip": str(FOLDER / "s"), "key": key, "signature_scheme": "hmac-sha256"}
    ports = {f"{name}_port": number for name, number in PORTS.items()}
    (FOLDER / "connection.json").write_text(json.dumps(connection | ports | {"kernel_name": ""}))
    log = os.open(FOLDER / "log", os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    words = [sys.executable, "-c", _LAUNCH, "-f", str(FOLDER / "connection.json"), *_OPTIONS]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
    # When memory runs out the kernel is to die, not the relay that reports it.
    # (Before hardening: a child of a hardened process belongs to root in /proc until its exec is through.)
    Path(f"/proc/{process.pid}/oom_score_adj").write_text("1000")
    harden()
    return Kernel(process, key.encode(), log)
