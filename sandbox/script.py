"""The script contract: one script, its environment, its one output. The same for recipes, models and people.

A script is plain Python with the working folder /work, the task's files read-only in ./data, the output in
./submission.csv, and TIME_LIMIT_S, CPUS, MEMORY_MB and SEED in its environment.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.base import WORK_DIR, ExecutionResult, FetchedFile, Limits, Mount, Sandbox

DATA_DIR = f"{WORK_DIR}/data"
MEMBERS_DIR = f"{WORK_DIR}/members"
"""Where a blend finds its members' submissions, one csv file a member."""
MOUNTS_DIR = f"{WORK_DIR}/mounts"
"""Where a script finds what its user mounts besides the data, by name."""
MOUNT_NAME = re.compile(r"\w[\w.-]{0,99}", re.ASCII)
SUBMISSION = "submission.csv"
MAX_SUBMISSION_BYTES = 1024 * 2**20


@dataclass(frozen=True)
class ScriptRun:
    """How a script ended and what it left."""

    result: ExecutionResult
    output: FetchedFile
    """Its output file, taken whatever the status: what was written before a time-out counts."""


def script_env(limits: Limits, seed: int) -> dict[str, str]:
    """What every script may rely on but its time (and a hash seed, so that the order of sets repeats)."""
    return {
        "CPUS": f"{limits.cpus:g}",
        "MEMORY_MB": str(limits.memory_mb),
        "SEED": str(seed),
        "PYTHONHASHSEED": str(seed % 2**32),
    }


def keep_scripts_warm(sandbox: Sandbox, count: int, mounts: Sequence[Mount], limits: Limits, seed: int) -> None:
    """Have `count` containers ready for scripts that will be run with the same; 0 ends it. Raises: SandboxClosed."""
    sandbox.keep_warm(count, mounts=mounts, limits=limits, env=script_env(limits, seed))


def run_script(
    sandbox: Sandbox,
    code: str,
    *,
    mounts: Sequence[Mount] = (),
    limits: Limits | None = None,
    seconds: float,
    seed: int = 0,
    fetch: str = SUBMISSION,
    max_bytes: int = MAX_SUBMISSION_BYTES,
) -> ScriptRun:
    """Run `code` in a container of its own and take the file `fetch`. Raises: SandboxError."""
    limits = limits or Limits()
    with sandbox.session(mounts=mounts, limits=limits, env=script_env(limits, seed)) as session:
        result = session.execute(code, seconds, {"TIME_LIMIT_S": str(int(seconds))})
        return ScriptRun(result, session.fetch(fetch, max_bytes))
