"""Columns of free text or of lists of strings as sparse matrices of words, items and pieces of words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

View = Literal["counts", "words", "characters", "pieces"]
WORD = r"(?u)\b\w+\b|[^\w\s]"
CHARACTERS = {"counts": 40_000_000, "words": 40_000_000, "characters": 5_000_000, "pieces": 5_000_000}
"""So many characters of all texts together are looked at; every text is cut to the same length."""
MOST = 400_000
"""Features of one view at most."""


@dataclass(frozen=True)
class Documents:
    """One column of text."""

    train: list[Any]
    """A text a row, or a list of texts a row."""
    test: list[Any]
    listed: bool
    """Whether cells are lists."""


def read_documents(train: pd.DataFrame, test: pd.DataFrame, names: Sequence[str]) -> list[Documents]:
    """The named columns; empty cells are empty texts."""
    found = []
    for name in names:
        cells = [*train[name], *test[name]]
        listed = any(isinstance(cell, list | tuple | np.ndarray) for cell in cells[:200])
        clean = [_items(cell) if listed else _text(cell) for cell in cells]
        found.append(Documents(clean[: len(train)], clean[len(train) :], listed))
    return found


def _text(cell: Any) -> str:
    return "" if cell is None or cell is pd.NA or cell != cell else str(cell)


def _items(cell: Any) -> list[str]:
    if isinstance(cell, list | tuple | np.ndarray):
        return [str(item).strip().lower() for item in cell]
    return [_text(cell).strip().lower()] if _text(cell) else []


def term_matrix(
    documents: Sequence[Documents], view: View, share: float = 1.0
) -> tuple[sparse.csr_matrix, sparse.csr_matrix]:
    """Rows of train and of test in one view; columns of the table stand side by side.

    `share` of the usual number of characters is looked at. Words and their weights come from train and test together.
    """
    parts = [_one_matrix(column, view, int(CHARACTERS[view] * share / len(documents))) for column in documents]
    train = sparse.hstack([part[0] for part in parts], format="csr", dtype=np.float32)
    test = sparse.hstack([part[1] for part in parts], format="csr", dtype=np.float32)
    return train, test


def _one_matrix(column: Documents, view: View, most: int) -> tuple[Any, Any]:
    cells = [*column.train, *column.test]
    if not column.listed:
        cells = cut_texts(cells, most)
    try:
        matrix = _vectorizer(view, column.listed).fit_transform(cells)
    except ValueError:  # nothing is left of a column of stop marks or empty cells
        matrix = sparse.csr_matrix((len(cells), 1), dtype=np.float32)
    return matrix[: len(column.train)], matrix[len(column.train) :]


def cut_texts(texts: list[str], most: int) -> list[str]:
    """Texts cut to one length, the longest one with which all together have at most `most` characters."""
    lengths = np.sort([len(text) for text in texts])
    if lengths.sum() <= most:
        return texts
    rest = np.arange(len(lengths), 0, -1)
    totals = np.concatenate([[0], np.cumsum(lengths)[:-1]]) + lengths * rest
    longest = int(lengths[max(0, int(np.searchsorted(totals, most)) - 1)])
    return [text[: max(longest, most // len(texts))] for text in texts]


def _vectorizer(view: View, listed: bool) -> Any:
    if listed:
        return _list_vectorizer(view)
    if view == "counts":
        return CountVectorizer(
            ngram_range=(1, 2), token_pattern=WORD, lowercase=False, max_features=MOST, dtype=np.float32
        )
    if view == "words":
        return TfidfVectorizer(
            ngram_range=(1, 2), token_pattern=WORD, min_df=2, sublinear_tf=True, max_features=MOST, dtype=np.float32
        )
    if view == "characters":
        return TfidfVectorizer(
            analyzer="char", ngram_range=(1, 5), lowercase=False, min_df=3, sublinear_tf=True, max_features=MOST,
            dtype=np.float32,
        )  # fmt: skip
    return CountVectorizer(
        analyzer="char", ngram_range=(3, 5), lowercase=False, min_df=2, binary=True, max_features=MOST, dtype=np.float32
    )


def _list_vectorizer(view: View) -> Any:
    analyzers: dict[View, Callable[[list[str]], list[str]]] = {
        "counts": item_pairs, "words": item_words, "characters": item_pieces, "pieces": item_phrases
    }  # fmt: skip
    kind = CountVectorizer if view in ("counts", "pieces") else TfidfVectorizer
    more = {} if view in ("counts", "pieces") else {"sublinear_tf": True}
    return kind(analyzer=analyzers[view], min_df=2, binary=True, max_features=MOST, dtype=np.float32, **more)


def words_of(item: str) -> list[str]:
    """Words of an item without marks."""
    return "".join(c if c.isalnum() else " " for c in item).split()


def item_words(items: list[str]) -> list[str]:
    """Whole items and their words."""
    return [f"={item}" for item in items] + [word for item in items for word in words_of(item)]


def item_phrases(items: list[str]) -> list[str]:
    """Whole items, their words and neighbouring words."""
    found = item_words(items)
    for item in items:
        found += [f"{a} {b}" for a, b in pairwise(words_of(item))]
    return found


def item_pairs(items: list[str]) -> list[str]:
    """Whole items, their words, and pairs of the first thirty items."""
    few = sorted(set(items[:30]))
    return item_words(items) + [f"{a}&{b}" for n, a in enumerate(few) for b in few[n + 1 :]]


def item_pieces(items: list[str]) -> list[str]:
    """Pieces of two to five characters of the words."""
    padded = [f" {word} " for item in items for word in words_of(item)]
    return [word[k : k + size] for word in padded for size in (2, 3, 4, 5) for k in range(len(word) - size + 1)]
