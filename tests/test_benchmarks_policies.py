"""How search policies are compared by true scores."""

from __future__ import annotations

import pytest

from benchmarks.kaggle_policies import Graded, compare
from grading.base import Direction


def one(
    policy: str, seed: int, task: str, score: float | None, beats: float | None, direction: Direction = "minimize"
) -> Graded:
    return Graded(policy, seed, task, score, beats, direction)


def test_the_better_policy_is_named_by_share_beaten_and_by_pairs() -> None:
    found = compare(
        [
            one("race", 0, "prices", 0.9, 0.8),
            one("race", 1, "prices", 1.0, 0.6),
            one("race", 0, "wreck", 0.8, None, "maximize"),
            one("linear", 0, "prices", 1.0, 0.6),
            one("linear", 1, "prices", 1.0, 0.6),
            one("linear", 0, "wreck", 0.4, None, "maximize"),
            one("linear", 1, "wreck", 0.4, None, "maximize"),
        ]
    )
    assert found["beats"]["race"] == {"by_seed": {0: 0.8, 1: 0.6}, "mean": 0.7, "spread": 0.1414, "invalid": 0}
    assert found["beats"]["linear"]["spread"] == 0
    pairs = found["pairs"]["race against linear"]
    assert pairs == {"better": 2, "equal": 1, "worse": 0, "mean_relative_gain": pytest.approx(1.1 / 3, abs=1e-5)}


def test_a_submission_that_is_invalid_loses() -> None:
    found = compare([one("race", 0, "prices", None, None), one("linear", 0, "prices", 9.0, 0.1)])
    assert found["beats"]["race"] == {"by_seed": {0: 0.0}, "mean": 0.0, "spread": None, "invalid": 1}
    assert found["pairs"]["race against linear"] == {"better": 0, "equal": 0, "worse": 1, "mean_relative_gain": None}
