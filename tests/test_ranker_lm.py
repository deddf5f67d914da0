"""The language model of the ranker, from a tiny random encoder and a tiny random causal model to a table."""

from __future__ import annotations

import json
import math
import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from transformers import BertConfig, BertModel, LlamaConfig, LlamaForCausalLM
from typer.testing import CliRunner, Result

from ranker.base import SHIPPED_FOLDER
from ranker.bundle import BundleError, load_bundle
from ranker.evaluate import app as evaluate_app
from ranker.lm_train import BEST, STATE, Plan, Progress, scores_of, train
from ranker.model import Scorer, fresh, load, score
from ranker.process import FineTunedRanker
from ranker.records import write_records
from ranker.train import app as train_app
from recipes.base import Description, Instruction
from tests import tiny_model
from tests.test_ranker_learning import made, own_runs, tasks

pytestmark = pytest.mark.local
ROOT = Path(__file__).resolve().parent.parent
TOKENS = 256
"""Of a text; one token is one byte."""
PLANS = ["Random forest.", "Ridge regression.", "A neural network."]
Reading = Literal["apart", "together"]


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tiny models with random weights, and records of made tasks."""
    folder = tmp_path_factory.mktemp("lm")
    torch.manual_seed(0)
    encoder(folder / "bert", 32, 1)
    encoder(folder / "wider", 48, 1)
    encoder(folder / "deeper", 32, 2)
    sizes: dict[str, Any] = {"vocab_size": 258, "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    causal = LlamaForCausalLM(LlamaConfig(**sizes, num_hidden_layers=1, initializer_range=0.3))
    causal.save_pretrained(folder / "llama")
    for name in ("bert", "wider", "deeper", "llama"):
        tiny_model.tokenizer().save_pretrained(folder / name)
    write_records(folder / "made.jsonl", [record for number in range(24) for record in made(number)])
    tested = [record for number in range(8) for record in made(number, kind="made-t9", kept=True)]
    write_records(folder / "test.jsonl", tested)
    return folder


def encoder(folder: Path, width: int, layers: int) -> None:
    sizes: dict[str, Any] = {"vocab_size": 258, "hidden_size": width, "intermediate_size": 2 * width}
    shape = sizes | {"num_hidden_layers": layers, "num_attention_heads": 2, "max_position_embeddings": TOKENS}
    BertModel(BertConfig(**shape, initializer_range=0.3)).save_pretrained(folder)


def trained(place: Path, base: str, out: str, *more: str) -> Result:
    options = ["--records", place / "made.jsonl", "--out", place / out, "--base", place / base]
    small = ["--epochs", "2", "--batch", "8", "--max-tokens", TOKENS, "--lora-rank", "4", "--threads", "1"]
    return CliRunner().invoke(train_app, [*map(str, [*options, *small]), *more])


@pytest.fixture(scope="module")
def ranker(place: Path) -> Path:
    """A whole ranker on the encoder."""
    done = trained(place, "bert", "ranker")
    assert done.exit_code == 0, done.output
    return place / "ranker"


# By the command line


def test_an_encoder_goes_from_records_to_a_table(place: Path, ranker: Path) -> None:
    options = [place / "test.jsonl", "--ranker", ranker, "--base", place / "bert", "--threads", "1", "--json"]
    done = CliRunner().invoke(evaluate_app, [*map(str, options)])
    assert done.exit_code == 0, done.output
    table = json.loads(done.stdout)
    judge(table)
    assert table["unseen_tasks"]["tasks"] == 8
    assert "unseen instructions on unseen tasks (8)" in done.stderr
    assert "Swap test" in done.stderr


def test_a_language_model_can_be_taken_as_it_is_when_the_rest_is_trained_anew(
    place: Path, ranker: Path, tmp_path: Path
) -> None:
    out = tmp_path / "again"
    options = ["--records", place / "made.jsonl", "--lm-of", ranker, "--base", place / "bert", "--out", out]
    done = CliRunner().invoke(train_app, [*map(str, options), "--seed", "5"])
    assert done.exit_code == 0, done.output
    same = "adapter_model.safetensors"
    assert (out / "lm" / same).read_bytes() == (ranker / "lm" / same).read_bytes()
    assert json.loads((out / "card.json").read_text())["records"]["seed"] == 5


@pytest.fixture(scope="module")
def asked(place: Path) -> Path:
    """A whole ranker on the causal model, which is asked for a yes or no."""
    done = trained(place, "llama", "asked", "--reading", "together", "--steps", "3")
    assert done.exit_code == 0, done.output
    return place / "asked"


def test_a_causal_model_that_is_asked_goes_from_records_to_a_table(place: Path, asked: Path) -> None:
    assert not (asked / "lm" / "head.safetensors").exists()
    options = ["--ranker", asked, "--json"]  # the base is found where the training was given it
    done = CliRunner().invoke(evaluate_app, [str(place / "test.jsonl"), *map(str, options)])
    assert done.exit_code == 0, done.output
    judge(json.loads(done.stdout.splitlines()[-1]))


@pytest.mark.parametrize("which", ["asked", "shipped"])
def test_a_run_ranks_with_it_from_a_process_of_its_own(asked: Path, which: str) -> None:
    ranker = FineTunedRanker(asked if which == "asked" else SHIPPED_FOLDER, seed=0)
    ranker.start()
    pool = [
        Instruction(f"idea-{n}", "", "One-hot encode.", model, "Five folds.", "llm") for n, model in enumerate(PLANS)
    ]
    pool.append(Instruction("recipe-linear", "", "Scale.", "Ridge.", "Five folds.", "recipe:linear", prior=0.6))
    numbers = tasks(1)[0].task.numbers
    ranked = ranker.rank(Description("tabular", 500, 100, [], 8, "", numbers), "rmse", pool)
    assert ranked[0].instruction == "recipe-linear"  # a floor comes first
    assert {one.instruction for one in ranked} == {one.id for one in pool}
    assert all("language model" in one.why or "drawn" in one.why for one in ranked)


def judge(table: dict[str, Any]) -> None:
    """What a reader of the table counts on is there, and is a number."""
    for split in ("unseen_tasks", "unseen_instructions"):
        for method in ("random", "avg_best", "racing", "nearest", "words", "meta", "lm", "blend"):
            for measure in ("pair", "all_pairs", "ndcg3", "top1", "sub5"):
                low, high = table[split][method][f"{measure}_ci"]
                assert 0 <= low <= table[split][method][measure] <= high <= 1
        assert all(math.isfinite(value) for name in ("lm", "blend") for value in table[split][name]["pair_gain"])
    swap = table["swap"]
    assert swap["lm_drop"] == pytest.approx(swap["lm_pair"] - swap["lm_pair_swapped"], abs=2e-4)
    assert swap["lm_pair"] == table["unseen_tasks"]["lm"]["pair"]


def test_no_path_of_this_machine_is_saved_and_no_pickle_ships(place: Path, ranker: Path) -> None:
    files = [file for file in ranker.rglob("*") if file.is_file()]
    for file in files:
        content = file.read_bytes()
        if file.name == "card.json":  # where a base that is not the embedded one is found again
            content = content.replace(str(place / "bert").encode(), b"")
        assert str(place).encode() not in content, file
        assert str(ROOT).encode() not in content, file
    shipped = {file.relative_to(ranker).as_posix() for file in files if "training" not in file.parts}
    weights = ["lm/adapter_config.json", "lm/adapter_model.safetensors", "lm/head.safetensors", "lm/ranker.json"]
    parts = ["averages.json", "blend.json", "card.json", "meta.txt"]
    assert shipped == {*weights, *parts, "rivals/nearest.npz", "rivals/bag-of-words.txt"}
    assert json.loads((ranker / "lm" / "adapter_config.json").read_text())["base_model_name_or_path"] == "bert"


def test_the_same_call_goes_on_and_another_one_is_refused(place: Path, ranker: Path) -> None:
    before = {file: file.read_bytes() for file in ranker.rglob("lm/*")}
    done = trained(place, "bert", "ranker", "--rate", "0.02")
    assert done.exit_code == 2
    assert "is of a training with other records or settings; remove it, or name another --out." in done.output
    assert len(done.output.strip().splitlines()[-1:]) == 1
    assert "Traceback" not in done.output
    assert before == {file: file.read_bytes() for file in ranker.rglob("lm/*")}
    assert trained(place, "bert", "ranker").exit_code == 0
    assert before == {file: file.read_bytes() for file in ranker.rglob("lm/*")}


def test_own_runs_take_the_language_model_further(place: Path, ranker: Path, tmp_path: Path) -> None:
    runs, out = own_runs(tmp_path / "runs", 9), tmp_path / "mine"
    options = ["--runs", runs, "--start", ranker, "--out", out, "--base", place / "bert", "--epochs", "1"]
    done = CliRunner().invoke(train_app, [*map(str, options), "--threads", "1"])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "better: it is kept" in said
    assert "not better" not in said
    old, new = (load_file(folder / "lm" / "adapter_model.safetensors") for folder in (ranker, out))
    assert old.keys() == new.keys()
    assert any(not torch.equal(old[name], new[name]) for name in old)
    bundle, before = load_bundle(out, place / "bert"), load_bundle(ranker, place / "bert")
    assert bundle.lm is not None
    assert before.lm is not None
    assert [float(value) for value in bundle.blend.weights.values()] == [*before.blend.weights.values()]


# What cannot be used


@pytest.mark.parametrize(
    ("base", "says"),
    [
        ("wider", "was trained on bert, which"),
        ("deeper", "was trained on bert, which"),
        ("llama", "holds no ranker that can be read"),
        ("none", "holds no base model; run `make ranker`, or name its folder."),
    ],
)
@pytest.mark.filterwarnings("ignore:Found missing adapter keys")
def test_another_base_is_refused_in_one_sentence(place: Path, ranker: Path, base: str, says: str) -> None:
    with pytest.raises(BundleError) as raised:
        load_bundle(ranker, place / base)
    assert says in str(raised.value)
    assert len(str(raised.value).splitlines()) == 1
    assert load_bundle(ranker, place / base, with_lm=False).lm is None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("head.safetensors", b"\xff" * 100),
        ("adapter_model.safetensors", b"\xff" * 100),
        ("adapter_model.safetensors", None),
        ("adapter_config.json", b"{}"),
        ("ranker.json", b'{"base": "bert", "more": 1}'),
        ("ranker.json", b'{"base": "bert", "width": 32, "inner": 7}'),
    ],
)
def test_a_language_model_that_is_broken_is_refused_in_one_sentence(
    place: Path, ranker: Path, tmp_path: Path, name: str, content: bytes | None
) -> None:
    shutil.copytree(ranker, tmp_path / "ranker", ignore=shutil.ignore_patterns("training"))
    weights = tmp_path / "ranker" / "lm" / name
    weights.unlink()
    if content is not None:
        weights.write_bytes(content)
    else:
        torch.save(load_file(ranker / "lm" / name), weights.with_name("adapter_model.bin"))
    with pytest.raises(BundleError, match=r"is missing; name a folder|train it anew") as raised:
        load_bundle(tmp_path / "ranker", place / "bert")
    assert len(str(raised.value).splitlines()) == 1


# Scores


@pytest.mark.parametrize("reading", ["apart", "together"])
@pytest.mark.parametrize("base", ["bert", "llama"])
def test_what_is_saved_scores_the_same(place: Path, tmp_path: Path, base: str, reading: Reading) -> None:
    scorer, some = changed(place / base, base, reading), tasks(3)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        scorer.save(tmp_path / "saved")
        again = load(tmp_path / "saved", place / base)
    assert not [one for one in said if "fetch" in str(one.message)], "a hub was asked"
    assert (again.settings, again.settings.causal) == (scorer.settings, base == "llama")
    found, saved = scores_of(scorer, some), scores_of(again, some)
    assert np.ptp(found[0]) > 0.01
    assert all(np.allclose(one, other, atol=1e-3) for one, other in zip(found, saved, strict=True))
    asked = score(again, some[1].task.text, [i.text for i in some[1].instructions])
    assert np.allclose(asked, saved[1], atol=1e-4), "alone as among others"
    swapped = scores_of(scorer, some, [some[1].task.text] * 3)
    assert np.allclose(swapped[1], found[1], atol=1e-5)
    assert not np.allclose(swapped[0], found[0], atol=1e-5)


def changed(base: Path, name: str, reading: Reading) -> Scorer:
    """A fresh scorer whose adapter changes much."""
    torch.manual_seed(1)
    scorer = fresh(base, name, reading, 4, TOKENS)
    with torch.no_grad():
        for parameter, weight in scorer.named_parameters():
            if "lora_B" in parameter:
                weight.normal_(std=0.2)
    return scorer.eval()


# Training


class Killed(RuntimeError):
    """The end of a process, without the end of this one."""


def lm_training(place: Path, folder: Path, seed: int, kill_at: float = 2.0, **options: Any) -> tuple[Scorer, Progress]:
    """Train on made tasks; ends with Killed once this share of all steps is done."""
    torch.manual_seed(seed)
    scorer, many = fresh(place / "bert", "bert", "apart", 4, TOKENS), tasks(16)
    folder.mkdir(exist_ok=True)

    def say(text: str, share: float) -> None:
        if not text and share > kill_at:
            raise Killed

    plan = Plan(**{"epochs": 4, "batch": 4, "steps": 10, "rate": 0.01} | options)
    return scorer, train(scorer, many[:12], many[12:], plan, folder, say)


def test_a_training_that_is_killed_ends_as_if_it_had_not_been(place: Path, tmp_path: Path) -> None:
    whole, progress = lm_training(place, tmp_path / "whole", seed=0)
    with pytest.raises(Killed):
        lm_training(place, tmp_path / "killed", seed=0, kill_at=0.75)
    assert progress.history is not None
    assert (progress.step, len(progress.history)) == (10, 4)
    assert progress.history[-1]["loss"] < progress.history[0]["loss"]
    shutil.rmtree(tmp_path / "killed" / BEST)  # as a kill while it is replaced leaves it
    with pytest.raises(ValueError, match="of a training with other records or settings"):
        lm_training(place, tmp_path / "killed", seed=0, rate=0.02)
    resumed, after = lm_training(place, tmp_path / "killed", seed=9)
    learned = dict(whole.named_parameters())
    assert all(torch.equal(value, learned[name]) for name, value in resumed.named_parameters())
    assert (after.history, after.best, after.best_epoch) == (progress.history, progress.best, progress.best_epoch)


def test_a_checkpoint_that_is_broken_is_said_and_kept(place: Path, tmp_path: Path) -> None:
    state = tmp_path / STATE
    for content in (b"", b"\x80\x04nonsense.", b"PK\x03\x04" + b"\xff" * 200):
        state.write_bytes(content)
        with pytest.raises(ValueError, match="cannot be read; remove it to train anew"):
            lm_training(place, tmp_path, seed=0)
        assert state.read_bytes() == content
