"""The run folder: where everything of a run lies."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from grading.base import TaskError
from grading.task import TaskSpec
from graphs.settings import Settings
from ranker.records import IN_A_RUN
from sandbox.files import write_atomically


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
        """LangGraph's checkpoints, where no database holds them."""
        return self.path / "checkpoints.sqlite"

    @property
    def database(self) -> Path:
        """Where its checkpoints are, if in a database (graphs/checkpoints_postgres.py)."""
        return self.path / "checkpoints.json"

    @property
    def clock(self) -> Path:
        """How long was worked on it (graphs/clock.py)."""
        return self.path / "clock.json"

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
    def profile(self) -> Path:
        """What a prompt may say of the data."""
        return self.path / "profile" / "profile.json"

    @property
    def profile_script(self) -> Path:
        """The script that made the profile."""
        return self.path / "profile" / "solution.py"

    @property
    def insight(self) -> Path:
        """What a model made of the task."""
        return self.path / "profile" / "insight.json"

    @property
    def start(self) -> Path:
        """The script that a person handed in."""
        return self.path / "start.py"

    @property
    def review(self) -> Path:
        """The ranked instructions, for a person to change."""
        return self.path / "review.yaml"

    @property
    def learning(self) -> Path:
        """What the ranker can learn from this run (ranker/records.py)."""
        return self.path / IN_A_RUN

    @property
    def llm(self) -> Path:
        """Every exchange with a model."""
        return self.path / "llm"

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
