"""The fine-tuned ranker from the host's side, with a scripted process; test_ranker_child has the real one."""

from __future__ import annotations

import json
import math
import threading
import time
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest

from ranker.base import Ranked, RankerUnavailable
from ranker.explore import with_random_share
from ranker.prior import NoRanker, PriorRanker
from ranker.process import DEFAULT_VARIABLE, FILES, FineTunedRanker, load_ranker, wanted_ranker
from recipes.base import Description, Instruction
from tests.fakes import a_description

READY = {"ready": True}
SECRET = "sk-only-for-the-parent"
POOL = [
    Instruction("recipe-a", "A", "scale", "a ridge", "folds", "recipe:a", 0.9),
    Instruction("recipe-b", "B", "scale", "a forest", "folds", "recipe:b", 0.5),
    Instruction("llm-x", "X", "scale", "a network", "folds", "llm"),
    Instruction("llm-y", "Y", "scale", "boosting", "folds", "llm"),
]
SHARES = [{"prior": -0.1, "lm": 0.25}, {"prior": 0.0, "meta": -1.0}, {"lm": 0.0}, {"meta": 0.5}]
ANSWER = {"totals": [0.15, 1.0, -0.2, 0.5], "shares": SHARES}
ORDER = ["recipe-b", "llm-y", "llm-x", "recipe-a"]
"""By that answer: the better recipe, the others by their scores, the other recipe."""
DRAWN, UNDRAWN = 7, 0
"""Seeds with which something, and nothing, is drawn at random of ORDER."""


def a_folder(place: Path, *steps: object) -> Path:
    """A folder that looks like a ranker's, with a script for the stand-in."""
    place.mkdir(exist_ok=True)
    for name in FILES:
        (place / name).write_text("{}")
    (place / "script.json").write_text(json.dumps(steps))
    return place


def scripted(folder: Path, seed: int = UNDRAWN, seconds: float = 60.0) -> FineTunedRanker:
    """The ranker with the stand-in in its process."""
    return FineTunedRanker(folder, seed, libraries=["json"], module="tests.scripted_ranker", seconds=seconds)


def rank(ranker: FineTunedRanker, description: Description | None = None) -> list[str]:
    return [ranked.instruction for ranked in ranker.rank(description or a_description(), "rmse", POOL)]


def refusal(ranker: FineTunedRanker) -> str:
    """The sentence that says why it cannot be used."""
    with pytest.raises(RankerUnavailable) as caught:
        rank(ranker)
    sentence = str(caught.value)
    assert sentence.startswith("the fine-tuned ranker cannot be used: ")
    assert sentence.endswith(".")
    assert len(sentence.splitlines()) == 1
    assert "Traceback" not in sentence
    return sentence


def pid_of(folder: Path) -> int:
    """The stand-in's id, as soon as it runs."""
    deadline = time.monotonic() + 30
    while not (folder / "pid").exists():
        assert time.monotonic() < deadline, "it did not start"
        time.sleep(0.02)
    return int((folder / "pid").read_text())


def children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.fixture(autouse=True)
def _no_process_is_left() -> Any:
    before = children()
    yield
    assert children() <= before


def test_recipes_and_others_take_turns_each_by_their_scores(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "r", READY, "read", ANSWER)
    found = scripted(folder).rank(a_description(), "rmse", POOL)
    assert found == [
        Ranked("recipe-b", 1.0, "like tasks -1.00, prior +0.00"),
        Ranked("llm-y", 0.5, "like tasks +0.50"),
        Ranked("llm-x", -0.2, "language model +0.00"),
        Ranked("recipe-a", 0.15, "language model +0.25, prior -0.10"),
    ]
    assert not psutil.pid_exists(pid_of(folder)), "its memory is for the scripts now"


def test_a_share_is_drawn_by_the_seed(tmp_path: Path) -> None:
    drawn = with_random_share([Ranked(name, 0.0, "") for name in ORDER], DRAWN)
    order = [ranked.instruction for ranked in drawn]
    assert order != ORDER
    folder = a_folder(tmp_path / "r", READY, "read", ANSWER)
    assert rank(scripted(folder, DRAWN)) == order
    assert rank(scripted(folder, DRAWN)) == order


def test_the_process_is_asked_with_words_and_numbers_and_no_name_of_the_data(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "r", READY, "read", ANSWER)
    numbers = {"rows": 100.0, "probe_linear": 0.5, "gap": math.nan, "far": math.inf}
    rank(scripted(folder), Description("tabular", 100, 50, [], 3, "Predict price_of_house.", numbers))
    asked = json.loads((folder / "asked.json").read_text())
    assert sorted(asked) == ["instructions", "metric", "numbers", "text"]
    assert asked["numbers"] == {"rows": 100.0, "probe_linear": 0.5}
    assert asked["text"].startswith("tabular regression of numbers evenly spread, rmse. Probes: linear best")
    assert "price_of_house" not in asked["text"]
    assert asked["instructions"][0] == {
        "id": "recipe-a",
        "text": "Model: a ridge Preprocessing: scale Training: folds",
        "source": "recipe:a",
        "prior": 0.9,
    }


def test_the_process_has_no_keys_and_no_way_to_a_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    folder = a_folder(tmp_path / "r", READY, "read", ANSWER)
    rank(scripted(folder))
    environment = (folder / "environment.json").read_text()
    assert SECRET not in environment
    assert json.loads(environment)["HF_HUB_OFFLINE"] == "1"


def test_it_loads_beside_other_work_and_only_once(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "r", READY, "read", ANSWER)
    ranker = scripted(folder)
    before = children()
    began = time.monotonic()
    ranker.start()
    ranker.start()
    assert time.monotonic() - began < 5
    assert len(children() - before) == 1
    pid = pid_of(folder)
    assert rank(ranker) == ORDER
    assert pid_of(folder) == pid
    ranker.close()


@pytest.mark.parametrize("size", [0, 1])
def test_with_nothing_to_order_it_is_not_asked(tmp_path: Path, size: int) -> None:
    ranker = scripted(tmp_path / "nowhere")
    assert [r.instruction for r in ranker.rank(a_description(), "rmse", POOL[:size])] == ["recipe-a"][:size]


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        ([{"fault": "meta.txt is missing; train it anew."}], "meta.txt is missing; train it anew."),
        (["die"], "exit code 1: MemoryError: no room for the weights"),
        ([READY, "read", "die"], "exit code 1: MemoryError: no room for the weights"),
        ([], "its process ended"),
        ([READY, "read", {"totals": [0.1, 0.2], "shares": SHARES[:2]}], "it scored 2 of 4 instructions"),
        ([READY, "read", ANSWER | {"totals": [math.nan] * 4}], "its scores are no finite numbers"),
        ([READY, "read", ANSWER | {"totals": ["high"] * 4}], "its scores are no finite numbers"),
        ([READY, "read", {"totals": [1.0] * 4}], "its scores are no finite numbers"),
        ([READY, "read", ANSWER | {"shares": [{"lm": math.inf}] * 4}], "its scores are no finite numbers"),
    ],
)
def test_what_goes_wrong_in_its_process_is_one_sentence(tmp_path: Path, steps: list[object], wanted: str) -> None:
    assert wanted in refusal(scripted(a_folder(tmp_path / "r", *steps)))


@pytest.mark.parametrize("steps", [["hang"], [READY, "read", "hang"]])
def test_a_process_that_hangs_is_not_waited_for(tmp_path: Path, steps: list[object]) -> None:
    assert "it took longer than 0.6 s" in refusal(scripted(a_folder(tmp_path / "r", *steps), seconds=0.6))


def test_missing_libraries_are_named_and_no_process_is_started(tmp_path: Path) -> None:
    ranker = FineTunedRanker(a_folder(tmp_path / "r"), 0, libraries=["json", "no_such_library"])
    ranker.start()
    assert "it needs no_such_library: run `make ranker`" in refusal(ranker)


@pytest.mark.parametrize("lost", FILES)
def test_a_file_that_is_missing_is_named_and_no_process_is_started(tmp_path: Path, lost: str) -> None:
    folder = a_folder(tmp_path / "r")
    (folder / lost).unlink()
    ranker = scripted(folder)
    ranker.start()
    assert f"{folder / lost} is missing; name a folder" in refusal(ranker)
    assert not (folder / "pid").exists()


def test_closing_while_it_loads_ends_its_process_and_starts_no_other(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "r", "hang")
    ranker = scripted(folder)
    ranker.start()
    pid = pid_of(folder)
    ranker.close()
    assert not psutil.pid_exists(pid)
    ranker.close()
    ranker.start()
    assert "it was closed" in refusal(ranker)


def test_closing_from_another_thread_ends_the_wait(tmp_path: Path) -> None:
    folder = a_folder(tmp_path / "r", READY, "read", "hang")
    ranker = scripted(folder)

    def close_when_it_runs() -> None:
        pid_of(folder)
        ranker.close()

    closer = threading.Thread(target=close_when_it_runs)
    closer.start()
    began = time.monotonic()
    refusal(ranker)
    assert time.monotonic() - began < 20
    closer.join()


@pytest.mark.parametrize(
    ("said", "environment", "wanted"),
    [
        (None, None, "shipped"),
        (None, "prior", "prior"),
        (None, "", "shipped"),
        ("off", "prior", "off"),
        ("shipped", "prior", "shipped"),
    ],
)
def test_what_is_said_wins_over_the_environment_and_the_one_that_ships(
    said: str | None, environment: str | None, wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(DEFAULT_VARIABLE)
    if environment is not None:
        monkeypatch.setenv(DEFAULT_VARIABLE, environment)
    assert wanted_ranker(said) == wanted


def test_a_folder_is_kept_as_an_absolute_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    a_folder(tmp_path / "r")
    monkeypatch.chdir(tmp_path)
    assert wanted_ranker("r") == str(tmp_path / "r")


@pytest.mark.parametrize("name", ["nowhere", "file", "half", "a\x00b"])
def test_a_folder_that_holds_no_ranker_is_refused_in_one_sentence(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    (a_folder(tmp_path / "half") / "meta.txt").unlink()
    folder = str(tmp_path / name)
    with pytest.raises(RankerUnavailable, match=r"^--ranker .* is missing\); name a folder of ranker.train, prior or"):
        wanted_ranker(folder)
    if "\x00" not in folder:
        monkeypatch.setenv(DEFAULT_VARIABLE, folder)
        with pytest.raises(RankerUnavailable, match=f"^{DEFAULT_VARIABLE} .*: holds no ranker"):
            wanted_ranker(None)


def test_each_name_loads_its_ranker(tmp_path: Path) -> None:
    assert isinstance(load_ranker("prior", 0), PriorRanker)
    assert isinstance(load_ranker("off", 0), NoRanker)
    assert isinstance(load_ranker("shipped", 0), FineTunedRanker)
    assert isinstance(load_ranker(str(a_folder(tmp_path / "r")), 0), FineTunedRanker)
