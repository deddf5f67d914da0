"""No fault of a model's server fails a run: it ends as an answer or as one NoAnswer, after so many requests."""

from __future__ import annotations

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from models.base import Data, Failure
from models.retry import CALLS, STRIKES
from tests import model_server as server
from tests.model_scenes import OK, PNG, PROSE, RIGHT, Scene, a_question, about, asking, in_one_piece
from tests.model_server import Behaviour

LONG = "a few words " * 20
PAY = "Rate limit reached on requests per min. Add a payment method at https://platform.openai.com/account/billing"
PASSING: dict[str, tuple[Behaviour, Failure]] = {
    "too many": (server.too_many(), "rate"),
    "too many, and what to buy against it": (server.status(429, PAY, "requests", "rate_limit_exceeded"), "rate"),
    "server error": (server.server_error(), "server"),
    "dropped": (server.drop(), "connection"),
    "broken off": (server.half(LONG), "connection"),
    "half, and ended as if whole": (server.half(LONG, "short"), "connection"),
    "empty": (server.empty(), "empty"),
    "a page": (server.garbage(), "connection"),
    "other JSON": (server.garbage_json(), "connection"),
    "no JSON": (server.bad_chunk(), "connection"),
    "an error in the stream": (server.late_error("upstream died"), "connection"),
    "a count that is none": (
        in_one_piece("x", {"prompt_tokens": "x", "completion_tokens": "y", "total_tokens": 1}),
        "connection",
    ),
}
"""What may be better a moment later, and what it is called where it is not."""
FINAL: dict[str, tuple[Behaviour, Failure]] = {
    "401": (server.unauthorized(), "auth"),
    "402": (server.status(402, "Insufficient balance"), "quota"),
    "403": (server.forbidden(), "auth"),
    "404": (server.not_found(), "missing"),
    "no quota": (server.no_quota(), "quota"),
}
"""What will not be better today."""
WORDS: dict[str, Any] = {"schema": None}
forms = pytest.mark.parametrize("form", [{}, WORDS], ids=["schema", "words"])


@forms
@pytest.mark.parametrize("name", PASSING)
def test_what_passes_is_asked_again_and_given_up_after_a_few_calls(
    name: str, form: dict[str, Any], tmp_path: Path
) -> None:
    fault, kind = PASSING[name]
    with asking(tmp_path, [fault, fault, OK, *[fault] * CALLS]) as scene:
        assert scene.gate.ask(a_question("first", **form)) == RIGHT
        assert len(scene.bodies()) == 3
        assert scene.failure(a_question("second", **form)).kind == kind
        assert len(scene.bodies()) == 3 + CALLS


@forms
@pytest.mark.parametrize("text", [LONG, ""], ids=["some text", "thoughts only"])
def test_an_answer_cut_at_its_length_is_asked_for_once_more_and_shorter(
    text: str, form: dict[str, Any], tmp_path: Path
) -> None:
    with asking(tmp_path, [server.answer(text, finish="length", usage=(7, 9)), OK]) as scene:
        assert scene.gate.ask(a_question(**form)) == RIGHT
    assert "much shorter" in scene.prompts()[1]
    [cut, whole] = scene.record().exchanges
    assert cut.reply
    assert whole.reply
    assert (cut.reply.finish, cut.reply.usage.completion, whole.reply.finish) == ("length", 9, "stop")


def test_a_prompt_too_long_for_the_model_is_shortened_and_says_by_how_much(tmp_path: Path) -> None:
    rows = "".join(f"{number},x\n" for number in range(900))
    with asking(tmp_path, [server.overflow(2_000), OK]) as scene:
        assert scene.gate.ask(about(examples=Data(rows, keep=9_000))) == RIGHT
    whole, short = scene.prompts()
    assert rows.strip() in whole
    assert len(short) < 0.75 * len(whole)
    [cut] = re.findall(r"\n\[\.\.\. ([\d,]+) characters cut \.\.\.\]\n", short)
    head, tail = re.split(r"\n\[.*cut.*\]\n", short.partition('<data name="examples">\n')[2].partition("\n</data>")[0])
    assert len(head) + int(cut.replace(",", "")) + len(tail) == len(rows) - 1


def test_a_prompt_that_never_fits_is_given_up_and_no_longer_answer_is_asked_for_meanwhile(tmp_path: Path) -> None:
    with asking(tmp_path, [server.overflow(50)] * 4) as scene:
        assert scene.failure(a_question(max_tokens=500)).kind == "context"
    assert [body["max_completion_tokens"] for body in scene.bodies()] == [500] * 4


@forms
def test_an_answer_that_is_wrong_is_asked_for_once_more_with_what_was_wrong(
    form: dict[str, Any], tmp_path: Path
) -> None:
    wrong = server.answer('{"sum": "many"}')
    with asking(tmp_path, [wrong, OK, wrong, PROSE]) as scene:
        assert scene.gate.ask(a_question("first", **form)) == RIGHT
        fault = scene.failure(a_question("second", **form))
        assert scene.gate.awake("check")
    assert (fault.kind, fault.lost) == ("bad", False)
    assert "There is no JSON object in it." in fault.why
    assert "sum: Input should be a valid integer" in scene.prompts()[1]
    assert [message["role"] for message in scene.bodies()[1]["messages"]] == ["system", "user", "assistant", "user"]


@pytest.mark.parametrize(
    ("behaviour", "form"),
    [
        (server.answer(LONG, finish="content_filter"), {}),
        (server.answer(LONG, finish="content_filter"), WORDS),
        (server.refusal("No."), {}),
    ],
)
def test_a_refusal_is_asked_about_once_and_then_taken(
    behaviour: Behaviour, form: dict[str, Any], tmp_path: Path
) -> None:
    with asking(tmp_path, [behaviour] * 2) as scene:
        assert scene.failure(a_question(**form)).kind == "refused"
        assert scene.gate.awake("check")


@pytest.mark.parametrize("name", FINAL)
def test_what_will_not_pass_ends_all_asking_at_once(name: str, tmp_path: Path) -> None:
    fault, kind = FINAL[name]
    with asking(tmp_path, [fault]) as scene:
        assert scene.failure().kind == kind
        assert not scene.gate.awake("check")
        assert scene.model in scene.failure(a_question("second")).why
    assert len(scene.said("asleep")) == 1
    assert list(scene.gate.asleep()) == [scene.model]


def test_questions_that_are_lost_side_by_side_say_once_why_none_is_asked_any_more(tmp_path: Path) -> None:
    both = threading.Barrier(2)

    def script(body: dict[str, Any]) -> Behaviour:
        both.wait(20)
        return server.unauthorized()

    with asking(tmp_path, script) as scene, ThreadPoolExecutor(2) as pool:
        faults = list(pool.map(scene.failure, [a_question("first"), a_question("second")]))
    assert [fault.kind for fault in faults] == ["auth", "auth"]
    assert len(scene.said("asleep")) == 1


def test_questions_lost_in_a_row_end_all_asking(tmp_path: Path) -> None:
    lost = [server.server_error()] * CALLS
    with asking(tmp_path, [*lost * (STRIKES - 1), OK, *lost * STRIKES]) as scene:
        for number in range(STRIKES - 1):
            scene.failure(a_question(f"a{number}"))
        scene.gate.ask(a_question("an answer wipes them out"))
        for number in range(STRIKES):
            assert scene.gate.awake("check")
            scene.failure(a_question(f"b{number}"))
        assert not scene.gate.awake("check")
        scene.failure(a_question("last"))
    assert [event["model"] for event in scene.said("asleep")] == [scene.model]


def pictured(scene: Scene) -> list[bool]:
    return ["image_url" in str(body["messages"]) for body in scene.bodies()]


def held(scene: Scene) -> list[bool]:
    return ["response_format" in body for body in scene.bodies()]


def test_a_schema_or_pictures_that_are_refused_are_left_out_from_then_on(tmp_path: Path) -> None:
    with asking(tmp_path, [server.refuses_images(), server.refuses_response_format(), OK, OK], "output") as scene:
        assert scene.gate.ask(a_question(images=[PNG])) == RIGHT
        assert scene.gate.ask(a_question("second", images=[PNG])) == RIGHT
    assert pictured(scene) == [True, False, False, False]
    assert held(scene) == [True, True, False, False]


def test_a_system_turn_that_is_refused_stands_before_the_users_words_from_then_on(tmp_path: Path) -> None:
    refused = server.status(400, "System role not supported")
    with asking(tmp_path, [refused, OK, OK]) as scene:
        assert scene.gate.ask(a_question()) == RIGHT
        assert scene.gate.ask(a_question("second")) == RIGHT
    roles = [[message["role"] for message in body["messages"]] for body in scene.bodies()]
    assert roles == [["system", "user"], ["user"], ["user"]]
    assert "machine-learning engineer" in scene.prompts()[1]
    assert "19 + 23" in scene.prompts()[1]


def test_a_refusal_that_names_no_reason_is_tried_without_both(tmp_path: Path) -> None:
    with asking(
        tmp_path, [server.status(400, "Bad request"), OK, server.status(400, "Bad request")], "output"
    ) as scene:
        assert scene.gate.ask(a_question(images=[PNG])) == RIGHT
        assert scene.failure(a_question("second", images=[PNG])).kind == "bad"
    assert (pictured(scene), held(scene)) == ([True, False, False], [True, False, False])


def test_an_answer_without_end_is_no_longer_read_and_says_nothing_about_the_schema(tmp_path: Path) -> None:
    with asking(tmp_path, [in_one_piece("9" * 2_000_001), OK]) as scene:
        assert scene.failure().kind == "bad"
        assert scene.gate.ask(a_question("second")) == RIGHT
    assert held(scene) == [True, True]


def test_half_a_character_in_an_answer_is_a_wrong_answer_and_no_more(tmp_path: Path) -> None:
    with asking(tmp_path, [in_one_piece('\ud800{"sum": 4'), OK]) as scene:
        assert scene.gate.ask(a_question(**WORDS)) == RIGHT
