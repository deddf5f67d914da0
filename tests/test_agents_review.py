"""What a person may change of the ranked instructions, and what is told of a file that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from agents.propose import LLM, LONGEST_PART, LONGEST_TITLE
from agents.review import Entries, apply_review, read_review, review_entries, review_text
from grading.base import TaskError
from ranker.base import Ranked
from recipes.base import Instruction

RECIPE = Instruction("recipe-linear", "Linear", "scale", "ridge", "cv", "recipe:linear", 0.5, ["tabular"])
OTHER = Instruction("recipe-trees", "Trees", "none", "forest", "oob", "recipe:trees", 0.4, ["tabular"])
IDEA = Instruction("idea-1", "Plan", "fill", "boosting", "five folds", LLM)
POOL = [OTHER, IDEA, RECIPE]
RANKING = [Ranked("recipe-linear", 0.5, "prior"), Ranked("recipe-trees", 0.4, "prior"), Ranked("idea-1", 0.4, "turn")]
NEW = {"title": "Mine", "preprocessing": "none", "model": "mean", "training": "none"}


def entries() -> Entries:
    """What a person is shown: linear, trees, idea."""
    return review_entries(POOL, RANKING)


def applied(answer: object) -> tuple[list[Instruction], list[str]]:
    """The pool and the order after a review."""
    pool, ranking = apply_review(answer, POOL, RANKING)
    assert [r.instruction for r in ranking] == [instruction.id for instruction in pool]
    return pool, [r.instruction for r in ranking]


def written(folder: Path, text: str) -> Path:
    """The file that a person saved."""
    path = folder / "review.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_person_sees_what_will_be_tried_in_its_order(tmp_path: Path) -> None:
    text = review_text(entries(), "python -m agents.run --resume runs/x")
    assert text.startswith("# The instructions in the order in which they will be tried.")
    assert "\n#     python -m agents.run --resume runs/x\n" in text
    shown = read_review(written(tmp_path, text))
    assert [entry["id"] for entry in shown] == ["recipe-linear", "recipe-trees", "idea-1"]
    assert shown[0] == {
        "id": "recipe-linear",
        "title": "Linear",
        "preprocessing": "scale",
        "model": "ridge",
        "training": "cv",
        "source": "recipe:linear",
        "why": "prior",
    }


def test_a_file_that_nobody_changed_changes_nothing(tmp_path: Path) -> None:
    shown = read_review(written(tmp_path, review_text(entries(), "x")))
    pool, ranking = apply_review(shown, POOL, RANKING)
    assert pool == [RECIPE, OTHER, IDEA]
    assert [(r.instruction, r.score) for r in ranking] == [(r.instruction, r.score) for r in RANKING]


@pytest.mark.parametrize(
    "words",
    [
        "key: value # no comment",
        "'single' and \"double\" \\n {curly} [square] %percent @at &and *star !bang |pipe >more ?what `tick`",
        "- a list\n- of two\n\n  and an indented line\n",
        " spaces around \t",
        "größer, 数据, שלום, 😀, a\u00a0b, \u200b, \u2028, \ufeff, \x07, \x85, \x00",
        "no",
        "null",
        "2024-13-45",
        "1_000",
        "=",
        "~",
        "---\n...\n--- !!python/object:os.system",
        "word " * 300,
        "w" * 1_500,
        "windows\r\nlines\r\n",
    ],
)
def test_odd_words_are_read_back_unchanged(tmp_path: Path, words: str) -> None:
    odd = replace(RECIPE, title=words, preprocessing=words, model=words, training=words)
    shown = read_review(written(tmp_path, review_text(review_entries([odd], RANKING[:1]), "x")))
    pool, _ = apply_review(shown, [odd], RANKING[:1])
    assert pool == [odd]
    if "\x85" not in words:
        assert shown[0]["model"] == words


def test_an_editor_that_wraps_lines_changes_no_words() -> None:
    shown = entries()
    shown[2]["training"] = "five\n folds \n"
    assert applied(shown)[0][2] == IDEA


def test_instructions_are_dropped_and_moved() -> None:
    linear, _, idea = entries()
    assert applied([idea, linear]) == ([IDEA, RECIPE], ["idea-1", "recipe-linear"])


def test_a_recipe_with_other_words_is_written_by_the_model() -> None:
    shown = entries()
    shown[1]["model"] = "a forest of 500 trees"
    pool, order = applied(shown)
    assert order == ["recipe-linear", "review-2", "idea-1"]
    assert pool[1] == Instruction("review-2", "Trees", "none", "a forest of 500 trees", "oob", LLM)
    assert [pool[0], pool[2]] == [RECIPE, IDEA]


def test_a_models_instruction_with_other_words_stays_itself() -> None:
    shown = entries()
    shown[2]["title"] = "  My\n plan "
    assert applied(shown)[0][2] == replace(IDEA, title="My plan")


def test_a_new_instruction_is_written_by_the_model_at_its_place() -> None:
    pool, order = applied([NEW, *entries(), NEW | {"title": "T" * 200, "model": "m" * 2_000}])
    assert order == ["review-1", "recipe-linear", "recipe-trees", "idea-1", "review-5"]
    assert pool[0] == Instruction("review-1", "Mine", "none", "mean", "none", LLM)
    assert (len(pool[4].title), len(pool[4].model)) == (LONGEST_TITLE, LONGEST_PART)


def test_a_recipe_and_its_changed_twin_are_both_kept() -> None:
    shown = entries()
    assert applied([shown[0], shown[0] | {"model": "lasso"}])[1] == ["recipe-linear", "review-2"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda shown: [], "The review: holds no instruction, so there is nothing to try"),
        (lambda shown: None, "The review: Input should be a valid list"),
        (lambda shown: {"title": "a"}, "The review: Input should be a valid list"),
        (lambda shown: [*shown, "a title"], "The review: entry 4: Input should be a valid dictionary"),
        (lambda shown: [*shown, shown[0]], "The review: entry 4: recipe-linear stands there twice"),
        (lambda shown: [shown[2], shown[2] | {"model": "x"}], "The review: entry 2: idea-1 stands there twice"),
        (lambda shown: [NEW | {"id": "recipe-lost"}], "The review: entry 1: there is no instruction recipe-lost"),
        (lambda shown: [shown[0], {"title": "a"}], "The review: entry 2: preprocessing: Field required"),
        (lambda shown: [NEW | {"training": None}], "The review: entry 1: training: Input should be a valid string"),
        (lambda shown: [NEW | {"training": " \n"}], "The review: entry 1: training: String should have at least"),
        (lambda shown: [{"titel": "a", "model": "b"}], "The review: entry 1: titel: Extra inputs are not permitted"),
    ],
)
def test_what_cannot_be_used_is_told_with_entry_and_field(change: Any, told: str) -> None:
    with pytest.raises(TaskError) as raised:
        apply_review(change(entries()), POOL, RANKING)
    assert str(raised.value).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("- title: a\n  model: [\n", "line 3, column 1"),
        ("- title: a\n model: b\n", "line 2, column 2"),
        ("- title: a: b\n", "line 1, column 11"),
        ("- \t@\n", "line 1"),
        ("", ": Input should be a valid list"),
        ("only words", ": Input should be a valid list"),
        ("[]", "holds no instruction"),
        ("- title: a\n", "entry 1: preprocessing: Field required"),
        ("- title:\n  preprocessing: a\n  model: a\n  training: a\n", "entry 1: title: String should have at least"),
        ("- &a [*a]", "recursive"),
        ("- " + "[" * 5_000, "cannot be read as YAML"),
        ("- " + "x" * 1_000_000, "is larger than 1000 kB"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(TaskError) as raised:
        read_review(written(tmp_path, text))
    assert str(raised.value).startswith(f"{tmp_path}/review.yaml: ")
    assert told in str(raised.value)


def test_a_file_that_is_gone_or_no_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="No such file"):
        read_review(tmp_path / "review.yaml")
    (tmp_path / "review.yaml").write_bytes(b"- \xff\xfe")
    with pytest.raises(TaskError, match="cannot be read as YAML"):
        read_review(tmp_path / "review.yaml")


@pytest.mark.parametrize("title", ["2024-13-45", "yes", "1", "12:30:99", "0x", "!!int x", "!!timestamp x", ".5e", "="])
def test_a_persons_words_are_taken_as_words(tmp_path: Path, title: str) -> None:
    text = f"- title: {title}\n  preprocessing: none\n  model: 1e5\n  training: off\n"
    pool, _ = applied(read_review(written(tmp_path, text)))
    assert pool[0].title == title.rpartition(" ")[2]
    assert (pool[0].model, pool[0].training) == ("1e5", "off")
