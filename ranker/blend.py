"""The final score: prior, meta-feature model and language model, each with the say that held-out tasks gave it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

PARTS = ("prior", "meta", "lm")


@dataclass(frozen=True)
class Blend:
    """Weights of the parts, after each is divided by its scale."""

    weights: dict[str, float]
    """Part -> at least 0; 0 where it has no say."""
    scales: dict[str, float]
    """Part -> its deviation within a task on held-out tasks."""

    def shares(self, parts: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """What each part that is there adds to each instruction of one task: (n,) each, of mean 0."""
        there = {name: values for name, values in parts.items() if self.weights.get(name, 0.0) > 0}
        return {
            name: self.weights[name] * (values - values.mean()) / self.scales[name] for name, values in there.items()
        }

    def total(self, parts: dict[str, np.ndarray]) -> np.ndarray:
        """(n,), higher is better."""
        size = len(next(iter(parts.values())))
        return np.asarray(sum(self.shares(parts).values(), np.zeros(size)))


def fit_blend(found: Sequence[tuple[dict[str, np.ndarray], np.ndarray]]) -> Blend:
    """Weights from held-out tasks: each the parts (n,) and the true values (n,).

    Minimises the pairwise logistic loss, pairs weighted by how far apart they are; weights are not negative.
    """
    names = [name for name in PARTS if name in found[0][0]]
    scales = {name: float(np.concatenate([p[name] - p[name].mean() for p, _ in found]).std()) or 1.0 for name in names}
    gaps, weights = [], []
    for parts, value in found:
        table = np.column_stack([(parts[name] - parts[name].mean()) / scales[name] for name in names])
        one, other = np.nonzero(value[:, None] - value[None, :] > 1e-6)
        gaps.append(table[one] - table[other])
        weights.append(np.sqrt(value[one] - value[other]) / max(1, len(one)))
    gap, weight = np.vstack(gaps), np.concatenate(weights)

    def loss(w: np.ndarray) -> tuple[float, np.ndarray]:
        margin = gap @ w
        slope = -weight / (1 + np.exp(np.clip(margin, -50, 50)))
        return float((weight * np.logaddexp(0, -margin)).sum()), gap.T @ slope

    best = minimize(loss, np.full(len(names), 0.3), jac=True, bounds=[(0, None)] * len(names))
    return Blend({name: round(float(w), 5) for name, w in zip(names, best.x, strict=True)}, scales)
