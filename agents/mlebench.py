"""MLE-bench (github.com/openai/mle-bench): its competitions on disk, and the file that `mlebench grade` takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from grading.base import TaskError
from grading.layout import PREPARED, PUBLIC, competitions_below
from sandbox.files import write_atomically

SUBMISSIONS = "submission.jsonl"


def competitions(folder: Path) -> list[Path]:
    """The folders of the prepared competitions below the data directory of MLE-bench, or the one that `folder` is.

    Raises: TaskError where there is none.
    """
    if not folder.expanduser().is_dir():
        raise TaskError(f"--mlebench {folder}: there is no such folder; give the data directory of mlebench prepare.")
    found = competitions_below(folder)
    if not found:
        raise TaskError(
            f"--mlebench {folder}: holds no competition (a folder with {PREPARED}/{PUBLIC}); give the data directory "
            f"of mlebench prepare, or one competition in it."
        )
    return found


def write_submissions(results: Mapping[str, Path | None], out: Path) -> Path:
    """Write OUT/submission.jsonl: a line for each competition id, with its submission as an absolute path.

    A competition without a valid submission has null there, as in MLE-bench's own experiments/make_submission.py:
    `mlebench grade` counts it as one that was not submitted. The same holds where the file is not there.
    """
    lines = [
        json.dumps({"competition_id": name, "submission_path": _absolute(path)})
        for name, path in sorted(results.items())
    ]
    target = out / SUBMISSIONS
    write_atomically(target, "".join(f"{line}\n" for line in lines).encode())
    return target


def _absolute(path: Path | None) -> str | None:
    return str(path.resolve()) if path is not None and path.is_file() else None
