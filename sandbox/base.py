"""What a sandbox promises: values, contracts and failures. Knows no engine, no model and no task.

Two kinds of failure are kept apart. *Failing code* is a value: `ExecutionResult.status` says how it
ended. A *failing machine* is an exception:

    SandboxError
    ├── EngineUnavailable    no engine answers, or the user may not use it
    ├── ImageMissing         the engine runs, the image is not there
    ├── LimitsNotEnforced    the engine took a limit and does not keep it
    ├── SandboxLost          the engine or the container went away under us
    └── SandboxClosed        we were told to stop (Ctrl-C) while code was running
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

Status = Literal["ok", "error", "timeout", "out_of_memory", "killed", "output_limit"]

WORK_DIR = "/work"
"""The working folder inside the container; the task's files are mounted read-only on /work/data."""


class SandboxError(Exception):
    """The machine failed, not the code: never shown to a model. The text is one sentence with a remedy."""


class EngineUnavailable(SandboxError):
    """No container engine answers, or this user may not use it."""


class ImageMissing(SandboxError):
    """The engine answers but does not have the image."""


class LimitsNotEnforced(SandboxError):
    """The engine accepted a limit that it does not keep."""


class SandboxLost(SandboxError):
    """The engine or the container disappeared while it was in use."""


class SandboxClosed(SandboxError):
    """The sandbox was closed (Ctrl-C) while code was running."""


@dataclass(frozen=True)
class Limits:
    """What one container may use. Wall clock is given to each `Session.execute`."""

    memory_mb: int = 4096
    """RAM in MiB; there is no swap on top of it."""
    cpus: float = 1.0
    """CPU cores."""
    pids: int = 512
    """Processes and threads together."""
    disk_mb: int = 4096
    """Scratch space in MiB (the working folder)."""
    output_mb: int = 64
    """What a program may print in MiB before it is stopped (status "output_limit")."""
    gpus: int = 0
    """GPUs that are lent to the container; needs an engine with NVIDIA's container toolkit."""

    def counted(self) -> dict[str, float]:
        """What cgroups bound, named as in `sandbox.in_force.limits`."""
        return {"memory_mb": self.memory_mb, "swap_mb": 0, "pids": self.pids, "cpus": self.cpus}


@dataclass(frozen=True)
class Mount:
    """A file or folder of the host, seen in the container. Read-only unless `writable`."""

    source: Path
    """Absolute path on the host."""
    target: str
    """Absolute path in the container."""
    writable: bool = False
    """Only ever true for containers that run no generated code."""


@dataclass(frozen=True)
class ScriptError:
    """The exception that ended a script."""

    type: str
    """Class name, such as "ValueError"."""
    message: str
    """Its text, middle elided when long."""
    traceback: str
    """The traceback without terminal colours, middle elided when long."""
    line: int | None
    """Line of the script (1-based) that was running, where known."""


@dataclass(frozen=True)
class ExecutionResult:
    """How one piece of code ended. Status, time and memory are the host's own measure."""

    status: Status
    error: ScriptError | None
    stdout: str
    """What was printed, middle elided with the number of characters cut."""
    stderr: str
    seconds: float
    """Wall clock."""
    peak_memory_mb: float | None
    """Largest memory of the container in MiB; None where the engine does not tell."""
    plots: list[bytes] = field(default_factory=list)
    """Untrusted bytes of PNG pictures that were displayed (bounded in number and size)."""


@dataclass(frozen=True)
class FetchedFile:
    """A file taken out of the working folder: its bytes, or why it was not taken."""

    data: bytes | None
    fault: str | None
    """One sentence for the script's author, such as "submission.csv was not written"."""


class Session(Protocol):
    """One container with one kernel, used for one try and thrown away."""

    def execute(self, code: str, seconds: float, env: Mapping[str, str] | None = None) -> ExecutionResult:
        """Run `code` for at most `seconds` of wall clock (interrupt, grace, kill).

        `env` is added to the kernel's environment first; what libraries read when they are loaded belongs into the
        session's own.

        Raises: SandboxLost, SandboxClosed.
        """
        ...

    def fetch(self, path: str, max_bytes: int) -> FetchedFile:
        """Take a regular file (never through a link) below the working folder, also after a time-out.

        Raises: SandboxLost, SandboxClosed.
        """
        ...


class Sandbox(Protocol):
    """A place that runs untrusted code. `with` opens it, leaving frees everything; constructing does nothing."""

    def session(
        self, *, mounts: Sequence[Mount] = (), limits: Limits | None = None, env: Mapping[str, str] | None = None
    ) -> AbstractContextManager[Session]:
        """A fresh, hardened container; a warm one where `keep_warm` was asked for the same kind.

        Raises: EngineUnavailable, ImageMissing, LimitsNotEnforced, SandboxLost, SandboxClosed.
        """
        ...

    def keep_warm(
        self,
        count: int,
        *,
        mounts: Sequence[Mount] = (),
        limits: Limits | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Have `count` containers of this kind ready, the usual imports done, and refill in the background; 0 ends it.

        A wish, never a promise: memory bounds it, and a session that finds none starts cold. Returns at once.
        """
        ...

    def isolation(self) -> dict[str, str]:
        """The isolation in force, for the report: engine, network, user, limits, scratch and so on."""
        ...

    def close(self) -> None:
        """Stop what runs (it ends with SandboxClosed) and free everything. May be called from any thread."""
        ...
