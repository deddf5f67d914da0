"""What `ranker.generate` makes: instructions of parts, tasks of families, matrices, and a file that survives a kill."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil  # type: ignore[import-untyped]
import pytest
from typer.testing import CliRunner

from ranker.compositions import SAYINGS, Composition, kept_for_testing, reword, say, universe
from ranker.fits import model
from ranker.generate import (
    INSTRUCTIONS,
    KEPT_WHEN_TESTING,
    KNOWN_WHEN_TESTING,
    app,
    attempt,
    class_score,
    instructions,
    make,
    number_score,
    outcomes,
    standard_errors,
)
from ranker.matrices import SELECTED, Matrices, bins, encode, fill_and_scale, target_means
from ranker.records import Record, read_records
from ranker.worlds import FAMILIES, KEPT_FAMILIES, World, make_world
from ranker.worlds_real import KEPT_REAL, REAL, make_real

pytestmark = pytest.mark.local
ROOT = Path(__file__).resolve().parent.parent
PLAIN = Composition("onehot", "standard", "median", "words", "none", "linear_strong")
ROWS = 60
SMALL, SMALL_TEST = 16, 258
"""Seeds whose first tasks are small, so that they are tried in a second."""


def draw(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore", UserWarning)
        yield


# Compositions


def test_what_is_held_out_never_moves() -> None:
    known, kept = (
        hashlib.sha256("\n".join(plan.key for plan in plans).encode()).hexdigest()[:16] for plans in universe()
    )
    assert (known, kept) == ("322df3dd701c46d1", "67c61a8a586c39f5"), "rankers that were trained before would cheat"
    assert {plan.key for plan in universe()[1]} == kept_for_testing()


def test_known_and_kept_compositions_are_apart_and_name_every_choice() -> None:
    known, kept = universe()
    assert (len(known), len(kept), len({*known, *kept})) == (150, 50, 200)
    for step in fields(Composition):
        assert {getattr(plan, step.name) for plan in known} == set(SAYINGS[step.name])


def test_a_composition_has_many_wordings_and_they_say_it_alone() -> None:
    for plan in universe()[0][:40]:
        chance = random.Random(plan.key)
        said = [reword(plan.key, chance) for _ in range(30)]
        assert len(set(said)) > 20
        for step in fields(Composition):
            choice = getattr(plan, step.name)
            others = [text for other, texts in SAYINGS[step.name].items() if other != choice for text in texts]
            for text in said:
                assert any(own in text for own in SAYINGS[step.name][choice]) or (step.name, choice) == (
                    "features",
                    "none",
                )
                assert not any(other in text for other in others)


def test_a_wording_follows_from_the_chance() -> None:
    assert say(PLAIN, random.Random(3)) == reword(PLAIN.key, random.Random(3))
    assert PLAIN.key == "onehot/standard/median/words/none/linear_strong"


@pytest.mark.parametrize("key", ["", "onehot", PLAIN.key + "/more", PLAIN.key.replace("words", "../words")])
def test_what_is_no_composition_is_not_reworded(key: str) -> None:
    with pytest.raises(ValueError, match="is no composition"):
        reword(key, random.Random(0))


# Worlds


@pytest.mark.parametrize("family", [*FAMILIES, *(f"real:{name}" for name in REAL)])
def test_every_family_makes_whole_tasks_by_the_seed(family: str) -> None:
    for seed in range(1 if family == "style" else 4):
        made, again = (world(family, seed) for _ in range(2))
        assert made.family == family
        pd.testing.assert_frame_equal(made.table, again.table)
        pd.testing.assert_series_equal(made.target, again.target)
        assert len(made.table) == len(made.target) >= 100
        assert made.target.notna().all()
        assert made.target.nunique() >= 2
        numbers = made.table.select_dtypes("number").to_numpy(float)
        assert not np.isinf(numbers).any()
        assert made.metric in (("log_loss", "accuracy", "roc_auc") if made.classes else ("rmse", "mae"))
        assert made.metric != "roc_auc" or made.target.nunique() == 2
        assert made.ordered == (family in ("trend", "season", "drift"))


def world(family: str, seed: int) -> World:
    name = family.removeprefix("real:")
    return make_real(name, draw(seed)) if name != family else make_world(family, draw(seed))


def test_kept_families_and_compositions_are_for_testing_only() -> None:
    kept = {*KEPT_FAMILIES, *(f"real:{name}" for name in KEPT_REAL)}
    learned = {make(draw(9, number), False).family for number in range(60)}
    tested = {make(draw(9, number), True).family for number in range(40)}
    assert not learned & kept
    assert len(tested & kept) > len(kept) // 2
    assert tested - kept
    for group in range(40):
        plans = [plan.key for plan, _ in instructions(1, group, False)]
        assert len(set(plans)) == INSTRUCTIONS
        assert not kept_for_testing() & set(plans)
        plans = [plan.key for plan, _ in instructions(1, group, True)]
        assert len(kept_for_testing() & set(plans)) == KEPT_WHEN_TESTING
        assert len(set(plans)) == KEPT_WHEN_TESTING + KNOWN_WHEN_TESTING


# Matrices


@cache
def odd_table() -> pd.DataFrame:
    """Numbers that are plain, the same, missing and mixed; categories; a text."""
    chance = draw(0)
    sentences = [" ".join(chance.choice(["red", "blue", "green", "fox"], size=4)) for _ in range(ROWS)]
    return pd.DataFrame(
        {
            "plain": chance.normal(size=ROWS),
            "same": np.ones(ROWS),
            "empty": np.full(ROWS, np.nan),
            "gaps": np.where(chance.random(ROWS) < 0.3, np.nan, chance.normal(size=ROWS)),
            "few": chance.integers(3, size=ROWS).astype(float),
            "kind": pd.Categorical(chance.choice(list("abcd"), size=ROWS)),
            "holes": pd.Categorical([None if row % 3 else "a" for row in range(ROWS)]),
            "hollow": pd.Categorical([None] * ROWS),
            "text": pd.Series(sentences, dtype="string"),
        }
    )


def answers(classes: bool) -> np.ndarray:
    return draw(1).integers(3, size=ROWS) if classes else draw(1).normal(size=ROWS)


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize(
    "columns",
    [
        ["plain", "same", "empty", "gaps", "few", "kind", "holes", "hollow", "text"],
        ["same", "empty"],
        ["kind"],
        ["hollow"],
        ["text"],
        ["plain"],
    ],
)
def test_every_choice_makes_a_finite_matrix_of_any_table(columns: list[str], classes: bool) -> None:
    made, train = Matrices(odd_table()[columns], classes), np.arange(40)
    for step, choices in SAYINGS.items():
        for choice in choices:
            plan = replace(PLAIN, **{step: choice})
            matrix = made.fold(plan, answers(classes), train)
            assert matrix.shape[0] == ROWS, plan.key
            assert matrix.shape[1] >= 1, plan.key
            assert np.isfinite(matrix).all(), plan.key


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("choice", SAYINGS["model"])
def test_every_model_fits_and_says_something_finite(choice: str, classes: bool) -> None:
    matrix, target = Matrices(odd_table(), classes).whole(PLAIN), answers(classes)
    fitted = model(choice, classes).fit(matrix[:40], target[:40])
    said = fitted.predict_proba(matrix[40:]) if classes else fitted.predict(matrix[40:])
    assert len(said) == ROWS - 40
    assert np.isfinite(said).all()


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("plan", [replace(PLAIN, categories="target"), replace(PLAIN, features="select")])
def test_no_matrix_sees_the_answers_of_test_rows(plan: Composition, classes: bool) -> None:
    target, train = answers(classes), draw(4).permutation(ROWS)[:40]
    others = np.setdiff1d(np.arange(ROWS), train)
    changed = target.copy()
    changed[others] = 2 - target[others] if classes else target[others] * 50
    made = Matrices(odd_table(), classes)
    assert np.array_equal(made.fold(plan, target, train), made.fold(plan, changed, train))


def test_target_means_are_those_of_the_other_half() -> None:
    codes, target, train = np.arange(ROWS)[:, None] % 2, draw(5).normal(size=ROWS), np.arange(40)
    found = target_means(codes, target, train, False)[:, 0]
    for row in range(40):
        changed = target.copy()
        changed[row] += 100
        assert target_means(codes, changed, train, False)[row, 0] == found[row]
    assert found[50] == pytest.approx((target[0:40:2].sum() + 5 * target[:40].mean()) / 25)
    unseen = target_means(np.where(np.arange(ROWS) < 40, 0, -1)[:, None], target, train, False)
    assert unseen[50, 0] == pytest.approx(target[:40].mean())
    assert target_means(codes, answers(True), train, True).shape == (ROWS, 2), "a column a class, but the first"


def test_gaps_are_filled_as_the_plan_says() -> None:
    numbers = np.array([[1.0, np.nan], [np.nan, np.nan], [3.0, np.nan], [8.0, np.nan]])
    raw = replace(PLAIN, numbers="raw")
    assert fill_and_scale(numbers, raw).tolist() == [[1, 0], [3, 0], [3, 0], [8, 0]]
    flagged = fill_and_scale(numbers, replace(raw, missing="flagged"))
    assert flagged[:, 2:].tolist() == [[0, 1], [1, 1], [0, 1], [0, 1]]
    assert fill_and_scale(numbers, replace(raw, missing="constant"))[1].tolist() == [-999, -999]


def test_bins_and_frequencies_and_selection_are_what_they_say() -> None:
    values = draw(6).normal(size=(200, 2))
    assert bins(values).sum(axis=1).tolist() == [2.0] * 200
    assert bins(values).sum(axis=0).tolist() == [20.0] * 20
    codes = np.array([[0], [0], [0], [1], [-1]])
    assert encode(codes, "frequency")[:, 0].tolist() == [0.6, 0.6, 0.6, 0.2, 0.2]
    assert encode(codes, "onehot").sum(axis=1).tolist() == [1.0] * 5
    wide = pd.DataFrame(draw(7).normal(size=(ROWS, 25)), columns=[f"x{n}" for n in range(25)])
    target = wide["x19"].to_numpy() * 3 + draw(8).normal(size=ROWS)
    chosen = Matrices(wide, False).fold(replace(PLAIN, features="select", numbers="raw"), target, np.arange(40))
    assert chosen.shape == (ROWS, SELECTED)
    assert np.array_equal(chosen[:, 0], wide["x19"].to_numpy())


# Scores


class Says:
    """A model that knows the answers."""

    def __init__(self, guesses: Any, classes: Any = None) -> None:
        self.guesses, self.classes_ = np.asarray(guesses, float), classes

    def fit(self, _x: np.ndarray, _y: np.ndarray) -> None: ...

    def predict(self, _x: np.ndarray) -> np.ndarray:
        return self.guesses

    def predict_proba(self, _x: np.ndarray) -> np.ndarray:
        return self.guesses


def test_scores_of_a_fold() -> None:
    target, matrix = np.array([1.0, 3.0, 1.0, 3.0, 2.0, 3.0]), np.zeros((6, 1))
    train, test = np.arange(4), np.array([4, 5])
    for metric, score in {"mae": 1.0, "rmse": np.sqrt(2.0)}.items():
        assert number_score(metric, Says([0.0, -1.0]), matrix, target, train, test) == pytest.approx(score)
    assert number_score("mae", Says([1e9, 1.0]), matrix, target, train, test) == pytest.approx(2.0), "cut"
    labels, sure = np.array([0, 1, 0, 1, 0, 2]), Says([[0.9, 0.1], [0.2, 0.8]], np.array([0, 1]))
    assert class_score("accuracy", sure, matrix, labels, train, test) == 0.5
    lost = class_score("log_loss", sure, matrix, labels, train, test)
    assert lost == pytest.approx(-(np.log(0.9) + np.log(0.001)) / 2, abs=0.01), "a class that was never seen"
    two = np.array([0, 1, 0, 1, 0, 1])
    assert class_score("roc_auc", sure, matrix, two, train, test) == 1.0
    alike = np.array([0, 1, 0, 1, 0, 0])
    assert class_score("roc_auc", sure, matrix, alike, train, test) == 0.5


def test_standard_errors_leave_out_what_all_have_in_common() -> None:
    hard_fold = np.array([0.0, 5.0, 1.0])
    alike = standard_errors([list(hard_fold + 1), [], list(hard_fold + 2)])
    assert alike == [pytest.approx(0), None, pytest.approx(0)]
    one, other = np.array([0.0, 0.0, 6.0]), np.zeros(3)
    assert standard_errors([list(one), list(other)]) == [
        pytest.approx(np.std(one - (one - one.mean()) / 2, ddof=1) / np.sqrt(3)),
        pytest.approx(np.std((one - one.mean()) / 2, ddof=1) / np.sqrt(3)),
    ]
    assert standard_errors([[], []]) == [None, None]


def test_a_pipeline_that_fails_is_an_outcome() -> None:
    table = pd.DataFrame({"x": draw(0).normal(size=ROWS), "text": pd.Series(["??"] * ROWS, dtype="string")})
    made = World("odd", table, pd.Series(answers(False)), False, False, "rmse")
    matrices = Matrices(table, False)
    failed, fine = (attempt(made, matrices, replace(PLAIN, texts=text), True) for text in ("words", "lengths"))
    assert (failed.scores, failed.status, failed.quick) == ([], "error: ValueError", None)
    assert (len(fine.scores), fine.status) == (3, "ok")
    assert fine.quick is not None


# Records


@cache
def tried(seed: int, testing: bool = False) -> list[Record]:
    return outcomes(seed, 0, testing)


def timeless(records: list[Record]) -> list[Record]:
    return [record.model_copy(update={"seconds": 0.0, "quick_seconds": 0.0}) for record in records]


def test_the_same_seed_makes_the_same_records_and_another_one_other_tasks() -> None:
    first, other = tried(SMALL), tried(SMALL_TEST)
    assert timeless(first) == timeless(outcomes(SMALL, 0, False))
    assert first[0].task.numbers != other[0].task.numbers
    assert first[0].task.id != other[0].task.id
    assert [record.instruction for record in first] != [record.instruction for record in other]
    assert all(record.task == first[0].task for record in first)
    assert len({record.instruction.id for record in first}) == INSTRUCTIONS == len(first)
    assert all(np.isfinite(list(first[0].task.numbers.values())))


def test_tasks_for_testing_hold_kept_instructions_and_a_race() -> None:
    records = tried(SMALL_TEST, True)
    kept = [record for record in records if record.instruction.id in kept_for_testing()]
    assert (len(records), len(kept)) == (KNOWN_WHEN_TESTING + KEPT_WHEN_TESTING, KEPT_WHEN_TESTING)
    assert {record.task.role for record in records} == {"test"}
    assert any(record.quick is not None for record in records)
    learned = tried(SMALL)
    assert {(record.task.role, record.quick) for record in learned} == {("train", None)}
    assert not {record.instruction.id for record in learned} & kept_for_testing()


def test_a_kill_in_the_middle_costs_no_task_and_doubles_none(tmp_path: Path) -> None:
    out = tmp_path / "made.jsonl"
    options = ["--tasks", "2", "--seed", str(SMALL), "--workers", "1", "--out", str(out)]
    kill_after_a_task(options, out)
    before = "".join(out.read_text().splitlines(keepends=True)[:INSTRUCTIONS])
    half = before.replace(f"made-{SMALL}-0", f"made-{SMALL}-1").splitlines(keepends=True)[:4]
    out.write_text(before + "".join(half)[:-9])
    more = ["--tasks", "1", "--seed", str(SMALL_TEST), "--testing", "--workers", "1", "--out", str(out)]
    both = f"from ranker.generate import app\nfor call in {[options, more]}: app(call, standalone_mode=False)"
    done = subprocess.run([sys.executable, "-c", both], cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"python -m ranker.train --records {out}" in done.stdout.replace("\n", " ")
    records = list(read_records(out))
    count = Counter(record.task.id for record in records)
    whole = {f"made-{SMALL}-{number}": INSTRUCTIONS for number in range(2)}
    assert count == {**whole, f"made-t{SMALL_TEST}-0": KNOWN_WHEN_TESTING + KEPT_WHEN_TESTING}
    assert len({(record.task.id, record.instruction.id) for record in records}) == len(records)
    first = [record for record in records if record.task.id == f"made-{SMALL}-0"]
    assert timeless(first) == timeless(tried(SMALL))
    assert out.read_text().startswith(before), "what was there is not made anew"
    assert [path.name for path in tmp_path.iterdir()] == ["made.jsonl"]


def kill_after_a_task(options: list[str], out: Path) -> None:
    """Start it, kill it without a warning once a task is there, and see that its workers go too."""
    command = [sys.executable, "-m", "ranker.generate", *options]
    begun = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in waiting(60):
        assert begun.poll() is None
        if out.exists() and len(out.read_text().splitlines()) >= INSTRUCTIONS:
            break
    workers = psutil.Process(begun.pid).children()
    os.kill(begun.pid, signal.SIGKILL)
    begun.wait()
    assert workers
    assert not psutil.wait_procs(workers, timeout=30)[1]


def waiting(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.02)
    raise AssertionError(f"nothing came in {seconds} s")


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("notes.txt", b"my notes\n", "notes.txt, line 1: the line: "),
        ("made.jsonl", b'{"task": 3}\n', "made.jsonl, line 1: task: "),
        ("made.jsonl", b"\xff\xfe\n", "made.jsonl, line 1: the line: "),
        ("notes.txt", b"my notes, without an end of the line", "ends with 36 bytes that are no record"),
        ("made.jsonl.gz", None, "leave .gz out"),
    ],
)
def test_a_file_that_holds_something_else_stays_as_it_is(
    tmp_path: Path, name: str, content: bytes | None, says: str
) -> None:
    out = tmp_path / name
    if content is not None:
        out.write_bytes(content)
    done = CliRunner().invoke(app, ["--tasks", "1", "--out", str(out)])
    assert done.exit_code == 2
    assert says in done.output
    assert len(done.output.splitlines()) == 1
    assert (out.read_bytes() if out.exists() else None) == content
