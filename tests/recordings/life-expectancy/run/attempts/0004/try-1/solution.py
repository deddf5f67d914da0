"""CatBoost with deep symmetric trees, averaged over folds."""

from __future__ import annotations


# --- settings ---
TRAIN = 'data/train.csv'
TEST = 'data/test.csv'
SAMPLE = 'data/sample_submission.csv'
ID = 'id'
TARGETS = ['life_expectancy']
COLUMNS = ['life_expectancy']
PROBLEM = 'regression'
OUTPUT = 'values'
METRIC = 'rmse'
CLASSES = []
IGNORE = []
SPLIT = 'group'
SPLIT_COLUMN = 'country'
TIME = None
SHARED = []
SAFE = False
# --- end of settings ---


from catboost import CatBoostClassifier
from catboost import CatBoostRegressor
from catboost import Pool
from collections.abc import Callable
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import balanced_accuracy_score
from sklearn.metrics import cohen_kappa_score
from sklearn.metrics import f1_score
from sklearn.metrics import matthews_corrcoef
from sklearn.model_selection import GroupKFold
from sklearn.model_selection import KFold
from sklearn.model_selection import StratifiedKFold
from typing import Any
import gzip
import io
import json
import numpy as np
import os
import pandas as pd
import re
import time
import warnings
import zipfile


def _expected(prediction: np.ndarray, classes: Sequence[str]) -> np.ndarray:
    """Where classes are numbers and values are wanted: the expected number."""
    return (prediction @ np.array([float(label) for label in classes])).reshape(-1, 1)


def _ranked(prediction: np.ndarray, length: int, classes: Sequence[str]) -> np.ndarray:
    """The likeliest classes of each row, best first, in one cell."""
    order = np.argsort(-prediction, axis=1, kind="stable")[:, :length]
    return np.array([" ".join(classes[code] for code in row) for row in order], dtype=object).reshape(-1, 1)


def _values(prediction: np.ndarray, output: str, metric: str) -> np.ndarray:
    values = prediction.reshape(len(prediction), -1)
    if "rmsle" in metric or "log" in metric:
        values = np.clip(values, 0, None)
    return np.rint(values).astype(int) if output == "labels" else values


def column_classes(classes: Sequence[str], columns: Sequence[str]) -> list[int]:
    """For each column of the submission, the number of its class: by name, by the name's end, else by place."""
    plain = [label.lower() for label in classes]
    names = [column.lower() for column in columns]
    if sorted(names) == sorted(plain):
        return [plain.index(name) for name in names]
    by_end = [[c for c, label in enumerate(plain) if name.endswith(label)] for name in names]
    if all(by_end):
        found = [max(hits, key=lambda c: len(plain[c])) for hits in by_end]
        if len(set(found)) == len(columns):
            return found
    return list(range(len(columns)))


def submit_answers(
    prediction: np.ndarray, problem: str, output: str, metric: str, classes: Sequence[str], columns: Sequence[str]
) -> np.ndarray:
    """What stands in the submission's `columns`, one row for each row of `prediction`.

    `prediction`: probabilities (rows, classes) or codes (rows,) for binary and multiclass; probabilities
    (rows, targets) for multilabel; values (rows, targets) for regression.
    """
    if problem == "regression":
        return _values(prediction, output, metric)
    if problem == "multilabel":
        return (prediction >= 0.5).astype(int) if output == "labels" else np.clip(prediction, 0, 1)
    if output == "labels" and "_at_" in metric:
        return _ranked(prediction, int(metric.rsplit("_", 1)[1]), classes)
    if output == "labels":
        codes = prediction if prediction.ndim == 1 else prediction.argmax(axis=1)
        return np.array(classes, dtype=object)[codes].reshape(-1, 1)
    if len(columns) == 1:
        return np.clip(prediction[:, -1:], 0, 1) if output == "probabilities" else _expected(prediction, classes)
    return np.clip(prediction, 0, 1)[:, column_classes(classes, columns)]


@dataclass(frozen=True)
class Bagged:
    """Predictions in the unit of the answers: of train while kept back (NaN where never kept back), and of test."""

    train: np.ndarray
    test: np.ndarray


@dataclass(frozen=True)
class Goal:
    """One thing to learn."""

    answers: np.ndarray
    """(rows,): class codes, or numbers as the model shall see them."""
    classes: int
    """Number of classes; 0 for numbers."""
    absolute: bool
    """Learn medians (absolute error) and not means."""
    log: bool
    """The numbers are log(1 + y)."""
    center: float
    scale: float
    """The numbers were centred by `center` and divided by `scale`."""


@dataclass(frozen=True)
class Outcome:
    """Predictions of one fit: probabilities (rows, classes) or numbers (rows,)."""

    check: np.ndarray
    test: np.ndarray


Fit = Callable[[Goal, np.ndarray, np.ndarray], Outcome]


Folds = list[tuple[np.ndarray, np.ndarray]]


def _shape(goal: Goal, rows: int) -> tuple[int, ...]:
    return (rows, goal.classes) if goal.classes else (rows,)


def in_answers(goal: Goal, numbers: np.ndarray) -> np.ndarray:
    """A model's numbers in the unit of the answers."""
    values = numbers * goal.scale + goal.center
    return np.expm1(values) if goal.log else values


def join_goals(goals: Sequence[Goal], predictions: Sequence[np.ndarray], problem: str) -> np.ndarray:
    """The predictions of all goals as `submit_answers` wants them."""
    if problem in ("binary", "multiclass"):
        return predictions[0]
    if problem == "multilabel":
        if len(goals) == 1 and goals[0].classes > 2:
            return predictions[0][:, 1:]
        return np.column_stack([prediction[:, 1] for prediction in predictions])
    return np.column_stack([in_answers(goal, values) for goal, values in zip(goals, predictions, strict=True)])


STARTED = time.monotonic()


def time_limit() -> float:
    """Seconds that the whole script may take (TIME_LIMIT_S)."""
    return float(os.environ.get("TIME_LIMIT_S", "600"))


def time_left() -> float:
    """Seconds until the time limit, counted from the start of the script; a guard, not a plan."""
    return time_limit() - (time.monotonic() - STARTED)


def bag(
    goals: Sequence[Goal],
    folds: Sequence[Folds],
    fits: Sequence[Fit],
    problem: str,
    test_rows: int,
    keep: Callable[[list[Bagged]], None] | None = None,
) -> list[Bagged]:
    """What each of `fits` predicts, on all folds of all goals; stops after a fold when time for another is short.

    `keep` is called after every fold but the last with what is known so far.
    """
    checks = [[np.full(_shape(goal, len(goal.answers)), np.nan) for goal in goals] for _ in fits]
    tests = [[np.zeros(_shape(goal, test_rows)) for goal in goals] for _ in fits]
    for number in range(len(folds[0])):
        started = time.monotonic()
        for place, goal in enumerate(goals):
            learn, check = folds[place][number]
            for which, fit in enumerate(fits):
                outcome = fit(goal, learn, check)
                checks[which][place][check] = outcome.check
                tests[which][place] += outcome.test
        found = [
            Bagged(
                join_goals(goals, check, problem), join_goals(goals, [sums / (number + 1) for sums in total], problem)
            )
            for check, total in zip(checks, tests, strict=True)
        ]
        if number + 1 == len(folds[0]) or time_left() < 1.5 * (time.monotonic() - started) + 0.1 * time_limit():
            break
        if keep is not None:
            keep(found)
    return found


def known_rows(target: np.ndarray) -> np.ndarray:
    """Mask of the rows that have an answer."""
    if target.ndim == 1:
        return target >= 0
    return np.isfinite(target).all(axis=1)


def _numbers(column: pd.Series) -> np.ndarray:
    """Numbers; True and False, also as text, are 1 and 0."""
    plain = column.astype(str).str.strip().str.lower().replace({"true": "1", "false": "0"})
    return pd.to_numeric(plain, errors="coerce").to_numpy(float)


def _plain_label(label: str) -> str:
    try:
        return repr(float(label))
    except ValueError:
        return label.strip().lower()


def class_codes(values: Any, classes: Sequence[str]) -> np.ndarray:
    """Number of each label in `classes`; "1", "1.0" and 1 are the same label, and so are "True" and "true"."""
    exact = {label: code for code, label in enumerate(classes)}
    loose = {_plain_label(label): code for code, label in enumerate(classes)}
    return np.array([exact.get(str(v), loose.get(_plain_label(str(v)), -1)) for v in values], dtype=int)


def learn_targets(train: pd.DataFrame, targets: Sequence[str], problem: str, classes: Sequence[str]) -> np.ndarray:
    """What a model learns: class codes (rows,) for binary and multiclass, else floats (rows, targets).

    Rows without an answer are -1 or NaN: leave them out of training (see `known_rows`).
    """
    if problem in ("binary", "multiclass"):
        return class_codes(train[targets[0]], classes)
    return np.column_stack([_numbers(train[target]) for target in targets])


def _missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _as_text(table: pd.DataFrame, text: Sequence[str]) -> pd.DataFrame:
    wanted = [column for column in text if column in table]
    return table.assign(**{c: table[c].map(lambda v: "" if _missing(v) else str(v)).astype(object) for c in wanted})


def _read_delimited(data: bytes, separator: str | None, text: Sequence[str]) -> pd.DataFrame:
    header = data[:65536].split(b"\n", 1)[0].decode("utf-8", "replace")
    if separator is None:
        separator = "," if "," in header else max(",;\t|", key=header.count)
    try:
        data.decode("utf-8")
        encoding = "utf-8-sig"
    except UnicodeDecodeError:
        encoding = "latin-1"
    kept: dict[Any, Any] = dict.fromkeys(text, str)
    return pd.read_csv(io.BytesIO(data), sep=separator, encoding=encoding, converters=kept, low_memory=False)


def _records(text: str) -> Any:
    """A JSON array, an object of columns, or one JSON object a line."""
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        return [json.loads(line) for line in text.splitlines() if line.strip()]


def _unzip(data: bytes) -> tuple[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        inner = next(n for n in archive.namelist() if not n.endswith("/") and not n.startswith("__MACOSX"))
        return inner.lower(), archive.read(inner)


def read_table(path: str, text: Sequence[str] = ()) -> pd.DataFrame:
    """The table in a csv, tsv, json, jsonl or parquet file, which may be packed as .gz or .zip.

    Columns named in `text` come back as the exact text of the file ("" where empty), for ids and class labels.
    """
    name, data = path.lower(), Path(path).read_bytes()
    if name.endswith(".gz"):
        name, data = name[:-3], gzip.decompress(data)
    elif name.endswith(".zip"):
        name, data = _unzip(data)
    if name.endswith((".parquet", ".pq")):
        return _as_text(pd.read_parquet(io.BytesIO(data)), text)
    if name.endswith((".json", ".jsonl", ".ndjson")):
        return _as_text(pd.DataFrame(_records(data.decode("utf-8-sig"))), text)
    return _read_delimited(data, "\t" if name.endswith((".tsv", ".tab")) else None, text)


def seed() -> int:
    """The seed of this run (SEED)."""
    return int(os.environ.get("SEED", "0"))


def load_tables(
    train: str, test: str, key: str | None, targets: Sequence[str], problem: str, classes: Sequence[str], rows: int
) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray]:
    """Train (rows with an answer, at most `rows` of them, drawn by the seed), test, and the answers to learn."""
    text = [*([key] if key else []), *(targets if classes else [])]
    table = read_table(train, text=text)
    answers = learn_targets(table, targets, problem, classes)
    kept = np.flatnonzero(known_rows(answers))
    if len(kept) > rows:
        kept = np.sort(np.random.default_rng(seed()).choice(kept, rows, replace=False))
    return table.iloc[kept].reset_index(drop=True), read_table(test, text=[key] if key else []), answers[kept]


def mean_of(members: Sequence[Bagged], weights: Sequence[float] | None = None) -> Bagged:
    """The (weighted) average of several models."""
    trains, tests = [member.train for member in members], [member.test for member in members]
    return Bagged(np.average(trains, axis=0, weights=weights), np.average(tests, axis=0, weights=weights))


def _balanced(test: np.ndarray, answers: np.ndarray) -> np.ndarray:
    shares = np.bincount(answers, minlength=test.shape[1]) / len(answers)
    weighted = test / np.maximum(shares, 1e-6)
    return weighted / weighted.sum(axis=1, keepdims=True)


Measure = Callable[[np.ndarray, np.ndarray], float]


def best_cut(chances: np.ndarray, answers: np.ndarray, measure: Measure) -> float:
    """The threshold with the best measure, smoothed over its neighbours against chance."""
    cuts = np.unique(np.quantile(chances, np.linspace(0.01, 0.99, 99)))
    values = np.array([measure(answers, (chances >= cut).astype(int)) for cut in cuts])
    smooth = np.convolve(np.pad(values, 2, mode="edge"), np.ones(5) / 5, mode="valid")
    return float(cuts[smooth.argmax()])


def label_measure(metric: str) -> Measure | None:
    """The metric on class codes where its best labels are not simply the likeliest ones, else None."""
    found: dict[str, Measure] = {
        "f1": lambda y, p: float(f1_score(y, p, zero_division=0)),
        "f1_macro": lambda y, p: float(f1_score(y, p, average="macro", zero_division=0)),
        "f1_micro": lambda y, p: float(f1_score(y, p, average="micro", zero_division=0)),
        "f1_weighted": lambda y, p: float(f1_score(y, p, average="weighted", zero_division=0)),
        "balanced_accuracy": lambda y, p: float(balanced_accuracy_score(y, p)),
        "matthews": lambda y, p: float(matthews_corrcoef(y, p)),
        "quadratic_weighted_kappa": lambda y, p: float(cohen_kappa_score(y, p, weights="quadratic")),
    }
    return found.get(metric)


def _cut_labels(test: np.ndarray, train: np.ndarray, answers: np.ndarray) -> np.ndarray:
    measure = label_measure("f1")
    assert measure is not None
    cuts = [best_cut(train[:, k], answers[:, k].astype(int), measure) for k in range(test.shape[1])]
    return (test >= np.array(cuts)).astype(float)


def _ordered(test: np.ndarray, train: np.ndarray, answers: np.ndarray, measure: Measure) -> np.ndarray:
    """Classes with an order: cut the expected class number where the measure is best, one cut after the other."""
    steps = np.arange(test.shape[1])
    expected, wanted = train @ steps, test @ steps
    cuts = steps[:-1] + 0.5
    for _ in range(3):
        for place in range(len(cuts)):
            tries = [
                np.sort(np.r_[cuts[:place], cuts[place] + move, cuts[place + 1 :]])
                for move in np.linspace(-0.3, 0.3, 13)
            ]
            values = [measure(answers, np.digitize(expected, option)) for option in tries]
            cuts = tries[int(np.argmax(values))]
    return np.digitize(wanted, cuts)


def _weighted(test: np.ndarray, train: np.ndarray, answers: np.ndarray, measure: Measure) -> np.ndarray:
    """Rare classes are raised by a power of their share, the power with the best measure."""
    shares = np.bincount(answers, minlength=test.shape[1]) / len(answers)
    powers = np.linspace(0, 1, 11)
    weights = [np.maximum(shares, 1e-6) ** -power for power in powers]
    values = [measure(answers, (train * weight).argmax(axis=1)) for weight in weights]
    return (test * weights[int(np.argmax(values))]).argmax(axis=1)


def decide(
    test: np.ndarray,
    train: np.ndarray,
    answers: np.ndarray,
    problem: str,
    output: str,
    metric: str,
    classes: Sequence[str],
) -> np.ndarray:
    """Test predictions as the metric likes them best: class codes (rows,) where labels are wanted, else the same shape.

    `train`: predictions of train's rows while they were kept back (rows with NaN are left out); `answers`: the truth.
    """
    seen = np.isfinite(train).reshape(len(train), -1).all(axis=1)
    train, answers = train[seen], answers[seen]
    if metric == "balanced_log_loss" and problem in ("binary", "multiclass"):
        return _balanced(test, answers)
    measure = label_measure(metric)
    if output != "labels" or measure is None or problem == "regression":
        return test
    if problem == "multilabel":
        return _cut_labels(test, train, answers)
    if metric == "quadratic_weighted_kappa":
        return _ordered(test, train, answers, measure)
    if len(classes) == 2:
        cut = best_cut(train[:, 1], answers, measure)
        return (test[:, 1] >= cut).astype(int)
    return _weighted(test, train, answers, measure)


@dataclass(frozen=True)
class Features:
    """Features of train and test in the same columns; numbers are float, categories are text."""

    train: pd.DataFrame
    test: pd.DataFrame
    numbers: list[str]
    categories: list[str]


def _met_in_train(part: pd.Series, train_rows: int) -> bool:
    """Whether most of test's values lie between train's, or are among them where there are few."""
    train, test = part.iloc[:train_rows].dropna(), part.iloc[train_rows:].dropna()
    if train.nunique() <= 60:
        return bool(test.isin(train.unique()).mean() > 0.5)
    return bool(test.between(train.min(), train.max()).mean() > 0.5)


def as_dates(column: pd.Series) -> pd.Series:
    """The column as timestamps without a time zone (NaT where a value is no date)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dates = pd.to_datetime(column, errors="coerce", utc=True)
        except (ValueError, TypeError):
            dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
        if dates.isna().mean() > column.isna().mean() + 0.02:
            dates = pd.to_datetime(column, errors="coerce", utc=True, format="mixed")
    return dates.dt.tz_localize(None)


MANY = 12


def _composite(name: str, column: pd.Series, mark: str, identifies: bool) -> dict[str, pd.Series]:
    parts = column.astype("string").str.split(re.escape(mark), expand=True, regex=True)
    parts = parts.iloc[:, : int(column.dropna().astype(str).str.count(re.escape(mark)).mode().iloc[0]) + 1]
    found: dict[str, pd.Series] = {}
    for place in parts:
        label, part = f"{name}: part {place + 1}", parts[place]
        if identifies and place == 0:
            found[f"{label} count"] = part.map(part.value_counts())
        numbers = pd.to_numeric(part, errors="coerce")
        if numbers.notna().sum() > 0.9 * part.notna().sum():
            found[label] = numbers.astype(float)
            found[f"{label} count"] = part.map(part.value_counts())
        elif part.nunique() <= 0.5 * len(part):
            found[label] = part.astype(object).map(str, na_action="ignore")
    return found


def _letters_and_digits(name: str, column: pd.Series) -> dict[str, pd.Series]:
    text = column.astype("string")
    letters = text.str.extract(r"^([A-Za-z]+)")[0].str.upper()
    digits = pd.to_numeric(text.str.extract(r"(\d+)(?!.*\d)")[0], errors="coerce")
    found: dict[str, pd.Series] = {}
    if digits.notna().sum() > 0.3 * column.notna().sum():
        found[f"{name}: number"] = digits.astype(float)
        found[f"{name}: letters"] = letters.astype(object).map(str, na_action="ignore")
    return found


def delimiter(sample: pd.Series) -> str | None:
    """The delimiter of a composite column, or None."""
    for mark in ("/", "_", "|", ":", ";", "-", "."):
        counts = sample.astype(str).str.count(re.escape(mark))
        usual = int(counts.mode().iloc[0])
        if 1 <= usual <= 5 and (counts == usual).mean() > 0.95:
            return mark
    return None


def code_features(name: str, column: pd.Series, identifies: bool, safe: bool) -> dict[str, pd.Series]:
    """A category; for codes with parts ("B/12/S", "0042_01", "C85") the parts; how often each value occurs.

    `identifies`: the whole value names the row, so that only its parts can repeat.
    """
    distinct = column.nunique()
    found = {} if identifies or distinct > 0.5 * len(column) else {name: column.map(str, na_action="ignore")}
    if safe or distinct < MANY:
        return found
    if not identifies:
        found[f"{name}: count"] = column.map(column.value_counts())
    mark = delimiter(column.dropna().astype(str))
    if mark is not None:
        found.update(_composite(name, column, mark, identifies))
    elif not identifies:
        found.update(_letters_and_digits(name, column))
    return found


SAMPLE_ROWS = 3000


def _is_counter(column: pd.Series) -> bool:
    """A whole number that counts rows: all different, rising, without large gaps."""
    if len(column) < 50 or not column.is_monotonic_increasing or not column.is_unique:
        return False
    whole = bool((column == column.round()).all())
    return whole and float(column.iloc[-1] - column.iloc[0]) < 3 * len(column)


FLAG_WORDS = [{"true", "false"}, {"yes", "no"}, {"y", "n"}, {"t", "f"}, {"0", "1"}]


def _plain_value(value: Any) -> str:
    text = str(value).strip().lower()
    return text.removesuffix(".0")


def _is_flag(known: pd.Series) -> bool:
    values = known.unique()
    return len(values) <= 2 and {_plain_value(value) for value in values} in FLAG_WORDS


DATE = re.compile(
    r"^\s*(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{2,4}"
    r"|\d{1,2}[- ][A-Za-z]{3,9}[- ,]+\d{2,4}|[A-Za-z]{3,9} \d{1,2},? \d{4})(?:[ T]+\d{1,2}:\d{2}.*)?\s*$"
)


PATH = re.compile(r"\.(?:jpe?g|png|gif|bmp|tiff?|webp|wav|mp3|flac|ogg|npy|dcm)$", re.IGNORECASE)


def is_composite(sample: pd.Series) -> bool:
    """Parts joined by one delimiter that stands the same number of times in nearly all values: "B/12/S", "0042_01"."""
    return delimiter(sample) is not None


def _kind_of_text(sample: pd.Series) -> str:
    if sample.str.contains(PATH).mean() > 0.9:
        return "path"
    if sample.str.match(DATE).mean() > 0.95 and as_dates(sample).notna().mean() > 0.95:
        return "date"
    numbers = pd.to_numeric(sample, errors="coerce")
    if numbers.notna().mean() > 0.98:
        return "number"
    words = float(sample.str.count(r"\s+").mean()) + 1
    distinct = sample.nunique() / len(sample)
    if distinct > (0.1 if words >= 12 else 0.5) and words >= 1.8:
        return "text"
    if distinct > 0.98 and len(sample) >= 50 and not is_composite(sample):
        return "id"
    return "category"


def column_kind(column: pd.Series) -> str:
    """The kind of one column."""
    known = column.dropna()
    if len(known) == 0:
        return "constant"
    sample = known if len(known) <= SAMPLE_ROWS else known.sample(SAMPLE_ROWS, random_state=0)
    if isinstance(sample.iloc[0], list | tuple | set | np.ndarray | dict):
        return "list"
    if known.nunique() == 1 and len(known) == len(column):
        return "constant"
    if pd.api.types.is_datetime64_any_dtype(column):
        return "date"
    if pd.api.types.is_bool_dtype(column) or _is_flag(known):
        return "flag"
    if pd.api.types.is_numeric_dtype(column):
        return "id" if _is_counter(column) else "number"
    return _kind_of_text(sample.astype(str))


def date_parts(name: str, dates: pd.Series) -> dict[str, pd.Series]:
    """Year, month, day, weekday, hour, minute, day of the year and days since the first date."""
    when = dates.dt
    parts = {
        "year": when.year,
        "month": when.month,
        "day": when.day,
        "weekday": when.day_of_week,
        "hour": when.hour,
        "minute": when.minute,
        "day of year": when.day_of_year,
        "days": (dates - dates.min()).dt.total_seconds() // 86400,
    }
    return {f"{name}: {part}": values.astype(float) for part, values in parts.items()}


def flag_numbers(column: pd.Series) -> pd.Series:
    """Two-valued words and booleans as 1 and 0."""
    plain = column.map(lambda v: str(v).strip().lower().removesuffix(".0"), na_action="ignore")
    return plain.map({"true": 1.0, "yes": 1.0, "y": 1.0, "t": 1.0, "1": 1.0}).where(
        plain.isin(["true", "yes", "y", "t", "1"]), plain.map({"false": 0.0, "no": 0.0, "n": 0.0, "f": 0.0, "0": 0.0})
    ).astype(float)  # fmt: skip


def _floats(found: dict[str, pd.Series]) -> dict[str, pd.Series]:
    return {name: values.astype(float) for name, values in found.items()}


def as_text(value: object) -> str:
    """A cell as text; the items of a list as words."""
    if isinstance(value, list | tuple | set | np.ndarray):
        return " ".join(str(item).replace(" ", "_") for item in value)
    return "" if value is None or value is pd.NA or value != value else str(value)


def text_features(name: str, column: pd.Series, width: int = 8) -> dict[str, pd.Series]:
    """Length, number of words, how often the first and the last word occur, and main directions of the words."""
    text = column.map(as_text)
    words = text.str.findall(r"[\w']+")
    found = {
        f"{name}: characters": text.str.len(),
        f"{name}: words": words.str.len(),
    }
    for label, place in (("first", 0), ("last", -1)):
        word = words.map(lambda w, place=place: w[place] if w else "")
        found[f"{name}: {label} word count"] = word.map(word.value_counts())
    try:
        matrix = TfidfVectorizer(min_df=max(5, len(text) // 200), max_features=5000, sublinear_tf=True).fit_transform(
            text
        )
    except ValueError:  # no word occurs often enough
        return _floats(found)
    size = min(width, matrix.shape[1] - 1)
    if size >= 1:
        scores = TruncatedSVD(size, random_state=seed()).fit_transform(matrix)
        found.update({f"{name}: theme {k + 1}": pd.Series(scores[:, k], index=column.index) for k in range(size)})
    return _floats(found)


def _take_apart(name: str, column: pd.Series, train_rows: int, is_id: bool, safe: bool) -> dict[str, pd.Series]:
    """The features of one column."""
    kind = column_kind(column)
    if kind == "date":
        parts = date_parts(name, as_dates(column))
        return {label: part for label, part in parts.items() if _met_in_train(part, train_rows)}
    if kind == "number":
        return {} if is_id else {name: pd.to_numeric(column, errors="coerce").astype(float)}
    if kind == "flag":
        return {name: flag_numbers(column)}
    if kind in ("constant", "path") or pd.api.types.is_numeric_dtype(column):
        return {}
    if kind in ("text", "list"):
        return {} if safe else text_features(name, column)
    return code_features(name, column.astype(object).where(column.notna()), is_id or kind == "id", safe)


def _useful(table: pd.DataFrame, train_rows: int) -> list[str]:
    """Columns that vary in train and are not copies of an earlier one."""
    seen: set[int] = set()
    kept = []
    for name in table:
        codes, values = pd.factorize(table[name].iloc[:train_rows], use_na_sentinel=False)
        mark = hash(codes.tobytes()) if len(values) < MANY else hash(table[name].to_numpy().tobytes())
        if len(values) > 1 and mark not in seen:
            seen.add(mark)
            kept.append(name)
    return kept


def _is_amount(column: pd.Series) -> bool:
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_bool_dtype(column) or column.nunique() < 50:
        return False
    zeros = float((column == 0).mean())
    return bool(column.min() == 0) and 0.3 < zeros < 0.98


def row_totals(both: pd.DataFrame, names: Sequence[str]) -> dict[str, pd.Series]:
    """How much is missing in a row; the sum and the number of amounts (skewed numbers of which many are zero)."""
    found: dict[str, pd.Series] = {}
    missing = both[list(names)].isna().sum(axis=1)
    if missing.max() > 1:
        found["missing values"] = missing.astype(float)
    amounts = [name for name in names if _is_amount(both[name])]
    if len(amounts) >= 3:
        table = both[amounts].fillna(0)
        found["sum of amounts"] = table.sum(axis=1).astype(float)
        found["amounts above zero"] = (table > 0).sum(axis=1).astype(float)
    return found


def derive_features(
    train: pd.DataFrame, test: pd.DataFrame, key: str | None, drop: Sequence[str], safe: bool = False
) -> Features:
    """Features from every column that both tables have, apart from `drop`; no answers are used. `key`: the id column.

    `safe`: only the plain columns, without groups, sums and texts.
    """
    names = [name for name in test.columns if name in train.columns and name not in drop]
    both = pd.concat([train[names], test[names]], ignore_index=True)
    found: dict[str, pd.Series] = {}
    for name in names:
        found.update(_take_apart(name, both[name], len(train), name == key, safe))
    if not safe:
        found.update(row_totals(both, names))
    table = pd.DataFrame(found, index=both.index)
    table = table[_useful(table, len(train))]
    categories = [name for name in table if not pd.api.types.is_numeric_dtype(table[name])]
    numbers = [name for name in table if name not in categories]
    table[numbers] = table[numbers].astype(float).replace([np.inf, -np.inf], np.nan)
    head, tail = table.iloc[: len(train)], table.iloc[len(train) :]
    return Features(head.reset_index(drop=True), tail.reset_index(drop=True), numbers, categories)


def cpus() -> int:
    """Cores to use, at least one (CPUS)."""
    return max(1, int(float(os.environ.get("CPUS", "1"))))


def write_submission(
    sample: str, key: str | None, columns: Sequence[str], ids: Sequence[str] | None, answers: Any
) -> None:
    """Write ./submission.csv in the form of the sample submission.

    `answers` holds one row for each row of test and one column for each of `columns`; `key` is the id column and
    `ids` are test's ids as text (None: rows are matched by position).
    """
    table = read_table(sample, text=[key] if key else [])
    cells = np.asarray(answers).reshape(len(answers), len(columns))
    if key and ids is not None and list(ids) != list(table[key]):
        place = {name: row for row, name in enumerate(ids)}
        if all(name in place for name in table[key]):
            cells = cells[[place[name] for name in table[key]]]
    out = pd.DataFrame({key: table[key]} if key else {}, index=table.index)
    for number, column in enumerate(columns):
        out[column] = cells[:, number]
    order = [c for c in table.columns if c in out.columns]
    out[order].to_csv("submission.csv", index=False)


def fold_count(rows: int) -> int:
    """How many parts train is cut into: more where rows are few, so that each model sees more of them."""
    return 8 if rows < 3000 else 5


def _groups(train: pd.DataFrame, split: str, by: str | None) -> np.ndarray | None:
    if by is None or by not in train or split not in ("group", "block"):
        return None
    if split == "block":
        days = as_dates(train[by]).dt.floor("D")
        order = np.unique(days.astype(str), return_inverse=True)[1]
        return order // 4
    mark = delimiter(train[by].dropna().astype(str)) if train[by].is_unique else None
    keys = train[by].astype(str).str.split(mark).str[0] if mark else train[by].astype(str)
    return pd.factorize(keys)[0]


def _latest(when: pd.Series, count: int) -> Folds:
    """The last tenths of the time, each learned from all that is earlier."""
    order = when.rank(pct=True).to_numpy()
    folds = []
    for number in range(count):
        end = 1.0 - number * 0.1
        check = np.flatnonzero((order > end - 0.1) & (order <= end))
        folds.append((np.flatnonzero(order <= end - 0.1), check))
    return folds


def inner_folds(
    train: pd.DataFrame, answers: np.ndarray, classes: int, split: str, by: str | None, count: int
) -> Folds:
    """`count` pairs of row numbers (learn, check): whole groups, stretches of days, or rows stratified by class."""
    rows = np.arange(len(train))
    if split == "time" and by in train:
        return _latest(as_dates(train[by]) if train[by].dtype != float else train[by], count)
    groups = _groups(train, split, by)
    if groups is not None and len(np.unique(groups)) >= count:
        return list(GroupKFold(count, shuffle=True, random_state=seed()).split(rows, groups=groups))
    if classes and np.bincount(answers).max() >= count:
        return list(StratifiedKFold(count, shuffle=True, random_state=seed()).split(rows, answers))
    return list(KFold(count, shuffle=True, random_state=seed()).split(rows))


ABSOLUTE = ("mae", "medae", "mape", "smape", "mean_columnwise_mae")


RELATIVE = ("mape", "smape")


def _number_goal(column: np.ndarray, metric: str) -> Goal:
    log = bool(("rmsle" in metric or metric in RELATIVE) and column.min() > -1)
    numbers = np.log1p(column) if log else column
    center, scale = float(np.mean(numbers)), float(np.std(numbers)) or 1.0
    return Goal((numbers - center) / scale, 0, metric in ABSOLUTE, log, center, scale)


def one_label_a_row(answers: np.ndarray) -> bool:
    """Whether the labels of a multilabel problem exclude each other, but for one row in two hundred."""
    return answers.shape[1] > 2 and bool(((answers > 0.5).sum(axis=1) > 1).mean() < 0.005)


def learning_goals(answers: np.ndarray, problem: str, metric: str) -> list[Goal]:
    """One goal for a class problem, one a target for numbers and several labels.

    Several labels of which (nearly) every row has at most one are learned as one class problem, "none" first.
    """
    if problem in ("binary", "multiclass"):
        return [Goal(answers, int(answers.max()) + 1, False, False, 0.0, 1.0)]
    if problem == "multilabel":
        if one_label_a_row(answers):
            codes = np.where(answers.max(axis=1) > 0, answers.argmax(axis=1) + 1, 0)
            return [Goal(codes, answers.shape[1] + 1, False, False, 0.0, 1.0)]
        return [Goal(column.astype(int), 2, False, False, 0.0, 1.0) for column in answers.T]
    return [_number_goal(column, metric) for column in answers.T]


def fit_catboost(
    goal: Goal,
    train: pd.DataFrame,
    test: pd.DataFrame,
    learn: np.ndarray,
    check: np.ndarray,
    rounds: int,
    **options: Any,
) -> Outcome:
    """One CatBoost with early stopping on the `check` rows."""
    names = [name for name in train if not pd.api.types.is_numeric_dtype(train[name])]
    settings = {
        "iterations": rounds,
        "learning_rate": 0.08,
        "depth": 6,
        "loss_function": {0: "MAE" if goal.absolute else "RMSE", 2: "Logloss"}.get(goal.classes, "MultiClass"),
        "bootstrap_type": "Bernoulli",
        "subsample": 0.8,
        "random_seed": seed(),
        "thread_count": cpus(),
        "early_stopping_rounds": 60,
        "max_ctr_complexity": 1,
        "one_hot_max_size": 16,
        "allow_writing_files": False,
        "verbose": False,
        **options,
    }
    model = (CatBoostClassifier if goal.classes else CatBoostRegressor)(**settings)
    data = Pool(train.iloc[learn], goal.answers[learn], cat_features=names)
    watch = Pool(train.iloc[check], goal.answers[check], cat_features=names)
    model.fit(data, eval_set=watch, use_best_model=True)
    tables = (watch, Pool(test, cat_features=names))
    found = [model.predict_proba(table) if goal.classes else model.predict(table) for table in tables]
    return Outcome(*[np.asarray(values) for values in found])


def with_words(features: Features) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Features for CatBoost: categories as text, a missing one as a value of its own."""
    tables = []
    for table in (features.train, features.test):
        filled = table.copy()
        for name in features.categories:
            filled[name] = filled[name].astype(object).where(filled[name].notna(), "missing").astype(str)
        tables.append(filled)
    return tables[0], tables[1]


ROWS = 50_000 if SAFE else 300_000
"""More rows than these are sampled."""
SECONDS = 30.0
"""What the work is sized for, on one core."""
CELLS_A_SECOND = 1.5e5
"""Rows x columns x classes of one fold that are learned in a second on one core (measured)."""


def main() -> None:
    """Learn and predict."""
    train, test, answers = load_tables(TRAIN, TEST, ID, TARGETS, PROBLEM, CLASSES, ROWS)
    features = derive_features(train, test, ID, [*TARGETS, *IGNORE], SAFE)
    goals = learning_goals(answers, PROBLEM, METRIC)
    outputs = sum(goal.classes if goal.classes > 2 else 1 for goal in goals)
    seconds = features.train.size * outputs / CELLS_A_SECOND / cpus()
    count = 2 if SAFE else max(2, min(fold_count(len(train)), int(SECONDS / max(seconds, 0.1))))
    hurry = max(1.0, 2 * seconds / SECONDS)
    folds = [
        inner_folds(train, goal.answers, goal.classes, SPLIT, SPLIT_COLUMN, fold_count(len(train)))[:count]
        for goal in goals
    ]
    data = with_words(features)
    rate, rounds = min(0.3, 0.05 * hurry), int(3000 / hurry)
    fits = [lambda goal, learn, check: fit_catboost(goal, *data, learn, check, rounds, learning_rate=rate, depth=7)]

    def submit(members: list[Bagged]) -> None:
        found = mean_of(members)
        chosen = decide(found.test, found.train, answers, PROBLEM, OUTPUT, METRIC, CLASSES)
        ids = list(test[ID]) if ID else None
        write_submission(SAMPLE, ID, COLUMNS, ids, submit_answers(chosen, PROBLEM, OUTPUT, METRIC, CLASSES, COLUMNS))

    submit(bag(goals, folds, fits, PROBLEM, len(test), keep=submit))


if __name__ == "__main__":
    main()
