"""What a batch wants to know of a run: its result, its money, and why it failed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grading.base import TaskError
from graphs.folder import RunFolder
from models.records import Records, totals
from sandbox.elide import clean

MAX_REPORT_BYTES = 100_000_000
TAIL_BYTES = 8_000
MAX_FAULT = 400
"""Characters of a sentence."""


@dataclass(frozen=True)
class Found:
    """The result of a run that came to its end."""

    valid: bool
    metric: str | None
    direction: str | None
    estimate: float | None
    low: float | None
    high: float | None
    winner: str | None
    attempts: int
    end: str
    """Why it ended, and the newest attempt's fault."""


def read_found(folder: Path) -> Found | None:
    """What the report of a run folder says; None where there is none, or none that can be read."""
    files = RunFolder(folder)
    try:
        if files.report.stat().st_size > MAX_REPORT_BYTES:
            return None
        report = json.loads(files.report.read_bytes())
        return _found(report, files.submission.is_file())
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _found(report: dict[str, Any], submitted: bool) -> Found:
    delivery = report["delivery"] or {}
    titles = {attempt["id"]: attempt["title"] for attempt in report["attempts"]}
    return Found(
        valid=bool(report["valid"]) and submitted,
        metric=report["task"]["metric"],
        direction=report["task"]["direction"],
        estimate=delivery.get("estimate"),
        low=delivery.get("low"),
        high=delivery.get("high"),
        winner=_winner(report["winner"], titles),
        attempts=len(report["attempts"]),
        end=_end(report),
    )


def _winner(members: dict[str, float], titles: dict[str, str]) -> str | None:
    """The chosen attempt with its title, or the members of the chosen blend with their weights."""
    if len(members) > 1:
        return "blend of " + ", ".join(f"{member} ({weight:.2f})" for member, weight in members.items())
    return next((f"{member}: {clean(titles[member])}" for member in members), None)


def _end(report: dict[str, Any]) -> str:
    """Why it ended, with the newest attempt's fault."""
    faults = [str(fault).strip() for attempt in report["attempts"] for fault in attempt["faults"][:1]]
    last = f"; the last attempt: {clean(faults[-1]).splitlines()[0]}" if faults and faults[-1] else ""
    return f"{clean(str(report['decision']))}{last}"[:MAX_FAULT]


def money(*folders: Path) -> float:
    """What all calls of models in these run folders have cost in USD, those in flight at their largest possible cost.

    Raises: TaskError where a record cannot be read.
    """
    sums = [totals(Records(RunFolder(folder).llm).all()) for folder in folders]
    return float(sum(found["all"]["usd"] for found in sums if "all" in found))


def cap_of(folder: Path) -> tuple[bool, float | None]:
    """Whether a run that was begun asks models, and what they may cost in all.

    Raises: TaskError where the folder is no run.
    """
    settings = RunFolder(folder).load()[1]
    return bool(settings.models), settings.usd


def last_line(log: Path, since: int) -> str:
    """The last line of a log that is not empty, of what was written after the first `since` bytes."""
    with log.open("rb") as file:
        end = file.seek(0, 2)
        file.seek(max(since, end - TAIL_BYTES))
        lines = clean(file.read(TAIL_BYTES).decode("utf-8", "replace")).strip().splitlines()
    return lines[-1].strip()[:MAX_FAULT] if lines else ""


def spent_or(folders: list[Path], otherwise: float) -> float:
    """`money`, or `otherwise` where a record cannot be read."""
    try:
        return money(*folders)
    except TaskError:
        return otherwise
