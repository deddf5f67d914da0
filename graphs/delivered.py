"""What a run that has ended delivered, and how to put it back. Light: a batch asks it for each of its tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

from grading.base import FULL_VIEW, TaskError
from graphs.folder import RunFolder
from sandbox.files import write_atomically


def put_back(folder: RunFolder) -> None:
    """Where the submission of a run that has ended was removed since, put what was delivered in its place.

    Raises: TaskError where that is gone as well.
    """
    found = delivered(folder)
    if found not in (None, folder.submission):
        write_atomically(folder.submission, found.read_bytes())


def delivered(folder: RunFolder) -> Path | None:
    """The submission of a run that has ended or, where it was removed, what it was a copy of (see graphs.finish).

    None where the run found no valid submission.

    Raises: TaskError where both are gone.
    """
    if folder.submission.exists():
        return folder.submission
    report = read_report(folder)
    try:
        copied = _copied(folder, report) if report["valid"] else None
    except (KeyError, TypeError) as fault:
        raise TaskError(f"{folder.report} does not say what was delivered ({fault!r}): start the task anew.") from None
    if copied and not copied.exists():
        raise TaskError(
            f"{folder.submission} is gone, and so is {copied}, of which it was a copy: start the task anew."
        )
    return copied


def read_report(folder: RunFolder) -> dict[str, Any]:
    """The report of a run that has ended. Raises: TaskError where it cannot be read."""
    try:
        return cast(dict[str, Any], json.loads(folder.report.read_text()))
    except (OSError, ValueError) as fault:
        raise TaskError(f"{folder.report} cannot be read ({fault}): start the task anew.") from None


def _copied(folder: RunFolder, report: dict[str, Any]) -> Path:
    """What the grader wrote last; where nothing could be graded, the winner's predictions."""
    if report["blind"]:
        return folder.graded
    runs = [run for attempt in report["attempts"] if attempt["id"] in report["winner"] for run in attempt["runs"]]
    predictions: str = {run["view"]: run["predictions"] for run in runs}[FULL_VIEW]
    return folder.path / predictions
