"""What `agents.run` does with Kaggle before a run, and after it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.kaggle_api import KaggleDown
from agents.kaggle_submit import ready_to_submit, submit
from agents.kaggle_task import fetch, kaggle_slug
from agents.run import BAD_INPUT, INTERRUPTED, MACHINE, NONE_FOUND
from grading.base import TaskError
from graphs.folder import RunFolder

Tell = Callable[[str], object]


def fetched(task: Path | None, resume: Path | None, submitting: bool, tell: Tell, quiet: bool) -> Path | None:
    """The task, downloaded where it is `kaggle:SLUG`. What stands against --submit is found before anything runs.

    Raises: TaskError, KaggleDown.
    """
    if slug := kaggle_slug(task):
        task = fetch(slug, tell, quiet or not sys.stderr.isatty())
    if submitting:
        ready_to_submit(task, resume)
    return task


def submitted(folder: Path, report: dict[str, Any], tell: Tell) -> tuple[dict[str, Any], tuple[str, int] | None]:
    """Send the submission: what the report says of it, or why it was not sent, with the exit code."""
    try:
        return {"submitted": asdict(submit(folder, RunFolder(folder).load()[0], report, tell))}, None
    except TaskError as fault:
        return {"submitted": None}, (str(fault), BAD_INPUT if report.get("valid") else NONE_FOUND)
    except KaggleDown as fault:
        return {"submitted": None}, (str(fault), MACHINE)
    except KeyboardInterrupt:
        again = f"python -m agents.run --resume {folder} --submit"
        return {"submitted": None}, (
            f"Stopped; to send the submission, or to see how it was scored: {again}",
            INTERRUPTED,
        )
