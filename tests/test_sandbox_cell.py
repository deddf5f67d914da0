"""How one cell's frames become a result, whatever the container claims."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from sandbox.base import ScriptError
from sandbox.cell import MAX_PICTURES, Cell

PNG = b"\x89PNG\r\n\x1a\n"


def make_cell(*frames: dict[str, Any], output_bytes: int = 10_000) -> Cell:
    cell = Cell("c1", output_bytes)
    for frame in frames:
        cell.take({"cell": "c1"} | frame)
    return cell


def reply(**claims: Any) -> dict[str, Any]:
    return {"kind": "reply", "status": "error"} | claims


def error_of(**claims: Any) -> ScriptError | None:
    return make_cell(reply(**claims)).error


def test_streams_are_kept_apart_and_cleaned() -> None:
    cell = make_cell(
        {"kind": "text", "name": "stdout", "text": "\x1b[1mout\x1b[0m\n", "size": 12},
        {"kind": "text", "name": "stderr", "text": "err", "size": 3},
        {"kind": "text", "name": "stdout", "text": "not mine", "size": 8, "cell": "c0"},
    )
    result = cell.result("ok", 1.0, None)
    assert (result.stdout, result.stderr) == ("out\n", "err")


def test_the_line_is_the_deepest_one_in_the_script() -> None:
    traceback = (
        "Traceback (most recent call last):\n\n  Cell In[1], line 12\n    f()\n\n  Cell In[1], line 3 in f\n    g()\n\n"
        "  File /opt/venv/lib/python3.11/site-packages/pandas/core.py:99 in g\n    raise KeyError\n\nKeyError: 'x'\n"
    )
    error = error_of(type="KeyError", message="'x'", traceback=traceback)
    assert error is not None
    assert (error.type, error.line) == ("KeyError", 3)


@pytest.mark.parametrize("message", ["", "0", "None"])
def test_leaving_by_sys_exit_is_a_good_end(message: str) -> None:
    assert error_of(type="SystemExit", message=message) is None


def test_leaving_by_sys_exit_with_a_complaint_is_an_error() -> None:
    assert error_of(type="SystemExit", message="no data") == ScriptError("SystemExit", "no data", "", None)


def test_a_long_error_is_shortened() -> None:
    error = error_of(type="E" * 1000, message="m" * 10_000, traceback="t" * 100_000)
    assert error is not None
    assert len(error.type) == 200
    assert len(error.message) < 2_100
    assert len(error.traceback) < 10_100


def test_only_so_many_real_pictures_of_bounded_size_are_kept() -> None:
    def picture(data: bytes) -> dict[str, Any]:
        return {"kind": "picture", "data": base64.b64encode(data).decode()}

    good = [picture(PNG + bytes([number])) for number in range(MAX_PICTURES + 5)]
    bad = [picture(b"<svg onload=...>"), picture(PNG + b"x" * 6 * 2**20), {"kind": "picture", "data": "!"}]
    assert len(make_cell(*bad, *good).result("ok", 1.0, None).plots) == MAX_PICTURES
    assert make_cell(*bad).result("ok", 1.0, None).plots == []


@pytest.mark.parametrize(
    "frame",
    [
        {"kind": "text", "text": "x" * 200},
        {"kind": "text", "text": "x" * 200, "size": -(10**9)},
        {"kind": "text", "text": "", "size": 200},
        {"kind": "text", "text": "", "cell": "c0"},
        {"kind": "picture", "data": "A" * 200},
        {"kind": "nonsense"},
    ],
)
def test_every_kind_of_flood_is_noticed(frame: dict[str, Any]) -> None:
    assert make_cell(*[frame] * 101).flooded


@pytest.mark.parametrize("value", [None, 1, "x", [], {}, 1e400, True])
def test_frames_with_the_wrong_types_do_no_harm(value: Any) -> None:
    for kind in ("text", "picture", "reply", "idle", "exit", value):
        for field in (
            "name",
            "text",
            "tail",
            "cut",
            "size",
            "data",
            "status",
            "type",
            "message",
            "code",
            "log",
            "cell",
        ):
            make_cell({"kind": kind, field: value}).result("error", 1.0, None)


def test_the_end_of_the_process_is_told_in_words() -> None:
    killed, left = make_cell({"kind": "exit", "code": -11}), make_cell({"kind": "exit", "code": 3})
    assert killed.error is not None
    assert "SIGSEGV" in killed.error.message
    assert left.error is not None
    assert "exit code 3" in left.error.message
