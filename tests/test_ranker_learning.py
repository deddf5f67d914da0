"""What a ranker learns from outcomes, part by part, and how good an order is said to be."""

from __future__ import annotations

import json
import math
import random
from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from ranker.averages import Averages, fit_averages
from ranker.batches import batches
from ranker.blend import Blend, fit_blend
from ranker.bundle import BundleError, load_bundle
from ranker.compositions import Composition, reword, universe
from ranker.evaluate import app as evaluate_app
from ranker.losses import contrast, pairwise
from ranker.measures import Measures, mean_of, measure, pairs, regrets
from ranker.meta import explain, feature_names, features, fit_meta, own_skill, predict, rank_targets
from ranker.outcomes import Outcomes, gather, origin, unmeasured
from ranker.own_runs import OwnRuns, runs_records
from ranker.records import InstructionRecord, Record, RecordError, TaskRecord, append_record, write_records
from ranker.rivals import NearestTasks, bag_of_words, load_rivals, random_order, save_rivals
from ranker.terms import TERMS, terms
from ranker.train import app as train_app
from ranker.trees import read_trees
from ranker.words import PROBES, task_text

pytestmark = pytest.mark.local
SLOPED, BENT = "linear_strong", "boost_few"
"""Models of the plans that win on tasks where linear probes lead, and where trees do."""


def plans(kept: bool = False) -> list[Composition]:
    """Three for each kind of task."""
    known = universe()[1 if kept else 0]
    return [plan for name in (SLOPED, BENT) for plan in [p for p in known if p.model == name][:3]]


def made(place: int, kind: str = "made-9", kept: bool = False) -> list[Record]:
    """A task on which linear plans win, or boosted ones, as its probes tell; with records of all plans."""
    chance, sloped = np.random.default_rng([3, place]), place % 2 == 0
    numbers = {"rows": 300.0 + place, "columns": 5.0, "classes": 0.0, "target_skew": 0.1, "missing": 0.0}
    for name in PROBES:
        if name not in ("means", "words", "characters"):
            leads = (name in ("linear", "strong", "select", "ranked")) == sloped
            numbers[f"probe_{name}"] = round(0.4 + 0.4 * leads + chance.normal() * 0.03, 4)
    text = task_text("tabular", "rmse", numbers)
    role: Any = "test" if kept else "train"
    task = TaskRecord(id=f"{kind}-{place}", family="linear", role=role, text=text, numbers=numbers)
    chosen = plans() + (plans(kept=True) if kept else [])
    wins = [(plan.model == SLOPED) == sloped for plan in chosen]
    return [
        outcome(task, plan.key, reword(plan.key, random.Random(place)), 2.0 - won + chance.normal() * 0.05)
        for plan, won in zip(chosen, wins, strict=True)
    ]


def outcome(task: TaskRecord, name: str, text: str, score: float | None, source: str = "composition") -> Record:
    """One line, of an error that is to be small."""
    return Record(
        task=task,
        instruction=InstructionRecord(id=name, text=text, source=source),
        score=score,
        error=0.02,
        higher_is_better=False,
        metric="rmse",
        seconds=1.0,
        status="ok" if score is not None else "error: ValueError",
        quick=score,
    )


def tasks(count: int, **options: Any) -> list[Outcomes]:
    return gather(record for place in range(count) for record in made(place, **options))


def small(worth: Sequence[float], error: Sequence[float] = (), value: Sequence[float] = ()) -> Outcomes:
    """A task with these outcomes only."""
    chosen = [InstructionRecord(id=f"i{n}", text="A ridge.", source="llm") for n in range(len(worth))]
    signed = np.array(worth, float)
    errors, values = np.array([*error] or [0.0] * len(worth)), np.array([*value] or worth, float)
    return Outcomes(
        TaskRecord(id="t", text="t", numbers={}), "rmse", chosen, signed, values, errors, np.zeros(len(worth))
    )


# Outcomes


def test_outcomes_keep_the_order_and_the_last_of_each_instruction() -> None:
    task, other = (TaskRecord(id=name, text=name, numbers={}) for name in ("b", "a"))
    lines = [outcome(task, "x", "x", 3.0), outcome(other, "x", "x", 1.0), outcome(task, "y", "y", None)]
    lines += [outcome(other, "y", "y", 1.0), outcome(task, "z", "z", 2.0), outcome(task, "x", "x", 1.0)]
    [found] = gather(lines)
    assert found.task.id == "b", "on the other one all did the same"
    assert [i.id for i in found.instructions] == ["x", "y", "z"]
    assert found.worth.tolist() == [-1.0, -np.inf, -2.0]
    assert found.value.tolist() == [1.0, 0.0, 0.0]
    part = found.only([2, 0])
    assert ([i.id for i in part.instructions], part.worth.tolist()) == (["z", "x"], [-2.0, -1.0])
    assert gather(lines, least=4) == []


def test_a_made_task_stands_for_its_set_and_an_own_one_for_itself() -> None:
    assert [origin(name) for name in ("made-0-15", "made-t3-1", "run-0a1b", "titanic")] == [
        "made-0",
        "made-t3",
        "run-0a1b",
        "titanic",
    ]


# Measures


def random_case(seed: int) -> tuple[np.ndarray, Outcomes]:
    """Two to eight outcomes, some the same, and guesses, some the same."""
    chance = np.random.default_rng(seed)
    size = int(chance.integers(2, 9))
    worth, scores = chance.integers(5, size=size).astype(float), chance.integers(4, size=size).astype(float)
    return scores, small(worth, chance.random(size), worth / 4)


@pytest.mark.parametrize("seed", range(25))
def test_measures_are_what_counting_by_hand_gives(seed: int) -> None:
    scores, task = random_case(seed)
    found, size = measure(scores, task), len(scores)
    for errors, said in ((np.zeros(size), found.all_pairs), (task.error, found.pair)):
        right: list[float] = []
        for one, other in combinations(range(size), 2):
            gap = task.worth[one] - task.worth[other]
            if abs(gap) > math.hypot(errors[one], errors[other]):
                guess = (scores[one] - scores[other]) * gap
                right.append(1.0 if guess > 0 else 0.5 if guess == 0 else 0.0)
        assert said == (pytest.approx(np.mean(right)) if right else None)
    order = sorted(range(size), key=lambda place: (-scores[place], place))
    gain = sum(task.value[place] / math.log2(2 + rank) for rank, place in enumerate(order[:3]))
    best = sum(value / math.log2(2 + rank) for rank, value in enumerate(sorted(task.value)[::-1][:3]))
    assert found.ndcg3 == pytest.approx(gain / best if best else 1.0)
    assert found.top1 == pytest.approx(task.value.max() - task.value[order[0]])
    lost = []
    for offered in combinations(range(size), min(5, size)):
        first = min(offered, key=order.index)
        lost.append(max(task.value[list(offered)]) - task.value[first])
    assert found.sub5 == pytest.approx(np.mean(lost))


def test_a_tie_counts_half_and_noise_is_not_judged() -> None:
    task = small([3.0, 2.0, 1.0], [0.0, 0.0, 1.5])
    assert pairs(np.zeros(3), task.worth, task.error) == 0.5
    assert pairs(np.array([2.0, 1.0, 3.0]), task.worth, task.error) == 0.5, "of two pairs that can be told apart"
    assert pairs(np.array([2.0, 1.0, 3.0]), task.worth, np.zeros(3)) == pytest.approx(1 / 3)
    assert pairs(np.array([1.0, 2.0]), np.array([1.0, 1.0]), np.zeros(2)) is None


def test_failures_are_worse_than_anything_and_alike() -> None:
    task = small([1.0, -np.inf, -np.inf, 0.5], [9.0, 0.0, 0.0, 9.0], [1.0, 0.0, 0.0, 0.5])
    assert measure(np.array([4.0, 1.0, 2.0, 3.0]), task).pair == 1.0
    assert measure(np.array([1.0, 4.0, 3.0, 2.0]), task).pair == 0.0
    failed = measure(np.array([1.0, 2.0]), small([-np.inf, -np.inf], value=[0.0, 0.0]))
    assert (failed.pair, failed.ndcg3, failed.top1, failed.sub5) == (None, 1.0, 0.0, 0.0)


def test_of_many_instructions_the_regret_needs_no_sampling() -> None:
    value = np.random.default_rng(0).random(40)
    assert list(regrets(value, value)) == pytest.approx([0.0, 0.0])
    worst = regrets(-value, value)
    assert worst[0] == pytest.approx(value.max() - value.min())
    chance = np.random.default_rng(1)
    drawn = [np.ptp(value[chance.choice(40, 5, replace=False)]) for _ in range(4000)]
    assert worst[1] == pytest.approx(np.mean(drawn), abs=0.02)


def test_a_mean_leaves_out_tasks_without_pairs_and_has_an_interval() -> None:
    found = [Measures(pair, 0.5, 1.0, 0.0, 0.0) for pair in (0.2, None, 0.4, 0.6, None, 0.8)]
    mean, low, high = mean_of(found, "pair")
    assert mean == pytest.approx(0.5)
    assert 0.2 <= low < 0.5 < high <= 0.8
    assert mean_of(found, "pair") == (mean, low, high)
    assert mean_of(found[1:2], "pair") == (0.0, 0.0, 0.0)


# Averages


def test_best_on_average_beats_chance_on_tasks_it_has_not_seen() -> None:
    known = universe()[0][:30]
    chance = np.random.default_rng(0)
    usual = {plan.key: float(chance.normal() + 2 * (plan.model == "boost_slow")) for plan in known}

    def task(place: int) -> list[Record]:
        about = TaskRecord(id=f"made-1-{place}", text="t", numbers={})
        chosen = random.Random(place).sample(known, 12)
        return [
            outcome(about, p.key, reword(p.key, random.Random(place)), -usual[p.key] + chance.normal() * 0.4)
            for p in chosen
        ]

    seen, unseen = (gather(r for place in places for r in task(place)) for places in (range(60), range(60, 100)))
    averages = fit_averages(seen)
    found = mean_of([measure(np.array([averages.of(i) for i in t.instructions]), t) for t in unseen], "pair")
    rolled = mean_of([measure(random_order(n, len(t.value)), t) for n, t in enumerate(unseen)], "pair")
    assert found[0] > 0.8
    assert found[1] > rolled[2]
    assert 0.4 < rolled[0] < 0.6


def test_an_unknown_plan_is_judged_by_what_it_names() -> None:
    lines = [record for place in range(0, 40, 2) for record in made(place)]
    averages = fit_averages(gather(lines))
    ridge = InstructionRecord(id="new", text="Ridge regression with a strong penalty.", source="llm")
    trees = InstructionRecord(id="new", text="LightGBM, 30 small trees.", source="llm")
    nothing = InstructionRecord(id="new", text="Do what is best.", source="llm")
    assert averages.of(ridge) > averages.of(nothing) > averages.of(trees)
    assert averages.of(nothing) == averages.base
    expected = averages.expected([ridge, trees])
    assert expected.sum() == pytest.approx(0)
    assert expected[0] > expected[1]


def test_a_plan_that_always_fails_is_not_judged_by_its_words() -> None:
    averages = Averages({"bad": 0.0}, {"boosting": 0.5}, 0.5, 2.0)
    assert averages.of(InstructionRecord(id="bad", text="LightGBM.", source="llm")) == 0.0
    assert averages.of(InstructionRecord(id="other", text="LightGBM.", source="llm")) == 1.0


def test_an_id_that_stands_for_many_plans_is_no_plans_name() -> None:
    task = TaskRecord(id="t", text="t", numbers={})
    lines = [outcome(task, "1", "A forest.", 1.0, "llm"), outcome(task, "2", "A ridge.", 2.0, "improve:0001")]
    lines.append(outcome(task, "recipe-linear", "A ridge.", 3.0, "recipe:linear"))
    averages = fit_averages(gather(lines))
    assert list(averages.plans) == ["recipe-linear"]
    assert Averages(**json.loads(json.dumps(averages.as_json()))) == averages


def test_terms_are_found_whoever_writes_them_and_only_so_far() -> None:
    def named(text: str) -> set[str]:
        return {name for name, there in zip(TERMS, terms(text), strict=True) if there}

    assert {"boosting", "lightgbm"} <= named("Train a LightGBM model.")
    assert {"boosting", "xgboost"} <= named("train XGBoost with early stopping")
    assert named("") == set()
    assert named("x" * 10_000_000 + " ridge") == set()


# The meta-feature model


def test_meta_features_tell_which_plan_suits_a_task() -> None:
    learned, unseen = tasks(60)[:48], tasks(60)[48:]
    averages = fit_averages(learned)
    booster = fit_meta(learned, averages, 0, rounds=60)
    found = [predict(booster, features(t.task, t.metric, t.instructions)) for t in unseen]
    usual = [averages.expected(t.instructions) for t in unseen]
    assert mean_of([measure(f, t) for f, t in zip(found, unseen, strict=True)], "pair")[0] > 0.8
    assert mean_of([measure(f, t) for f, t in zip(usual, unseen, strict=True)], "pair")[0] < 0.65
    again = fit_meta(learned, averages, 0, rounds=60)
    assert again.model_to_string() == booster.model_to_string()
    row = features(unseen[0].task, "rmse", unseen[0].instructions)[0]
    added = explain(booster, row)
    assert list(added) == feature_names()
    assert sum(added.values()) + 0 == pytest.approx(predict(booster, row[None])[0], abs=0.5)


def test_features_of_a_task_without_numbers_are_missing_not_wrong() -> None:
    bare = TaskRecord(id="t", text="t", numbers={})
    plan = InstructionRecord(id="p", text="A random forest.", source="llm")
    table = features(bare, "unheard of", [plan, plan])
    assert table.shape == (2, len(feature_names()))
    assert np.isnan(table[0, : feature_names().index("log_loss")]).all()
    assert table[0, feature_names().index("says_forest")] == 1
    assert math.isnan(own_skill({}, terms(plan.text)))
    assert own_skill({"probe_trees": 0.6, "probe_boost": 0.4, "probe_linear": 0.9}, terms(plan.text)) == 0.5


def test_targets_hold_value_and_rank() -> None:
    assert rank_targets(small([1.0, 3.0, 2.0], value=[0.0, 1.0, 0.5])).tolist() == [-1.0, 1.0, 0.0]


# The blend


def blended(**parts: Any) -> Blend:
    """Fitted on 60 tasks with ten outcomes; each part is a function of the values and a source of noise."""
    found = []
    for seed in range(60):
        chance = np.random.default_rng(seed)
        value = chance.random(10)
        found.append(({name: part(value, chance) for name, part in parts.items()}, value))
    return fit_blend(found)


def test_a_useless_part_gets_no_say_and_a_perfect_one_wins() -> None:
    blend = blended(
        prior=lambda value, chance: chance.normal(size=10),
        meta=lambda value, chance: 100 * value,
        lm=lambda value, chance: value + chance.normal(size=10),
    )
    assert blend.weights["meta"] > 20 * max(blend.weights["prior"], blend.weights["lm"])
    assert blended(prior=lambda value, chance: -value, lm=lambda value, chance: value).weights["prior"] == 0.0


def test_two_parts_that_know_different_things_share_the_say() -> None:
    blend = blended(
        prior=lambda value, chance: value + chance.normal(size=10) * 0.3,
        meta=lambda value, chance: chance.normal(size=10),
        lm=lambda value, chance: 50 * (value + chance.normal(size=10) * 0.3),
    )
    assert blend.weights["prior"] == pytest.approx(blend.weights["lm"], rel=0.3)
    assert blend.weights["meta"] < 0.15 * blend.weights["lm"]
    parts = {"prior": np.array([1.0, 2.0]), "meta": np.zeros(2), "lm": np.array([70.0, 10.0])}
    shares = blend.shares(parts)
    assert all(share.sum() == pytest.approx(0) for share in shares.values())
    assert blend.total(parts) == pytest.approx(sum(shares.values()))
    assert blend.total({"prior": np.array([1.0, 2.0])})[1] > 0, "without a language model too"
    assert Blend({"prior": 0.0}, {"prior": 1.0}).total({"prior": np.array([1.0, 2.0])}).tolist() == [0.0, 0.0]


# Rivals


def test_nearest_tasks_know_which_plans_did_well_on_them(tmp_path: Path) -> None:
    learned, unseen = tasks(80)[:64], tasks(80)[64:]
    averages = fit_averages(learned)
    save_rivals(tmp_path / "rivals", learned, 0)
    near, words = load_rivals(tmp_path / "rivals")
    found = near.score(unseen, averages)
    assert mean_of([measure(f, t) for f, t in zip(found, unseen, strict=True)], "pair")[0] > 0.8
    assert all(np.isfinite(words.predict(bag_of_words(t))).all() for t in unseen)
    direct = NearestTasks.of(learned).score(unseen, averages)
    assert all(np.allclose(one, other) for one, other in zip(found, direct, strict=True))
    bare = unmeasured(TaskRecord(id="t", text="t", numbers={}), "rmse", unseen[0].instructions)
    assert np.isfinite(near.score([bare], averages)[0]).all()
    assert random_order(3, 5).tolist() == random_order(3, 5).tolist() != random_order(4, 5).tolist()


# Batches and losses


def test_batches_hold_every_outcome_once_in_words_that_change() -> None:
    many = [*tasks(9), *tasks(5, kind="made-t1", kept=True)]
    plain = small([1.0, 2.0])
    first, again, other = (list(batches([*many, plain], 4, random.Random(seed))) for seed in (1, 1, 2))
    assert [(b.tasks, b.plans) for b in first] == [(b.tasks, b.plans) for b in again]
    assert [b.tasks for b in first] != [b.tasks for b in other]
    assert sorted(len(b.tasks) for b in first) == [3, 4, 4, 4]
    known = sorted(v for b in first for v in b.value[b.known].tolist())
    wanted = sorted(v for t in [*many, plain] for v in torch.tensor(t.value, dtype=torch.float32).tolist())
    assert known == wanted
    assert all(b.known.shape == b.value.shape == (len(b.tasks), len(b.plans)) for b in first)
    texts, retold = ({text for b in some for text in b.tasks} for some in (first, other))
    assert "t" in texts & retold, "a task without numbers keeps its words"
    assert len(texts - retold) > 5
    told = [next(batches(tasks(1), 1, random.Random(seed))).plans for seed in range(4)]
    assert all(len({plans[place] for plans in told}) > 1 for place in range(6)), "plans too"


def test_tasks_with_the_same_instructions_stand_together() -> None:
    mixed = [task for pair in zip(tasks(6), tasks(6, kind="made-t1", kept=True), strict=True) for task in pair]
    found = list(batches(mixed, 6, random.Random(0)))
    assert Counter(len(b.plans) for b in found) == Counter(len(t.instructions) for t in mixed[:2])
    assert all(b.known.all() for b in found)


def test_the_known_mask_is_right_where_tasks_share_only_some_plans() -> None:
    one, other = tasks(2)
    [found] = batches([one.only([0, 1, 2]), other.only([2, 3])], 2, random.Random(0))
    assert found.known.sum(dim=1).tolist() in ([3, 2], [2, 3])
    assert found.known.sum(dim=0).tolist().count(2) == 1
    assert len(found.plans) == 4


def test_contrast_is_log_2_for_a_model_that_does_not_read_the_task() -> None:
    value = torch.tensor([[1.0, 0.0, 0.4], [0.0, 1.0, 0.5], [0.7, 0.1, 0.0]])
    known = torch.ones(3, 3, dtype=torch.bool)
    deaf = torch.tensor([[3.0, -1.0, 0.5]]).repeat(3, 1)
    assert contrast(deaf, value, known).item() == pytest.approx(math.log(2))
    assert contrast(deaf + torch.tensor([[1.0], [5.0], [-2.0]]), value, known).item() == pytest.approx(math.log(2))
    assert contrast(5 * value, value, known).item() < 0.5 * math.log(2)
    assert contrast(-5 * value, value, known).item() > math.log(2)
    assert (
        pairwise(5 * value, value, known) < pairwise(torch.zeros(3, 3), value, known) < pairwise(-value, value, known)
    )
    assert pairwise(torch.zeros(3, 3), value, known).item() == pytest.approx(math.log(2))
    nothing = torch.zeros_like(known)
    assert (pairwise(value, value, nothing).item(), contrast(value, value, nothing).item()) == (0.0, 0.0)


@pytest.mark.parametrize("loss", [pairwise, contrast])
def test_only_what_is_known_teaches(loss: Any) -> None:
    value = torch.rand(4, 5, generator=torch.Generator().manual_seed(0))
    known = torch.rand(4, 5, generator=torch.Generator().manual_seed(1)) < 0.7
    scores = torch.zeros(4, 5, requires_grad=True)
    loss(scores, value, known).backward()
    assert scores.grad is not None
    assert not scores.grad[~known].any()
    assert scores.grad[known].abs().sum() > 0
    other = torch.where(known, value, torch.rand(4, 5) * 9)
    assert loss(scores, other, known).item() == pytest.approx(loss(scores, value, known).item())


# A ranker without a language model, by its command line


@pytest.fixture(scope="module")
def ranker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trained on made tasks, where linear plans win as often as boosted ones."""
    folder = tmp_path_factory.mktemp("ranker")
    write_records(folder / "made.jsonl", [record for place in range(40) for record in made(place)])
    tested = [record for place in range(12) for record in made(place, kind="made-t9", kept=True)]
    write_records(folder / "test.jsonl", tested)
    done = train("--records", folder / "made.jsonl", "--out", folder / "ranker")
    assert done.exit_code == 0, done.output
    return folder


def train(*options: object) -> Result:
    return CliRunner().invoke(train_app, [*map(str, options), "--no-lm"])


def evaluate(*options: object) -> Result:
    return CliRunner().invoke(evaluate_app, [*map(str, options), "--no-lm"])


def test_training_and_evaluating_without_a_language_model(ranker: Path) -> None:
    done = evaluate(ranker / "test.jsonl", "--ranker", ranker / "ranker", "--json")
    assert done.exit_code == 0, done.output
    table = json.loads(done.stdout.splitlines()[-1])
    assert table["unseen_tasks"]["tasks"] == table["unseen_instructions"]["tasks"] == 12
    found = {name: table["unseen_tasks"][name]["pair"] for name in table["unseen_tasks"] if name != "tasks"}
    assert set(found) == {"random", "avg_best", "racing", "nearest", "words", "meta", "blend"}
    assert found["blend"] > 0.75
    assert found["avg_best"] < 0.65
    assert found["racing"] == 1.0
    assert table["unseen_instructions"]["meta"]["pair"] > 0.75
    assert "swap" not in table
    card = json.loads((ranker / "ranker" / "card.json").read_text())
    assert card["trained on"] == ["made-9"]
    assert str(ranker) not in json.dumps(card)


def test_tasks_it_was_trained_on_are_not_judged(ranker: Path) -> None:
    done = evaluate(ranker / "made.jsonl", "--ranker", ranker / "ranker")
    assert done.exit_code == 2
    assert done.output == "No task is left that the ranker was not trained on, with two outcomes or more.\n"


def test_outcomes_that_noise_decides_are_judged_by_nobody(ranker: Path, tmp_path: Path) -> None:
    noisy = [record.model_copy(update={"error": 99.0}) for place in range(3) for record in made(place, kind="made-t1")]
    write_records(tmp_path / "noisy.jsonl", [r.model_copy(update={"task": as_test(r.task)}) for r in noisy])
    done = evaluate(tmp_path / "noisy.jsonl", "--ranker", ranker / "ranker", "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])["unseen_tasks"]["meta"]["pair_gain"] == [0.0, 0.0, 0.0]


def as_test(task: TaskRecord) -> TaskRecord:
    return task.model_copy(update={"role": "test"})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("meta.txt", lambda old: b""),
        ("meta.txt", lambda old: old[: len(old) // 2]),
        ("meta.txt", lambda old: old[:-2000].replace(b"end of trees", b"")),
        ("meta.txt", lambda old: old.replace(b"split_feature=", b"split_feature=9", 1)),
        ("meta.txt", lambda old: old.replace(b"left_child=1 ", b"left_child=0 ", 1)),
        ("meta.txt", lambda old: b"\xff" * 100),
        ("averages.json", lambda old: b"[1, 2]"),
        ("averages.json", lambda old: b'{"plans": {}}'),
        ("blend.json", lambda old: b"{"),
        ("blend.json", None),
        ("meta.txt", None),
    ],
)
def test_a_ranker_that_is_broken_is_refused_in_one_sentence(
    ranker: Path, tmp_path: Path, name: str, content: Any
) -> None:
    folder = tmp_path / "ranker"
    folder.mkdir()
    for file in (ranker / "ranker").glob("*.*"):
        (folder / file.name).write_bytes(file.read_bytes())
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_bytes(content((folder / name).read_bytes()))
    with pytest.raises(BundleError, match=r"train it anew|is missing; name a folder") as raised:
        load_bundle(folder, tmp_path)
    assert len(str(raised.value).splitlines()) == 1
    done = evaluate(ranker / "test.jsonl", "--ranker", folder)
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == 1


@pytest.mark.parametrize("name", ["nearest.npz", "bag-of-words.txt"])
def test_rivals_that_are_broken_are_said_in_one_sentence(ranker: Path, tmp_path: Path, name: str) -> None:
    for file in (ranker / "ranker").rglob("*.*"):
        place = tmp_path / file.relative_to(ranker / "ranker")
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(file.read_bytes()[: 500 if file.name == name else None])
    done = evaluate(ranker / "test.jsonl", "--ranker", tmp_path)
    assert done.exit_code == 2
    assert len(done.output.splitlines()) == 1


def test_trees_for_other_columns_are_refused(ranker: Path) -> None:
    meta = ranker / "ranker" / "meta.txt"
    assert read_trees(meta, len(feature_names())).num_trees() > 0
    with pytest.raises(ValueError, match=r"meta\.txt holds no trees for 3 columns: max_feature_idx is"):
        read_trees(meta, 3)


# Own runs


def own_runs(folder: Path, count: int, best: int = 0, kind: str = "run-") -> Path:
    """Run folders of tasks on which one recipe always is best, whatever the probes say."""
    for place in range(count):
        lines = made(place)
        task = lines[0].task.model_copy(update={"id": f"{kind}{place:04x}", "family": ""})
        for number in range(5):
            score = (number - best) % 5 + 0.01 * place
            text = ["Words.", "Themes.", "A ridge.", "LightGBM.", "A forest."][number]
            run = folder / f"{kind}{place}"
            run.mkdir(parents=True, exist_ok=True)
            append_record(run / "records.jsonl", outcome(task, f"recipe-{number}", text, score, f"recipe:{number}"))
    return folder


def test_a_ranker_learns_from_own_runs_and_says_what_it_gained(ranker: Path, tmp_path: Path) -> None:
    runs, out = own_runs(tmp_path / "runs", 12), tmp_path / "mine"
    done = train("--runs", runs, "--start", ranker / "ranker", "--out", out)
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    assert "Learned from 40 attempts on 8 tasks of own runs." in said
    assert "On 4 held-out tasks the old ranker orders" in said
    assert "better: it is kept" in said
    assert "not better" not in said
    before, after = (load_bundle(folder, tmp_path) for folder in (ranker / "ranker", out))
    assert {f"recipe-{number}" for number in range(5)} <= set(after.averages.plans)
    assert max(after.averages.plans, key=lambda name: after.averages.plans[name]) in (
        "recipe-0",
        *before.averages.plans,
    )
    assert after.averages.plans.items() > before.averages.plans.items()
    assert after.meta.num_trees() > before.meta.num_trees()
    [task] = gather(runs_records([runs / "run-1"]))
    assert np.argmax(after.blend.total(after.parts_of([task])[0])) == 0
    judged = evaluate(*(runs / f"run-{place}" / "records.jsonl" for place in range(12)), "--ranker", out)
    assert judged.exit_code == 2, "own tasks that decided what was kept are not unseen"
    again = train("--runs", runs, "--start", ranker / "ranker", "--out", out)
    assert (again.exit_code, again.output) == (2, f"{out} holds a ranker already; name another folder with --out.\n")


def test_a_ranker_that_did_not_get_better_leaves_the_old_one_and_nothing_else(ranker: Path, tmp_path: Path) -> None:
    learned = own_runs(tmp_path / "runs", 12)
    mine = tmp_path / "mine"
    train("--runs", learned, "--start", ranker / "ranker", "--out", mine)
    kept = {file: file.read_bytes() for file in mine.rglob("*") if file.is_file()}
    out = tmp_path / "more"
    done = train("--runs", learned, "--start", mine, "--out", out)
    assert done.exit_code == 0, done.output
    assert "not better: the old one stays" in " ".join(done.output.split())
    assert not out.exists()
    assert kept == {file: file.read_bytes() for file in mine.rglob("*") if file.is_file()}
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    train("--runs", learned, "--start", mine, "--out", out)
    assert [file.name for file in out.iterdir()] == ["notes.txt"]


def test_too_few_tasks_are_said_in_one_sentence(ranker: Path, tmp_path: Path) -> None:
    runs = own_runs(tmp_path / "runs", 3)
    done = train("--runs", runs, "--start", ranker / "ranker", "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert done.output.startswith("The runs hold 3 tasks with two different outcomes; 4 are the least")
    assert len(done.output.splitlines()) == 1
    assert not (tmp_path / "out").exists()
    write_records(tmp_path / "few.jsonl", [record for place in range(3) for record in made(place)])
    done = train("--records", tmp_path / "few.jsonl", "--out", tmp_path / "out")
    assert (done.exit_code, len(done.output.splitlines())) == (2, 1)
    assert "Only 3 tasks" in done.output


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--runs", "{}/empty"], "holds no records.jsonl; name a run folder"),
        (["--records", "{}/none.jsonl"], "none.jsonl cannot be read"),
        ([], "Nothing to learn from"),
        (["--runs", "{}/runs", "--start", "{}/empty"], "name a folder that ranker.train has written."),
        (["--runs", "{}/runs", "--reading", "aloud"], "--reading aloud: choose apart or together."),
    ],
)
def test_a_wrong_call_is_one_sentence_and_leaves_nothing(tmp_path: Path, options: list[str], says: str) -> None:
    (tmp_path / "empty").mkdir()
    own_runs(tmp_path / "runs", 5)
    done = train(*(option.format(tmp_path) for option in options), "--out", tmp_path / "out")
    assert done.exit_code == 2
    assert says in done.output
    assert len(done.output.splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_own_tasks_are_held_out_by_the_seed(ranker: Path, tmp_path: Path) -> None:
    found = gather(runs_records([own_runs(tmp_path / "runs", 9)]))
    learned, held = OwnRuns(found, 1).halves()
    assert (len(learned), len(held)) == (6, 3)
    assert {t.task.id for t in learned}.isdisjoint(t.task.id for t in held)
    assert [t.task.id for t in OwnRuns(found, 1).halves()[0]] == [t.task.id for t in learned]
    shipped = [record for place in range(6) for record in made(place, kind="made-t9", kept=True)]
    write_records(tmp_path / "held-out.jsonl.gz", shipped)
    assert len(OwnRuns(found, 1).held_out(tmp_path)) == 3 + 3
    with pytest.raises(RecordError, match="hold 2 tasks"):
        OwnRuns(found[:2], 1)
