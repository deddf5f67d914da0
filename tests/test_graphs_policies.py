"""Halving, improvements and the policies of others, as a user would put them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from grading.base import FULL_VIEW, SAMPLE_VIEW, Standings, TaskError
from graphs.improving import is_stuck, to_improve
from graphs.knowledge import Budget, Knowledge
from graphs.plan import decide
from graphs.policies import POLICIES, find_policy
from graphs.state import Attempt, Kind, Run
from tests.fakes import a_task, standing
from tests.test_graphs_plan import known

BUDGET = Budget(attempts=8, seconds=600, first_valid=False, parallel=1, script_seconds=200)
LARGE = a_task(train_rows=50_000)
ROLES: Any = frozenset({"write", "improve", "ensemble"})


def with_sampled(state: Knowledge, values: dict[str, float]) -> Knowledge:
    """`state` and attempts that ran on the sample alone."""
    attempts = {a: Attempt(a, "draft", f"i{int(a)}", "t", "recipe:x", 1, "ok", "s.py") for a in values}
    runs = {f"{a}/{SAMPLE_VIEW}": Run(a, SAMPLE_VIEW, "ok", 10, "p.csv", v, 0.1) for a, v in values.items()}
    return replace(state, attempts=state.attempts | attempts, runs=state.runs | runs)


def changed(state: Knowledge, *changes: tuple[str, str, float]) -> Knowledge:
    """`state` and changes (attempt, parent, how far behind the leader) by a model that can be asked again."""
    kind: Kind = "improve"
    made = {a: Attempt(a, kind, f"improve-{a}", "t", "improve:x", 1, "ok", "s.py", parents=[p]) for a, p, _ in changes}
    board = [*state.standings.attempts, *(standing(a, 1 + b, b, 0.1 if b else 0.0) for a, _, b in changes)]
    runs = {f"{a}/1": Run(a, 1, "ok", 10, "p.csv", 1.0, 0.1) for a, _, _ in changes}
    mine = {name: replace(attempt, source="llm") for name, attempt in state.attempts.items()} | made
    ordered = Standings(sorted(board, key=lambda s: s.behind), None)
    return replace(state, attempts=mine, runs=state.runs | runs, standings=ordered, awake=ROLES)


def test_where_not_all_drafts_fit_more_of_them_are_tried_on_a_sample() -> None:
    state = replace(known({"0001": 0.0}, seconds=100, spent=110, ideas=8), facts=LARGE)
    decision = decide(state, BUDGET)
    assert decision.phase == "screen"
    assert {a.view for a in decision.assignments} == {SAMPLE_VIEW}
    assert len(decision.assignments) > 1
    assert all(a.draft and a.seconds <= 110 for a in decision.assignments)


def test_where_all_drafts_fit_or_rows_are_few_nothing_is_sampled() -> None:
    quick = replace(known({"0001": 0.0}, seconds=5, spent=10, ideas=8), facts=LARGE)
    assert decide(quick, BUDGET).phase == "draft"
    small = known({"0001": 0.0}, seconds=100, spent=110, ideas=8)
    assert decide(small, BUDGET).phase == "draft"
    in_time = replace(small, facts=a_task(train_rows=50_000, split="time"))
    assert decide(in_time, BUDGET).phase == "draft"


def test_the_first_draft_is_never_a_sample() -> None:
    decision = decide(replace(known(ideas=8), facts=LARGE), BUDGET)
    assert (decision.phase, {a.view for a in decision.assignments}) == ("draft", {1})


def test_the_best_third_of_the_sampled_goes_on_to_the_first_view_and_the_others_do_not() -> None:
    state = with_sampled(
        known({"0001": 0.0}, seconds=10, ideas=5), {"0002": 3.0, "0003": 1.0, "0004": 2.0, "0005": 9.0}
    )
    decision = decide(replace(state, facts=LARGE), BUDGET)
    assert decision.phase == "promote"
    assert [(a.attempt, a.view, a.draft) for a in decision.assignments] == [("0003", 1, False), ("0004", 1, False)]
    highest = replace(state, facts=replace(LARGE, direction="maximize"))
    assert [a.attempt for a in decide(highest, BUDGET).assignments] == ["0005", "0002"]


def test_what_ran_on_the_sample_only_is_never_delivered() -> None:
    state = with_sampled(known({"0001": 0.0}, seconds=10, spent=575, ideas=3), {"0002": -5.0, "0003": -6.0})
    assert [(a.attempt, a.view) for a in decide(state, BUDGET).assignments] == [("0001", FULL_VIEW)]


def test_of_those_level_with_the_best_the_least_changed_is_changed_next() -> None:
    state = changed(known({"0001": 0.0, "0002": 0.05, "0003": 2.0}), ("0004", "0001", 0.04))
    assert to_improve(state)[0] in ("0004", "0002")
    assert to_improve(state)[-1] == "0003"
    assert to_improve(state).index("0001") > to_improve(state).index("0002")


def test_changes_that_gain_nothing_end_in_a_restart_and_those_that_gain_go_on() -> None:
    stuck = changed(known({"0001": 0.0}), ("0002", "0001", 0.3), ("0003", "0001", 0.02), ("0004", "0001", 0.5))
    assert is_stuck(stuck)
    decision = decide(stuck, BUDGET)
    assert "restart" in decision.why or decision.phase == "draft"
    assert all(a.kind == "draft" for a in decision.assignments)
    alive = changed(known({"0001": 0.5}), ("0002", "0001", 0.3), ("0003", "0001", 0.0), ("0004", "0003", 0.5))
    assert not is_stuck(alive)


def test_stuck_with_nothing_left_to_draft_the_best_are_combined_once_and_then_the_run_ends() -> None:
    stuck = changed(known({"0001": 0.0}, ideas=1), ("0002", "0001", 0.3), ("0003", "0001", 0.4), ("0004", "0001", 0.5))
    decision = decide(stuck, BUDGET)
    assert [a.kind for a in decision.assignments] == ["ensemble"]
    combined = Attempt("0005", "ensemble", "ensemble-0005", "t", "ensemble:x", 1, "error", "s.py", parents=["0001"])
    attempts = (
        stuck.attempts
        | {"0005": combined}
        | {f"{n:04d}": replace(stuck.attempts["0002"], id=f"{n:04d}") for n in (6, 7, 8)}
    )
    after = decide(replace(stuck, attempts=attempts), replace(BUDGET, attempts=20))
    assert after.phase == "refit"


def test_linear_changes_the_newest_script_and_greedy_the_leader() -> None:
    state = changed(known({"0001": 0.0}), ("0002", "0001", 0.3))
    assert POLICIES["linear"].decide(state, BUDGET).assignments[0].parents == ["0002"]
    five = changed(known({f"000{n}": 0.1 * n - 0.1 for n in range(1, 6)}), ("0006", "0001", 0.3))
    assert POLICIES["greedy"].decide(five, BUDGET).assignments[0].parents == ["0001"]


def test_without_a_model_linear_and_greedy_try_the_ranking_on_one_view_each() -> None:
    for name in ("linear", "greedy"):
        decide_next = POLICIES[name].decide
        assert [a.instruction for a in decide_next(known({"0001": 0.0}, ideas=3), BUDGET).assignments] == ["i2", "i3"]
        ended = decide_next(known({"0001": 0.0, "0002": 0.01, "0003": 0.02}, ideas=3), BUDGET)
        assert [(a.attempt, a.view) for a in ended.assignments] == [("0001", FULL_VIEW)]
        assert not POLICIES[name].blends


def test_a_policy_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(TaskError, match=r"--policy fastest.*race, greedy, linear"):
        find_policy("fastest")
