"""Batches for the language model: tasks that share instructions stand together, in new words each time."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ranker.compositions import reword
from ranker.outcomes import Outcomes
from ranker.words import task_text

JITTER = 0.04
"""Relative noise on a task's numbers, so that no single wording stands for a task."""


@dataclass(frozen=True)
class Batch:
    """T tasks, P plans, and what is known of each pair."""

    tasks: list[str]
    plans: list[str]
    value: Tensor
    """(T, P), 0..1; anything where `known` is not set."""
    known: Tensor
    """(T, P), bool."""


def batches(tasks: Sequence[Outcomes], size: int, chance: random.Random) -> Iterator[Batch]:
    """All tasks once, `size` at a time: shuffled, but those with the same instructions one after the other."""
    groups: dict[tuple[str, ...], list[Outcomes]] = {}
    for task in tasks:
        groups.setdefault(tuple(sorted(i.id for i in task.instructions)), []).append(task)
    order = list(groups.values())
    chance.shuffle(order)
    row = [task for group in order for task in chance.sample(group, len(group))]
    for begin in range(0, len(row), size):
        yield batch(row[begin : begin + size], chance)


def batch(tasks: Sequence[Outcomes], chance: random.Random) -> Batch:
    """These tasks against all their instructions."""
    found = {i.id: i for task in tasks for i in task.instructions}
    places = {name: place for place, name in enumerate(found)}
    value = torch.zeros(len(tasks), len(found))
    known = torch.zeros(len(tasks), len(found), dtype=torch.bool)
    for row, task in enumerate(tasks):
        columns = [places[i.id] for i in task.instructions]
        value[row, columns] = torch.tensor(task.value, dtype=torch.float32)
        known[row, columns] = True
    plans = [reword(i.id, chance) if i.source == "composition" else i.text for i in found.values()]
    return Batch([in_other_words(task, chance) for task in tasks], plans, value, known)


def in_other_words(task: Outcomes, chance: random.Random) -> str:
    """The task's text with its numbers a little off; as it was recorded where the numbers are not known."""
    if not task.task.numbers:
        return task.task.text
    noisy = {name: value * (1 + chance.gauss(0, JITTER)) for name, value in task.task.numbers.items()}
    exact = {name: task.task.numbers[name] for name in ("classes",) if name in task.task.numbers}
    return task_text(task.task.text.split(" ", 1)[0], task.metric, noisy | exact)
