"""What a caller, or Studio, may set for a run besides its task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass
class Context:
    """Settings of a run; None leaves the task's own, or the default."""

    metric: str | None = None
    """Metric of a plain data folder."""
    attempts: int | None = None
    """How many instructions are tried at most."""
    minutes: float | None = None
    """Wall clock of the whole run."""
    first_valid: bool = False
    """Stop at the first valid submission."""
    parallel: int | None = None
    """Scripts that run side by side."""
    cpus: float | None = None
    """Cores of one script."""
    memory_mb: int | None = None
    """Memory of one script in MiB."""
    seed: int | None = None
    """Seed of views, scripts and resamples; 0 where nothing is said."""
    model: str | None = None
    """The model of all roles that the task names none for; see models.names."""
    usd: float | None = None
    """What all calls of models may cost together."""
    privacy: Literal["schema", "samples", "output"] | None = None
    """What may leave for a model."""
    preset: str | None = None
    """A pipeline in the place of ours; see graphs.presets."""
    policy: str | None = None
    """How to search; see graphs.policies."""
    start: str | None = None
    """A script of the user's own that joins the race."""
    ranker: str | None = None
    """What orders the instructions: a folder of ranker.train, "prior" (the recipes' priors), "off" (the order of the
    proposals); None: LINGUACODUS_RANKER, or the one that ships."""
    review: bool = False
    """Stop after ranking, so that a person can change the instructions before any code is written."""
    replay_executions: bool = False
    """In a replay, take the results of scripts from the record too."""
    replay_reworded: bool = False
    """In a replay, take the answers by question alone, also where prompts differ."""
