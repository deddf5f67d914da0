"""The order in which instructions are tried when nothing but the recipes' priors is known."""

from __future__ import annotations

import pytest

from ranker.prior import PriorRanker
from recipes.base import Instruction
from tests.fakes import a_description

PRIORS = {"a": 0.5, "b": 0.9, "c": 0.5, "d": 0.1}


def pool(names: str) -> list[Instruction]:
    """An instruction a letter; those of PRIORS are recipes."""
    return [Instruction(name, name, "", "", "", "llm", PRIORS.get(name, 0.0)) for name in names]


def order(names: str) -> str:
    """The letters in the order of the ranking."""
    return "".join(ranked.instruction for ranked in PriorRanker().rank(a_description(), pool(names)))


@pytest.mark.parametrize(
    ("offered", "ranked"),
    [
        ("", ""),
        ("dcba", "bcad"),
        ("acbd", "bacd"),
        ("xyz", "xyz"),
        ("abcdx", "bxacd"),
        ("xyzabcd", "bxyazcd"),
        ("zayx", "azyx"),
        ("vwxyzab", "bvwaxyz"),
        ("tuvwxyza", "atuvwxyz"),
    ],
)
def test_the_best_recipe_is_first_and_two_new_ones_follow_each(offered: str, ranked: str) -> None:
    assert order(offered) == ranked


def test_each_is_ranked_once_by_scores_that_never_rise_and_told_why() -> None:
    found = PriorRanker().rank(a_description(), pool("xyzabcd"))
    scores = [ranked.score for ranked in found]
    assert sorted(ranked.instruction for ranked in found) == sorted("xyzabcd")
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 0.9
    assert found[0].why == "prior of its recipe for tabular tasks"
    assert found[1].why == "no record of such plans: takes turns with recipes"
