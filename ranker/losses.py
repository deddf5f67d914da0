"""What the language model learns from: which of two plans is better, and on which of two tasks a plan is."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import softplus

CLOSE = 0.02
"""Values that differ by less teach nothing."""


def pairwise(scores: Tensor, value: Tensor, known: Tensor) -> Tensor:
    """RankNet's loss (Burges et al. 2005) over pairs of plans of one task, weighted by how far apart they are.

    All (T, P).
    """
    return _logistic(scores, value, known)


def contrast(scores: Tensor, value: Tensor, known: Tensor) -> Tensor:
    """The same over pairs of tasks for one plan, of what is left without each task's mean.

    A model that gives a plan the same score whatever the task gets no better than log 2 here.
    """
    return _logistic(centred(scores, known).T, centred(value, known).T, known.T)


def centred(table: Tensor, known: Tensor) -> Tensor:
    """Less the mean of each row's known entries."""
    weight = known.float()
    mean = (table * weight).sum(dim=1, keepdim=True) / weight.sum(dim=1, keepdim=True).clamp(min=1)
    return (table - mean) * weight


def _logistic(scores: Tensor, value: Tensor, known: Tensor) -> Tensor:
    apart = value[:, :, None] - value[:, None, :]
    counts = known[:, :, None] & known[:, None, :] & (apart > CLOSE)
    weight = apart.clamp(min=0).sqrt() * counts
    loss = softplus(-(scores[:, :, None] - scores[:, None, :]))
    return (loss * weight).sum() / weight.sum().clamp(min=1e-6)
