"""describe: what can be known of a task without any hidden label."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter, ValidationError

from grading.base import Task
from recipes.base import Description, Modality
from recipes.render import render
from sandbox.base import Limits, Mount, Sandbox
from sandbox.script import run_script

PROFILE_BYTES = 2_000_000
"""A profile of 200 columns is under 100 kB."""


def describe(
    sandbox: Sandbox, task: Task, mounts: Sequence[Mount], limits: Limits, seconds: float, seed: int
) -> Description:
    """Run the profile script on the view in `mounts` and read what it wrote.

    Data that the profile cannot read must not end the run: then the description says so and names no columns.

    Raises: SandboxError.
    """
    code = render("profile", task)
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
            return TypeAdapter(Description).validate_json(run.output.data)
        except ValidationError as fault:
            return unprofiled(task, f"it wrote no valid profile ({fault.error_count()} faults)")
    reason = run.result.error.message if run.result.error else run.output.fault or run.result.status
    return unprofiled(task, reason)


def unprofiled(task: Task, reason: str) -> Description:
    """A description from the grader's facts alone."""
    modality: Modality = "series" if task.split == "time" else "tabular"
    summary = f"{task.problem} scored by {task.metric}. The columns could not be profiled: {reason}."
    return Description(modality, task.train_rows, task.test_rows, [], 0, summary)
