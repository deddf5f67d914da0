"""Compare search policies by what grade.py says of the same tasks with the same seeds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from grading.base import Direction


@dataclass(frozen=True)
class Graded:
    """One task, solved by one policy with one seed."""

    policy: str
    seed: int
    task: str
    score: float | None
    """True score; None where the submission is invalid."""
    beats: float | None
    """Share of real teams beaten; None without a leaderboard."""
    direction: Direction | None
    """Of the metric; None where the run failed."""


def compare(graded: Sequence[Graded]) -> dict[str, Any]:
    """For each policy the share beaten, by seed; for the first against each other how many pairs it wins. JSON-able.

    A pair is a task and a seed; an invalid submission loses against a valid one.
    """
    policies = list(dict.fromkeys(one.policy for one in graded))
    first = policies[0]
    boards = {one.task for one in graded if one.beats is not None}
    shares = {policy: [one for one in graded if one.policy == policy] for policy in policies}
    return {
        "beats": {policy: beaten(own, boards) for policy, own in shares.items()},
        "pairs": {f"{first} against {other}": pairs(graded, first, other) for other in policies[1:]},
    }


def beaten(graded: Sequence[Graded], boards: Collection[str]) -> dict[str, Any]:
    """Mean share of teams beaten with each seed, their mean, and their standard deviation (None with one seed).

    Over the tasks of `boards`, which have a leaderboard: an invalid submission to one beats nobody.
    """
    by_seed: dict[int, list[float]] = {}
    for one in graded:
        if one.task in boards:
            by_seed.setdefault(one.seed, []).append(one.beats or 0.0)
    means = {seed: round(mean(shares), 4) for seed, shares in sorted(by_seed.items())}
    found = list(means.values())
    return {
        "by_seed": means,
        "mean": round(mean(found), 4) if found else None,
        "spread": round(stdev(found), 4) if len(found) > 1 else None,
        "invalid": sum(one.score is None for one in graded),
    }


def pairs(graded: Sequence[Graded], first: str, other: str) -> dict[str, Any]:
    """In how many pairs `first` is better, equal and worse, and the mean relative gain of its true score."""
    by_key = {(one.policy, one.task, one.seed): one for one in graded}
    gains = []
    for policy, task, seed in by_key:
        rival = by_key.get((other, task, seed))
        if policy == first and rival is not None:
            gains.append(gain(by_key[policy, task, seed], rival))
    known = [value for value in gains if abs(value) != float("inf")]
    return {
        "better": sum(value > 0 for value in gains),
        "equal": sum(value == 0 for value in gains),
        "worse": sum(value < 0 for value in gains),
        "mean_relative_gain": round(mean(known), 5) if known else None,
    }


def gain(one: Graded, other: Graded) -> float:
    """How much better `one` is, relative to the score of `other`; infinite where only one of the two is valid."""
    if one.score is None or other.score is None:
        return 0.0 if one.score == other.score else (float("inf") if other.score is None else -float("inf"))
    sign = 1 if one.direction == "maximize" else -1
    return sign * (one.score - other.score) / (abs(other.score) or 1.0)
