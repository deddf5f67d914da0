"""Every series forecast by trees and ridge regressions that have learned from all series what follows what."""

from __future__ import annotations

from recipes.parts.answers import submit_answers
from recipes.parts.backtest import join_forecasts
from recipes.parts.bagging import load_tables
from recipes.parts.files import write_submission
from recipes.parts.forecast import damped, level, ridge_ahead, trees_ahead
from recipes.parts.panel import make_panel
from recipes.parts.seasons import seasonless
from recipes.parts.series import make_history, test_values, uses_logs

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
    panel = make_panel(train, test, answers, TIME, [*TARGETS, *IGNORE, *([ID] if ID else [])])
    logs = uses_logs(panel.values, METRIC)
    history = make_history(panel, logs)
    plans = [damped(7, 0.95, 0.5), seasonless(level(28))]
    if not SAFE:
        plans = [trees_ahead(150, 7, 3.0), trees_ahead(200, 15, 20.0), seasonless(ridge_ahead(100.0, 30, 3.0))]
    forecast = join_forecasts(history, plans, panel.horizon)
    ids = list(test[ID]) if ID else None
    found = test_values(panel, forecast, logs)
    write_submission(SAMPLE, ID, COLUMNS, ids, submit_answers(found, PROBLEM, OUTPUT, METRIC, CLASSES, COLUMNS))


if __name__ == "__main__":
    main()
