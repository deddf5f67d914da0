"""Boosted trees: LightGBM, XGBoost and CatBoost on the same folds, averaged."""

from __future__ import annotations

from recipes.parts.answers import submit_answers
from recipes.parts.bagging import Bagged, bag, load_tables, mean_of
from recipes.parts.decide import decide
from recipes.parts.derive import derive_features
from recipes.parts.files import cpus, write_submission
from recipes.parts.folds import fold_count, inner_folds
from recipes.parts.goals import learning_goals
from recipes.parts.trees import fit_catboost, fit_lightgbm, fit_xgboost, with_codes, with_words

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

ROWS = 50_000 if SAFE else 300_000
"""More rows than these are sampled."""
SECONDS = 30.0
"""What the work is sized for, on one core."""
CELLS_A_SECOND = 1.5e5
"""Rows x columns x classes of one fold that all three models learn in a second on one core (measured)."""


def main() -> None:
    """Learn and predict."""
    train, test, answers = load_tables(TRAIN, TEST, ID, TARGETS, PROBLEM, CLASSES, ROWS)
    features = derive_features(train, test, ID, [*TARGETS, *IGNORE], SAFE)
    goals = learning_goals(answers, PROBLEM, METRIC)
    outputs = sum(goal.classes if goal.classes > 2 else 1 for goal in goals)
    seconds = features.train.size * outputs / CELLS_A_SECOND / cpus()
    count = max(2, min(fold_count(len(train)), int(SECONDS / max(seconds, 0.1))))
    hurry = max(1.0, 2 * seconds / SECONDS)
    folds = [
        inner_folds(train, goal.answers, goal.classes, SPLIT, SPLIT_COLUMN, fold_count(len(train)))[:count]
        for goal in goals
    ]
    codes, words = with_codes(features), with_words(features)
    rate, rounds = min(0.2, 0.05 * hurry), int(2000 / hurry)
    fits = [
        lambda goal, learn, check: fit_lightgbm(goal, *codes, learn, check, rounds, learning_rate=rate),
        lambda goal, learn, check: fit_xgboost(goal, *codes, learn, check, rounds, eta=rate),
        lambda goal, learn, check: fit_catboost(goal, *words, learn, check, rounds, learning_rate=1.6 * rate),
    ]
    used = 1 if SAFE or hurry > 4 else 2 if hurry > 2 else 3

    def submit(members: list[Bagged]) -> None:
        found = mean_of(members)
        chosen = decide(found.test, found.train, answers, PROBLEM, OUTPUT, METRIC, CLASSES)
        ids = list(test[ID]) if ID else None
        write_submission(SAMPLE, ID, COLUMNS, ids, submit_answers(chosen, PROBLEM, OUTPUT, METRIC, CLASSES, COLUMNS))

    submit(bag(goals, folds, fits[:used], PROBLEM, len(test), keep=submit))


if __name__ == "__main__":
    main()
