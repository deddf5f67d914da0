"""Instructions made of parts: a choice for each step of a pipeline, and several ways to say each choice."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from functools import cache

UNIVERSE = 200
"""Compositions in all."""
KEPT_FOR_TESTING = 0.25
"""Share of them that no training task ever sees."""


@dataclass(frozen=True, order=True)
class Composition:
    """One choice a step; the names are keys of SAYINGS."""

    categories: str
    numbers: str
    missing: str
    texts: str
    features: str
    model: str

    @property
    def key(self) -> str:
        """A name of its own, stable."""
        return "/".join(asdict(self).values())


SAYINGS: dict[str, dict[str, list[str]]] = {
    "categories": {
        "onehot": ["One-hot encode categorical columns.", "Make a dummy column for each category value."],
        "ordinal": ["Replace categories by integer codes.", "Ordinal-encode categorical columns."],
        "target": [
            "Target-encode categories with out-of-fold means.",
            "Replace each category by its smoothed mean of the target.",
        ],
        "frequency": ["Encode categories by how often they occur.", "Use frequency encoding for categorical columns."],
        "drop": ["Leave categorical columns out.", "Ignore categorical features."],
    },
    "numbers": {
        "raw": ["Use numbers as they are.", "Keep numeric columns unscaled."],
        "standard": ["Standardise numeric columns.", "Scale numbers to zero mean and unit variance."],
        "ranks": ["Map numbers to normal quantiles.", "Apply a rank-based Gaussian transform to numeric columns."],
        "log": ["Take signed logs of numbers, then scale.", "Log-transform numeric columns and standardise them."],
        "bins": ["Cut numbers into quantile bins.", "Discretise numeric columns into ten bins, one column each."],
    },
    "missing": {
        "median": ["Impute missing values with the median.", "Fill gaps with medians."],
        "flagged": ["Fill gaps with medians and flag them.", "Impute medians and add missing-value indicators."],
        "constant": ["Fill gaps with a constant far below.", "Replace missing numbers by -999."],
    },
    "texts": {
        "words": ["TF-IDF of words for text.", "Vectorise free text by word TF-IDF."],
        "characters": ["TF-IDF of character n-grams for text.", "Vectorise free text by runs of characters."],
        "themes": ["Reduce word TF-IDF to 20 LSA topics.", "Describe texts by truncated SVD of their TF-IDF."],
        "lengths": ["Describe texts by lengths and counts only.", "Use length, word and punctuation counts of texts."],
    },
    "features": {
        "none": ["Add no further features.", "No feature engineering."],
        "products": ["Add squares and pairwise products.", "Add polynomial interactions of degree two."],
        "components": ["Reduce everything by PCA.", "Project the matrix on its principal components."],
        "select": ["Keep the ten features with the best F-test.", "Select the best ten features by univariate tests."],
        "neighbours": ["Add distances to cluster centres.", "Add k-means cluster distances as features."],
    },
    "model": {
        "linear_strong": [
            "Ridge or logistic regression with a strong penalty.",
            "A heavily regularised linear model (L2).",
        ],
        "linear_weak": [
            "Ridge or logistic regression with a weak penalty.",
            "A linear model with hardly any L2 regularisation.",
        ],
        "lasso": ["Lasso or L1 logistic regression.", "A sparse linear model with an L1 penalty."],
        "near_few": ["Nearest neighbours, k = 3.", "k-NN with three neighbours."],
        "near_many": ["Nearest neighbours, k = 25.", "k-NN averaging 25 neighbours, weighted by distance."],
        "bayes": ["Gaussian naive Bayes, or Bayesian ridge for numbers.", "A naive Bayes or Bayesian ridge model."],
        "kernel": ["A kernel machine with a Gaussian kernel.", "RBF support vectors or a Nystroem kernel map."],
        "tree": ["A single decision tree of depth 4.", "One shallow decision tree."],
        "forest": ["A random forest.", "Random forest, one row a leaf."],
        "forest_smooth": ["A random forest with at least eight rows a leaf.", "Random forest with large leaves."],
        "extra": ["Extremely randomised trees.", "An ExtraTrees ensemble."],
        "boost_few": ["LightGBM, 30 small trees.", "Gradient boosting: few trees of 5 leaves, learning rate 0.1."],
        "boost_slow": [
            "LightGBM, 60 trees, learning rate 0.08, half of the columns a tree.",
            "Slow gradient boosting with column sampling.",
        ],
        "boost_deep": [
            "LightGBM with 24 leaves, learning rate 0.25.",
            "Gradient boosting with deep trees and large steps.",
        ],
        "network": ["A neural network with one hidden layer of 32.", "A small multilayer perceptron."],
    },
}
PREPARATION = ("categories", "numbers", "missing", "texts", "features")
OPENERS = ["", "Plan: ", "Preprocessing. "]


@cache
def universe() -> tuple[tuple[Composition, ...], tuple[Composition, ...]]:
    """Compositions for training, and those kept for testing; the same on every machine."""
    chance = random.Random(20240318)  # fixed: what is held out must not move with a seed
    found: dict[Composition, None] = {}
    while len(found) < UNIVERSE:
        choices = {step.name: chance.choice(list(SAYINGS[step.name])) for step in fields(Composition)}
        if chance.random() < 0.5:  # most plans add nothing
            choices["features"] = "none"
        if chance.random() < 0.5:
            choices["categories"] = "onehot"
        found.setdefault(Composition(**choices))
    every = list(found)
    cut = int(UNIVERSE * KEPT_FOR_TESTING)
    return tuple(every[cut:]), tuple(every[:cut])


@cache
def kept_for_testing() -> frozenset[str]:
    """Keys of the compositions that no training task sees."""
    return frozenset(composition.key for composition in universe()[1])


def say(composition: Composition, chance: random.Random) -> str:
    """The composition as an instruction in one of its many wordings: preparation in some order, then the model."""
    steps = [chance.choice(SAYINGS[step][getattr(composition, step)]) for step in PREPARATION]
    if composition.features == "none" and chance.random() < 0.7:
        steps.pop()
    if chance.random() < 0.5:
        steps = steps[::-1]
    model = chance.choice(SAYINGS["model"][composition.model])
    if chance.random() < 0.3:
        return f"{model} Before it: {_joined(steps)}"
    return f"{chance.choice(OPENERS)}{_joined(steps)} Model: {model}"


def _joined(steps: Sequence[str]) -> str:
    return " ".join(steps)


def reword(key: str, chance: random.Random) -> str:
    """Another wording of the composition with this key. Raises: ValueError where it is no key."""
    choices = key.split("/")
    steps = fields(Composition)
    if len(choices) != len(steps) or any(c not in SAYINGS[s.name] for c, s in zip(choices, steps, strict=True)):
        raise ValueError(f"{key} is no composition")
    return say(Composition(*choices), chance)
