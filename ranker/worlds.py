"""Made tasks: tables whose target follows a law of some family, then spoiled in ways that real tables are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pandas as pd

Draw: TypeAlias = np.random.Generator
Law = Callable[[Draw, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class World:
    """A task whose answers are known."""

    family: str
    table: pd.DataFrame
    """Features: numbers, "category" and "string" columns; rows in the order of time where `ordered`."""
    target: pd.Series
    """Numbers, or class labels as text."""
    classes: bool
    ordered: bool
    """Test rows come later than those learned from."""
    metric: str
    """"rmse", "mae", "log_loss", "accuracy" or "roc_auc"."""


def linear(draw: Draw, x: np.ndarray) -> np.ndarray:
    """A weighted sum, of all columns or some."""
    weights = draw.normal(size=x.shape[1]) * (draw.random(x.shape[1]) < draw.uniform(0.2, 1.0))
    return np.asarray(x @ (weights if weights.any() else np.ones(x.shape[1])))


def steps(draw: Draw, x: np.ndarray) -> np.ndarray:
    """A sum of thresholds."""
    chosen = draw.integers(x.shape[1], size=int(draw.integers(3, 9)))
    cuts = draw.normal(scale=0.7, size=len(chosen))
    return np.asarray(((x[:, chosen] > cuts) * draw.normal(size=len(chosen))).sum(axis=1))


def products(draw: Draw, x: np.ndarray) -> np.ndarray:
    """A sum of products of two columns."""
    pairs = draw.integers(x.shape[1], size=(int(draw.integers(1, 6)), 2))
    return np.asarray((x[:, pairs[:, 0]] * x[:, pairs[:, 1]] * draw.normal(size=len(pairs))).sum(axis=1))


def parity(draw: Draw, x: np.ndarray) -> np.ndarray:
    """The product of the signs of two or three columns."""
    chosen = draw.integers(x.shape[1], size=int(draw.integers(2, 4)))
    return np.asarray(np.sign(x[:, chosen]).prod(axis=1) + 0.2 * x[:, 0])


def curves(draw: Draw, x: np.ndarray) -> np.ndarray:
    """A sum of sines."""
    chosen = draw.integers(x.shape[1], size=int(draw.integers(2, 7)))
    pitch, phase = draw.uniform(0.7, 3.0, len(chosen)), draw.uniform(0, 6, len(chosen))
    return np.asarray((np.sin(x[:, chosen] * pitch + phase) * draw.normal(size=len(chosen))).sum(axis=1))


def bumps(draw: Draw, x: np.ndarray) -> np.ndarray:
    """A sum of Gaussian bumps around some rows."""
    some = x[:, : max(2, min(6, x.shape[1]))]
    centres = some[draw.integers(len(x), size=int(draw.integers(3, 12)))]
    far = ((some[:, None, :] - centres) ** 2).sum(axis=2)
    return np.asarray(np.exp(-far / draw.uniform(0.5, 3.0)) @ draw.normal(size=len(centres)))


def rings(draw: Draw, x: np.ndarray) -> np.ndarray:
    """A wave of the distance from the middle."""
    radius = np.sqrt((x[:, : int(draw.integers(2, 5))] ** 2).sum(axis=1))
    return np.asarray(np.cos(radius * draw.uniform(1.0, 3.0)) + 0.1 * x[:, 0])


def ratio(draw: Draw, x: np.ndarray) -> np.ndarray:
    """One exponential over another."""
    one, other = draw.integers(x.shape[1], size=2)
    return np.asarray(np.exp(0.6 * x[:, one]) / (0.3 + np.exp(0.8 * x[:, other])) + 0.2 * linear(draw, x))


def extremes(draw: Draw, x: np.ndarray) -> np.ndarray:
    """The largest of some columns, less the smallest."""
    some = x[:, draw.integers(x.shape[1], size=int(draw.integers(2, 6)))]
    return np.asarray(some.max(axis=1) - draw.uniform(0, 1) * some.min(axis=1))


def network(draw: Draw, x: np.ndarray) -> np.ndarray:
    """A random network with two hidden layers."""
    hidden = np.tanh(x @ draw.normal(size=(x.shape[1], 12)) / np.sqrt(x.shape[1]) * 2)
    return np.asarray(np.tanh(hidden @ draw.normal(size=(12, 6))) @ draw.normal(size=6))


def deep_tree(draw: Draw, x: np.ndarray) -> np.ndarray:
    """A random decision tree of four to six levels."""
    leaf = np.zeros(len(x), int)
    for level in range(int(draw.integers(4, 7))):
        column, cut = draw.integers(x.shape[1], size=2 ** (level + 1)), draw.normal(scale=0.6, size=2 ** (level + 1))
        here = leaf % len(column)
        leaf = 2 * leaf + (x[np.arange(len(x)), column[here]] > cut[here])
    return np.asarray(draw.normal(size=int(leaf.max()) + 1)[leaf])


LAWS: dict[str, Law] = {
    "linear": linear,
    "steps": steps,
    "products": products,
    "parity": parity,
    "curves": curves,
    "bumps": bumps,
    "ratio": ratio,
    "extremes": extremes,
    "deep_tree": deep_tree,
    "rings": rings,
    "network": network,
}
OTHERS = ("categories", "words", "style", "trend", "season", "drift")
"""Families that are more than a law on numbers."""
FAMILIES = (*LAWS, *OTHERS)
KEPT_FAMILIES = ("rings", "network", "season", "style")
"""Families that no training task is of."""


def make_world(family: str, draw: Draw) -> World:
    """A task of a family: sizes, law, noise, kinds of columns and faults all drawn."""
    rows = int(np.exp(draw.uniform(np.log(220), np.log(800))))
    x = inputs(draw, rows)
    law = LAWS.get(family) or LAWS[str(draw.choice([name for name in LAWS if name not in KEPT_FAMILIES]))]
    signal = standard(law(draw, x))
    if draw.random() < 0.35:
        other = LAWS[str(draw.choice([name for name in LAWS if name not in KEPT_FAMILIES]))]
        signal = signal + draw.uniform(0.2, 0.8) * standard(other(draw, x))
    table = pd.DataFrame(x, columns=[f"x{i}" for i in range(x.shape[1])])
    ordered = family in ("trend", "season", "drift")
    table, signal = ADDED.get(family, lambda d, t, s: (t, s))(draw, table, signal)
    signal = standard(signal) + draw.normal(size=rows) * np.exp(draw.uniform(np.log(0.03), np.log(0.5)))
    table = spoil(draw, table)
    classes = bool(draw.random() < 0.55)
    target = labels(draw, signal) if classes else answers(draw, signal)
    return World(family, table, target, classes, ordered, choose_metric(draw, target, classes))


def inputs(draw: Draw, rows: int) -> np.ndarray:
    """Rows x columns with mean about 0: independent, correlated, in clusters, or long-tailed."""
    columns = int(np.exp(draw.uniform(np.log(3), np.log(25))))
    x = draw.normal(size=(rows, columns))
    shape = draw.random()
    if shape < 0.3:
        x = x @ draw.normal(size=(columns, columns)) / np.sqrt(columns)
    elif shape < 0.45:
        x = 0.5 * x + draw.normal(size=(6, columns))[draw.integers(6, size=rows)]
    elif shape < 0.6:
        x = draw.uniform(-1.7, 1.7, size=x.shape)
    return np.asarray(x)


def standard(values: np.ndarray) -> np.ndarray:
    """Mean 0, deviation 1."""
    return np.asarray((values - values.mean()) / (values.std() or 1.0))


def add_categories(draw: Draw, table: pd.DataFrame, signal: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Categories with an effect each; some have many values, some work only together."""
    for number in range(int(draw.integers(1, 5))):
        many = int(np.exp(draw.uniform(np.log(3), np.log(120))))
        codes = np.minimum(draw.geometric(min(0.9, 2.5 / many), size=len(table)) - 1, many - 1)
        table[f"c{number}"] = pd.Categorical([f"v{code}" for code in codes])
        signal = signal + draw.uniform(0.3, 1.5) * draw.normal(size=many)[codes]
    return table, signal


def add_words(draw: Draw, table: pd.DataFrame, signal: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """A text in which some words tell the target."""
    vocabulary = np.array(["".join(draw.choice(list("abdeiklmnorstu"), size=draw.integers(3, 8))) for _ in range(150)])
    telling = draw.normal(size=150) * (draw.random(150) < draw.uniform(0.05, 0.5))
    written, effect = [], np.zeros(len(table))
    for row in range(len(table)):
        chosen = np.minimum(draw.zipf(1.3, size=draw.integers(5, 30)) - 1, 149)
        written.append(" ".join(vocabulary[chosen]))
        effect[row] = telling[chosen].sum()
    kept = list(table.columns[: int(draw.integers(1, 5))])
    texts = pd.Series(written, dtype="string")
    return table[kept].assign(t0=texts), standard(effect) * draw.uniform(1, 3) + 0.5 * signal


def add_style(draw: Draw, table: pd.DataFrame, signal: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """A text whose length, endings of words and marks tell the target."""
    sizes = draw.integers(4, 40, size=len(table))
    share = draw.random(len(table))
    ends = [str(e) for e in draw.choice(["ing", "ed", "ly", "tion", "er"], size=2, replace=False)]
    written = []
    for size, s in zip(sizes, share, strict=True):
        stems = ["".join(draw.choice(list("abdeiklmnorstu"), size=4)) for _ in range(size)]
        text = " ".join(stem + ends[int(draw.random() < s)] for stem in stems)
        written.append(text + "!" * int(draw.integers(0, 3)))
    told = draw.uniform(0, 1) * standard(sizes.astype(float)) + standard(share)
    kept = list(table.columns[: int(draw.integers(1, 4))])
    return table[kept].assign(t0=pd.Series(written, dtype="string")), told * 2 + 0.4 * signal


def add_trend(draw: Draw, table: pd.DataFrame, signal: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """The target rises with time, which is a column."""
    time = np.arange(len(table), dtype=float)
    bend = standard(time) * draw.uniform(0.5, 3) + draw.choice([0, 1]) * standard(time) ** 2
    return table.assign(day=time), bend + signal


def add_season(draw: Draw, table: pd.DataFrame, signal: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """The target swings with the hour and the weekday, which are columns, and rises a little."""
    time = np.arange(len(table))
    period = int(draw.choice([7, 12, 24]))
    wave = draw.normal(size=period)[time % period] * 1.5
    return table.assign(phase=(time % period).astype(float), day=time / 1.0), wave + standard(time * 0.3) + signal


def add_drift(draw: Draw, table: pd.DataFrame, signal: np.ndarray) -> tuple[pd.DataFrame, np.ndarray]:
    """Columns move with time, and what they mean changes a little."""
    time = np.linspace(-1, 1, len(table))
    moving = table.columns[: max(1, len(table.columns) // 2)]
    effect = table[moving[0]].to_numpy() * time * draw.uniform(0.3, 1.5)
    for name in moving:
        table[name] = table[name] + time * draw.normal(scale=1.5)
    return table, signal + effect


ADDED: dict[str, Callable[[Draw, pd.DataFrame, np.ndarray], tuple[pd.DataFrame, np.ndarray]]] = {
    "categories": add_categories,
    "words": add_words,
    "style": add_style,
    "trend": add_trend,
    "season": add_season,
    "drift": add_drift,
}


def spoil(draw: Draw, table: pd.DataFrame) -> pd.DataFrame:
    """What real tables have: idle columns, odd scales, numbers seen as categories, outliers, gaps."""
    if draw.random() < 0.5:
        for number in range(int(draw.integers(1, 10))):
            table[f"idle{number}"] = draw.normal(size=len(table))
    share = draw.choice([0.0, 0.0, 0.2, 0.5])
    for name in [name for name in table if pd.api.types.is_numeric_dtype(table[name])]:
        values = table[name].to_numpy(float)
        kind = draw.random()
        if kind < 0.15:
            values = np.exp(np.clip(values * draw.uniform(0.5, 1.5), -50, 50))
        elif kind < 0.25:
            values = values * 10 ** draw.uniform(-3, 4) + draw.normal() * 10
        if share and draw.random() < share and name not in ("day", "phase"):
            edges = np.quantile(values, np.linspace(0, 1, int(draw.integers(3, 12)))[1:-1])
            codes = draw.permutation(len(edges) + 1)[np.searchsorted(edges, values)]
            table[name] = pd.Categorical([f"k{code}" for code in codes])
        else:
            table[name] = values
    return with_gaps(draw, with_outliers(draw, table))


def with_outliers(draw: Draw, table: pd.DataFrame) -> pd.DataFrame:
    """Some cells far off, in a fifth of the tasks."""
    if draw.random() < 0.2:
        for name in table.select_dtypes("number"):
            hit = draw.random(len(table)) < 0.01
            table[name] = table[name].to_numpy(float) * np.where(hit, draw.uniform(5, 30), 1.0)
    return table


def with_gaps(draw: Draw, table: pd.DataFrame) -> pd.DataFrame:
    """Empty cells in a third of the tasks; in half of these large values are missing more often."""
    if draw.random() < 0.35:
        rate, telling = draw.uniform(0.02, 0.4), draw.random() < 0.5
        for name in table.select_dtypes("number"):
            chance = np.full(len(table), rate)
            if telling:
                chance = rate * 2 * table[name].rank(pct=True).to_numpy()
            table[name] = table[name].mask(draw.random(len(table)) < chance)
    return table


def labels(draw: Draw, signal: np.ndarray) -> pd.Series:
    """Two classes of uneven sizes, or a few."""
    count = int(draw.choice([2, 2, 2, 3, 4]))
    shares = draw.dirichlet(np.full(count, draw.choice([1.5, 6.0])))
    cuts = np.quantile(signal, np.clip(np.cumsum(shares)[:-1], 0.1, 0.9))
    codes = draw.permutation(count)[np.searchsorted(np.sort(cuts), signal)]
    return pd.Series([f"class {code}" for code in codes])


def answers(draw: Draw, signal: np.ndarray) -> pd.Series:
    """Numbers as they come, long-tailed, or counts."""
    kind = draw.random()
    if kind < 0.2:
        return pd.Series(np.exp(signal * draw.uniform(0.3, 1.0)))
    if kind < 0.3:
        return pd.Series(draw.poisson(np.exp(np.clip(signal, -3, 3))).astype(float))
    return pd.Series(signal * 10 ** draw.uniform(-1, 3))


def choose_metric(draw: Draw, target: pd.Series, classes: bool) -> str:
    """A metric that suits the target."""
    if not classes:
        return str(draw.choice(["rmse", "rmse", "mae"]))
    two = target.nunique() == 2
    return str(draw.choice(["log_loss", "log_loss", "roc_auc" if two else "log_loss", "accuracy"]))
