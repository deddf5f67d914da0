"""Extremely randomised trees on encoded columns; rows left out of a tree check it."""

from __future__ import annotations

from recipes.parts.answers import submit_answers
from recipes.parts.bagging import load_tables
from recipes.parts.decide import decide
from recipes.parts.derive import derive_features
from recipes.parts.encode import scaled_matrix
from recipes.parts.files import cpus, write_submission
from recipes.parts.forest import grow
from recipes.parts.goals import learning_goals

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
TIME: str | None = None
SHARED: list[str] = []
SAFE = False
# --- end of settings ---

ROWS = 20_000 if SAFE else 100_000
"""More rows than these are sampled."""
SECONDS = 20.0
"""What the work is sized for, on one core."""
CELLS_A_SECOND = 2e6
"""Rows x columns that a tree learns in a second on one core (measured)."""


def main() -> None:
    """Learn and predict."""
    train, test, answers = load_tables(TRAIN, TEST, ID, TARGETS, PROBLEM, CLASSES, ROWS)
    features = derive_features(train, test, ID, [*TARGETS, *IGNORE], SAFE)
    goals = learning_goals(answers, PROBLEM, METRIC)
    data = scaled_matrix(features)
    trees = SECONDS * CELLS_A_SECOND * cpus() / (data[0].size * len(goals))
    found = grow(goals, data, 60 if SAFE else int(max(60, min(500, trees))), PROBLEM)
    chosen = decide(found.test, found.train, answers, PROBLEM, OUTPUT, METRIC, CLASSES)
    ids = list(test[ID]) if ID else None
    write_submission(SAMPLE, ID, COLUMNS, ids, submit_answers(chosen, PROBLEM, OUTPUT, METRIC, CLASSES, COLUMNS))


if __name__ == "__main__":
    main()
