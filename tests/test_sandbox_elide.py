"""Texts from programs: bounded, and free of what a terminal would obey."""

from __future__ import annotations

import re
import time

import pytest

from sandbox.elide import Elided, clean, elide


def test_a_short_text_is_left_alone() -> None:
    assert elide("a\nb", 10) == "a\nb"


def test_a_long_text_loses_its_middle_and_says_how_much() -> None:
    text = "".join(chr(97 + i % 26) for i in range(50_000))
    short = elide(text, 1_000)
    assert short.startswith(text[:500])
    assert short.endswith(text[-500:])
    assert "49,000 characters cut" in short


def test_pieces_give_the_same_as_the_whole_and_stay_small() -> None:
    text = "".join(f"{i}\n" for i in range(20_000))
    pieces = Elided(1_000)
    for start in range(0, len(text), 77):
        pieces.add(text[start : start + 77])
    assert pieces.text() == elide(text, 1_000)


def test_what_the_writer_cut_already_is_counted() -> None:
    text = Elided(100)
    text.add("a" * 80, cut=1_000_000, tail="b" * 80)
    short = text.text()
    (cut,) = re.findall(r"([\d,]+) characters cut", short)
    assert int(cut.replace(",", "")) == 1_000_000 + 60
    assert short.startswith("a" * 50 + "\n")
    assert short.endswith("\n" + "b" * 50)


@pytest.mark.parametrize("unit", ["x", "\r", "x\r", "\x1b", "\x1b[", "\x1b]", "\x1b[0", "\x9b0", "x\n", "Cell In[1"])
def test_no_text_takes_long(unit: str) -> None:
    started = time.monotonic()
    clean(unit * 300_000)
    assert time.monotonic() - started < 3


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07body", "body"),
        ("\x1b]52;c;aGk=\x1b\\body", "body"),
        ("\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x1bcb", "ab"),
        ("\x9b31mred", "red"),
        (" 1%\r 50%\r100%\ndone", "100%\ndone"),
        ("windows\r\nline", "windows\nline"),
        ("bell\a null\0 back\b tab\t", "bell null back tab\t"),
        ("lone \ud800 surrogate", "lone ? surrogate"),
    ],
)
def test_terminal_codes_are_removed(text: str, seen: str) -> None:
    assert clean(text) == seen
