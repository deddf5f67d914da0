"""The run folder: where everything of a run lies, and the settings that it was started with."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from grading.base import TaskError
from grading.task import TaskSpec
from graphs.plan import Budget
from sandbox.base import Limits

MEMORY_SHARE = 0.8
"""All containers of a run together get at most this share of RAM."""
GRADER_SHARES = 1
"""The grader counts as one more script when RAM is divided."""


@dataclass(frozen=True)
class Settings:
    """What a run was started with, resolved: nothing in it depends on the machine that resumes it."""

    attempts: int
    minutes: float
    first_valid: bool
    parallel: int
    seed: int
    script_seconds: float
    memory_mb: int
    cpus: float
    disk_mb: int

    def budget(self) -> Budget:
        """The part that the plan sees."""
        return Budget(self.attempts, self.minutes * 60, self.first_valid, self.parallel, self.script_seconds)

    def limits(self) -> Limits:
        """The part that the sandbox sees."""
        return Limits(memory_mb=self.memory_mb, cpus=self.cpus, disk_mb=self.disk_mb)


def settle(
    spec: TaskSpec,
    *,
    attempts: int | None = None,
    minutes: float | None = None,
    first_valid: bool = False,
    parallel: int | None = None,
    seed: int = 0,
) -> Settings:
    """Settings from the task, what the user said (which wins), and the machine's cores and memory.

    A script gets a quarter of the run's time unless the task says otherwise: two drafts one after the other, at 60 %
    of it each, and two refits still fit.
    """
    cores = len(os.sched_getaffinity(0))
    cpus = min(float(cores), spec.limits.cpus or max(1, min(4, cores // 2)))
    side_by_side = parallel or max(1, int(cores // cpus))
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    share = int(ram * MEMORY_SHARE / (side_by_side + GRADER_SHARES))
    whole = minutes if minutes is not None else spec.budget.minutes
    script = spec.limits.minutes * 60 if spec.limits.minutes else min(600.0, max(20.0, whole * 60 / 4))
    return Settings(
        attempts=attempts if attempts is not None else spec.budget.attempts,
        minutes=whole,
        first_valid=first_valid,
        parallel=side_by_side,
        seed=seed,
        script_seconds=script,
        memory_mb=min(share, spec.limits.memory_mb or 8192),
        cpus=cpus,
        disk_mb=spec.limits.disk_mb or 4096,
    )


@dataclass(frozen=True)
class RunFolder:
    """Names of everything in a run folder."""

    path: Path

    @property
    def record(self) -> Path:
        """Task specification and settings."""
        return self.path / "task.json"

    @property
    def checkpoints(self) -> Path:
        """LangGraph's checkpoints."""
        return self.path / "checkpoints.sqlite"

    @property
    def submission(self) -> Path:
        """Always the best so far."""
        return self.path / "submission.csv"

    @property
    def graded(self) -> Path:
        """Where the grader writes a submission before it is put in place."""
        return self.path / "graded" / "submission.csv"

    @property
    def report(self) -> Path:
        """What was tried and what came out."""
        return self.path / "report.json"

    @property
    def solution(self) -> Path:
        """The script, or the members of a blend."""
        return self.path / "solution"

    def view(self, number: int) -> Path:
        """The files of a view."""
        return self.path / "views" / f"view-{number}"

    def attempt(self, attempt: str, tries: int) -> Path:
        """The files of one try."""
        return self.path / "attempts" / attempt / f"try-{tries}"

    def relative(self, path: Path) -> str:
        """`path` as state and grader name it."""
        return path.relative_to(self.path).as_posix()

    def create(self, spec: TaskSpec, settings: Settings) -> None:
        """Make the folder and its record; nothing changes where there is one already."""
        if self.record.exists():
            return
        self.path.mkdir(parents=True, exist_ok=True)
        text = json.dumps({"task": spec.model_dump(mode="json"), "settings": asdict(settings)}, indent=1)
        write_atomically(self.record, text.encode())

    def load(self) -> tuple[TaskSpec, Settings]:
        """What `create` wrote.

        Raises: TaskError where the folder is no run.
        """
        try:
            record = json.loads(self.record.read_text())
            return TaskSpec.model_validate(record["task"]), Settings(**record["settings"])
        except FileNotFoundError:
            raise TaskError(f"{self.path} is not a run folder (it has no task.json): name one under runs/.") from None
        except (ValueError, KeyError, TypeError) as fault:
            raise TaskError(f"{self.record} cannot be read ({fault}): start the task anew.") from None


def write_atomically(path: Path, data: bytes) -> None:
    """Write so that a reader, also after a crash, sees the old file or the new one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
