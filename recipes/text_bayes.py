"""Naive Bayes on words, word pairs and pieces of words, joined and calibrated on unseen rows."""

from __future__ import annotations

from recipes.parts.answers import submit_answers
from recipes.parts.bagging import load_tables
from recipes.parts.decide import decide
from recipes.parts.documents import read_documents
from recipes.parts.files import write_submission
from recipes.parts.folds import inner_folds
from recipes.parts.goals import join_goals, learning_goals
from recipes.parts.stack import Scores, join_scores, stack_scores
from recipes.parts.textmembers import Views, bayes_members, text_names

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


def main() -> None:
    """Learn and predict."""
    train, test, answers = load_tables(TRAIN, TEST, ID, TARGETS, PROBLEM, CLASSES, ROWS)
    views = Views(read_documents(train, test, text_names(train, test, [*TARGETS, *IGNORE, *([ID] if ID else [])])))
    goals = learning_goals(answers, PROBLEM, METRIC)
    joined: list[Scores] = []
    for goal in goals:
        classes = len(CLASSES) or goal.classes
        folds = inner_folds(train, goal.answers, classes, SPLIT, SPLIT_COLUMN, 5)
        scores = stack_scores(bayes_members(views, SAFE), goal.answers, classes, folds)
        joined.append(join_scores(scores, goal.answers, classes))
    seen, found = (join_goals(goals, [getattr(s, part) for s in joined], PROBLEM) for part in ("train", "test"))
    chosen = decide(found, seen, answers, PROBLEM, OUTPUT, METRIC, CLASSES)
    ids = list(test[ID]) if ID else None
    write_submission(SAMPLE, ID, COLUMNS, ids, submit_answers(chosen, PROBLEM, OUTPUT, METRIC, CLASSES, COLUMNS))


if __name__ == "__main__":
    main()
