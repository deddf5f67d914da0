"""Which models a stack for texts or lists has, by what is asked and by how much there is to read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

from recipes.parts.columns import column_kinds, free_text
from recipes.parts.denses import Block, boosted, column_table, dense_ridge, kernel_machine, scaled_blocks, themes
from recipes.parts.documents import Documents, View, term_matrix
from recipes.parts.readability import text_statistics
from recipes.parts.stack import Learn, Member
from recipes.parts.termmodels import bayes, logistic, margins, ratios, ridge

AFFORDABLE = 200_000_000
"""Terms times classes times fits that a linear model may look at: about twenty-five seconds of one core."""

SHORT = 10_000
"""From so many rows on, three folds do; below, five."""

Matrices = dict[str, tuple[Any, Any]]


def text_names(train: pd.DataFrame, test: pd.DataFrame, drop: Sequence[str]) -> list[str]:
    """Columns of free text or lists, longest first; where none is long, the short ones; at most three.

    Raises:
        ValueError: there is no text at all.
    """
    names = [name for name in test.columns if name in train.columns and name not in drop]
    both = pd.concat([train[names].head(3000), test[names].head(3000)], ignore_index=True)
    kinds = column_kinds(both, names)
    found = free_text(both, kinds) or [name for name in names if kinds[name] in ("text", "list", "category")]
    if not found:
        raise ValueError("no column holds text")
    return found[:3]


def fold_number(rows: int) -> int:
    """Folds of a stack for so many rows."""
    return 5 if rows < SHORT else 3


class Views:
    """Matrices of terms, each made when it is first asked for."""

    def __init__(self, documents: Sequence[Documents]) -> None:
        self.documents = documents
        self.made: Matrices = {}

    def get(self, view: View) -> tuple[Any, Any]:
        """Train's and test's rows in one view."""
        if view not in self.made:
            self.made[view] = term_matrix(self.documents, view)
        return self.made[view]


def class_members(views: Views, classes: int, fits: int, safe: bool) -> list[Callable[[], Member]]:
    """Models for classes, the strongest first; what would take too long is left out."""
    listed = all(column.listed for column in views.documents)
    plans: list[tuple[View, Learn, bool]] = [
        ("words", logistic(6.0 if listed else 20.0), False),
        ("counts", bayes(0.1 if listed else 0.3), True),
    ]
    if not safe:
        plans += [
            ("counts", ratios(0.3 if listed else 1.0, 1.0, True), False),
            ("words", margins(0.5) if listed else ratios(3.0, 0.1, False), False),
            ("characters", ratios(3.0, 0.1, False), False),
            ("pieces", bayes(0.1 if listed else 0.05), True),
        ]
    return [_later(views, view, fit) for view, fit, quick in plans if quick or affordable(views, view, classes, fits)]


def affordable(views: Views, view: View, classes: int, fits: int) -> bool:
    """Whether a linear model of the view can be learned `fits` times in about twenty seconds."""
    return bool(views.get(view)[0].nnz * max(1, classes if classes > 2 else 1) * fits <= AFFORDABLE)


def _later(views: Views, view: View, fit: Learn) -> Callable[[], Member]:
    return lambda: Member(*views.get(view), fit)


def bayes_members(views: Views, safe: bool) -> list[Callable[[], Member]]:
    """Naive Bayes on every view."""
    plans: list[tuple[View, Learn]] = [("counts", bayes(0.3)), ("words", bayes(0.05))]
    if not safe:
        plans.append(("pieces", bayes(0.05)))
    return [_later(views, view, fit) for view, fit in plans]


def wide_rows(
    views: Views, train: pd.DataFrame, test: pd.DataFrame, key: str | None, drop: Sequence[str], safe: bool
) -> tuple[Any, Any]:
    """TF-IDF of words and of characters side by side, each of length one, and the other columns, scaled down to fit."""
    blocks = [views.get("words")] if safe else [views.get("words"), views.get("characters")]
    columns = column_table(train, test, key, drop, safe)
    if columns is not None:
        scaled = scaled_blocks([(columns, 0.3 / columns[0].shape[1] ** 0.5)])
        blocks.append((sparse.csr_matrix(scaled[0]), sparse.csr_matrix(scaled[1])))
    return tuple(sparse.hstack(part, format="csr", dtype=np.float32) for part in zip(*blocks, strict=True))


def linear_members(rows: tuple[Any, Any], classes: int, labels: bool, safe: bool) -> list[Callable[[], Member]]:
    """The same linear model with several penalties; support vectors where only the label counts."""
    fits: list[Learn]
    if not classes:
        fits = [ridge(0.5)] if safe else [ridge(penalty) for penalty in (0.3, 1.0, 3.0)]
    elif rows[0].nnz * classes > AFFORDABLE:
        fits = [logistic(5.0)]
    elif labels:
        fits = [margins(0.3)] if safe else [margins(strength) for strength in (0.1, 0.4)]
    elif rows[0].min() >= 0:
        fits = [ratios(3.0, 0.1, False)]
    else:
        slow = safe or rows[0].nnz * classes > AFFORDABLE / 10
        fits = [logistic(8.0)] if slow else [logistic(strength) for strength in (3.0, 20.0)]
    return [lambda fit=fit: Member(*rows, fit) for fit in fits]  # type: ignore[misc]


def number_members(views: Views, safe: bool) -> list[Callable[[], Member]]:
    """Ridge regressions on words and characters; penalties as for weights that sum to one a row."""
    plans: list[tuple[View, Learn]] = [("words", ridge(0.5))]
    if not safe:
        plans.append(("characters", ridge(0.5)))
    return [_later(views, view, fit) for view, fit in plans]


def column_members(
    train: pd.DataFrame, test: pd.DataFrame, key: str | None, drop: Sequence[str], safe: bool
) -> list[Callable[[], Member]]:
    """A boosted-trees member on the columns that are no free text, where there are any."""
    tables = column_table(train, test, key, drop, safe)
    if tables is None:
        return []
    rows = tuple(np.asarray(table, dtype=np.float32) for table in tables)
    return [lambda: Member(rows[0], rows[1], boosted(200, 0.05))]


def dense_views(
    views: Views, train: pd.DataFrame, test: pd.DataFrame, key: str | None, drop: Sequence[str], safe: bool
) -> tuple[Block, Block]:
    """Plain features (statistics of texts, other columns of the table) and themes of words and of pieces of words."""
    plain = [text_statistics(*_as_texts(column)) for column in views.documents]
    columns = column_table(train, test, key, drop, safe)
    blocks = [*plain, *([columns] if columns else [])]
    found = [themes(views.get("words"), 40 if safe else 100 if len(train) < SHORT else 60)]
    if not safe:
        found.append(themes(views.get("characters"), 60 if len(train) < SHORT else 30))
    return _beside(blocks), _beside(found)


def _as_texts(column: Documents) -> tuple[list[str], list[str]]:
    if not column.listed:
        return column.train, column.test
    return [", ".join(items) for items in column.train], [", ".join(items) for items in column.test]


def _beside(blocks: Sequence[Block]) -> Block:
    return np.hstack([block[0] for block in blocks]), np.hstack([block[1] for block in blocks])


def dense_members(plain: Block, found: Block, safe: bool) -> list[Callable[[], Member]]:
    """Models of numbers on dense features: boosted trees, a kernel machine and ridge regression."""
    scaled = scaled_blocks([(plain, 1.0), (found, 0.9)])
    members = [lambda: Member(*_beside([plain, found]), boosted(400, 0.03))]
    if not safe:
        members += [
            lambda: Member(*scaled, kernel_machine(1.0, 0.5)),
            lambda: Member(*scaled, dense_ridge(300.0)),
        ]
    return members
