"""One task of a batch as a process of its own: begun, or gone on with. The same here and on another machine."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal, localcontext
from pathlib import Path

from agents.batch_report import Found, last_line, read_found, spent_or
from agents.batch_table import Status
from graphs.folder import RunFolder
from sandbox.files import locked

POLL_S = 0.05
BUSY_S = 1.0
"""Between two looks at a run folder that another process works on."""
GRACE_S = 90.0
"""So long a run that was told to stop may take, before it is killed; it can be gone on with either way."""
STOPPED = 130
"""Exit code of a run that was stopped."""


@dataclass(frozen=True)
class Job:
    """What one task needs to be begun."""

    name: str
    task: str
    """Its path."""
    out: str
    """The folder of the batch."""
    options: tuple[str, ...] = ()
    """Of agents.run, for a run that begins; one that goes on keeps its own."""
    usd: float | None = None
    """What the calls of its models may cost."""
    anew: bool = False
    """Put aside what there is and begin again."""
    root: str = "."
    """Where the program lies."""
    command: tuple[str, ...] = ()
    """What runs a task; nothing: agents.run, ending with the process that starts it."""

    @property
    def folder(self) -> Path:
        """Its run folder."""
        return Path(self.out) / "runs" / self.name

    @property
    def log(self) -> Path:
        """What its run printed."""
        return Path(self.out) / "runs" / f"{self.name}.log"

    @property
    def earlier(self) -> Path:
        """Runs of it that were put aside, numbered."""
        return Path(self.out) / "earlier" / self.name

    def spent(self) -> float:
        """What its calls of models have cost in USD, in all its runs; where that cannot be read, its cap."""
        return spent_or([self.folder, *self.earlier.glob("*")], self.usd or 0.0)


@dataclass(frozen=True)
class Ended:
    """How a task ended."""

    status: Status
    code: int | None
    seconds: float
    usd: float | None
    """What its calls of models have cost in all its runs; None where nobody knows."""
    fault: str | None = None
    found: Found | None = None
    files: dict[str, bytes] = field(default_factory=dict)
    """Files that lie on another machine only, by their names in the folder `runs`."""


def work(job: Job, stopping: threading.Event) -> Ended:
    """Run the task to its end, or until `stopping`.

    Raises: OSError where files cannot be written or no process can be started.
    """
    began = time.monotonic()
    job.log.parent.mkdir(parents=True, exist_ok=True)
    while True:
        if not _until_free(job.folder, stopping):
            return Ended("stopped", None, time.monotonic() - began, job.spent(), "another process works on it")
        code, stopped, since = _run(job, _arguments(job), stopping)
        if code != 2 or not _busy(job.folder):  # else somebody else was faster
            break
    status, fault, found = _judged(job, code, stopped, since)
    return Ended(status, code, time.monotonic() - began, job.spent(), fault, found)


def _until_free(folder: Path, stopping: threading.Event) -> bool:
    """Wait while another process works on the run; False where the batch stops before."""
    while _busy(folder):
        if stopping.wait(BUSY_S):
            return False
    return not stopping.is_set()


def _busy(folder: Path) -> bool:
    lock = folder / "run.lock"
    if not lock.exists():
        return False
    try:
        locked(lock).close()
    except BlockingIOError:
        return True
    return False


def _arguments(job: Job) -> list[str]:
    """Go on with a run that was begun; begin it in an empty folder otherwise."""
    begun = RunFolder(job.folder).record.exists()
    if begun and not job.anew:
        return ["--resume", str(job.folder)]
    if job.folder.exists():
        job.earlier.mkdir(parents=True, exist_ok=True)
        job.folder.rename(job.earlier / str(len(list(job.earlier.iterdir())) + 1))
    cap = [] if job.usd is None else ["--usd", dollars(job.usd)]
    return [job.task, "--out", str(job.folder), *job.options, *cap]


def dollars(usd: float) -> str:
    """USD in decimals, rounded down: a run never gets more than is held for it."""
    with localcontext(rounding=ROUND_DOWN):
        return f"{Decimal(repr(usd)):.6f}"


def _run(job: Job, arguments: list[str], stopping: threading.Event) -> tuple[int, bool, int]:
    """Exit code, whether it was stopped by us, and how long the log was before it printed."""
    command = [*(job.command or (sys.executable, "-m", "agents.batch_child", str(os.getpid()))), *arguments]
    with job.log.open("ab") as log:
        words = shlex.join(["python", "-m", "agents.run", *arguments])
        log.write(f"== {time.strftime('%Y-%m-%d %H:%M:%S')} {words}\n".encode())
        log.flush()
        since = log.tell()
        process = subprocess.Popen(
            command,
            cwd=job.root,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C is for the batch, which then lets this one end
            env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )
        try:
            return *_waited(process, stopping), since
        finally:
            if process.poll() is None:
                _kill(process)


def _waited(process: subprocess.Popen[bytes], stopping: threading.Event) -> tuple[int, bool]:
    while (code := process.poll()) is None:
        if stopping.wait(POLL_S):
            return _stop(process), True
    return code, False


def _stop(process: subprocess.Popen[bytes]) -> int:
    """Let it end cleanly, else kill it; its containers end with it."""
    process.terminate()
    try:
        return process.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        return _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> int:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return process.wait()


def _looked_at(folder: Path) -> bool:
    """Whether the task of a run was found right, so that what it has done since would be lost by beginning it anew.

    The profile is written after all checks of the task and before anything is tried. What is refused later can be put
    right while the run waits, such as a key that this shell does not have.
    """
    return RunFolder(folder).profile.exists()


def _judged(job: Job, code: int, stopped: bool, since: int) -> tuple[Status, str | None, Found | None]:
    """What an exit code means, with the report and the last line of the log. A traceback is no answer of a run."""
    found = read_found(job.folder) if code in (0, 1) else None
    if code == 0 and found and found.valid:
        return "done", None, found
    if code == 1 and found and not found.valid:
        return "invalid", found.end, found
    if stopped or code == STOPPED:
        return "stopped", "it was stopped and can be gone on with", None
    line = last_line(job.log, since)
    if code == 2:
        return "stopped" if _looked_at(job.folder) else "refused", line, None
    if code < 0:
        return "failed", f"killed by signal {-code} ({signal.strsignal(-code)})", None
    return "failed", f"exit code {code}: {line}", None
