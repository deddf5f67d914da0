"""Every exchange with a model is on disk, is not paid for twice, and keeps to the money that was allowed."""

from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from grading.base import TaskError
from grading.task import PriceSpec
from models.base import AskingStopped, NoAnswer
from models.gate import Gate
from models.names import parse_model
from models.prices import Usage, price_of
from models.records import Record, Records, totals
from models.setup import load_models
from tests.model_scenes import OK, PROSE, RIGHT, a_question, asking, in_one_piece, resumed
from tests.model_server import answer, half, server_error, serving, silent, slow, too_many

PRICES = {"tiny": PriceSpec(input=1.0, output=1.0)}
"""USD per million tokens: a token costs a millionth."""
ONE_CALL = 0.012
"""USD: more than a call can cost that may answer with 8,000 tokens, and less than two."""


def test_an_exchange_is_on_disk_with_what_was_sent_what_came_and_what_it_cost(tmp_path: Path) -> None:
    with asking(tmp_path, [answer('{"sum": 42}', usage=(1_000, 50))], prices=PRICES) as scene:
        scene.gate.ask(a_question("0003/repair-2"))
    record = scene.record("0003/repair-2")
    [exchange] = record.exchanges
    assert (tmp_path / "llm/0003-repair-2.json").is_file()
    assert [{"role": m.role, "content": m.content} for m in exchange.messages] == scene.bodies()[0]["messages"]
    assert exchange.reply
    assert (exchange.reply.text, exchange.reply.usage) == ('{"sum": 42}', Usage(1_000, 50))
    assert exchange.usd == pytest.approx(0.00105)
    assert exchange.certain
    assert 0 < exchange.seconds < 10
    assert (record.model, record.role, record.privacy) == (scene.model, "check", "samples")
    [event] = scene.said("answered")
    assert (event["prompt_tokens"], event["completion_tokens"], event["usd"]) == (1_000, 50, exchange.usd)


def test_what_the_server_does_not_count_is_estimated_and_said_to_be(tmp_path: Path) -> None:
    negative = {"prompt_tokens": -9_000, "completion_tokens": -9_000, "total_tokens": -18_000}
    script = [in_one_piece('{"sum": 42}'), in_one_piece('{"sum": 42}', negative)]
    with asking(tmp_path, script, prices=PRICES) as scene:
        scene.gate.ask(a_question("first"))
        scene.gate.ask(a_question("second", schema=None))
    for key in ("first", "second"):
        [exchange] = scene.record(key).exchanges
        letters = sum(len(message.content) for message in exchange.messages)
        assert exchange.reply
        assert exchange.reply.usage.estimated
        assert letters / 5 < exchange.reply.usage.prompt < letters / 2
        assert (exchange.usd > 0, exchange.certain) == (True, False)
    assert totals(scene.gate.records.all())["all"]["estimated"]


def test_a_broken_answer_counts_at_its_largest_cost_and_a_refused_call_costs_nothing(tmp_path: Path) -> None:
    script = [half("words " * 50), server_error(), too_many(), answer('{"sum": 42}', usage=(100, 10))]
    with asking(tmp_path, script, prices=PRICES) as scene:
        scene.gate.ask(a_question())
    broken, *refused, answered = scene.record().exchanges
    assert (0.008 < broken.usd < ONE_CALL, broken.certain) == (True, False)
    assert [exchange.usd for exchange in refused] == [0, 0]
    sums = totals(scene.gate.records.all())
    assert sums["check"] == sums["all"]
    assert (sums["all"]["calls"], sums["all"]["certain"]) == (4, False)
    assert sums["all"]["usd"] == pytest.approx(broken.usd + answered.usd, abs=1e-5)
    assert scene.gate.caller.spent() == pytest.approx(broken.usd + 0.00011)


def test_a_resumed_run_asks_nothing_that_was_answered(tmp_path: Path) -> None:
    with asking(tmp_path, [PROSE, OK, PROSE, PROSE]) as scene:
        assert scene.gate.ask(a_question("first")) == RIGHT
        assert scene.failure(a_question("second")).kind == "bad"
        after = resumed(scene)
        assert after.gate.ask(a_question("first")) == RIGHT
        assert after.failure(a_question("second")).kind == "bad"
    assert after.gate.pace() < 10


def test_a_resumed_run_goes_on_after_the_first_answer_of_two(tmp_path: Path) -> None:
    with asking(tmp_path, [PROSE, silent(30), OK]) as scene:
        with ThreadPoolExecutor(1) as pool:
            asked = pool.submit(scene.gate.ask, a_question())
            while len(scene.bodies()) < 2:
                time.sleep(0.01)
            scene.gate.close()
            assert isinstance(asked.exception(), AskingStopped)
        assert resumed(scene).gate.ask(a_question()) == RIGHT
    assert scene.bodies()[1]["messages"] == scene.bodies()[2]["messages"]


def test_a_resumed_run_asks_again_what_was_lost(tmp_path: Path) -> None:
    with asking(tmp_path, [*[server_error()] * 4, OK]) as scene:
        assert scene.failure().lost
        assert resumed(scene).gate.ask(a_question()) == RIGHT
    assert scene.record().failure is None


def ask_in_vain(name: str, folder: Path) -> None:
    """What a child process does until it is killed."""
    minds = load_models({"check": name}, {name: PriceSpec(input=1.0, output=1.0)}, None)
    Gate({"check": name}, minds, Records(folder), print).ask(a_question())


def test_what_was_in_flight_when_the_process_was_killed_counts_at_its_largest_cost(tmp_path: Path) -> None:
    with serving([silent(60)]) as server:
        name = f"openai:tiny@{server.url}"
        child = multiprocessing.get_context("spawn").Process(target=ask_in_vain, args=(name, tmp_path / "llm"))
        child.start()
        while not server.requests:
            assert child.is_alive()
            time.sleep(0.02)
        child.kill()
        child.join()
    with asking(tmp_path, [], usd=ONE_CALL, prices=PRICES) as scene:
        [left] = scene.record().exchanges
        assert (left.reply, left.certain) == (None, False)
        assert 0.008 < left.usd == scene.gate.caller.spent() < ONE_CALL
        assert scene.failure(a_question("second")).kind == "budget"
        assert scene.gate.awake("check")
        assert not resumed(scene, left.usd).gate.awake("check")


def test_a_call_that_may_cost_more_than_what_is_left_is_not_sent(tmp_path: Path) -> None:
    with asking(tmp_path, [answer('{"sum": 42}', usage=(5_000, 4_000))], usd=ONE_CALL, prices=PRICES) as scene:
        assert scene.failure(a_question("dear", max_tokens=20_000)).kind == "budget"
        assert scene.record("dear").failure == "budget"
        assert scene.gate.ask(a_question("first")) == RIGHT
        fault = scene.failure(a_question("second"))
        assert (fault.kind, fault.lost) == ("budget", True)
        assert "0.0090 of 0.012 USD are spent" in fault.why


class SlowRecords(Records):
    """Whoever adds up what was spent is overtaken here by all others, unless they have to wait."""

    def all(self) -> list[Record]:
        found = super().all()
        time.sleep(0.1)
        return found


def outcome(gate: Gate, key: str) -> str:
    try:
        return str(gate.ask(a_question(key)))
    except NoAnswer as fault:
        return fault.kind


def test_questions_asked_side_by_side_do_not_overspend_together(tmp_path: Path) -> None:
    with asking(tmp_path, [slow('{"sum": 42}', 0.1)], prices=PRICES) as scene:
        records = SlowRecords(tmp_path / "llm")
        gate = Gate(scene.gate.names, scene.gate.minds, records, scene.events.append, usd=ONE_CALL)
        with ThreadPoolExecutor(4) as pool:
            ends = list(pool.map(outcome, [gate] * 4, "abcd"))
        assert sorted(ends) == ["42", "budget", "budget", "budget"]


def test_prices_come_from_the_task_from_the_table_or_are_not_known(tmp_path: Path) -> None:
    tokens = Usage(1_000_000, 1_000_000)

    def usd(name: str, **given: PriceSpec) -> float | None:
        price = price_of(parse_model(name), given)
        return price.cost(tokens) if price else None

    assert usd("openai:gpt-4o-mini") == pytest.approx(0.15 + 0.60)
    assert usd("openai:gpt-4o-mini", **{"openai:gpt-4o-mini": PriceSpec(input=3, output=4)}) == 7
    assert usd("openai:tiny@http://127.0.0.1:1/v1", tiny=PriceSpec(input=1, output=2)) == 3
    assert usd("openai:gpt-4o-mini@http://127.0.0.1:1/v1") is None
    assert usd("openai:no-such-model") is None
    assert usd(f"hf:{tmp_path}") == usd("ollama:tiny") == 0
    assert usd("ollama:tiny@http://10.0.0.1:11434") is None


def test_money_is_not_capped_where_a_price_is_not_known() -> None:
    name = "openai:tiny@http://127.0.0.1:1/v1"
    with pytest.raises(TaskError, match=r"^--usd 1: no price of openai:tiny@\S+ is known.*prices:.*leave --usd out\.$"):
        load_models({"check": name}, {}, 1.0)
    assert load_models({"check": name}, {}, None)[name].price is None
    assert load_models({"check": name}, PRICES, 1.0)[name].price
