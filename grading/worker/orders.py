"""Formulas of metrics on labels, on the order of predictions and on text: see grading.worker.metrics."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import average_precision_score

from grading.worker.arrays import Array
from grading.worker.formulas import moments, nanmean, pearson


def class_counts(y: Array, p: Array) -> Array:
    """A row's terms: for each class hit (both), told (predicted), true."""
    if y.shape[1] == 1 and p.shape[1] == 1:
        classes = np.arange(int(max(y.max(), p.max(), 1)) + 1)
        y, p = y == classes, p == classes
    return np.hstack([(y * p), p, y]).astype(float)


def f1s(means: Array) -> tuple[Array, Array]:
    """F1 of each class (NaN where it neither occurs nor is told), and its share of the answers."""
    hit, told, true = np.split(means, 3, axis=-1)
    return 2 * hit / (told + true), true


def f1_macro(means: Array) -> Array:
    """Mean F1 over the classes that occur or are told."""
    return nanmean(f1s(means)[0])


def f1_weighted(means: Array) -> Array:
    """Mean F1 weighted by how often each class occurs."""
    values, share = f1s(means)
    return np.asarray((np.nan_to_num(values) * share).sum(axis=-1) / share.sum(axis=-1))


def f1_micro(means: Array) -> Array:
    """F1 of all classes' counts together."""
    hit, told, true = np.split(means, 3, axis=-1)
    return np.asarray(2 * hit.sum(axis=-1) / (told.sum(axis=-1) + true.sum(axis=-1)))


def second_class_counts(y: Array, p: Array) -> Array:
    """`class_counts` of the second class alone where there are two classes (F1 of the positive class)."""
    counts = class_counts(y, p)
    return counts[:, 1::2] if y.shape[1] == 1 and counts.shape[1] == 6 else counts


def balanced_accuracy(means: Array) -> Array:
    """Mean, over the classes that occur, of the share told right."""
    hit, _, true = np.split(means, 3, axis=-1)
    return nanmean(hit / true)


def matthews(means: Array) -> Array:
    """Gorodkin's form for any number of classes; 0 where predictions or answers are constant."""
    hit, told, true = np.split(means, 3, axis=-1)
    covariance = hit.sum(axis=-1) - (told * true).sum(axis=-1)
    scale = (1 - (told**2).sum(axis=-1)) * (1 - (true**2).sum(axis=-1))
    return np.where(scale > 1e-15, covariance / np.sqrt(np.where(scale > 1e-15, scale, 1)), 0.0)


def area(y: Array, p: Array) -> float:
    """Area under the ROC curve by mid-ranks (Mann-Whitney); NaN where one class is missing."""
    positive = y > 0.5
    count = int(positive.sum())
    if count in (0, len(y)):
        return float("nan")
    return float((rankdata(p)[positive].sum() - count * (count + 1) / 2) / (count * (len(y) - count)))


def precision(y: Array, p: Array) -> float:
    """Average precision of one column; NaN without a positive answer."""
    return float(average_precision_score(y > 0.5, p)) if (y > 0.5).any() else float("nan")


def over_columns(one: Callable[[Array, Array], float], y: Array, p: Array) -> float:
    """Mean over columns; several classes count one against the rest, each row rescaled to sum to 1."""
    if y.shape[1] == 1 and p.shape[1] > 1:
        p = p / p.sum(axis=1, keepdims=True)
        y, p = (y[:, 0] > 0, p[:, 1:]) if p.shape[1] == 2 else (y == np.arange(p.shape[1]), p)
        y = y.reshape(len(p), -1)
    return float(nanmean(np.array([one(y[:, i], p[:, i]) for i in range(y.shape[1])])))


def spearman(y: Array, p: Array) -> float:
    """Spearman's rank correlation, mean over columns."""
    rows = moments(rankdata(y, axis=0) - len(y) / 2, rankdata(p, axis=0) - len(y) / 2)
    return float(pearson(rows.mean(axis=0)))


def median_distance(y: Array, p: Array) -> float:
    """Median absolute error, mean over columns."""
    return float(np.median(np.abs(y - p), axis=0).mean())


def average_precision_at(length: int, y: Array, p: Array) -> Array:
    """AP@k of each row: true labels and the first k distinct predicted labels are separated by blanks."""
    out = np.zeros((len(y), 1))
    for row, (true, told) in enumerate(zip(y[:, 0], p[:, 0], strict=True)):
        labels, hits = set(str(true).split()), 0
        for rank, label in enumerate(distinct(str(told))[:length], start=1):
            if label in labels:
                hits += 1
                out[row] += hits / rank
        out[row] /= max(1, min(len(labels), length))
    return out


def gain_at(length: int, y: Array, p: Array) -> Array:
    """NDCG@k of each row, binary relevance."""
    discounts = 1 / np.log2(np.arange(2, length + 2))
    out = np.zeros((len(y), 1))
    for row, (true, told) in enumerate(zip(y[:, 0], p[:, 0], strict=True)):
        labels = set(str(true).split())
        gain = sum(discounts[i] for i, label in enumerate(distinct(str(told))[:length]) if label in labels)
        out[row] = gain / max(discounts[: len(labels)].sum(), discounts[-1])
    return out


def distinct(text: str) -> list[str]:
    """The words in order, each once."""
    return list(dict.fromkeys(text.split()))


def shared_words(y: Array, p: Array) -> Array:
    """Shared words over all words of each row's two texts, in lower case; 0 where both are empty."""
    out = np.zeros((len(y), 1))
    for row, (true, told) in enumerate(zip(y[:, 0], p[:, 0], strict=True)):
        one, other = set(str(true).lower().split()), set(str(told).lower().split())
        out[row] = len(one & other) / max(1, len(one | other))
    return out
