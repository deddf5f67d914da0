"""describe: what can be known of a task without any hidden label."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from grading.base import Task
from recipes.base import Description, Modality, Profile
from recipes.render import render
from sandbox.base import Limits, Mount, Sandbox
from sandbox.script import run_script

PROFILE_BYTES = 2_000_000
"""A profile of 200 columns is under 100 kB."""


def profile_script(task: Task) -> str:
    """The script that `describe` runs."""
    return render("profile", task)


def describe(
    sandbox: Sandbox, task: Task, code: str, mounts: Sequence[Mount], limits: Limits, seconds: float, seed: int
) -> Profile:
    """Run the profile script `code` on the view in `mounts` and read what it wrote.

    Data that the profile cannot read must not end the run: then the description says so and names no columns.

    Raises: SandboxError.
    """
    run = run_script(
        sandbox,
        code,
        mounts=mounts,
        limits=limits,
        seconds=seconds,
        seed=seed,
        fetch="profile.json",
        max_bytes=PROFILE_BYTES,
    )
    if run.output.data is not None:
        try:
            return TypeAdapter(Profile).validate_json(run.output.data)
        except ValidationError as fault:
            return unprofiled(task, f"it wrote no valid profile ({fault.error_count()} faults)")
    reason = run.result.error.message if run.result.error else run.output.fault or run.result.status
    return unprofiled(task, reason)


def unprofiled(task: Task, reason: str) -> Profile:
    """A profile from the grader's facts alone."""
    modality: Modality = "series" if task.split == "time" else "tabular"
    summary = f"{task.problem} scored by {task.metric}. The columns could not be profiled: {reason}."
    description = Description(modality, task.train_rows, task.test_rows, [], 0, summary)
    return Profile(description, [], [], [], [], [], [])


def profile_json(profile: Profile) -> bytes:
    """The profile as `load_profile` reads it."""
    return json.dumps(asdict(profile), indent=1, ensure_ascii=False).encode("utf-8", "replace")


def load_profile(path: Path) -> Profile:
    """The profile in a file of `profile_json`.

    Raises: FileNotFoundError; ValidationError where the file holds no profile.
    """
    return TypeAdapter(Profile).validate_json(path.read_bytes())
