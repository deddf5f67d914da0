"""The graph with a model behind it: what it adds, what it cannot spoil, and what is said of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.drive import solve
from models.base import NoAnswer, ReplayDiffers
from tests.fakes import failed, ok
from tests.scripted_mind import ScriptedMind
from tests.test_graphs_pipeline import Stage

SCRIPT = "import pandas as pd\nprint({})\nopen('submission.csv', 'w')\n"
INSIGHT = json.dumps({"objective": "Predict y.", "modality": "tabular", "pitfalls": ["y is skewed."]})
IDEAS = json.dumps(
    {"ideas": [{"title": f"Plan {n}", "preprocessing": "fill", "model": f"m{n}", "training": "cv"} for n in (1, 2, 3)]}
)
NO_FLAWS = json.dumps({"reviews": []})


def script(number: int) -> str:
    """A model's answer that holds a whole script."""
    return f"Here it is.\n```python\n{SCRIPT.format(number)}```\n"


def answers(**more: str | NoAnswer) -> dict[str, str | NoAnswer]:
    """What a well-behaved model says before any script; the keys of `more` have underscores for slashes."""
    first: dict[str, str | NoAnswer] = {"describe": INSIGHT, "propose": IDEAS, "critique/flaws": NO_FLAWS}
    return first | {key.removeprefix("a").replace("_", "/"): value for key, value in more.items()}


@pytest.fixture(autouse=True)
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "true")


def attempts_of(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {attempt["id"]: attempt for attempt in report["attempts"]}


def test_the_best_recipe_runs_first_and_a_models_script_wins_by_a_clear_gain(tmp_path: Path) -> None:
    mind = ScriptedMind(answers(a0002_write=script(2)))
    stage = Stage(tmp_path, [ok()] * 3, {"0001": 2.0, "0002": 1.0}, mind)
    report = stage.go()
    tried = attempts_of(report)
    assert tried["0001"]["source"].startswith("recipe:")
    assert (tried["0002"]["source"], tried["0002"]["title"]) == ("llm", "Plan 1")
    assert report["winner"] == {"0002": 1.0}
    assert "better by 1" in report["models"]["brought"]
    assert SCRIPT.format(2) in (stage.folder.solution / "solution.py").read_text()


def test_a_models_script_that_is_only_level_does_not_take_the_lead(tmp_path: Path) -> None:
    mind = ScriptedMind(answers(a0001_write=script(1), a0002_write=script(2)))
    stage = Stage(tmp_path, [ok()] * 3, {"0001": 1.05, "0002": 1.0}, mind, views=1)
    report = stage.go()
    assert report["winner"] == {"0001": 1.0}
    assert "level with" in report["models"]["brought"]


def test_a_script_that_fails_is_repaired_from_its_error_and_its_lines(tmp_path: Path) -> None:
    edit = "Change: no print.\n<<<<<<< SEARCH\nprint(2)\n=======\nprint(22)\n>>>>>>> REPLACE\n"
    mind = ScriptedMind(answers(a0002_write=script(2), **{"a0002_repair-1": edit}))
    stage = Stage(tmp_path, [ok(), failed("no such column"), ok(), ok()], {"0001": 2.0, "0002": 1.0}, mind)
    report = stage.go()
    tried = attempts_of(report)["0002"]
    assert (tried["tries"], tried["status"], tried["change"]) == (2, "ok", "")
    asked = next(question for question in mind.asked if question.role == "repair")
    assert "no such column" in str(asked.variables["error"])
    assert ">    3" in str(asked.variables["lines"])
    assert "print(22)" in stage.sandbox.codes[-1]


def test_the_faults_of_a_submission_go_to_repair_and_later_repairs_see_what_was_tried(tmp_path: Path) -> None:
    again = {f"a0002_repair-{n}": f"Change: number {n}.\n{script(10 + n)}" for n in (1, 2)}
    mind = ScriptedMind(answers(a0002_write=script(2), **again))
    stage = Stage(tmp_path, [ok()] * 5, {"0001": 2.0, "0002": 1.0}, mind)
    stage.grader.faulty = {"0002"}
    report = stage.go()
    tried = attempts_of(report)["0002"]
    assert (tried["tries"], tried["status"]) == (3, "invalid")
    first, second = (question for question in mind.asked if question.role == "repair")
    assert "1 id is missing" in str(first.variables["error"])
    assert "invalid submission" in str(first.variables["status"])
    assert "number 1" in str(second.variables["tried"])


def test_the_best_is_improved_and_the_last_attempt_combines_the_best_few(tmp_path: Path) -> None:
    drafts = {f"a000{n}_write": script(n) for n in (2, 3)}
    change = "Change: deeper trees.\n<<<<<<< SEARCH\nprint(2)\n=======\nprint(5)\n>>>>>>> REPLACE\n"
    mind = ScriptedMind(answers(**drafts, a0005_improve=change, a0006_ensemble=script(6)))
    values = {"0001": 2.0, "0002": 1.0, "0003": 3.0, "0004": 3.0, "0005": 0.5, "0006": 4.0}
    stage = Stage(tmp_path, [ok()] * 7, values, mind, attempts=6)
    report = stage.go()
    tried = attempts_of(report)
    assert [tried[f"000{n}"]["kind"] for n in range(1, 7)] == ["draft"] * 4 + ["improve", "ensemble"]
    assert tried["0005"]["parents"] == ["0002"]
    assert "deeper trees" in tried["0005"]["title"]
    assert tried["0006"]["parents"] == ["0005", "0001", "0003"], "0005 holds 0002 already"
    assert report["winner"] == {"0005": 1.0}
    combine = mind.asked[-1]
    assert "print(5)" in str(combine.variables["scripts"])
    assert {name for name in tried if f"{name} " in str(combine.variables["scores"])} == {"0005", "0001", "0003"}


def test_one_attempt_is_one_attempt_and_asks_for_no_instruction(tmp_path: Path) -> None:
    mind = ScriptedMind({"describe": INSIGHT})
    report = Stage(tmp_path, [ok(), ok()], {"0001": 1.0}, mind, attempts=1).go()
    assert [attempt["source"].split(":")[0] for attempt in report["attempts"]] == ["recipe"]


def test_flaws_that_a_reviewer_finds_are_mended_before_any_code_is_written(tmp_path: Path) -> None:
    flaws = json.dumps({"reviews": [{"number": 1, "flaws": ["It leaks."]}]})
    ideas = [
        {"number": n, "title": f"Better {n}", "preprocessing": "p", "model": "m", "training": "t"} for n in (1, 2, 3)
    ]
    said = answers(a0002_write=script(2)) | {"critique/flaws": flaws, "critique/improve": json.dumps({"ideas": ideas})}
    mind = ScriptedMind(said)
    report = Stage(tmp_path, [ok()] * 3, {"0001": 2.0, "0002": 1.0}, mind).go()
    assert attempts_of(report)["0002"]["title"] == "Better 1"
    assert "It leaks." in str(next(q for q in mind.asked if q.key == "critique/improve").variables["flaws"])


def test_a_bad_answer_counts_as_an_attempt_and_a_lost_one_does_not(tmp_path: Path) -> None:
    bad = ScriptedMind(answers(a0002_write=NoAnswer("bad", "prose")))
    report = Stage(tmp_path / "bad", [ok(), ok()], {"0001": 1.0}, bad).go()
    assert [attempt["status"] for attempt in report["attempts"]] == ["ok", "unwritten"]
    lost = ScriptedMind(answers(**{f"a000{n}_write": NoAnswer("server", "500") for n in (2, 3, 4)}))
    report = Stage(tmp_path / "lost", [ok()] * 3, {"0001": 1.0, "0003": 2.0}, lost).go()
    assert report["valid"]
    assert sum(attempt["status"] == "ok" for attempt in report["attempts"]) == 2


def test_without_any_answer_the_run_ends_by_its_recipes_and_says_so(tmp_path: Path) -> None:
    silent = NoAnswer("connection", "refused")
    mind = ScriptedMind({"describe": silent, "propose": silent})
    report = Stage(tmp_path, [ok()] * 3, {"0001": 1.0, "0002": 2.0}, mind).go()
    assert report["valid"]
    assert all(attempt["source"].startswith("recipe:") for attempt in report["attempts"])
    assert report["models"]["brought"] == "no attempt was written by a model."


def test_a_replay_that_differs_ends_the_run(tmp_path: Path) -> None:
    class Differs(ScriptedMind):
        def ask(self, question: Any) -> Any:  # noqa: ARG002
            raise ReplayDiffers("at the question describe")

    stage = Stage(tmp_path, [], {}, Differs(answers()))
    with pytest.raises(ReplayDiffers):
        solve(Path(stage.task), stage.folder.path, stage.context, lambda event: None)


def test_a_persons_script_joins_the_race_as_it_is(tmp_path: Path) -> None:
    own = tmp_path / "mine.py"
    own.write_text("# mine\nopen('submission.csv', 'w')\n")
    stage = Stage(tmp_path, [ok()] * 3, {"0001": 2.0, "0002": 1.0}, start=str(own))
    report = stage.go()
    assert attempts_of(report)["0002"]["source"] == "start"
    assert report["winner"] == {"0002": 1.0}
    assert "# mine" in (stage.folder.solution / "solution.py").read_text()


def test_a_person_reviews_the_instructions_a_day_later(tmp_path: Path) -> None:
    mind = ScriptedMind(answers(a0001_write=script(1)))
    stage = Stage(tmp_path, [ok()] * 3, {"0001": 1.0, "0002": 2.0}, mind, review=True)
    waiting = solve(Path(stage.task), stage.folder.path, stage.context, lambda event: None)
    assert waiting.review == stage.folder.review
    assert stage.sandbox.codes[1:] == [], "nothing is tried before the review"
    text = stage.folder.review.read_text()
    head, first, *rest = text.split("- id: ")
    idea = next(part for part in rest if part.startswith("idea-1"))
    stage.folder.review.write_text(head + "- id: " + idea.replace("Plan 1", "My plan") + "- id: " + first)
    stage.open()
    outcome = solve(None, stage.folder.path, stage.context, lambda event: None)
    tried = attempts_of(outcome.report)
    assert [tried["0001"]["title"], len(tried)] == ["My plan", 2]
    assert len([question for question in mind.asked if question.key == "propose"]) == 1
