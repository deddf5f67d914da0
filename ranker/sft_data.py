"""Placed instructions made ready for training: competitions held out, examples in tokens, batches of like length."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from ranker.placed import Placed

POOL_BATCHES = 50
"""So many batches' examples are sorted by length together: little padding, and still a new order every epoch."""


class SftError(ValueError):
    """Training cannot start or go on; the text is one sentence with the remedy."""


@dataclass(frozen=True)
class Split:
    """Lines to learn from, and lines of competitions that are only ever asked for their loss."""

    train: list[Placed]
    held_out: list[Placed]


@dataclass(frozen=True)
class Example:
    """One line in tokens."""

    ids: list[int]
    """Prompt and answer."""
    prompt: int
    """How many of `ids` are the prompt; they take no part in the loss."""
    cut: bool
    """Whether the answer's end was cut off."""


def hold_out(lines: Sequence[Placed], share: float, seed: int) -> Split:
    """Keep about `share` of the competitions apart, whole. Those whose text opens with the same line stay together.

    Raises: SftError where the lines have too few competitions for it.
    """
    families = families_of(lines)
    names = sorted(set(families.values()))
    count = max(1, round(share * len(names))) if share else 0
    if count >= len(names):
        raise SftError(
            f"--holdout {share}: all of the {len(names)} different competition(s) would be held out; "
            "give more competitions, a smaller share, or 0."
        )
    chosen = set(random.Random(seed).sample(names, count))
    held_out = [line for line in lines if families[str(line.task_id)] in chosen]
    return Split([line for line in lines if families[str(line.task_id)] not in chosen], held_out)


def families_of(lines: Sequence[Placed]) -> dict[str, str]:
    """Competition -> the first line of its text, under which editions of one competition meet."""
    families: dict[str, str] = {}
    for line in lines:
        title = line.task.strip().partition("\n")[0]
        families.setdefault(str(line.task_id), " ".join(title.split()).casefold())
    return families


def example(prompt: Sequence[int], answer: Sequence[int], end: int, most: int) -> Example | None:
    """Prompt, answer and the token `end`, in at most `most` tokens.

    A longer answer loses its end, and `end` with it, so that no model learns to stop there. None where the prompt
    leaves less than an eighth of `most`.
    """
    room = most - len(prompt)
    if room < max(most // 8, 1):
        return None
    whole = [*answer, end]
    return Example([*prompt, *whole[:room]], len(prompt), cut=len(whole) > room)


def batches(lengths: Sequence[int], size: int, seed: str) -> list[list[int]]:
    """Every example once, by its place in `lengths` (tokens), in batches of at most `size`; the same for one `seed`."""
    chance = random.Random(seed)
    order = list(range(len(lengths)))
    chance.shuffle(order)
    made: list[list[int]] = []
    for start in range(0, len(order), POOL_BATCHES * size):
        pool = sorted(order[start : start + POOL_BATCHES * size], key=lambda at: lengths[at])
        made += [pool[at : at + size] for at in range(0, len(pool), size)]
    chance.shuffle(made)
    return made
