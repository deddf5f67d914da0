"""Statistics of texts: length of words and sentences, syllables, how rare words are, how varied, and marks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

LETTERS = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
VOWELS = re.compile(r"[aeiouyäöüáéíóúàèìòùâêîôûаеёиоуыэюя]+")
SENTENCE = re.compile(r"[.!?]+[\"')\]]*\s+|\n+")
MARKS = ",;:\"'-()?!.#@$%&*/"
LONGEST = 5000
"""Characters of a text that are counted."""


def text_statistics(train: Sequence[str], test: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Statistics (rows, features) of the texts of train and test; how rare a word is, is counted in all of them."""
    texts = [text[:LONGEST] for text in (*train, *test)]
    known: Counter[str] = Counter()
    for text in texts:
        known.update({word.lower() for word in LETTERS.findall(text)})
    table = np.array([_statistics(text, known) for text in texts], dtype=float)
    return table[: len(train)], table[len(train) :]


def syllables(word: str) -> int:
    """Groups of vowels, a silent e at the end left out: a rough count that does for comparison."""
    count = len(VOWELS.findall(word))
    silent = count > 1 and word.endswith("e") and not word.endswith("le")
    return max(1, count - silent)


def _statistics(text: str, known: Counter[str]) -> list[float]:
    words = LETTERS.findall(text) or ["a"]
    lower = [word.lower() for word in words]
    sentences = [len(LETTERS.findall(part)) for part in SENTENCE.split(text) if part.strip()] or [1]
    length = np.array([len(word) for word in lower])
    spoken = np.array([syllables(word) for word in lower])
    rare = np.log1p([known[word] for word in lower])
    return [
        *_sizes(text, words, sentences),
        *_word_shapes(length, spoken),
        *_grades(len(words) / len(sentences), spoken),
        *_variety(lower),
        *[rare.mean(), rare.std(), *np.percentile(rare, (5, 10, 25, 50)), (rare < 1.0).mean(), (rare < 1.8).mean()],
        *_marks(text, words),
    ]


def _sizes(text: str, words: list[str], sentences: list[int]) -> list[float]:
    return [
        len(text), len(words), len(sentences), float(np.mean(sentences)), max(sentences), float(np.std(sentences)),
        float(np.median(sentences)), text.count("\n"),
    ]  # fmt: skip


def _word_shapes(length: np.ndarray, spoken: np.ndarray) -> list[float]:
    return [
        length.mean(), length.std(), (length > 6).mean(), (length > 9).mean(), (length < 4).mean(),
        spoken.mean(), (spoken >= 3).mean(), (spoken >= 4).mean(),
    ]  # fmt: skip


def _grades(sentence: float, spoken: np.ndarray) -> list[float]:
    """Flesch reading ease (1948), Flesch-Kincaid grade (1975), Gunning fog index (1952)."""
    return [
        206.835 - 1.015 * sentence - 84.6 * spoken.mean(),
        0.39 * sentence + 11.8 * spoken.mean() - 15.59,
        0.4 * (sentence + 100 * (spoken >= 3).mean()),
    ]


def _variety(words: list[str]) -> list[float]:
    counts = Counter(words)
    once = sum(1 for count in counts.values() if count == 1)
    return [len(counts) / len(words), len(counts) / len(words) ** 0.5, once / len(words)]


def _marks(text: str, words: list[str]) -> list[float]:
    size = max(1, len(text))
    return [
        *[text.count(mark) / len(words) for mark in MARKS],
        sum(c.isdigit() for c in text) / size,
        sum(c.isupper() for c in text) / size,
        sum(word[0].isupper() for word in words) / len(words),
        sum(len(word) > 1 and word.isupper() for word in words) / len(words),
        len(text) - len(text.lstrip()) > 0,
    ]
