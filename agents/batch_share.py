"""What one task of a batch may use of the machine, so that all that run side by side fit."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from grading.base import TaskError
from grading.task import TaskSpec
from graphs.settings import GRADER_SHARES, LEAST_SCRIPT_MB, MEMORY_SHARE

CORES_OF_A_TASK = 2
"""By default there is one worker for so many cores: a run has serial parts, but its scripts use more than one core."""
MEMORY_OF_A_TASK_MB = 4096
"""By default there is no worker more than leaves each so much: a script and the grader at 2 GiB."""
MOST_SCRIPT_MB = 8192
MOST_SCRIPT_CORES = 4


@dataclass(frozen=True)
class Share:
    """What all containers of one task may use together."""

    cores: float
    memory_mb: int


def machine() -> Share:
    """Cores, and the memory that containers may have, of this machine."""
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    return Share(float(len(os.sched_getaffinity(0))), int(ram * MEMORY_SHARE))


def usual_workers(whole: Share) -> int:
    """Tasks side by side where the user says nothing."""
    return max(1, min(int(whole.cores) // CORES_OF_A_TASK, whole.memory_mb // MEMORY_OF_A_TASK_MB))


def divided(whole: Share, workers: int) -> Share:
    """The share of each of `workers` tasks.

    Raises: TaskError where scripts would have too little memory.
    """
    most = whole.memory_mb // (LEAST_SCRIPT_MB * (1 + GRADER_SHARES))
    if workers > most:
        raise TaskError(
            f"--workers {workers}: leaves a script less than {LEAST_SCRIPT_MB} MiB of this machine's memory; "
            f"use at most {max(1, most)}."
        )
    cores = whole.cores / workers
    return Share(float(int(cores)) if cores >= 1 else round(max(0.1, cores), 2), whole.memory_mb // workers)


def share_for(workers: int | None, said: Share | None, tasks: int) -> tuple[int, Share]:
    """How many tasks run side by side here, and the share of each; `said` holds what the user gave each, 0 for nothing.

    Raises: TaskError where that does not fit into this machine's memory.
    """
    whole = machine()
    said = said or Share(0.0, 0)
    if workers is None:
        fitting = [int(whole.cores // said.cores)] if said.cores else []
        fitting += [whole.memory_mb // said.memory_mb] if said.memory_mb else []
        workers = max(1, min(tasks, *(fitting or [usual_workers(whole)])))
    if said.memory_mb * workers > whole.memory_mb:
        raise TaskError(
            f"--task-memory-mb {said.memory_mb}: {workers} tasks side by side would need more than the "
            f"{whole.memory_mb} MiB that containers may have here; lower it, or --workers."
        )
    share = divided(whole, workers)
    return workers, Share(said.cores or share.cores, said.memory_mb or share.memory_mb)


def share_options(share: Share, spec: TaskSpec | None) -> list[str]:
    """Options of agents.run that keep a run within its share, and within what its task says of one script."""
    said = spec.limits if spec else None
    usual = share.cores if share.cores < 1 else max(1, min(MOST_SCRIPT_CORES, share.cores // 2))
    cpus = min(share.cores, (said.cpus if said else None) or usual)
    parallel = max(1, int(share.cores // cpus))
    memory = share.memory_mb // (parallel + GRADER_SHARES)
    memory = max(LEAST_SCRIPT_MB // 2, min(memory, (said.memory_mb if said else None) or MOST_SCRIPT_MB))
    return ["--parallel", str(parallel), "--cpus", f"{cpus:g}", "--memory-mb", str(memory)]


def passed_on(options: Mapping[str, object]) -> list[str]:
    """Options of agents.run by name, those that are not given left out."""
    words: list[str] = []
    for name, value in options.items():
        if value is True:
            words.append(f"--{name}")
        elif value is not None and value is not False:
            words += [f"--{name}", str(value)]
    return words
