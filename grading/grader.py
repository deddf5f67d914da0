"""The host's side of the grader: questions to a container that holds the labels and our code, and no generated code.

Answers are claims of another process, so they are bounded and validated before anything else sees them. This module
reads no table, no picture and no submission.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

import grading
from grading.base import Delivery, Grade, Standings, Task, TaskError, View
from grading.task import TaskSpec
from sandbox import frames
from sandbox.base import Limits, Mount, SandboxError
from sandbox.service import Service

INSIDE = "/grader"
COMMAND = ["python", "-m", "grading.worker"]
SECONDS = {
    "infer": 900.0, "make_view": 900.0, "grade": 600.0, "standings": 900.0, "write_best": 600.0, "deliver": 1800.0,
}  # fmt: skip
"""How long an answer may take; pictures take PICTURE_SECONDS."""
PICTURE_SECONDS = 60.0
MAX_TEXT = 2_000_000
"""Characters of all texts of an answer together (a picture has a bound of its own)."""
MAX_PICTURE = 8 * 2**20

T = TypeVar("T")
Runs = Mapping[str, Mapping[int, str]]
"""Attempt -> view -> path of its predictions, relative to the run folder."""


class GraderFailed(SandboxError):
    """The grader could not answer, which is no fault of the code that it graded. The text has its traceback."""


class Grader:
    """Grades one run. `with` starts the container, leaving stops it; may be used from several threads.

    Args:
        run_dir: the run folder; `views`, `hidden` (0700), `graded` and `attempts` are made in it.
        task: what `infer` said in an earlier process (when a run is resumed).
        limits: of the grader's container.

    Raises, every method: TaskError (the user's files are at fault), GraderFailed, ServiceTimeout, SandboxLost,
        SandboxClosed.
    """

    def __init__(
        self,
        spec: TaskSpec,
        run_dir: Path,
        image: str,
        seed: int,
        *,
        task: Task | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._spec, self._run_dir, self._seed, self._task = spec, run_dir.resolve(), seed, task
        self._service = Service(image, COMMAND, self._mounts(), limits or Limits(), working_dir=f"{INSIDE}/code")

    def __enter__(self) -> Grader:
        for name in ("attempts", "views", "graded"):
            (self._run_dir / name).mkdir(parents=True, exist_ok=True)
        (self._run_dir / "hidden").mkdir(mode=0o700, exist_ok=True)
        (self._run_dir / "hidden").chmod(0o700)
        self._service.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the container; a question under way ends with SandboxClosed. May be called from any thread."""
        self._service.close()

    def infer(self) -> Task:
        """The task with nothing left to guess; asked once."""
        if self._task is None:
            self._task = self._ask("infer", Task, spec=self._spec.for_worker())
        return self._task

    def make_view(self, number: int) -> View:
        """Write views/view-N for scripts and hidden/view-N for the grader."""
        return self._ask("make_view", View, number=number, split_file=_name(self._spec.views.file), **self._common())

    def grade(self, attempt: str, view: int, predictions: str) -> Grade:
        """Check and grade a submission; `predictions` is its path relative to the run folder."""
        return self._ask("grade", Grade, attempt=attempt, view=view, predictions=predictions, **self._common())

    def standings(self, runs: Runs) -> Standings:
        """All attempts compared, and the best blend where one is clearly better."""
        return self._ask("standings", Standings, runs=_json_runs(runs), **self._common())

    def write_best(self, members: Mapping[str, float], runs: Runs) -> list[str]:
        """Write the average of the members' graded predictions to graded/submission.csv; returns its faults."""
        return self._ask("write_best", list[str], members=dict(members), runs=_json_runs(runs), **self._common())

    def deliver(
        self, members: Mapping[str, float], runs: Runs, full: Mapping[str, str], audit: Mapping[str, str]
    ) -> Delivery:
        """Write the final graded/submission.csv and say what it can be trusted to score.

        Args:
            full: attempt -> predictions on the full view; may lack members.
            audit: attempt -> predictions on the audit view, where time splits.
        """
        paths = {"full": dict(full), "audit": dict(audit)}
        return self._ask("deliver", Delivery, members=dict(members), runs=_json_runs(runs), **paths, **self._common())

    def png(self, data: bytes) -> bytes | None:
        """The picture decoded and written anew; None where it is none, or too large."""
        if len(data) > MAX_PICTURE:
            return None
        answer = self._raw("png", PICTURE_SECONDS, data=base64.b64encode(data).decode("ascii"))
        if answer is None:
            return None
        try:
            clean = base64.b64decode(str(answer), validate=True)
        except binascii.Error as error:
            raise GraderFailed("The grader's answer to png is no base64.") from error
        if len(clean) > MAX_PICTURE or not clean.startswith(b"\x89PNG\r\n\x1a\n"):
            raise GraderFailed("The grader's answer to png is no PNG.")
        return clean

    def _common(self) -> dict[str, Any]:
        return {"task": asdict(self.infer()), "metric_file": _name(self._spec.metric.file)}

    def _ask(self, op: str, kind: type[T], **arguments: object) -> T:
        answer = self._raw(op, SECONDS[op], **arguments)
        if _length(answer) > MAX_TEXT:
            raise GraderFailed(f"The grader's answer to {op} is longer than {MAX_TEXT:,} characters.")
        try:
            return TypeAdapter(kind).validate_python(answer)
        except ValidationError as error:
            raise GraderFailed(f"The grader's answer to {op} is not what was agreed: {error}") from error

    def _raw(self, op: str, seconds: float, **arguments: object) -> object:
        answer = self._service.ask({"op": op, "seed": self._seed, **arguments}, seconds)
        error = answer.get("error")
        if error is None:
            return answer.get("ok")
        kind, message = (error.get("kind"), error.get("message")) if isinstance(error, dict) else ("", error)
        if kind == "task":
            raise TaskError(str(message)[:2000])
        raise GraderFailed(f"The grader failed on {op}:\n{str(message)[-10_000:]}")

    def _mounts(self) -> list[Mount]:
        code = Path(grading.__file__).resolve().parent
        mounts = [
            Mount(self._spec.data, f"{INSIDE}/data"),
            Mount(code, f"{INSIDE}/code/grading"),
            Mount(Path(frames.__file__).resolve(), f"{INSIDE}/code/sandbox/frames.py"),
            Mount(self._run_dir / "attempts", f"{INSIDE}/attempts"),
        ]
        mounts += [Mount(self._run_dir / name, f"{INSIDE}/{name}", True) for name in ("views", "hidden", "graded")]
        own = {Path(name) for name in (self._spec.metric.file, self._spec.views.file) if name is not None}
        return mounts + [Mount(path, f"{INSIDE}/custom/{path.name}") for path in sorted(own)]


def _name(path: str | None) -> str | None:
    return None if path is None else Path(path).name


def _json_runs(runs: Runs) -> dict[str, dict[str, str]]:
    return {attempt: {str(view): path for view, path in own.items()} for attempt, own in runs.items()}


def _length(value: object) -> int:
    """Characters of all texts in a JSON value."""
    if isinstance(value, str):
        return len(value)
    if isinstance(value, dict):
        return sum(len(str(key)) + _length(item) for key, item in value.items())
    return sum(_length(item) for item in value) if isinstance(value, list) else 8
