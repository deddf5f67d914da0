"""The search policy, as a user would put it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grading.base import AUDIT_VIEW, FULL_VIEW, Standings
from graphs.knowledge import Budget, Knowledge, winner
from graphs.plan import decide
from graphs.rivals import rivals
from graphs.state import Attempt, Run
from ranker.base import Ranked
from tests.fakes import a_task, standing

BUDGET = Budget(attempts=4, seconds=600, first_valid=False, parallel=2, script_seconds=100)
NOTHING = Standings([], None)


def known(
    tried: dict[str, float] | None = None, spent: float = 10, seconds: float = 10, views: int = 1, ideas: int = 6
) -> Knowledge:
    """`tried`: attempt -> how far behind the leader it is (the error of that is 0.1)."""
    tried = tried or {}
    attempts = {a: Attempt(a, "draft", f"i{int(a)}", "t", "recipe:x", 1, "ok", "s.py") for a in tried}
    runs = [Run(a, v, "ok", seconds, "p.csv", 1.0, 0.1) for a in tried for v in range(1, views + 1)]
    board = sorted((standing(a, 1 + b, b, 0.1 if b else 0.0, views) for a, b in tried.items()), key=lambda s: s.behind)
    ranking = [Ranked(f"i{n}", 1 / n, "") for n in range(1, ideas + 1)]
    return Knowledge(a_task(), ranking, attempts, {r.key: r for r in runs}, Standings(board, None), spent)


def test_the_best_ranked_are_drafted_first_on_view_one() -> None:
    decision = decide(known(), BUDGET)
    assert decision.phase == "draft"
    assert [a.instruction for a in decision.assignments][:2] == ["i1", "i2"]
    assert {a.view for a in decision.assignments} == {1}
    assert [a.attempt for a in decision.assignments][:2] == ["0001", "0002"]


def test_attempts_are_never_more_than_asked() -> None:
    decision = decide(known({"0001": 0.0, "0002": 0.9}), replace(BUDGET, attempts=3))
    assert [a.attempt for a in decision.assignments] == ["0003"]


def test_first_valid_stops_at_once() -> None:
    budget = replace(BUDGET, first_valid=True)
    assert len(decide(known(), budget).assignments) == 1
    after = decide(known({"0001": 0.0}), budget)
    assert after.phase == "refit"


def test_those_within_noise_race_on_the_next_view_and_the_others_do_not() -> None:
    tried = {"0001": 0.0, "0002": 0.15, "0003": 0.9, "0004": 0.05}
    decision = decide(known(tried), BUDGET)
    assert decision.phase == "race"
    assert {a.attempt for a in decision.assignments} == {"0001", "0002", "0004"}
    assert {a.view for a in decision.assignments} == {2}
    assert not any(a.draft for a in decision.assignments)


def test_a_clear_leader_is_refitted_at_once() -> None:
    decision = decide(known({"0001": 0.0, "0002": 0.9, "0003": 0.9, "0004": 0.9}), BUDGET)
    assert [(a.attempt, a.view) for a in decision.assignments] == [("0001", FULL_VIEW)]


def test_of_attempts_level_with_the_leader_the_best_ranked_is_taken() -> None:
    assert winner(known({"0001": 0.08, "0002": 0.0, "0003": 0.05})) == {"0001": 1.0}
    assert winner(known({"0001": 0.15, "0002": 0.0, "0003": 0.05})) == {"0002": 1.0}


def test_all_members_of_a_winning_blend_are_refitted() -> None:
    state = known({"0001": 0.0, "0002": 0.1}, views=5, ideas=2)
    blend = replace(state.standings.attempts[0], members={"0001": 0.6, "0002": 0.4})
    decision = decide(replace(state, standings=replace(state.standings, blend=blend)), BUDGET)
    assert {(a.attempt, a.view) for a in decision.assignments} == {("0001", FULL_VIEW), ("0002", FULL_VIEW)}


def test_where_time_splits_the_winner_also_runs_on_the_audit_view() -> None:
    state = replace(known({"0001": 0.0}, ideas=1), facts=a_task(split="time", views=1))
    assert {a.view for a in decide(state, BUDGET).assignments} == {FULL_VIEW, AUDIT_VIEW}


def test_after_the_refit_the_run_ends_also_when_it_failed() -> None:
    state = known({"0001": 0.0}, ideas=4)
    refit = Run("0001", FULL_VIEW, "timeout", 50, None, None, None)
    assert decide(replace(state, runs=state.runs | {refit.key: refit}), BUDGET).phase == "finish"


def test_time_for_the_refit_is_kept_back() -> None:
    tried = {"0001": 0.0, "0002": 0.05}
    plenty, scarce = known(tried, seconds=60, spent=130), known(tried, seconds=60, spent=450)
    assert decide(plenty, BUDGET).phase == "draft"
    decision = decide(scarce, BUDGET)
    assert decision.phase == "refit"
    assert all(a.seconds <= 150 for a in decision.assignments)


@pytest.mark.parametrize("parallel", [1, 2])
def test_leaders_that_are_slower_than_most_race_only_where_time_for_their_refit_remains(parallel: int) -> None:
    tried = {f"{n:04d}": 0.9 for n in range(1, 10)} | {"0010": 0.0, "0011": 0.02, "0012": 0.03}
    budget = Budget(attempts=12, seconds=2400, first_valid=False, parallel=parallel, script_seconds=450)
    phases = []
    for spent in range(0, 2400, 20):
        found = known(tried, spent=spent)
        slow = {key: replace(run, seconds=200) for key, run in found.runs.items() if run.attempt >= "0010"}
        decision = decide(replace(found, runs=found.runs | slow), budget)
        phases.append(decision.phase)
        if decision.phase == "race":
            allowed = sorted((a.seconds for a in decision.assignments), reverse=True)
            refits = 300 * (3 if parallel == 1 else 2)
            assert spent + sum(allowed[::parallel]) + refits < 2400
            assert min(allowed) >= 200
        if decision.phase == "refit":
            assert spent + decision.assignments[0].seconds <= 2400
    assert list(dict.fromkeys(phases)) == ["race", "refit", "finish"]
    assert phases.index("finish") * 20 > 2150, "one refit of 200 s fits until then"


def test_no_run_may_take_longer_than_is_left() -> None:
    for spent in (0, 200, 400, 500, 590, 600, 700):
        for assignment in decide(known(spent=spent), BUDGET).assignments:
            assert assignment.seconds <= max(1, 600 - spent)


def test_without_time_the_run_ends_with_what_it_has() -> None:
    decision = decide(known({"0001": 0.0}, seconds=60, spent=595), BUDGET)
    assert decision.phase == "finish"
    assert "no time for a refit" in decision.why


def test_while_nothing_is_valid_drafting_goes_on() -> None:
    state = known({"0001": 0.0, "0002": 0.0}, spent=560)
    decision = decide(replace(state, standings=NOTHING), BUDGET)
    assert decision.phase == "draft"
    assert [a.attempt for a in decision.assignments] == ["0003", "0004"]


def test_nothing_valid_and_nothing_left_to_try_ends_the_run() -> None:
    state = replace(known({"0001": 0.0}, ideas=1), standings=NOTHING)
    assert decide(state, BUDGET) == decide(state, BUDGET)
    assert decide(state, BUDGET).phase == "finish"


def test_without_a_blind_view_scripts_run_on_all_rows_and_the_first_valid_one_counts() -> None:
    facts = a_task(views=0, unblind="no rows match")
    state = replace(known(), facts=facts)
    first = decide(state, BUDGET)
    assert {a.view for a in first.assignments} == {FULL_VIEW}
    attempt = Attempt("0001", "draft", "i1", "t", "recipe:x", 1, "ok", "s.py")
    run = Run("0001", FULL_VIEW, "ok", 10, "p.csv", None, None)
    assert decide(replace(state, attempts={"0001": attempt}, runs={run.key: run}), BUDGET).phase == "finish"


def test_a_models_script_does_not_lead_where_a_recipe_is_ahead_on_the_views_of_both() -> None:
    found = known({"0001": 0.0, "0002": 0.0})
    by_model = replace(found.attempts["0001"], source="llm")
    leader, other = standing("0001", 1.0, 0.0, 0.0, 2), standing("0002", 0.9, -0.05, 0.1, 1)
    found = replace(found, attempts=found.attempts | {"0001": by_model}, standings=Standings([leader, other], None))
    assert winner(found) == {"0002": 1.0}
    assert winner(replace(found, attempts=found.attempts | {"0001": replace(by_model, source="start")})) == {
        "0001": 1.0
    }


def test_a_parent_far_down_the_ranking_is_shown_to_who_improves_it() -> None:
    names = [f"{n:04d}" for n in range(1, 13)]
    found = known(dict.fromkeys(names, 0.0))
    board = Standings([standing(name, float(name)) for name in names], None)
    state: Any = {"pool": [], "attempts": found.attempts, "runs": found.runs, "standings": board}
    assert [rival.id for rival in rivals(state, ["0012"])] == [*names[:8], "0012"]
