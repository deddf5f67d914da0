"""The terms of an instruction: which known techniques its text names, whoever wrote it."""

from __future__ import annotations

import re

TERMS: dict[str, str] = {
    # models
    "linear": r"\bridge\b|logistic|linear (?:model|regression|svm|support)|elastic|\blinear\b",
    "strong_penalty": r"strong(?:ly)? (?:penal|regular)|heav\w+ (?:penal|regular)",
    "weak_penalty": r"weak (?:penal|regular)|hardly any|little regular",
    "lasso": r"\blasso\b|\bl1\b|sparse linear",
    "neighbours": r"nearest neighbou?r|\bk-?nn\b|neighbou?rs",
    "few_neighbours": r"k ?= ?[1-7]\b|(?:three|five|3|5) neighbou?rs",
    "bayes": r"naive bayes|bayesian",
    "kernel": r"kernel|\brbf\b|support vector|\bsv[mcr]\b|nystroem|gaussian process",
    "single_tree": r"(?:single|one shallow|shallow) (?:decision )?tree",
    "forest": r"random forest|\bforests?\b|bagg",
    "large_leaves": r"large leaves|at least \w+ rows a leaf|min_samples_leaf",
    "extra_trees": r"extra ?trees|extremely randomi[sz]ed",
    "boosting": r"boost|lightgbm|\blgbm\b|\bgbdt?\b|\bgbm\b",
    "lightgbm": r"lightgbm|\blgbm\b",
    "xgboost": r"xgb",
    "catboost": r"catboost",
    "few_trees": r"few trees|\b[2-5]\d (?:small )?trees|small trees",
    "slow": r"\bslow|learning rate 0\.0\d",
    "large_steps": r"large steps|learning rate 0\.[1-9]",
    "deep_trees": r"deep(?:er)? (?:symmetric )?trees|(?:2[4-9]|[3-9]\d|\d{3}) leaves",
    "column_sampling": r"(?:half|\d{1,3} ?%|third) of the columns|column sampl|colsample|feature_fraction",
    "network": r"neural|perceptron|\bmlp\b|network|\blstm\b|transformer|\bcnn\b|\bresnet|\bbert\b",
    "pretrained": r"pre-?trained|fine-?tun|imagenet|embeddings? of",
    # combinations and training
    "ensemble": r"ensemble|averag\w+ (?:over|of|the)|blend|stack|voting|mean of",
    "stack": r"stack|out[- ]of[- ]fold|meta[- ]model",
    "folds": r"\bfolds?\b|cross[- ]valid|k-fold",
    "early_stopping": r"early stopping|stop each|stop early",
    "tuning": r"grid ?search|optuna|hyperopt|tun(?:e|ing)\b|choose each penalty",
    "threshold": r"threshold|class weight|balanc|oversampl|smote",
    # preparation
    "onehot": r"one-?hot|dummy column|dummies|one column a category",
    "ordinal": r"ordinal|integer codes|label[- ]encod",
    "target_encoding": r"target[- ](?:mean|encod|statistic)|mean of the target|out-of-fold means",
    "frequency": r"frequency|how often|count encod",
    "no_categories": r"(?:leave|ignore|drop)\w* categori\w+",
    "standardise": r"standardi[sz]|zero mean|scale(?:d|r)? |scaling",
    "ranks": r"quantiles?\b(?! bins)|rank-based|gaussian transform",
    "log": r"\blogs?\b|log[- ]transform|log-scale|log\(",
    "bins": r"\bbins?\b|discreti[sz]",
    "as_they_are": r"as they are|unscaled",
    "median": r"median",
    "gap_flags": r"flag them|indicator|mark them|mark(?:s)? for missing",
    "constant_fill": r"constant far|-999",
    "words": r"word\b.*tf-?idf|tf-?idf.*\bwords?\b|bag of words|count ?vector",
    "characters": r"character|n-grams",
    "themes": r"\blsa\b|\bsvd\b|topics|themes",
    "text_lengths": r"lengths? |punctuation|counts only|readability",
    "products": r"polynomial|pairwise products|squares|interactions?",
    "components": r"\bpca\b|principal component",
    "selection": r"f-test|univariate|best (?:ten|\d+) features|feature selection",
    "clusters": r"cluster|k-means",
    "splines": r"spline|curves",
    "dates": r"weekday|calendar|month|season",
    "lags": r"\blags?\b|rolling|moving average|trend",
}
_FOUND = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in TERMS.items()}
MOST_READ = 6_000
"""Characters of an instruction that are searched."""


def terms(text: str) -> list[int]:
    """1 for each term, in the order of TERMS, that the text names, else 0."""
    return [int(bool(pattern.search(text[:MOST_READ]))) for pattern in _FOUND.values()]
