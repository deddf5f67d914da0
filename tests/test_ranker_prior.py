"""The order in which instructions are tried when nothing but the recipes' priors is known, and the share by chance."""

from __future__ import annotations

import pytest

from ranker.base import Ranked, Ranker
from ranker.explore import DRAWN, SHARE, with_random_share
from ranker.prior import NEW_PER_KNOWN, NoRanker, PriorRanker, take_turns
from recipes.base import Instruction
from tests.fakes import a_description

PRIORS = {"a": 0.5, "b": 0.9, "c": 0.5, "d": 0.1}


def pool(names: str) -> list[Instruction]:
    """An instruction a letter; those of PRIORS are recipes."""
    return [Instruction(name, name, "", "", "", "llm", PRIORS.get(name, 0.0)) for name in names]


def order(names: str, ranker: Ranker | None = None) -> str:
    """The letters in the order of the ranking."""
    ranker = ranker or PriorRanker()
    return letters(ranker.rank(a_description(), "rmse", pool(names)))


def letters(ranking: list[Ranked]) -> str:
    return "".join(ranked.instruction for ranked in ranking)


def ranking(names: str) -> list[Ranked]:
    """Letters as ranked by whomever."""
    return [Ranked(name, 0.0, "as given") for name in names]


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


def test_each_is_ranked_once_by_scores_that_never_rise_among_recipes_and_told_why() -> None:
    found = PriorRanker().rank(a_description(), "rmse", pool("xyzabcd"))
    scores = [ranked.score for ranked in found if ranked.instruction in PRIORS]
    assert sorted(ranked.instruction for ranked in found) == sorted("xyzabcd")
    assert scores == sorted(scores, reverse=True)
    assert scores[0] == 0.9
    assert found[0].why == "prior of its recipe for tabular tasks"
    assert found[1].why == "no record of such plans: takes turns with recipes"


@pytest.mark.parametrize(
    ("known", "new", "turns"),
    [("", "", ""), ("ab", "", "ab"), ("", "xy", "xy"), ("ab", "wxyz", "awxbyz"), ("ab", "vwxyz", "avwbxyz")],
)
def test_turns_keep_the_order_of_each_kind(known: str, new: str, turns: str) -> None:
    assert letters(take_turns(ranking(known), ranking(new))) == turns
    assert NEW_PER_KNOWN == 2


@pytest.mark.parametrize("offered", ["", "x", "dcba", "xaybz"])
def test_without_a_ranker_the_proposals_keep_their_order(offered: str) -> None:
    assert order(offered, NoRanker()) == offered


@pytest.mark.parametrize("ranker", [PriorRanker(), NoRanker()])
def test_rankers_without_a_model_can_be_started_closed_and_asked_again(ranker: Ranker) -> None:
    ranker.start()
    ranker.close()
    ranker.close()
    assert sorted(order("abx", ranker)) == list("abx")
    assert ranker.name


@pytest.mark.parametrize("names", ["", "a", "ab", "abc", "abcdefgh"])
def test_whatever_is_drawn_each_stays_once_and_the_first_stays_first(names: str) -> None:
    for seed in range(300):
        found = letters(with_random_share(ranking(names), seed))
        assert sorted(found) == list(names)
        assert found[:1] == names[:1]


def test_a_tenth_of_the_places_is_drawn_and_says_so() -> None:
    seeds, names = 2_000, "abcdefgh"
    found = [with_random_share(ranking(names), seed) for seed in range(seeds)]
    drawn = [ranked for order in found for ranked in order if ranked.why == DRAWN]
    places = len(names) - 2  # the first stays, and for the last only one is left
    assert len(drawn) / (seeds * places) == pytest.approx(SHARE, abs=0.01)
    assert SHARE == 0.1
    assert {ranked.instruction for ranked in drawn} == set("cdefgh")  # the second place's own is never drawn
    assert all(any(r.why == DRAWN for r in order) for order in found if letters(order) != names)


def test_the_same_seed_draws_the_same_and_another_seed_another() -> None:
    names = "abcdefgh"
    once = [letters(with_random_share(ranking(names), seed)) for seed in range(50)]
    assert once == [letters(with_random_share(ranking(names), seed)) for seed in range(50)]
    assert len(set(once)) > 10
