"""Every series explained by the calendar: level, trend, weekday, time of the year; then trees on what is left over."""

from __future__ import annotations

import numpy as np

from recipes.parts.answers import submit_answers
from recipes.parts.bagging import load_tables
from recipes.parts.calendar import calendar_answers
from recipes.parts.files import write_submission
from recipes.parts.series import read_moments, uses_logs

# --- settings (filled in for the task; these values are an example) ---
TRAIN = "data/train.csv"
TEST = "data/test.csv"
SAMPLE = "data/sample_submission.csv"
ID: str | None = "id"
TARGETS = ["target"]
COLUMNS = ["target"]
PROBLEM = "regression"
OUTPUT = "values"
METRIC = "rmse"
CLASSES: list[str] = []
IGNORE: list[str] = []
SPLIT = "row"
SPLIT_COLUMN: str | None = None
TIME: str | None = "date"
SHARED: list[str] = []
SAFE = False
# --- end of settings ---

ROWS = 3_000_000


def main() -> None:
    """Learn and predict."""
    assert TIME, "a series needs its time column"
    train, test, answers = load_tables(TRAIN, TEST, ID, TARGETS, PROBLEM, CLASSES, ROWS)
    ours, theirs = read_moments(train, test, TIME, [*TARGETS, *IGNORE, *([ID] if ID else [])])
    logs = uses_logs(answers.T[:, :, None], METRIC)
    found = calendar_answers(ours, theirs, np.log1p(answers) if logs else answers, not SAFE)
    found = np.maximum(np.expm1(found), 0) if logs else found
    ids = list(test[ID]) if ID else None
    write_submission(SAMPLE, ID, COLUMNS, ids, submit_answers(found, PROBLEM, OUTPUT, METRIC, CLASSES, COLUMNS))


if __name__ == "__main__":
    main()
