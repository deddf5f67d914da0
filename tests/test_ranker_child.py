"""The process of the fine-tuned ranker, real and small: what it answers, and what it says of a damaged folder."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path

import lightgbm
import numpy as np
import pytest

from ranker.averages import Averages
from ranker.blend import Blend
from ranker.bundle import Bundle
from ranker.child import main
from ranker.meta import feature_names
from ranker.process import FineTunedRanker
from sandbox.frames import encode, read_frame
from tests.fakes import a_description
from tests.test_ranker_process import POOL, UNDRAWN

pytestmark = pytest.mark.local


def a_ranker(folder: Path) -> Path:
    """A ranker without a language model, whose trees were grown on noise and have no say."""
    table = np.random.default_rng(0).normal(size=(80, len(feature_names())))
    data = lightgbm.Dataset(table, table[:, 0], feature_name=feature_names())
    trees = lightgbm.train({"num_threads": 1, "verbose": -1, "min_data_in_leaf": 5}, data, 3)
    averages = Averages({"recipe-a": 0.2, "recipe-b": 0.7}, {"network": 0.1}, 0.4, 2.0)
    Bundle(averages, trees, Blend({"prior": 1.0}, {"prior": 0.1}), None, {}).save(folder)
    return folder


def talk(*frames: Mapping[str, object]) -> list[dict[str, object]]:
    """What the process answers to these frames."""
    stdout = io.BytesIO()
    main(io.BytesIO(b"".join(encode(frame) for frame in frames)), stdout)
    stdout.seek(0)
    answers = []
    while (frame := read_frame(stdout)) is not None:
        answers.append(frame)
    return answers


def write(name: str, content: bytes) -> Callable[[Path], None]:
    """Put other content into a file of the folder."""

    def harm(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content)

    return harm


def cut(name: str) -> Callable[[Path], None]:
    """Half of a file of the folder."""
    return lambda folder: write(name, (folder / name).read_bytes()[: (folder / name).stat().st_size // 2])(folder)


def damage_adapter(folder: Path) -> None:
    """Weights that are no safetensors, beside settings that are right."""
    write("lm/ranker.json", json.dumps({"base": "x", "width": 384}).encode())(folder)
    write("lm/adapter_model.safetensors", b"\xff" * 64)(folder)


HARMS = {
    "trees cut": cut("meta.txt"),
    "trees that are a pickle": write("meta.txt", b"\x80\x04\x95pickled"),
    "averages cut": cut("averages.json"),
    "no object": write("blend.json", b"[]"),
    "an unknown field": write("blend.json", b'{"weights": {}, "scales": {}, "surprise": 1}'),
    "an adapter damaged": damage_adapter,
}


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS)
def test_a_folder_that_is_damaged_is_told_in_one_sentence(tmp_path: Path, harm: Callable[[Path], None]) -> None:
    folder = a_ranker(tmp_path / "ranker")
    harm(folder)
    [answer] = talk({"folder": str(folder)}, {"text": "never read"})
    assert list(answer) == ["fault"]
    sentence = str(answer["fault"])
    assert len(sentence.splitlines()) == 1
    assert sentence.endswith(".")


def test_a_ranker_without_a_language_model_answers(tmp_path: Path) -> None:
    shown = [{"id": f"llm-{n}", "text": text, "source": "llm", "prior": 0.0} for n, text in enumerate(["a", "an MLP"])]
    question = {"text": "tabular", "numbers": {"rows": 9.0}, "metric": "rmse", "instructions": shown}
    ready, answer = talk({"folder": str(a_ranker(tmp_path / "ranker"))}, question)
    assert ready == {"ready": True}
    assert answer["totals"] == pytest.approx([-0.5, 0.5])
    assert answer["shares"] == [{"prior": -0.5}, {"prior": 0.5}]


def test_without_a_question_it_ends(tmp_path: Path) -> None:
    assert talk() == []
    assert talk({"folder": str(a_ranker(tmp_path / "ranker"))}) == [{"ready": True}]


def test_the_process_is_started_asked_and_ended_from_the_host(tmp_path: Path) -> None:
    ranker = FineTunedRanker(a_ranker(tmp_path / "ranker"), UNDRAWN)
    ranker.start()
    found = ranker.rank(a_description(), "rmse", POOL)
    # own runs know both recipes, and what they say counts half: it outweighs the priors here
    assert [ranked.instruction for ranked in found] == ["recipe-b", "llm-x", "llm-y", "recipe-a"]
    assert [ranked.why[:6] for ranked in found] == ["prior "] * 4
