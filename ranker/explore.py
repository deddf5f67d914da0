"""A share of the attempts is drawn at random, so that records are not only of what the ranker liked."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from ranker.base import Ranked

SHARE = 0.1
DRAWN = "drawn at random, so that records are not only of what the ranker liked"


def with_random_share(ranking: Sequence[Ranked], seed: int) -> list[Ranked]:
    """The ranking, where each place but the first goes with probability SHARE to one of those further down."""
    chance = random.Random(f"{seed}:{'/'.join(ranked.instruction for ranked in ranking)}")
    order = list(ranking)
    for place in range(1, len(order) - 1):
        if chance.random() < SHARE:
            drawn = order.pop(chance.randrange(place + 1, len(order)))
            order.insert(place, replace(drawn, why=DRAWN))
    return order
