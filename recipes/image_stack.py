"""Shape, edges and pixels of pictures beside the table's columns; all models, joined by unseen rows."""

from __future__ import annotations

from recipes.parts.answers import submit_answers
from recipes.parts.bagging import load_tables
from recipes.parts.decide import decide
from recipes.parts.files import write_submission
from recipes.parts.folds import inner_folds
from recipes.parts.goals import join_goals, learning_goals
from recipes.parts.picturemembers import picture_blocks, picture_members
from recipes.parts.stack import Scores, join_scores, stack_scores

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
SHARED: list[str] = ["images"]
SAFE = False
# --- end of settings ---

ROWS = 1_500 if SAFE else 15_000
"""More rows than these are sampled."""


def main() -> None:
    """Learn and predict."""
    train, test, answers = load_tables(TRAIN, TEST, ID, TARGETS, PROBLEM, CLASSES, ROWS)
    blocks = picture_blocks(train, test, SHARED, ID, [*TARGETS, *IGNORE, *([ID] if ID else [])])
    goals = learning_goals(answers, PROBLEM, METRIC)
    joined: list[Scores] = []
    for goal in goals:
        classes = len(CLASSES) or goal.classes
        folds = inner_folds(train, goal.answers, classes, SPLIT, SPLIT_COLUMN, 3 if SAFE or len(train) > 5000 else 5)
        scores = stack_scores(picture_members(blocks, classes, "safe" if SAFE else "all"), goal.answers, classes, folds)
        joined.append(join_scores(scores, goal.answers, classes))
    seen, found = (join_goals(goals, [getattr(s, part) for s in joined], PROBLEM) for part in ("train", "test"))
    chosen = decide(found, seen, answers, PROBLEM, OUTPUT, METRIC, CLASSES)
    ids = list(test[ID]) if ID else None
    write_submission(SAMPLE, ID, COLUMNS, ids, submit_answers(chosen, PROBLEM, OUTPUT, METRIC, CLASSES, COLUMNS))


if __name__ == "__main__":
    main()
