"""A run is replayed from its record: the same answers and the same failures, no model, and nothing to pay."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grading.task import PriceSpec
from models.base import Data, Failure, NoAnswer, Question, ReplayDiffers
from models.chat import Message
from models.gate import Gate
from models.records import Records, totals
from models.replay import recall
from models.retry import CALLS
from tests.model_scenes import OK, PROSE, RIGHT, a_question, about, asking
from tests.model_server import (
    Behaviour,
    answer,
    drop,
    empty,
    no_quota,
    overflow,
    refusal,
    refuses_response_format,
    server_error,
    unauthorized,
)

PRICES = {"tiny": PriceSpec(input=1.0, output=1.0)}
FAILURES: dict[str, tuple[list[Behaviour], Failure]] = {
    "server errors": ([server_error()] * CALLS, "server"),
    "dropped": ([drop()] * CALLS, "connection"),
    "nothing said": ([empty()] * CALLS, "empty"),
    "wrong twice": ([PROSE] * 2, "bad"),
    "wrong, then dropped": ([PROSE, *[drop()] * CALLS], "connection"),
    "refused": ([refusal("No.")] * 2, "refused"),
    "never fits": ([overflow(50)] * 4, "context"),
    "no key": ([unauthorized()], "auth"),
    "no money at the provider": ([no_quota()], "quota"),
    "no money for a second call": ([answer("no JSON", usage=(3_000, 1_000))], "budget"),
}
RECOVERED: dict[str, list[Behaviour]] = {
    "at once": [OK],
    "after a fault": [server_error(), drop(), OK],
    "without a schema": [refuses_response_format(), OK],
    "after a wrong answer": [PROSE, OK],
    "after a fault, a wrong answer and a fault": [server_error(), PROSE, drop(), OK],
    "with a shorter prompt": [overflow(50), OK],
}
ALIKE: dict[str, tuple[str, str]] = {
    "times": ("began 2026-01-02 03:04:05", "began 2027-11-12T13:14:15.161718+01:00"),
    "addresses": ("<function f at 0x7f3a9c0b1d30>", "<function f at 0x55d0aa1e0040>"),
    "versions": ("pandas 3.1.1, torch 2.9.0+cpu", "pandas 3.2.10, torch 2.13.0rc1+cu130"),
    "scores": ("rmse 0.5213 +- 0.01, gain -1.5e-05", "rmse 12.75 +- 0.2, gain 3.25"),
    "durations": ("It ended after 12 seconds, 310 MiB", "It ended after 7 seconds, 299 MiB"),
    "folders": ("in /tmp/run-a1/x.py", "in /tmp/run-b2/y.py"),
    "order": ("one\ntwo\nthree", "three\none\ntwo"),
}


def replay(folder: Path, **settings: Any) -> tuple[Gate, list[dict[str, Any]]]:
    """A gate that knows no model, only the record that was made in `folder`."""
    events: list[dict[str, Any]] = []
    earlier = Records(folder / "llm")
    gate = Gate({"check": "replay:x"}, {}, Records(folder / "again"), events.append, replay=earlier, **settings)
    return gate, events


def lost(gate: Gate, question: Question[Any]) -> tuple[str, str]:
    with pytest.raises(NoAnswer) as caught:
        gate.ask(question)
    return caught.value.kind, caught.value.why


@pytest.mark.parametrize("reworded", [False, True])
@pytest.mark.parametrize("name", RECOVERED)
def test_an_answer_is_replayed_however_it_came(name: str, reworded: bool, tmp_path: Path) -> None:
    question = about(description=Data("words\n" * 500))
    with asking(tmp_path, RECOVERED[name], prices=PRICES) as scene:
        assert scene.gate.ask(question) == RIGHT
    gate, events = replay(tmp_path, reworded=reworded)
    assert gate.ask(question) == RIGHT
    assert [event["event"] for event in events] == ["asking", "answered"]


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_replayed_as_the_same_failure(name: str, tmp_path: Path) -> None:
    script, kind = FAILURES[name]
    with asking(tmp_path, script, usd=None if kind != "budget" else 0.0125, prices=PRICES) as scene:
        fault = scene.failure()
    gate, _ = replay(tmp_path)
    assert lost(gate, a_question()) == (fault.kind, fault.why)
    assert fault.kind == kind
    assert gate.awake("check") == scene.gate.awake("check")


def test_nothing_is_paid_for_a_replay(tmp_path: Path) -> None:
    with asking(tmp_path, [PROSE, OK], prices=PRICES) as scene:
        scene.gate.ask(a_question())
    paid = totals(Records(tmp_path / "llm").all())["all"]
    assert (paid["calls"], paid["replayed"]) == (2, 0)
    assert paid["usd"] > 0
    gate, events = replay(tmp_path)
    gate.ask(a_question())
    sums = totals(Records(tmp_path / "again").all())["all"]
    counts = {name: sums[name] for name in ("questions", "replayed", "calls", "usd", "prompt_tokens", "seconds")}
    assert counts == {"questions": 1, "replayed": 2, "calls": 0, "usd": 0, "prompt_tokens": 0, "seconds": 0}
    assert events[-1]["usd"] == 0


@pytest.mark.parametrize("name", ALIKE)
def test_prompts_that_differ_in_what_varies_by_itself_are_the_same(name: str, tmp_path: Path) -> None:
    then, now = ALIKE[name]
    with asking(tmp_path, [OK]) as scene:
        scene.gate.ask(about(description=Data(then)))
    assert replay(tmp_path)[0].ask(about(description=Data(now))) == RIGHT


@pytest.mark.parametrize(("then", "now"), [("100 rows", "101 rows"), ("a column size", "a column sizes")])
def test_a_prompt_that_differs_is_told_with_the_line(then: str, now: str, tmp_path: Path) -> None:
    with asking(tmp_path, [OK]) as scene:
        scene.gate.ask(about(description=Data(then)))
    gate, _ = replay(tmp_path)
    with pytest.raises(ReplayDiffers, match=f"question first: now '{now}', recorded '{then}'") as caught:
        gate.ask(about(description=Data(now)))
    assert str(tmp_path / "llm") in str(caught.value)
    assert replay(tmp_path, reworded=True)[0].ask(about(description=Data(now))) == RIGHT


def test_a_question_that_is_not_in_the_record_differs(tmp_path: Path) -> None:
    with asking(tmp_path, [OK]) as scene:
        scene.gate.ask(a_question("first"))
    for reworded in (False, True):
        with pytest.raises(ReplayDiffers, match="no question 0002/write"):
            replay(tmp_path, reworded=reworded)[0].ask(a_question("0002/write"))


def test_the_turn_of_a_conversation_that_differs_is_told(tmp_path: Path) -> None:
    with asking(tmp_path, [PROSE, OK]) as scene:
        scene.gate.ask(a_question())
    said = scene.record().exchanges[1].messages
    assert recall(scene.gate.records, "first", said).reply
    with pytest.raises(ReplayDiffers, match=r"now 'Be brief\.', recorded '.+'"):
        recall(scene.gate.records, "first", [Message("system", "Be brief."), *said[1:]])
    with pytest.raises(ReplayDiffers, match="holds no further answer to first"):
        recall(scene.gate.records, "first", [*said, *said])
