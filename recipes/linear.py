"""Linear models on encoded columns, with and without curves, and a kernel machine where rows are few, blended."""

from __future__ import annotations

from recipes.parts.answers import submit_answers
from recipes.parts.bagging import Bagged, Fit, bag, load_tables
from recipes.parts.decide import decide
from recipes.parts.derive import derive_features
from recipes.parts.encode import scaled_matrix
from recipes.parts.files import write_submission
from recipes.parts.folds import fold_count, inner_folds
from recipes.parts.goals import Goal, learning_goals
from recipes.parts.smooth import Matrices, fit_kernel, fit_linear
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
PENALTIES = [0.001, 0.03, 1.0, 10.0, 100.0]
SAFE_PENALTIES = [1.0, 30.0]
SECONDS = 25.0
"""What the work is sized for, on one core."""
CELLS_A_SECOND = 3e7
"""Rows x columns x classes that a logistic regression of 10,000 rows learns in a second on one core (measured)."""
KERNEL_PENALTIES = [0.03, 0.1, 0.3, 1.0]
KERNEL_ROWS = 4000
"""A kernel machine's time grows with the square of the rows."""
CURVES = 200
"""Curves are drawn for tables with fewer columns than these."""


def fold_seconds(matrices: list[Matrices], goals: list[Goal], penalties: list[float]) -> float:
    """About how long one fold takes: more rows need more rounds; ridge regression takes a fiftieth of the time."""
    cells = sum(train.size for train, _ in matrices)
    outputs = sum(max(1, goal.classes - 1) if goal.classes else 0.02 for goal in goals)
    rounds = len(matrices[0][0]) / 10_000
    return max(0.01, cells * outputs * len(penalties) * rounds / CELLS_A_SECOND)


def main() -> None:
    """Learn and predict."""
    train, test, answers = load_tables(TRAIN, TEST, ID, TARGETS, PROBLEM, CLASSES, ROWS)
    features = derive_features(train, test, ID, [*TARGETS, *IGNORE], SAFE)
    goals = learning_goals(answers, PROBLEM, METRIC)
    matrices = [scaled_matrix(features)]
    if not SAFE and len(features.train.columns) < CURVES:
        matrices.append(scaled_matrix(features, splines=True))
    choices = [SAFE_PENALTIES] if SAFE else [PENALTIES, PENALTIES[1:4], PENALTIES[2:3]]
    fitting = [option for option in choices if fold_seconds(matrices, goals, option) < SECONDS / 2]
    penalties = (fitting or choices[-1:])[0]
    if not fitting:
        del matrices[1:]
    affordable = int(SECONDS / fold_seconds(matrices, goals, penalties))
    count = max(2, min(3 if SAFE else fold_count(len(train)), affordable))
    folds = [inner_folds(train, goal.answers, goal.classes, SPLIT, SPLIT_COLUMN, count) for goal in goals]
    fits: list[Fit] = [lambda goal, learn, check: fit_linear(goal, matrices[0], learn, check, penalties)]
    if len(matrices) > 1:
        fits.append(lambda goal, learn, check: fit_linear(goal, matrices[1], learn, check, penalties[-4:]))
    if not SAFE and PROBLEM == "regression" and len(train) <= KERNEL_ROWS:
        fits.append(lambda goal, learn, check: fit_kernel(goal, matrices[0], learn, check, KERNEL_PENALTIES))

    def submit(members: list[Bagged]) -> None:
        found = blend(members, answers, PROBLEM, METRIC)
        chosen = decide(found.test, found.train, answers, PROBLEM, OUTPUT, METRIC, CLASSES)
        ids = list(test[ID]) if ID else None
        write_submission(SAMPLE, ID, COLUMNS, ids, submit_answers(chosen, PROBLEM, OUTPUT, METRIC, CLASSES, COLUMNS))

    submit(bag(goals, folds, fits, PROBLEM, len(test), keep=submit))


if __name__ == "__main__":
    main()
