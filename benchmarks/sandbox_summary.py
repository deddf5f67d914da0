"""What the trials say: one flat object of figures, the targets, a table for people."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.sandbox_contenders import Trial
from benchmarks.sandbox_growth import Growth

Trials = Mapping[str, list[Trial]]
JUPYTER = ("autogen", "smolagents")
"""Peers with a kernel; in the third every cell is a new process."""
MEASURES = {"": "first", "_imports": "imports", "_cell": "cell", "_close": "close"}
GROWTH_MB = 4.0
"""Less than this is the allocator's own play."""


def medians(trials: Trials) -> dict[str, float | None]:
    """NAME_ms, NAME_imports_ms, NAME_cell_ms and NAME_close_ms of every contender; None where it did not work."""
    found: dict[str, float | None] = {}
    for name, rounds in trials.items():
        for suffix, measure in MEASURES.items():
            times = [getattr(trial, measure) for trial in rounds]
            found[f"{name}{suffix}_ms"] = round(median(times), 1) if times else None
    return found


def ratios(found: Mapping[str, float | None]) -> dict[str, float | None]:
    """How ours stands to the limit and to each Jupyter peer."""
    told = {"cold_of_limit": _ratio(found["ours_cold_ms"], found["limit_ms"])}
    for name in JUPYTER:
        told[f"{name}_of_cold"] = _ratio(found[f"{name}_ms"], found["ours_cold_ms"])
        told[f"{name}_of_pool"] = _ratio(found[f"{name}_ms"], found["ours_pool_ms"])
    return told


def targets(found: Mapping[str, Any]) -> dict[str, bool | None]:
    """Which targets are met; None where a figure is missing."""
    most = {"cold_of_limit": 1.5, "cell_ms": 8.0, "ours_pool_ms": 40.0}
    least = {f"{name}_of_cold": 3.0 for name in JUPYTER} | {f"{name}_of_pool": 10.0 for name in JUPYTER}
    met = {f"{name}<={bound:g}": _holds(found[name], bound) for name, bound in most.items()}
    met |= {f"{name}>={bound:g}": _holds(found[name], bound, at_least=True) for name, bound in least.items()}
    for what in ("cells", "sessions"):
        grown = found[f"{what}_rss_growth_mb"]
        still = None if grown is None else grown < GROWTH_MB and found[f"{what}_descriptors_growth"] <= 0
        met[f"{what}_without_growth"] = still
    return met


def growth(what: str, found: Growth | None) -> dict[str, float | None]:
    """WHAT (how many), WHAT_rss_growth_mb, WHAT_descriptors_growth and WHAT_threads_growth; None where not measured."""
    return {
        what: found.times if found else 0,
        f"{what}_rss_growth_mb": found.rss_mb if found else None,
        f"{what}_descriptors_growth": found.descriptors if found else None,
        f"{what}_threads_growth": found.threads if found else None,
    }


def table(trials: Trials) -> Table:
    """Medians with the least and the most, in milliseconds."""
    rows = Table(
        "", "first output", "with pandas, sklearn", "a cell", "close", "rounds", title="milliseconds: median (min-max)"
    )
    for name, rounds in trials.items():
        cells = [_spread([getattr(trial, measure) for trial in rounds]) for measure in MEASURES.values()]
        rows.add_row(name, *cells, str(len(rounds)))
    return rows


def _spread(times: list[float]) -> str:
    if not times:
        return "-"
    digits = 0 if median(times) >= 100 else 1
    return f"{median(times):.{digits}f} ({min(times):.{digits}f}-{max(times):.{digits}f})"


def _ratio(above: float | None, below: float | None) -> float | None:
    return round(above / below, 2) if above and below else None


def _holds(value: float | None, bound: float, *, at_least: bool = False) -> bool | None:
    if value is None:
        return None
    return value >= bound if at_least else value <= bound
