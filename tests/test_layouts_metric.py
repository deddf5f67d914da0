"""The metric of a task that names none: asked of a model through the gate, shown, kept, and never asked twice."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from agents.drive import new_run_folder
from agents.terminal import describe_event
from grading.base import TaskError
from grading.task import MetricSpec
from graphs.context import Context
from graphs.prepare import prepare
from models.records import Records
from tests.model_server import Server, answer, serving
from tests.test_layouts import a_competition

UNCLEAR = "On RMSE between the logarithm of the predicted value and the logarithm of the price."
Events = list[dict[str, Any]]


def says(metric: str, reason: str = "It names the logarithms.") -> str:
    """What a model answers."""
    return json.dumps({"metric": metric, "reason": reason})


@contextmanager
def asking(*answers: str) -> Iterator[tuple[Server, Context]]:
    """A model that gives these answers."""
    with serving([answer(text) for text in answers]) as server:
        yield server, Context(model=f"openai:scripted@{server.url}")
        assert not server.overrun


def test_a_model_is_asked_once_and_what_it_says_is_shown_and_kept(tmp_path: Path) -> None:
    task, run, events = a_competition(tmp_path, evaluation=UNCLEAR), tmp_path / "run", Events()
    with asking(says("rmsle")) as (server, context):
        metric = prepare(str(task), str(run), context, events.append).load()[0].metric
        again = prepare(str(task), str(run), context, events.append).load()[0].metric
        [request] = server.requests
    assert (metric.name, metric.direction) == ("rmsle", "minimize")
    assert metric == again
    assert "It names the logarithms." in str(metric.why)
    assert "scripted" in str(metric.why)
    shown = "\n".join(line for event in events for line in describe_event(event))
    assert "The metric is rmsle, to minimize, by openai:scripted" in shown
    prompt = json.dumps(request.body)
    assert all(part in prompt for part in (UNCLEAR, "id,y", "3,0", "rmsle: values, to minimize"))
    [record] = Records(run / "llm").all()
    assert (record.key, record.failure) == ("metric", None)


def test_at_the_level_schema_no_cell_leaves(tmp_path: Path) -> None:
    task = a_competition(tmp_path, evaluation=UNCLEAR)
    with asking(says("rmsle")) as (server, context):
        context.privacy = "schema"
        prepare(str(task), str(tmp_path / "run"), context, Events().append)
        [request] = server.requests
    prompt = json.dumps(request.body)
    assert "id,y" in prompt
    assert "3,0" not in prompt


def test_an_answer_outside_of_the_list_is_asked_again(tmp_path: Path) -> None:
    task = a_competition(tmp_path, evaluation=UNCLEAR)
    with asking(says("root mean strange error"), says("rmsle")) as (_, context):
        spec = prepare(str(task), str(tmp_path / "run"), context, Events().append).load()[0]
    assert spec.metric.name == "rmsle"


def test_a_metric_that_is_none_of_ours_is_one_sentence_and_leaves_no_run(tmp_path: Path) -> None:
    task, run = a_competition(tmp_path, evaluation="By intersection over union."), tmp_path / "run"
    with asking(says("none", "It says intersection over union.")) as (_, context):
        with pytest.raises(
            TaskError, match=r"(?s)intersection over union.*--metric NAME, one of accuracy.*my_metric\.py"
        ):
            prepare(str(task), str(run), context, Events().append)
        assert new_run_folder(task, run) == run, "the same call with --metric is no mistake"
        assert prepare(str(task), str(run), Context(metric="mae")).load()[0].metric.name == "mae"


def test_what_was_answered_before_a_kill_is_not_asked_again(tmp_path: Path) -> None:
    task, run = a_competition(tmp_path, evaluation=UNCLEAR), tmp_path / "run"
    with asking(says("rmsle")) as (_, context):
        folder = prepare(str(task), str(run), context, Events().append)
        folder.record.unlink()  # as where the process dies before the record is written
        assert prepare(str(task), str(run), context, Events().append).load()[0].metric.name == "rmsle"


def test_a_replay_takes_the_answer_of_the_run_that_it_replays(tmp_path: Path) -> None:
    task, first, second = a_competition(tmp_path, evaluation=UNCLEAR), tmp_path / "first", tmp_path / "second"
    with asking(says("rmsle")) as (_, context):
        prepare(str(task), str(first), context, Events().append)
    replay = Context(model=f"replay:{first}")
    assert prepare(str(task), str(second), replay, Events().append).load()[0].metric.name == "rmsle"
    [record] = Records(second / "llm").all()
    assert record.exchanges[0].replayed


def test_a_replay_of_a_run_whose_user_named_the_metric_takes_that_one(tmp_path: Path) -> None:
    task, first, second = a_competition(tmp_path, evaluation=UNCLEAR), tmp_path / "first", tmp_path / "second"
    with asking() as (_, context):
        context.metric = "mae"
        prepare(str(task), str(first), context, Events().append)
    spec = prepare(str(task), str(second), Context(model=f"replay:{first}"), Events().append).load()[0]
    assert spec.metric.name == "mae"


def test_what_a_description_says_beyond_doubt_needs_no_model(tmp_path: Path) -> None:
    task, events = a_competition(tmp_path, evaluation="By the Mean Absolute Error."), Events()
    with asking() as (_, context):
        spec = prepare(str(task), str(tmp_path / "run"), context, events.append).load()[0]
    assert spec.metric == MetricSpec(
        name="mae", direction="minimize", why='by its description: "By the Mean Absolute Error."'
    )
    assert [event["event"] for event in events] == ["inferred"]


@pytest.mark.parametrize("context", [Context(), Context(model="openai:scripted@http://127.0.0.1:9/v1")])
def test_without_a_model_to_ask_the_metrics_are_listed(tmp_path: Path, context: Context) -> None:
    task = a_competition(tmp_path, evaluation=UNCLEAR)
    with pytest.raises(TaskError, match=r"--metric NAME, one of accuracy, .*ndcg_at_k"):
        prepare(str(task), str(tmp_path / "run"), context)
