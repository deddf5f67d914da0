"""Recipes for tables. Priors come from blind folds and public notebooks: the mean share of competitors left behind."""

from __future__ import annotations

from grading.base import Task
from recipes.base import Description
from recipes.recipe import Recipe

COLUMNS_TAKEN_APART = (
    "Drop row counters. Split dates into year, month, weekday, hour and elapsed days; split composite codes such as "
    "a/b/c or 12_03 into their parts; take letters and digits of codes apart; count how often each code, id prefix and "
    "first or last word of a name occurs in train and test together; sum skewed amounts; count missing cells. "
    "Describe free text by length and a few TF-IDF directions."
)


def enough_columns(task: Task, description: Description) -> bool:
    """Beside pictures or texts: whether the table alone can carry a model."""
    features = [column for column in description.columns if column.kind in ("number", "category", "flag", "date")]
    return description.modality == "tabular" or len(features) >= (3 if description.modality == "series" else 10)


def wide_numbers(task: Task, description: Description) -> bool:
    """Whether there are ten or more number columns beside the pictures, or the modality is another."""
    numbers = [column for column in description.columns if column.kind == "number"]
    return len(numbers) >= 10 if description.modality == "image" else enough_columns(task, description)


TABULAR: list[Recipe] = [
    Recipe(
        name="boosted_trees",
        title="LightGBM, XGBoost and CatBoost averaged over the same folds",
        preprocessing=COLUMNS_TAKEN_APART
        + " Leave missing numbers as they are; LightGBM and XGBoost get codes of categories, CatBoost their text.",
        model="LightGBM (31 leaves), XGBoost (depth 6) and CatBoost (depth 6), learning rate 0.05 to 0.08, columns and "
        "rows sampled; the mean of their probabilities or numbers. Learn log(1 + y) for logarithmic metrics, "
        "medians for absolute errors; treat labels that exclude each other as one class problem.",
        training="Five folds (eight below 3000 rows) that keep groups or days together as test does; stop each model "
        "early on its fold; average the folds on test. Choose thresholds or class weights on the kept-back "
        "predictions where the metric asks for labels. Fewer folds and larger steps for larger tables.",
        priors={"tabular": 0.85, "series": 0.3, "text": 0.2, "image": 0.25},
        applies=enough_columns,
    ),
    Recipe(
        name="catboost_alone",
        title="CatBoost with deeper symmetric trees",
        preprocessing=COLUMNS_TAKEN_APART + " Give categories as text, a missing one as a value of its own.",
        model="CatBoost of depth 7, learning rate 0.05, target statistics for categories with many values.",
        training="Five folds (eight below 3000 rows) with early stopping, averaged on test.",
        priors={"tabular": 0.72, "series": 0.2},
        applies=enough_columns,
    ),
    Recipe(
        name="linear",
        title="Ridge or logistic regression with curves, and a kernel machine where rows are few",
        preprocessing=COLUMNS_TAKEN_APART
        + " Fill missing numbers with the median and mark them, log-scale long tails, standardise; one column a "
        "category value, rare ones together; a second matrix with cubic splines of every number.",
        model="Ridge or multinomial logistic regression on both matrices; support vector regression with a Gaussian "
        "kernel for numbers and at most 4000 rows; blended by greedy selection on kept-back predictions.",
        training="Choose each penalty, 0.001 to 100, on the rows kept back by each fold; average the folds on test.",
        priors={"tabular": 0.6, "image": 0.6, "series": 0.1},
        applies=wide_numbers,
    ),
    Recipe(
        name="extra_trees",
        title="Extremely randomised trees",
        preprocessing=COLUMNS_TAKEN_APART
        + " Fill missing numbers with the median and mark them; one column a category value, rare ones together.",
        model="Up to 500 extremely randomised trees on half of the columns a cut, at least two rows a leaf.",
        training="Fit once on all rows; check and set thresholds on the rows that each tree left out.",
        priors={"tabular": 0.5, "image": 0.2, "series": 0.1},
        applies=enough_columns,
    ),
    Recipe(
        name="lightgbm_alone",
        title="LightGBM with small random trees",
        preprocessing=COLUMNS_TAKEN_APART + " Leave missing numbers as they are; categorical codes.",
        model="LightGBM with 15 leaves, random cuts (extra_trees), half of the columns a tree, learning rate 0.05.",
        training="Five folds (eight below 3000 rows) with early stopping, averaged on test.",
        priors={"tabular": 0.68, "series": 0.25, "text": 0.15},
        applies=enough_columns,
    ),
]
