"""What a run leaves for the ranker to learn from, and what a run says of the ranker that ordered it."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from agents.drive import solve
from agents.summary import ranked_line
from agents.terminal import Board, describe_event
from grading.base import Standing
from graphs.learning import LONGEST, alongside, instruction_record, task_record
from graphs.live import live
from graphs.state import Attempt
from models.base import NoAnswer
from ranker.base import Ranked, Ranker, RankerUnavailable
from ranker.prior import NoRanker, PriorRanker
from ranker.process import FineTunedRanker
from ranker.records import Record, normalised, read_records
from recipes.base import Column, Description, Instruction
from sandbox.base import SandboxLost
from tests.fakes import a_description, a_task, failed, ok, standing
from tests.scripted_mind import ScriptedMind
from tests.test_graphs_models import answers, script
from tests.test_graphs_pipeline import Stage

NUMBERS = {"rows": 800.0, "columns": 3.0, "classes": 0.0, "probe_linear": 0.4}


@pytest.fixture(autouse=True)
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "true")


def records_of(stage: Stage) -> list[Record]:
    return list(read_records(stage.folder.learning))


def an_attempt(**changes: Any) -> Attempt:
    fields: dict[str, Any] = {"id": "0005", "kind": "improve", "instruction": "improve-0005", "tries": 1}
    fields |= {"title": "Improve 0002: deeper trees", "source": "improve:0002", "status": "ok", "script": "s.py"}
    return Attempt(**(fields | changes))


def test_each_attempt_that_was_tried_is_one_line(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok(2.0), ok(3.0), ok()], {"0001": 2.0, "0002": 1.0})
    report = stage.go()
    first, second = records_of(stage)
    tried = {f"recipe-{a['source'].removeprefix('recipe:')}": a for a in report["attempts"]}
    assert [first.instruction.id, second.instruction.id] == list(tried)
    assert (first.score, second.score) == (2.0, 1.0)
    assert (first.error, first.metric, first.higher_is_better, first.status) == (0.05, "rmse", False, "ok")
    assert (first.seconds, second.seconds) == (2.0, 3.0)
    assert first.instruction.text.startswith("Model: ")
    assert first.instruction.source == tried[first.instruction.id]["source"]
    assert first.task == second.task
    assert first.task.text.startswith("tabular regression of numbers")
    assert first.versions["linguacodus"]
    assert first.task.role == "train"


def test_attempts_that_failed_have_no_score_and_say_how(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [failed("no"), failed("no"), failed(status="timeout"), failed(status="out_of_memory")], {})
    stage.go()
    found = records_of(stage)
    assert [(record.score, record.error, record.status) for record in found] == [
        (None, None, "error"),
        (None, None, "out_of_memory"),
    ]
    assert [record.seconds for record in found] == [2.0, 2.0]


def test_an_invalid_submission_is_a_failure_too(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok()] * 4, {"0001": 1.0, "0002": 1.0})
    stage.grader.faulty = {"0001"}
    stage.go()
    assert [(record.score, record.status) for record in records_of(stage)] == [(None, "invalid"), (1.0, "ok")]


@pytest.mark.parametrize(
    ("fault", "status"), [(NoAnswer("bad", "prose"), "unwritten"), (NoAnswer("server", "500"), "unanswered")]
)
def test_what_no_script_came_of_is_no_line(tmp_path: Path, fault: NoAnswer, status: str) -> None:
    mind = ScriptedMind(answers(**{f"a000{n}_write": fault for n in (2, 3, 4)}))
    stage = Stage(tmp_path, [ok()] * 3, {"0001": 1.0, "0003": 2.0}, mind)
    report = stage.go()
    assert status in {attempt["status"] for attempt in report["attempts"]}
    found = records_of(stage)
    assert {record.status for record in found} == {"ok"}
    assert len(found) == sum(attempt["status"] == "ok" for attempt in report["attempts"])


def test_a_run_without_a_blind_view_teaches_nothing(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok()], {}, views=0, unblind="sample and test have no row in common")
    stage.go()
    assert not stage.folder.learning.exists()


def test_a_run_that_is_killed_has_left_what_it_knew(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok(), SandboxLost("the engine went away")], {"0001": 1.0, "0002": 2.0})
    with pytest.raises(SandboxLost):
        stage.go()
    assert [record.score for record in records_of(stage)] == [1.0]
    stage.sandbox.results = [ok(), ok()]
    stage.open()
    stage.go(given=False)
    assert [record.score for record in records_of(stage)] == [1.0, 2.0]


def test_ideas_and_improvements_are_named_by_their_texts_and_carry_them(tmp_path: Path) -> None:
    drafts = {f"a000{n}_write": script(n) for n in (2, 3)}
    change = "Change: deeper trees.\n<<<<<<< SEARCH\nprint(2)\n=======\nprint(5)\n>>>>>>> REPLACE\n"
    mind = ScriptedMind(answers(**drafts, a0005_improve=change, a0006_ensemble=script(6)))
    values = {"0001": 2.0, "0002": 1.0, "0003": 3.0, "0004": 3.0, "0005": 0.5, "0006": 4.0}
    stage = Stage(tmp_path, [ok()] * 7, values, mind, attempts=6)
    stage.go()
    by_source = {record.instruction.source: record for record in records_of(stage)}
    improved, idea = by_source["improve:0002"], by_source["llm"]
    assert improved.instruction.text.count("deeper trees") == 1
    assert idea.instruction.text.startswith("Model: m")
    assert all(record.instruction.id.startswith("text-") for record in (improved, idea))
    assert len({record.instruction.id for record in records_of(stage)}) == len(records_of(stage)) == 6


def test_the_same_task_has_the_same_id_in_two_runs(tmp_path: Path) -> None:
    ids = set()
    for name in ("one", "two"):
        stage = Stage(tmp_path / name, [ok()] * 3, {"0001": 2.0, "0002": 1.0})
        stage.go()
        ids |= {record.task.id for record in records_of(stage)}
    assert len(ids) == 1


def test_the_id_is_of_the_task_and_not_of_what_a_view_shows() -> None:
    told = a_description()
    own = task_record(a_task(), told).id
    assert own == task_record(a_task(), replace(told, numbers=NUMBERS, summary="Seen otherwise.", rows=90)).id
    others: list[dict[str, object]] = [{"name": "other"}, {"metric": "mae"}, {"train_rows": 101}, {"targets": ["z"]}]
    assert len({own, *(task_record(a_task(**change), told).id for change in others)}) == 1 + len(others)


def test_no_name_and_no_value_of_the_users_data_is_in_what_is_said_of_the_task() -> None:
    secrets = ["zebra", "walrus", "otter", "badger", "ferret", "lynx", "marmot", "heron", "stoat"]
    zebra, walrus, otter, badger, ferret, lynx, marmot, heron, stoat = secrets
    facts = a_task(
        name=zebra,
        description=f"Predict {walrus}.",
        train=f"{otter}.csv",
        targets=[badger],
        columns=[badger],
        classes=[ferret],
        split="group",
        split_column=lynx,
        notes=[f"{marmot} is an id."],
        problem="classes",
    )
    columns = [Column(heron, "category", 0.0, 9, stoat)]
    said = task_record(facts, Description("tabular", 100, 50, columns, 1, f"{heron} like {stoat}.", NUMBERS))
    whole = said.model_dump_json()
    assert not [secret for secret in secrets if secret in whole]
    assert said.numbers == NUMBERS


def test_numbers_that_are_none_do_not_end_the_run() -> None:
    strange = {"gap": math.nan, "far": math.inf}
    told = replace(a_description(), numbers=NUMBERS | strange)
    assert task_record(a_task(), told) == task_record(a_task(), replace(a_description(), numbers=NUMBERS))


@pytest.mark.parametrize(
    ("direction", "behind", "mean"), [("minimize", 0.5, 6.5), ("minimize", -0.1, 5.9), ("maximize", 0.5, 5.5)]
)
def test_scores_are_those_of_the_leaders_views(direction: Any, behind: float, mean: float) -> None:
    """Who left the race after an easy first view did not do better than those that stayed for a hard one."""
    leader = replace(standing("0001", 6.0, views=3).score, direction=direction)
    early = Standing({"0002": 1.0}, [1], replace(leader, folds=[4.0], mean=4.0), behind, 0.1)
    found = alongside(early, leader)
    assert found.mean == pytest.approx(mean)
    assert found.error == leader.error
    values = normalised([leader.mean, found.mean], direction == "maximize")
    assert (values[0] >= values[1]) == (behind > 0)


def test_an_attempt_that_left_early_on_an_easy_view_is_not_the_best_of_the_records(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok()] * 3, {"0001": 5.0, "0002": 4.8})
    whole = stage.grader.standings

    def uneven(runs: dict[str, dict[int, str]]) -> Any:
        found = whole(runs)
        if len(found.attempts) < 2:
            return found
        leader, other = found.attempts
        return replace(found, attempts=[replace(leader, score=replace(leader.score, mean=5.6)), other])

    stage.grader.standings = uneven  # type: ignore[method-assign]  # further views were harder
    stage.go()
    scores = [record.score for record in records_of(stage)]
    assert scores == pytest.approx([5.8, 5.6])


def test_a_recipe_keeps_its_name_and_any_other_text_is_cut_where_it_is_long() -> None:
    recipe = Instruction("recipe-linear", "Linear", "scale", "ridge", "cv", "recipe:linear", 0.5)
    found = instruction_record(an_attempt(kind="draft", source="recipe:linear"), recipe)
    assert (found.id, found.source) == ("recipe-linear", "recipe:linear")
    assert found.text == "Model: ridge Preprocessing: scale Training: cv"
    wordy = replace(recipe, id="llm-1", source="llm", model="x" * (2 * LONGEST))
    assert len(instruction_record(an_attempt(source="llm"), wordy).text) == LONGEST
    assert len(instruction_record(an_attempt(title="y" * (2 * LONGEST)), None).text) == LONGEST


@dataclass
class ScriptedRanker:
    """Says that it is not there, or turns the pool round."""

    fault: str | None = None
    name: str = "a scripted ranker"
    calls: list[str] = field(default_factory=list)

    def start(self) -> None:
        self.calls.append("start")

    def rank(self, description: Description, metric: str, pool: Sequence[Instruction]) -> list[Ranked]:
        self.calls.append(f"rank {description.modality} {metric}")
        if self.fault:
            raise RankerUnavailable(self.fault)
        return [Ranked(i.id, float(n), "it is last") for n, i in enumerate(pool)][::-1]

    def close(self) -> None:
        self.calls.append("close")


def watched(stage: Stage, ranker: Ranker) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The report and the events of a run that is ordered by `ranker`."""
    live(stage.run).ranker = ranker
    seen: list[dict[str, Any]] = []
    outcome = solve(Path(stage.task), stage.folder.path, stage.context, seen.append)
    return outcome.report, seen


def a_stage(folder: Path) -> Stage:
    return Stage(folder, [ok()] * 3, {"0001": 2.0, "0002": 1.0})


def test_the_ranker_loads_with_the_first_node_orders_and_is_freed(tmp_path: Path) -> None:
    ranker = ScriptedRanker()
    report, seen = watched(a_stage(tmp_path), ranker)
    assert ranker.calls[:2] == ["start", "rank tabular rmse"]
    assert ranker.calls[-1] == "close"
    assert report["ranking"]["by"] == "a scripted ranker"
    order = [ranked["instruction"] for ranked in report["ranking"]["order"]]
    assert [attempt["instruction"] for attempt in report["attempts"]] == order[:2]
    assert order == [r.instruction for r in reversed(PriorRanker().rank(a_description(), "rmse", pool_of(seen)))]
    [line] = [line for event in seen for line in describe_event(event) if line.startswith("rank, ")]
    assert line.startswith(f"rank, by a scripted ranker: {order[0]} (")
    assert line.endswith("; first because: it is last")
    assert ranked_line(report) == f"Ranked by a scripted ranker; {order[0]} came first: it is last."
    assert not [event for event in seen if event["event"] == "unranked"]


def pool_of(seen: list[dict[str, Any]]) -> list[Instruction]:
    [pool] = [event["update"]["pool"] for event in seen if event["event"] == "stage" and event["node"] == "propose"]
    return list(pool)


@pytest.mark.parametrize("kind", ["missing", "scripted"])
def test_where_it_cannot_be_used_one_sentence_says_so_and_the_priors_order(tmp_path: Path, kind: str) -> None:
    nowhere = FineTunedRanker(tmp_path / "nowhere", 0, libraries=[])
    report, seen = watched(a_stage(tmp_path), nowhere if kind == "missing" else ScriptedRanker("No [bold] weights."))
    assert report["ranking"]["by"] == "the recipes' priors"
    assert report["valid"]
    [event] = [event for event in seen if event["event"] == "unranked"]
    assert "nowhere/averages.json is missing" in event["why"] or event["why"] == "No [bold] weights."
    [line] = describe_event(event)
    assert line == f"{event['why']} The recipes' priors order the instructions."
    board = Board()
    board.take(event)
    assert board.header == [line]
    board.render()
    ranked = next(line for event in seen for line in describe_event(event) if line.startswith("rank, "))
    assert ranked.startswith("rank, by the recipes' priors: ")
    assert "; first because: prior of its recipe for tabular tasks" in ranked


def test_without_a_ranker_the_proposals_are_tried_in_their_order(tmp_path: Path) -> None:
    report, seen = watched(a_stage(tmp_path), NoRanker())
    assert report["ranking"]["by"] == "no ranker"
    assert [r["instruction"] for r in report["ranking"]["order"]] == [i.id for i in pool_of(seen)]


def test_what_is_reported_can_be_read_by_any_program(tmp_path: Path) -> None:
    stage = a_stage(tmp_path)
    watched(stage, ScriptedRanker())
    json.loads(stage.folder.report.read_text(), parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
