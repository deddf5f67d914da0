"""The whole graph with scripted sandbox and grader: order, repair, failure, resume."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.sqlite import SqliteSaver

from agents.describe import load_profile
from agents.drive import solve
from grading.base import FULL_VIEW, SAMPLE_VIEW, Task, View
from graphs import live
from graphs.context import Context
from graphs.folder import RunFolder
from graphs.live import Live
from graphs.pipeline import builder
from graphs.prepare import prepare
from models.records import Records
from sandbox.base import ExecutionResult, SandboxError, SandboxLost
from tests.fakes import SUBMISSION, ScriptedGrader, ScriptedSandbox, a_profile, a_task, failed, ok
from tests.scripted_mind import ScriptedMind

CONFIG = {"configurable": {"thread_id": "run"}, "max_concurrency": 1}


class Stage:
    """A run folder with scripted things behind it."""

    def __init__(
        self,
        root: Path,
        results: list[ExecutionResult | SandboxError],
        values: dict[str, float],
        mind: ScriptedMind | None = None,
        **task: Any,
    ):
        data = root / "data"
        data.mkdir(parents=True, exist_ok=True)
        self.run = str(root / "run")
        self.task = str(data)
        asked: dict[str, Any] = {name: task.pop(name) for name in ("start", "review") if name in task}
        asked["model"] = "openai:scripted@http://127.0.0.1:9/v1" if mind else None  # named, but never asked
        context = Context(metric="rmse", attempts=task.pop("attempts", 2), minutes=10, parallel=1, **asked)
        self.context = context
        folder = prepare(self.task, self.run, context)
        self.sandbox = ScriptedSandbox(results)
        self.mind = mind or ScriptedMind({})
        self.grader = ScriptedGrader(folder.path, a_task(**task), values)
        self.folder = folder
        self.open()

    def open(self) -> None:
        spec, settings = self.folder.load()
        records = Records(self.folder.llm)
        live.use(self.run, Live(self.folder, settings, spec.data, self.sandbox, self.grader, self.mind, records))

    def go(self, given: bool = True) -> dict[str, Any]:
        with SqliteSaver.from_conn_string(str(self.folder.checkpoints)) as saver:
            graph = builder.compile(checkpointer=saver)
            start = {"task": self.task, "run": self.run} if given else None
            graph.invoke(start, CONFIG, context=self.context, durability="sync")  # type: ignore[call-overload]
        report: dict[str, Any] = json.loads(RunFolder(Path(self.run)).report.read_text())
        return report


@pytest.fixture(autouse=True)
def _strict(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGGRAPH_STRICT_MSGPACK", "true")


def test_no_script_runs_on_when_the_minutes_are_over_whatever_took_them(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok()], {"0001": 2.0}, attempts=1)
    whole = stage.grader.make_view

    def slow(number: int) -> View:
        if stage.sandbox.codes:  # not the view of the profile
            live.live(stage.run).clock._at -= 9.9 * 60
        return whole(number)

    stage.grader.make_view = slow  # type: ignore[method-assign]
    assert stage.go()["valid"]
    assert len(stage.sandbox.allowed) == 1
    assert stage.sandbox.allowed[0] <= 6, "of ten minutes"


def test_the_better_of_two_attempts_wins_and_is_refitted(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok(), ok(), ok()], {"0001": 2.0, "0002": 1.0})
    report = stage.go()
    assert report["valid"]
    assert report["winner"] == {"0002": 1.0}
    assert report["delivery"]["source"] == "refit"
    assert stage.folder.submission.read_bytes() == SUBMISSION
    assert (stage.folder.solution / "solution.py").exists()
    assert stage.sandbox.results == []


def test_containers_are_kept_warm_for_drafts_and_not_longer(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok(), ok(), ok()], {"0001": 2.0, "0002": 1.0})
    stage.go()
    profile, *drafts, _refit = stage.sandbox.opened
    assert [kind for _, kind in stage.sandbox.warmed] == [profile] * len(stage.sandbox.warmed)
    assert drafts == [profile, profile]  # what is warm is what they ask for
    counts = [count for count, _ in stage.sandbox.warmed]
    assert counts[0] == 1
    assert counts[-1] == 0


def test_a_failing_script_is_tried_once_more_in_its_safe_variant(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [failed(), ok(), ok()], {"0001": 1.0}, attempts=1)
    report = stage.go()
    [attempt] = report["attempts"]
    assert (attempt["tries"], attempt["status"]) == (2, "ok")
    assert "SAFE = False" in stage.sandbox.codes[1]
    assert "SAFE = True" in stage.sandbox.codes[2]
    assert "SAFE = True" in (stage.folder.solution / "solution.py").read_text()


def test_an_invalid_submission_is_repaired_like_an_error(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok(), ok(), ok(), ok()], {"0001": 1.0, "0002": 1.0})
    stage.grader.faulty = {"0001"}
    report = stage.go()
    first = report["attempts"][0]
    assert (first["tries"], first["status"], first["faults"]) == (2, "invalid", ["1 id is missing"])
    assert report["winner"] == {"0002": 1.0}


def test_when_everything_fails_the_report_says_so(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [failed("no"), failed("no"), failed(status="timeout"), failed(status="out_of_memory")], {})
    report = stage.go()
    assert not report["valid"]
    assert report["delivery"] is None
    assert [attempt["status"] for attempt in report["attempts"]] == ["error", "out_of_memory"]
    assert "ValueError: no" in report["attempts"][0]["faults"][0]
    assert not stage.folder.submission.exists()


def test_a_failing_machine_is_no_attempt_and_the_run_goes_on_later(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok(), SandboxLost("the engine went away")], {"0001": 1.0, "0002": 2.0})
    with pytest.raises(SandboxLost):
        stage.go()
    assert stage.folder.submission.exists(), "the first graded attempt must leave a submission"
    stage.sandbox.results = [ok(), ok()]
    stage.open()
    report = stage.go(given=False)
    assert report["winner"] == {"0001": 1.0}
    assert [attempt["status"] for attempt in report["attempts"]] == ["ok", "ok"]
    profiles = [code for code in stage.sandbox.codes if "profile.json" in code]
    assert len(profiles) == 1, "what was done is not done again"


def test_those_within_noise_get_further_views(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok()] * 5, {"0001": 1.0, "0002": 1.05}, views=2)
    report = stage.go()
    views = {attempt["id"]: [run["view"] for run in attempt["runs"]] for attempt in report["attempts"]}
    assert views == {"0001": [0, 1, 2], "0002": [1, 2]}


def test_what_the_state_holds_comes_back_from_a_checkpoint_as_it_went_in(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok(), ok(), ok()], {"0001": 2.0, "0002": 1.0})
    stage.go()
    with SqliteSaver.from_conn_string(str(stage.folder.checkpoints)) as saver:
        values = builder.compile(checkpointer=saver).get_state(CONFIG).values  # type: ignore[arg-type]
    assert values["facts"] == stage.grader.task
    assert isinstance(values["facts"], Task)
    assert {type(value).__name__ for value in values["attempts"].values()} == {"Attempt"}
    assert values["decision"].phase == "finish"
    runs = {attempt: {1: "predictions"} for attempt in values["attempts"]}
    assert values["standings"] == stage.grader.standings(runs)


def test_the_whole_profile_is_in_the_run_folder_and_not_in_the_state(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok(), ok(), ok()], {"0001": 2.0, "0002": 1.0})
    stage.go()
    assert load_profile(stage.folder.profile) == a_profile()
    with SqliteSaver.from_conn_string(str(stage.folder.checkpoints)) as saver:
        values = builder.compile(checkpointer=saver).get_state(CONFIG).values  # type: ignore[arg-type]
    assert values["description"] == a_profile().description
    assert a_profile() not in values.values()


def test_the_command_line_drives_one_script_at_a_time(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok()] * 4, {"0001": 2.0, "0002": 1.0})
    seen: list[str] = []
    outcome = solve(Path(stage.task), stage.folder.path, stage.context, lambda event: seen.append(event["event"]))
    assert outcome.report["winner"] == {"0002": 1.0}
    assert seen[0] == "opening"
    assert seen.count("started") == seen.count("ended") == 3


def test_no_blind_view_is_said_wherever_a_score_would_be(tmp_path: Path) -> None:
    stage = Stage(tmp_path, [ok()], {}, views=0, unblind="sample and test have no row in common")
    report = stage.go()
    assert report["valid"]
    assert not report["blind"]
    assert report["delivery"]["estimate"] is None
    assert "no row in common" in report["delivery"]["reason"]


def test_where_time_is_short_many_are_sampled_and_the_best_go_on(tmp_path: Path) -> None:
    values = {f"{n:04d}": float(n) for n in range(1, 6)}
    stage = Stage(tmp_path, [ok(130)] * 12, values, attempts=5, train_rows=50_000)
    record = json.loads(stage.folder.record.read_text())
    record["settings"]["script_seconds"] = 400.0  # so that all drafts would not fit
    stage.folder.record.write_text(json.dumps(record))
    stage.open()
    report = stage.go()
    views = {attempt["id"]: [run["view"] for run in attempt["runs"]] for attempt in report["attempts"]}
    assert views["0001"] == [FULL_VIEW, 1]
    assert views["0002"] == [1, SAMPLE_VIEW]
    assert [SAMPLE_VIEW] in views.values()
    tried = [json.loads(line)["score"] for line in stage.folder.learning.read_text().splitlines()]
    assert len(tried) == sum(1 in seen for seen in views.values())
    assert None not in tried, "who ran on the sample only did not fail"
