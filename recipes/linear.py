"""Linear models on encoded columns, with and without curves, and a kernel machine where rows are few, blended."""

from __future__ import annotations

from recipes.parts.answers import submit_answers
from recipes.parts.bagging import Bagged, bag, load_tables
from recipes.parts.decide import decide
from recipes.parts.derive import derive_features
from recipes.parts.encode import scaled_matrix
from recipes.parts.files import write_submission
from recipes.parts.folds import fold_count, inner_folds
from recipes.parts.goals import learning_goals
from recipes.parts.smooth import fit_kernel, fit_linear
from recipes.parts.weights import blend

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
PENALTIES = [1.0, 30.0] if SAFE else [0.001, 0.03, 1.0, 10.0, 100.0]
KERNEL_PENALTIES = [0.03, 0.1, 0.3, 1.0]
KERNEL_ROWS = 4000
"""A kernel machine's time grows with the square of the rows."""
CURVES = 200
"""Curves are drawn for tables with fewer columns than these."""


def main() -> None:
    """Learn and predict."""
    train, test, answers = load_tables(TRAIN, TEST, ID, TARGETS, PROBLEM, CLASSES, ROWS)
    features = derive_features(train, test, ID, [*TARGETS, *IGNORE], SAFE)
    goals = learning_goals(answers, PROBLEM, METRIC)
    count = 3 if SAFE or len(train) > 30_000 else fold_count(len(train))
    folds = [inner_folds(train, goal.answers, goal.classes, SPLIT, SPLIT_COLUMN, count) for goal in goals]
    plain = scaled_matrix(features)
    fits = [lambda goal, learn, check: fit_linear(goal, plain, learn, check, PENALTIES)]
    if not SAFE and len(features.train.columns) < CURVES:
        curved = scaled_matrix(features, splines=True)
        fits.append(lambda goal, learn, check: fit_linear(goal, curved, learn, check, PENALTIES[1:]))
    if not SAFE and PROBLEM == "regression" and len(train) <= KERNEL_ROWS:
        fits.append(lambda goal, learn, check: fit_kernel(goal, plain, learn, check, KERNEL_PENALTIES))

    def submit(members: list[Bagged]) -> None:
        found = blend(members, answers, PROBLEM, METRIC)
        chosen = decide(found.test, found.train, answers, PROBLEM, OUTPUT, METRIC, CLASSES)
        ids = list(test[ID]) if ID else None
        write_submission(SAMPLE, ID, COLUMNS, ids, submit_answers(chosen, PROBLEM, OUTPUT, METRIC, CLASSES, COLUMNS))

    submit(bag(goals, folds, fits, PROBLEM, len(test), keep=submit))


if __name__ == "__main__":
    main()
