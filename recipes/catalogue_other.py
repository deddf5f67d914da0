"""Recipes for text, lists of strings, images and time series."""

from __future__ import annotations

from grading.base import Task
from recipes.base import Description
from recipes.recipe import Recipe

MANY_ANSWERS = 300_000
"""Rows times classes from which boosted trees on top of text models take too long."""


def _classes(task: Task, description: Description) -> bool:
    return task.problem != "regression"


def _numbers(task: Task, description: Description) -> bool:
    return task.problem == "regression"


def _few_answers(task: Task, description: Description) -> bool:
    outputs = max(1, len(task.classes), len(task.targets))
    return task.train_rows * outputs <= MANY_ANSWERS


def _ahead(task: Task, description: Description) -> bool:
    return task.split == "time" and task.time is not None and task.problem == "regression"


OUT_OF_FOLD = (
    "Score every row of train out of fold (five folds, three for many rows); learn non-negative weights of the models "
    "that minimise the log loss or the squared error of the joined scores, which also calibrates them; refit each "
    "model on all rows. "
)

TEXT: list[Recipe] = [
    Recipe(
        name="text_stack",
        title="Stack of linear and naive Bayes models on words and characters",
        preprocessing="Make four views of each text: counts of words and word pairs with case and punctuation; "
        "sublinear TF-IDF of lower-case words and pairs; TF-IDF of runs of 1 to 5 characters; binary counts of runs "
        "of 3 to 5 characters. Of a list of strings use whole items, their words, pairs of items and pieces of words "
        "instead. Turn the other columns into plain numbers.",
        model="Logistic regression; multinomial naive Bayes with scores divided by the root of the text's length; "
        "one-against-rest logistic regression on features weighted by their log-count ratio (NB-SVM); linear support "
        "vectors for lists; LightGBM on the other columns.",
        training=OUT_OF_FOLD + "Leave out a linear model where terms times classes are too many for 25 seconds.",
        priors={"text": 0.85},
        applies=_classes,
    ),
    Recipe(
        name="text_style",
        title="How the text is written and what it is about: trees, kernel machine and ridge",
        preprocessing="Statistics of each text (lengths of words and sentences, syllables, readability formulas, rare "
        "words, variety, marks), 100 LSA themes of words and 60 of runs of characters, from train and test together; "
        "other columns as numbers; TF-IDF of words and of characters.",
        model="LightGBM, radial support vector regression and ridge on the dense features; ridge on each TF-IDF "
        "matrix.",
        training=OUT_OF_FOLD + "For numbers the weights come from non-negative least squares.",
        priors={"text": 0.9},
        applies=_numbers,
    ),
    Recipe(
        name="text_boost",
        title="Boosted trees on text statistics, themes and the scores of simple text models",
        preprocessing="Statistics of each text (lengths, syllables, rare words, marks), LSA themes of words and of "
        "runs of characters, other columns as numbers, and the out-of-fold scores of simple models of words and "
        "characters.",
        model="LightGBM (15 leaves, 30 % of the columns a tree) on top of naive Bayes, NB-SVM and logistic "
        "regression, or of ridge regressions for numbers.",
        training=OUT_OF_FOLD + "The trees see only scores of rows that the simple models had not learned.",
        priors={"text": 0.8},
        applies=_few_answers,
    ),
    Recipe(
        name="text_linear",
        title="One linear model on TF-IDF of words and characters and the other columns",
        preprocessing="Sublinear TF-IDF of words and word pairs and of runs of 1 to 5 characters (items, words and "
        "pieces of words for lists), side by side with the other columns as scaled numbers.",
        model="For probabilities logistic regression, on features weighted by their log-count ratio where there is "
        "text alone; linear support vectors for labels; ridge for numbers.",
        training="Choose the penalty on one fold of three; calibrate on out-of-fold scores; refit on all rows.",
        priors={"text": 0.6},
    ),
    Recipe(
        name="text_bayes",
        title="Naive Bayes on words, word pairs and pieces of words",
        preprocessing="Counts of words and word pairs with case and punctuation, TF-IDF of lower-case words and "
        "pairs, binary counts of runs of 3 to 5 characters.",
        model="Multinomial naive Bayes on each, scores divided by the root of the text's length.",
        training=OUT_OF_FOLD,
        priors={"text": 0.65},
        applies=_classes,
    ),
]

LOOK = (
    "Find each row's picture by its path or id. Measure size, colours, Hu moments, outline (Fourier sizes of its "
    "radius), histograms of oriented gradients in 8 x 8 cells and a 16 x 16 picture; keep 60 principal components of "
    "each of the last two; put the table's own columns beside them. "
)

IMAGE: list[Recipe] = [
    Recipe(
        name="image_stack",
        title="Pictures by shape, edges and pixels beside the table's columns: all models joined",
        preprocessing=LOOK + "Scale, once by standard deviation and once by ranks.",
        model="Multinomial logistic regression, shrunk linear discriminant analysis, radial support vector machines "
        "and, for few classes, LightGBM; ridge, support vector regression and LightGBM for numbers.",
        training=OUT_OF_FOLD,
        priors={"image": 0.9},
    ),
    Recipe(
        name="image_kernel",
        title="Support vector machines on pictures and columns",
        preprocessing=LOOK + "Scale by standard deviation.",
        model="Two radial support vector machines: shape, edges and columns; and the same with pixels.",
        training=OUT_OF_FOLD,
        priors={"image": 0.65},
    ),
    Recipe(
        name="image_linear",
        title="Logistic regression and discriminant analysis on pictures and columns",
        preprocessing=LOOK + "Leave the pixels out; scale, once by standard deviation and once by ranks.",
        model="Multinomial logistic regression and linear discriminant analysis with a shrunk covariance on each "
        "scaling; ridge regression for numbers.",
        training=OUT_OF_FOLD,
        priors={"image": 0.8},
    ),
    Recipe(
        name="image_trees",
        title="Trees on pictures and columns",
        preprocessing=LOOK,
        model="LightGBM (where classes are few) and extremely randomised trees.",
        training=OUT_OF_FOLD,
        priors={"image": 0.7},
    ),
]

GRID = (
    "Put the rows on a grid of series (the columns that, with the time, name a row) and steps; log(1 + y) where the "
    "metric is relative or the sizes of series differ much; fill gaps with the value before. "
)

SERIES: list[Recipe] = [
    Recipe(
        name="series_learned",
        title="All series forecast by models that have learned what follows what",
        preprocessing=GRID
        + "Features as known at the end of a step: level, changes over 1, 3, 7, 14 steps and a season, activity, "
        "averages, values one season before the wanted step, columns that are known ahead.",
        model="Two LightGBMs for all series and distances, one with a short and one with a long memory, and a ridge "
        "regression for each distance, of the change ahead.",
        training="Learn from every earlier moment, recent ones weighing more; weigh the models by the error of "
        "forecasts from two earlier moments; keep running totals rising; beyond the distance that can be learned "
        "repeat the season or go on with the damped trend.",
        priors={"series": 0.9},
        applies=_ahead,
    ),
    Recipe(
        name="series_trees",
        title="All series forecast by boosted trees with a short and with a long memory",
        preprocessing=GRID + "Features as known at the end of a step: level, changes, activity, averages, values one "
        "season before the wanted step, distance and phase, columns that are known ahead.",
        model="Two LightGBMs (15 and 31 leaves) of the change ahead, moments weighing half after 6 and after 30 steps.",
        training="Weigh the two by the error of forecasts from two earlier moments; keep running totals rising.",
        priors={"series": 0.8},
        applies=_ahead,
    ),
    Recipe(
        name="series_ridge",
        title="All series forecast by a ridge regression for each distance, and by damped trends",
        preprocessing=GRID + "Features as known at the end of a step: level, changes, activity, averages.",
        model="Two ridge regressions for each distance (short and long memory), and the last week's trend, damped "
        "by 5 % a step and pulled half-way to the trend of all series.",
        training="Weigh the three by the error of forecasts from two earlier moments.",
        priors={"series": 0.7},
        applies=_ahead,
    ),
    Recipe(
        name="series_calendar",
        title="Every series explained by level, trend, weekday and time of the year, then trees",
        preprocessing="Dates become weekday, hour, six waves over the year and elapsed years; one-hot codes of what "
        "names the series, crossed with weekday, slow waves and time; columns that are known ahead, scaled; log(1 + "
        "y) where the metric is relative or sizes differ much.",
        model="Additive ridge regression, then LightGBM on what it leaves over (feasts, weekdays, known columns).",
        training="Learn from the latest 300,000 rows; take half of the linear trend beyond the end of train.",
        priors={"series": 0.6},
        applies=_ahead,
    ),
    Recipe(
        name="series_trend",
        title="Every series continued by its damped trend or its last seasons",
        preprocessing=GRID,
        model="Last value, damped trends of 3 to 14 steps, the last season, the mean of four seasons.",
        training="Weigh them by the error of forecasts from two earlier moments.",
        priors={"series": 0.4},
        applies=_ahead,
    ),
]

OTHER: list[Recipe] = [*TEXT, *IMAGE, *SERIES]
"""Recipes for everything but plain tables."""
