# ruff: noqa: ARG002 - the stand-ins take what the real ones take
"""Scripted stand-ins. Each fails loudly when it is asked for more than it was told."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from grading.base import FULL_VIEW, Delivery, Grade, Score, Standing, Standings, Task, View
from recipes.base import ColumnFacts, DataFile, Description, Profile
from sandbox.base import ExecutionResult, FetchedFile, Limits, Mount, SandboxError, ScriptError

SUBMISSION = b"id,y\n1,0\n"


def a_task(**changes: object) -> Task:
    """A small regression task."""
    facts: dict[str, object] = {
        "name": "toy",
        "description": "A toy.",
        "metric": "rmse",
        "direction": "minimize",
        "train": "train.csv",
        "test": "test.csv",
        "sample_submission": "sample_submission.csv",
        "shared": [],
        "id": "id",
        "targets": ["y"],
        "columns": ["y"],
        "problem": "regression",
        "output": "values",
        "classes": [],
        "train_only": [],
        "split": "row",
        "split_column": None,
        "time": None,
        "train_rows": 100,
        "test_rows": 50,
        "views": 5,
        "unblind": None,
        "notes": [],
    }
    return Task(**(facts | changes))  # type: ignore[arg-type]


def a_description() -> Description:
    """What a profile of that task says."""
    return Description("tabular", 100, 50, [], 3, "A toy.")


def a_profile() -> Profile:
    """The whole profile of that task."""
    return Profile(
        a_description(),
        [DataFile("train.csv", "table, 100 rows, columns id, size, y")],
        [ColumnFacts("y", "target", 0.0, 100, "min 0, median 1, mean 1, max 2", ["1"])],
        ["id,size,y", "1,0.5,1"],
        ["id,y", "1,0"],
        ["pandas 3.1.1"],
        ["pandas"],
    )


def standing(attempt: str, mean: float, behind: float = 0.0, behind_error: float = 0.1, views: int = 1) -> Standing:
    """An attempt's standing."""
    score = Score([mean] * views, mean, 0.05, "minimize")
    return Standing({attempt: 1.0}, list(range(1, views + 1)), score, behind, behind_error)


def ok(seconds: float = 1.0) -> ExecutionResult:
    """Code that ran."""
    return ExecutionResult("ok", None, "", "", seconds, 100.0)


def failed(message: str = "boom", status: str = "error") -> ExecutionResult:
    """Code that raised."""
    error = ScriptError("ValueError", message, "Traceback", 3) if status == "error" else None
    return ExecutionResult(status, error, "", "", 1.0, 100.0)  # type: ignore[arg-type]


@dataclass
class ScriptedSession:
    """One container's worth of answers."""

    sandbox: ScriptedSandbox

    def execute(self, code: str, seconds: float, env: Mapping[str, str] | None = None) -> ExecutionResult:
        self.sandbox.codes.append(code)
        if "profile.json" in code:
            return ok()
        self.sandbox.allowed.append(seconds)
        with self.sandbox.lock:
            if not self.sandbox.results:
                raise AssertionError("the scripted sandbox has no further result")
            answer = self.sandbox.results.pop(0)
        if isinstance(answer, Exception):
            raise answer
        self.sandbox.wrote[threading.get_ident()] = answer.status == "ok"
        return answer

    def fetch(self, path: str, max_bytes: int) -> FetchedFile:
        if path == "profile.json":
            return FetchedFile(json.dumps(asdict(a_profile())).encode(), None)
        if self.sandbox.wrote.get(threading.get_ident()):
            return FetchedFile(SUBMISSION, None)
        return FetchedFile(None, f"{path} was not written")


@dataclass
class ScriptedSandbox:
    """Answers `results` in order; an exception among them is raised. The profile always succeeds."""

    results: list[ExecutionResult | SandboxError]
    codes: list[str] = field(default_factory=list)
    allowed: list[float] = field(default_factory=list)
    """Seconds that each script might take."""
    opened: list[object] = field(default_factory=list)
    """What each session was asked with."""
    warmed: list[tuple[int, object]] = field(default_factory=list)
    """How many were to be kept warm, and with what."""
    wrote: dict[int, bool] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def session(
        self, *, mounts: Sequence[Mount] = (), limits: Limits | None = None, env: Mapping[str, str] | None = None
    ) -> Iterator[ScriptedSession]:
        self.opened.append((mounts, limits, env))
        yield ScriptedSession(self)

    def keep_warm(
        self,
        count: int,
        *,
        mounts: Sequence[Mount] = (),
        limits: Limits | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        """Nothing is started here."""
        self.warmed.append((count, (mounts, limits, env)))

    def isolation(self) -> dict[str, str]:
        return {"engine": "scripted"}

    def close(self) -> None:
        pass


@dataclass
class ScriptedGrader:
    """Grades each attempt with the value in `values`; an attempt in `faulty` is invalid."""

    folder: Path
    task: Task
    values: dict[str, float]
    faulty: set[str] = field(default_factory=set)
    delivered: list[dict[str, float]] = field(default_factory=list)

    def infer(self) -> Task:
        return self.task

    def make_view(self, number: int) -> View:
        return View(number, f"views/view-{number}", 72, 78, 28)

    def grade(self, attempt: str, view: int, predictions: str) -> Grade:
        if attempt in self.faulty:
            return Grade(["1 id is missing"], None, None)
        if view == FULL_VIEW:
            return Grade([], None, None)
        return Grade([], self.values[attempt], 0.05)

    def standings(self, runs: dict[str, dict[int, str]]) -> Standings:
        order = sorted(runs, key=lambda attempt: self.values[attempt])
        best = self.values[order[0]]
        return Standings([standing(a, self.values[a], self.values[a] - best, 0.1, len(runs[a])) for a in order], None)

    def write_best(self, members: dict[str, float], runs: dict[str, dict[int, str]]) -> list[str]:
        (self.folder / "graded").mkdir(exist_ok=True)
        (self.folder / "graded/submission.csv").write_bytes(SUBMISSION)
        return []

    def deliver(
        self, members: dict[str, float], runs: dict[str, dict[int, str]], full: dict[str, str], audit: dict[str, str]
    ) -> Delivery:
        self.delivered.append(members)
        return Delivery("refit" if full else "views", "as scripted", 50, 1.0, 0.5, 1.5)

    def png(self, data: bytes) -> bytes | None:
        return data

    def close(self) -> None:
        pass
