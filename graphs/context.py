"""What a caller, or Studio, may set for a run besides its task."""

from __future__ import annotations

from dataclasses import dataclass


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
    seed: int = 0
    """Seed of views, scripts and resamples."""
