"""The settings that a run is started with: from the task, from what the user said, from the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from grading.base import TaskError
from grading.task import TaskSpec
from graphs.context import Context
from graphs.knowledge import Budget
from graphs.policies import DEFAULT, find_policy
from graphs.presets import find_preset
from models.base import Level, Role
from ranker.base import RankerUnavailable
from ranker.process import wanted_ranker
from sandbox.base import Limits

T = TypeVar("T")
MEMORY_SHARE = 0.8
"""All containers of a run together get at most this share of RAM."""
GRADER_SHARES = 1
"""The grader counts as one more script when RAM is divided."""
LEAST_SCRIPT_MB = 512
"""With less no recipe runs."""


@dataclass(frozen=True)
class Settings:
    """What a run was started with, resolved: nothing in it depends on the machine that resumes it."""

    attempts: int
    minutes: float
    first_valid: bool
    parallel: int
    seed: int
    script_seconds: float
    memory_mb: int
    cpus: float
    disk_mb: int
    models: dict[Role, str] = field(default_factory=dict)
    """The model of each role; none where there is no model."""
    usd: float | None = None
    privacy: Level = "samples"
    review: bool = False
    replay: str | None = None
    """The run folder whose record is replayed."""
    replay_executions: bool = False
    replay_reworded: bool = False
    gpus: int = 0
    ranker: str = "prior"
    """"shipped", "prior", "off", or a folder."""
    policy: str = DEFAULT
    """How to search; see graphs.policies."""
    preset: str | None = None
    """A pipeline in the place of ours; see graphs.presets."""

    def budget(self) -> Budget:
        """The part that the plan sees."""
        return Budget(self.attempts, self.minutes * 60, self.first_valid, self.parallel, self.script_seconds)

    def limits(self) -> Limits:
        """The part that the sandbox sees."""
        return Limits(memory_mb=self.memory_mb, cpus=self.cpus, disk_mb=self.disk_mb, gpus=self.gpus)


def settle(
    spec: TaskSpec, said: Context, models: Mapping[Role, str] | None = None, replayed: Settings | None = None
) -> Settings:
    """Settings from the task, what the user said (which wins), and the machine's cores and memory.

    A replay is `replayed` again, but for what the user says. A script gets a quarter of the run's time unless the task
    says otherwise: two drafts one after the other, at 60 % of it each, and two refits still fit.

    Scripts that run side by side are bounded by memory, and share the cores where nothing is said of these.

    Raises: TaskError for a policy or preset that there is not, or that does not go with the rest; and for more scripts
    side by side than memory allows.
    """
    before = said_before(replayed)
    named = said.preset or before.preset
    preset = find_preset(named, said, models or {}) if named else None
    policy = _first(said.policy, before.policy, DEFAULT)
    find_policy(policy)
    cores = len(os.sched_getaffinity(0))
    ram = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    most = max(1, int(ram * MEMORY_SHARE / LEAST_SCRIPT_MB) - GRADER_SHARES)
    wanted = said.parallel or before.parallel
    if wanted and wanted > most:
        raise TaskError(
            f"--parallel {wanted}: leaves a script less than {LEAST_SCRIPT_MB} MiB of this machine's memory; "
            f"use at most {most}."
        )
    usual = max(1, min(4, cores // 2))
    cpus = min(float(cores), said.cpus or spec.limits.cpus or (min(usual, cores / wanted) if wanted else usual))
    side_by_side = wanted or max(1, min(most, int(cores // cpus)))
    share = int(ram * MEMORY_SHARE / (side_by_side + GRADER_SHARES))
    whole = _first(said.minutes, before.minutes, spec.budget.minutes)
    script = spec.limits.minutes * 60 if spec.limits.minutes else min(600.0, max(20.0, whole * 60 / 4))
    return Settings(
        attempts=preset.attempts if preset else _first(said.attempts, before.attempts, spec.budget.attempts),
        minutes=whole,
        first_valid=said.first_valid or before.first_valid,
        parallel=side_by_side,
        seed=_first(said.seed, before.seed, 0),
        script_seconds=script,
        memory_mb=min(share, said.memory_mb or spec.limits.memory_mb or 8192),
        cpus=cpus,
        disk_mb=spec.limits.disk_mb or 4096,
        models=dict(models or {}),
        usd=said.usd if said.usd is not None else (before.usd if replayed else spec.budget.usd),
        privacy=said.privacy or before.privacy or spec.privacy,
        review=said.review or before.review,
        replay_executions=said.replay_executions,
        replay_reworded=said.replay_reworded,
        gpus=spec.limits.gpus,
        ranker=_ranker(said.ranker or before.ranker),
        policy=policy,
        preset=named,
    )


def _ranker(said: str | None) -> str:
    try:
        return wanted_ranker(said)
    except RankerUnavailable as fault:
        raise TaskError(str(fault)) from fault


def said_before(replayed: Settings | None) -> Context:
    """What a replayed run was started with, as if its user said it again."""
    if replayed is None:
        return Context()
    return Context(
        attempts=replayed.attempts,
        minutes=replayed.minutes,
        first_valid=replayed.first_valid,
        parallel=replayed.parallel,
        seed=replayed.seed,
        usd=replayed.usd,
        privacy=replayed.privacy,
        review=replayed.review,
        ranker=replayed.ranker,
        policy=replayed.policy,
        preset=replayed.preset,
    )


def _first(*given: T | None) -> T:
    """The first that is given."""
    return next(value for value in given if value is not None)
