"""One regularised linear model on TF-IDF of words and characters and on the other columns."""

from __future__ import annotations

from recipes.parts.answers import submit_answers
from recipes.parts.bagging import load_tables
from recipes.parts.decide import decide
from recipes.parts.documents import read_documents
from recipes.parts.files import write_submission
from recipes.parts.folds import inner_folds
from recipes.parts.goals import join_goals, learning_goals
from recipes.parts.stack import Scores, best_member, join_scores
from recipes.parts.textmembers import Views, linear_members, text_names, wide_rows

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

ROWS = 30_000 if SAFE else 150_000
"""More rows than these are sampled."""


def main() -> None:
    """Learn and predict."""
    train, test, answers = load_tables(TRAIN, TEST, ID, TARGETS, PROBLEM, CLASSES, ROWS)
    drop = [*TARGETS, *IGNORE, *([ID] if ID else [])]
    names = text_names(train, test, drop)
    views = Views(read_documents(train, test, names))
    rows = wide_rows(views, train, test, ID, [*drop, *names], SAFE)
    goals = learning_goals(answers, PROBLEM, METRIC)
    joined: list[Scores] = []
    for goal in goals:
        classes = len(CLASSES) or goal.classes
        folds = inner_folds(train, goal.answers, classes, SPLIT, SPLIT_COLUMN, 3)
        members = linear_members(rows, classes, OUTPUT == "labels", SAFE or len(goals) > 2)
        joined.append(join_scores([best_member(members, goal.answers, classes, folds)], goal.answers, classes))
    seen, found = (join_goals(goals, [getattr(s, part) for s in joined], PROBLEM) for part in ("train", "test"))
    chosen = decide(found, seen, answers, PROBLEM, OUTPUT, METRIC, CLASSES)
    ids = list(test[ID]) if ID else None
    write_submission(SAMPLE, ID, COLUMNS, ids, submit_answers(chosen, PROBLEM, OUTPUT, METRIC, CLASSES, COLUMNS))


if __name__ == "__main__":
    main()
