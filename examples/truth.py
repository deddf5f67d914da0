"""The true score of a run on an example, by the answers that lie beside the task.

    python -m examples.truth EXAMPLE RUN

Made for the examples' own metrics and plain enough to be checked by eye; it shares nothing with the grader, so the two
check each other.
"""

from __future__ import annotations

import csv
import json
import math
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

Table = list[dict[str, str]]


def rmse(answers: Table, submission: Table, columns: list[str]) -> float:
    """Root mean squared error."""
    return math.sqrt(_mean((float(a[columns[0]]) - float(s[columns[0]])) ** 2 for a, s in _pairs(answers, submission)))


def mae(answers: Table, submission: Table, columns: list[str]) -> float:
    """Mean absolute error."""
    return _mean(abs(float(a[columns[0]]) - float(s[columns[0]])) for a, s in _pairs(answers, submission))


def accuracy(answers: Table, submission: Table, columns: list[str]) -> float:
    """Share of equal labels."""
    return _mean(a[columns[0]] == s[columns[0]] for a, s in _pairs(answers, submission))


def log_loss(answers: Table, submission: Table, columns: list[str]) -> float:
    """Minus the mean logarithm of the true class's share of the row, from 1e-15 on."""
    chances = [
        sum(float(s[name]) * float(a[name]) for name in columns) / sum(float(s[name]) for name in columns)
        for a, s in _pairs(answers, submission)
    ]
    return -_mean(math.log(max(chance, 1e-15)) for chance in chances)


def roc_auc(answers: Table, submission: Table, columns: list[str]) -> float:
    """Share of (positive, negative) pairs in the right order; ties count half."""
    pairs = [(a[columns[0]] == "1", float(s[columns[0]])) for a, s in _pairs(answers, submission)]
    high = [value for positive, value in pairs if positive]
    low = [value for positive, value in pairs if not positive]
    return _mean((h > n) + 0.5 * (h == n) for h in high for n in low)


METRICS: dict[str, Callable[[Table, Table, list[str]], float]] = {
    "rmse": rmse,
    "mae": mae,
    "accuracy": accuracy,
    "log_loss": log_loss,
    "roc_auc": roc_auc,
}
"""Every one takes answers, submission (same rows, same order) and the columns after the id."""


def true_score(example: Path, submission: Path) -> tuple[str, float]:
    """Name and value of the example's metric. Raises: ValueError where the rows are not those of the answers."""
    metric = yaml.safe_load((example / "task.yaml").read_text(encoding="utf-8"))["metric"]
    name = metric if isinstance(metric, str) else metric["name"]
    answers, submitted = read(example / "answers.csv"), read(submission)
    columns = list(answers[0])
    if [row[columns[0]] for row in answers] != [row.get(columns[0]) for row in submitted]:
        raise ValueError(f"{submission} does not have the rows of {example / 'answers.csv'} in their order.")
    return name, METRICS[name](answers, submitted, columns[1:])


def read(file: Path) -> Table:
    """A csv file as a list of rows."""
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def _pairs(answers: Table, submission: Table) -> list[tuple[dict[str, str], dict[str, str]]]:
    return list(zip(answers, submission, strict=True))


def _mean(values: Any) -> float:
    listed = [float(value) for value in values]
    return sum(listed) / len(listed)


def estimate(report: Path) -> str:
    """What the run itself expected, in words; empty where it made no estimate."""
    delivery: dict[str, Any] = json.loads(report.read_text(encoding="utf-8")).get("delivery") or {}
    if delivery.get("estimate") is None or delivery.get("low") is None:
        return ""
    low, high = delivery["low"], delivery["high"]
    return f"; the run expected {delivery['estimate']:.5g}, with 95 % between {low:.5g} and {high:.5g}"


def main(example: Path, run: Path) -> None:
    """Print the true score and, beside it, what the run expected."""
    name, value = true_score(example, run / "submission.csv")
    print(f"True {name} by the answers kept aside: {value:.5g}{estimate(run / 'report.json')}.")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
